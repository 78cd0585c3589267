//! `render`: the outputs as they would be. Calls no provider, and reads no key unless told to show it.

use super::Shown;
use super::cluster::{Cluster, ClusterFlags};
use super::completion;
use super::object;
use super::output::{self, Output};
use super::trouble::{Ending, Trouble};
use crate::api::{ConnectorCredential, Output as Declared};
use crate::credential::{AccessToken, Key};
use crate::error::{Failure, Verb};
use crate::outputs::{Rendered, labels, render, token_in};
use crate::policy::publishing::{Beside, is_local, material};
use crate::policy::violation::violation;
use crate::policy::{Observed, Ownership, Source, Target, Traits, declared_outputs, ownership, resolve};
use crate::providers::Provider;
use clap::{Args, ValueEnum};
use clap_complete::engine::ArgValueCandidates;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::sync::Arc;

/// What stands where a key or a token would.
const REDACTED: &str = "REDACTED";

#[derive(Debug, Args)]
pub(super) struct Render {
    /// The credential
    #[arg(value_name = "NAME", value_parser = object::named, add = ArgValueCandidates::new(completion::names))]
    name: String,
    /// Show keys and tokens as they are
    #[arg(long)]
    show_secrets: bool,
    /// The operator's configuration with the providers' endpoints. Without, the built-in endpoints
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The form of the result
    #[arg(short, long, value_name = "FORM", default_value = "yaml")]
    output: Form,
    #[command(flatten)]
    cluster: ClusterFlags,
}

/// The form of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Manifests, one document each.
    Yaml,
    /// A List.
    Json,
    /// `secret/NAME`.
    Name,
}

/// What an output is filled with.
struct Filling {
    key: Key,
    token: Option<AccessToken>,
    expires_at: Option<Timestamp>,
}

impl Render {
    pub(super) async fn run(self, output: Output, shown: &Shown) -> Result<Ending, Trouble> {
        let settings = super::site::settings(self.config.as_deref())?;
        let cluster = self.cluster.connect(*shown).await?;
        let object = cluster.credential(&self.name).await?;
        let kind = object.spec.provider.chosen().map(|provider| provider.profile().kind);
        let mut seen = Observed {
            site: kind.map(|kind| settings.site(kind).clone()).unwrap_or_default(),
            object: Arc::new(object),
            source: Source::Missing,
            targets: Vec::new(),
            dropped: Vec::new(),
            claimed: std::collections::BTreeSet::new(),
            traits: Traits::default(),
        };
        if let Some((reason, message)) = violation(&seen) {
            return Err(
                Trouble::new(format!("{reason}: {message}")).hint("endpoints come from --config, as the operator's do")
            );
        }
        let filling = if self.show_secrets { real(&cluster, &mut seen).await? } else { redacted(&seen) };
        let Some(provider) = seen.provider() else { return Err(Trouble::new("the spec names no provider")) };
        let mut secrets = Vec::new();
        for declared in declared_outputs(&seen.object) {
            secrets.push(manifest(&seen, provider, &filling, &declared)?);
        }
        self.print(&secrets, output)?;
        if self.config.is_none() {
            output.note("Endpoints are the built-in ones: with --config those of the operator's configuration.");
        }
        Ok(Ending::Good)
    }

    fn print(&self, secrets: &[Value], output: Output) -> Result<(), Trouble> {
        match self.output {
            Form::Json => {
                output.data(&json!({"apiVersion": "v1", "kind": "List", "items": secrets}), output::Form::Json)
            }
            Form::Yaml => {
                for (place, secret) in secrets.iter().enumerate() {
                    if place > 0 {
                        output.raw(b"---\n")?;
                    }
                    output.data(secret, output::Form::Yaml)?;
                }
                Ok(())
            }
            Form::Name => {
                let name = |secret: &Value| {
                    format!("secret/{}\n", secret.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default())
                };
                output.raw(secrets.iter().map(name).collect::<String>().as_bytes())
            }
        }
    }
}

/// Nothing secret gets in, so nothing can get out.
#[expect(clippy::expect_used, reason = "a constant that is a key")]
fn redacted(seen: &Observed) -> Filling {
    let expires_at = seen.object.status.as_ref().and_then(|status| status.expiration.as_ref());
    Filling {
        key: Key::parse(REDACTED.as_bytes()).expect("visible ASCII"),
        token: AccessToken::parse(REDACTED).ok(),
        expires_at: expires_at.and_then(|expiration| expiration.time.as_ref()).map(|time| time.0),
    }
}

/// The key of the source, and the token that an output of ours holds.
async fn real(cluster: &Cluster, seen: &mut Observed) -> Result<Filling, Trouble> {
    let secrets = cluster.api::<Secret>();
    let read = async |name: &str| {
        let found = secrets.get_opt(name).await;
        found.map_err(|error| {
            cluster.trouble(&Failure::new(Verb::Get, "secrets", &error), &format!("cannot read Secret {name}"))
        })
    };
    let name = seen.object.spec.key_secret_ref.name.clone();
    seen.source = read(&name).await?.map_or(Source::Missing, |secret| Source::Found(Box::new(secret)));
    let declared = declared_outputs(&seen.object);
    for output in &declared {
        let secret = read(&output.secret_name).await?.map(Box::new);
        seen.targets.push(Target { name: output.secret_name.clone(), secret, cut: false });
    }
    let resolved =
        resolve(seen).map_err(|why| Trouble::new(crate::policy::message::unresolved(&seen.object.spec, &why)))?;
    let mints = seen.provider().is_some_and(|provider| provider.profile().mints_token);
    let token = declared.iter().find_map(|output| stored_token(seen, output)).filter(|_| mints);
    if mints && token.is_none() {
        let what = "no output holds an access token yet, and render calls no provider";
        return Err(Trouble::new(what).hint("leave --show-secrets out, or wait until the credential is ready"));
    }
    Ok(Filling { key: resolved.key, token, expires_at: resolved.expires_at })
}

fn stored_token(seen: &Observed, output: &Declared) -> Option<AccessToken> {
    let secret = seen.target(&output.secret_name)?.secret.as_deref()?;
    let data = secret.data.as_ref().filter(|_| ownership(secret, seen.uid()) == Ownership::Ours)?;
    token_in(output, |name| data.get(name).map(|value| value.0.as_slice()))
}

/// The Secret, with its data as text.
fn manifest(seen: &Observed, provider: &dyn Provider, filling: &Filling, output: &Declared) -> Result<Value, Trouble> {
    let mints = provider.profile().mints_token && !is_local(seen);
    let token = filling.token.as_ref().filter(|_| mints);
    let beside = Beside { token, expires_at: filling.expires_at };
    let material = material(seen, provider, &filling.key, beside);
    let rendered = render(output, &material)
        .map_err(|why| Trouble::new(crate::policy::message::unrenderable(&output.secret_name, &why)))?;
    let object: &ConnectorCredential = &seen.object;
    Ok(json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": output.secret_name,
            "namespace": object::namespace(object),
            "labels": labels(object::name(object)),
        },
        "type": rendered.secret_type,
        "stringData": text(&rendered),
    }))
}

fn text(rendered: &Rendered) -> Map<String, Value> {
    let value = |bytes: &[u8]| Value::String(String::from_utf8_lossy(bytes).into_owned());
    rendered.data.iter().map(|(name, bytes)| (name.clone(), value(bytes))).collect()
}
