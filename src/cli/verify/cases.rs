//! Which credential goes with which key? Objects of files become what the operator would have observed.

use super::input::{Found, Input, Place};
use super::metadata;
use super::prove::Judged;
use super::schema::{self, Schema};
use crate::api::ConnectorCredential;
use crate::config::Settings;
use crate::policy::{Observed, Source, Target, Traits, declared_outputs};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// What the command line adds to the manifests.
pub(super) struct Given {
    /// Keys by the credential's name.
    pub(super) keys: BTreeMap<String, String>,
    /// The namespace of manifests that name none.
    pub(super) namespace: Option<String>,
    /// The administrator's settings.
    pub(super) settings: Arc<Settings>,
}

/// A credential that can be judged.
pub(super) struct Case {
    /// Its place in the input.
    pub(super) number: usize,
    pub(super) found: Found,
    pub(super) seen: Observed,
}

/// All credentials, with their places in the input.
pub(super) struct Cases {
    pub(super) open: Vec<Case>,
    pub(super) refused: Vec<(usize, Judged)>,
}

impl Cases {
    pub(super) fn new(input: Input, given: &Given) -> Self {
        let mut cases = Self { open: Vec::new(), refused: Vec::new() };
        for (place, what) in input.faults {
            cases.refused.push((0, Judged::refused(place, String::new(), what)));
        }
        let (secrets, unreadable) = sorted(input.secrets);
        let admitted = cases.admit(input.credentials, given.namespace.as_deref());
        for (place, name, what) in unreadable {
            // Nobody minds a Secret that no key is read from.
            let needs = |object: &ConnectorCredential| {
                let by_variable = object.metadata.name.as_ref().is_some_and(|name| given.keys.contains_key(name));
                object.spec.key_secret_ref.name == name && !by_variable
            };
            if admitted.iter().any(|(_, _, object)| needs(object)) {
                cases.refused.push((0, Judged::refused(place, name, what.to_owned())));
            }
        }
        let mut claims = Claims::new();
        for (number, found, object) in admitted {
            let claimed = claim(&mut claims, &object);
            let seen = observe(object, &found.file, (&secrets, given), claimed);
            cases.open.push(Case { number, found, seen });
        }
        cases
    }

    /// Whether a credential of this name was given.
    pub(super) fn has(&self, name: &str) -> bool {
        let open = self.open.iter().filter_map(|case| case.seen.object.metadata.name.as_deref());
        let refused = self.refused.iter().map(|(_, judged)| judged.name.as_str());
        open.chain(refused).any(|one| one == name)
    }

    /// What the API server would admit; the rest is refused here.
    fn admit(&mut self, found: Vec<Found>, namespace: Option<&str>) -> Vec<(usize, Found, ConnectorCredential)> {
        let schema = Schema::new();
        let mut admitted = Vec::new();
        for (number, found) in found.into_iter().enumerate() {
            match object(&schema, &found, namespace) {
                Ok(object) => admitted.push((number, found, object)),
                Err(faults) => {
                    self.refused.extend(refusal(&found, faults).map(|refused| (number, refused)));
                }
            }
        }
        admitted
    }
}

/// A Secret that cannot be read: where, its name, and why.
type Unreadable = (Place, String, &'static str);

/// Secrets with their files, and those that cannot be read.
fn sorted(found: Vec<Found>) -> (Vec<(String, Secret)>, Vec<Unreadable>) {
    let (mut secrets, mut unreadable) = (Vec::new(), Vec::new());
    for found in found {
        match secret(&found) {
            Ok(secret) => secrets.push((found.file, secret)),
            Err(what) => {
                let place = Place { line: found.node.line_of("kind"), file: found.file };
                unreadable.push((place, name_of(&found.node), what));
            }
        }
    }
    (secrets, unreadable)
}

/// All that is wrong with one object: lines, and what.
fn refusal(found: &Found, faults: Vec<(u32, String)>) -> Option<Judged> {
    let mut faults = faults.into_iter();
    let (line, message) = faults.next()?;
    let first = Judged::refused(Place { file: found.file.clone(), line }, name_of(&found.node), message);
    Some(faults.fold(first, |refused, (line, message)| refused.and(line, message)))
}

fn name_of(node: &super::yaml::Node) -> String {
    let name = node.get("metadata").and_then(|meta| meta.get("name")).and_then(super::yaml::Node::text);
    name.unwrap_or_default().to_owned()
}

/// The credential as the API server would store it, or lines and what is wrong there.
fn object(schema: &Schema, found: &Found, namespace: Option<&str>) -> Result<ConnectorCredential, Vec<(u32, String)>> {
    let mut value = found.node.value();
    let located = |fault: schema::Fault| {
        let line = found.node.line_of(&fault.path);
        (line, if fault.what.contains(&fault.path) { fault.what } else { format!("{}: {}", fault.path, fault.what) })
    };
    let mut faults: Vec<_> = schema.faults(&mut value).into_iter().map(located).collect();
    faults.extend(metadata::faults(&found.node));
    if !faults.is_empty() {
        return Err(faults);
    }
    let read = serde_json::from_value::<ConnectorCredential>(value);
    let mut object = read.map_err(|_| {
        let what = "Invalid value: does not fit the schema; compare it with kubectl explain concred";
        vec![(found.node.line_of("spec"), what.to_owned())]
    })?;
    object.metadata.generation = Some(1);
    object.metadata.namespace = object.metadata.namespace.or_else(|| namespace.map(str::to_owned));
    Ok(object)
}

/// The Secret with its stringData where data is.
fn secret(found: &Found) -> Result<Secret, &'static str> {
    if found.node.get("sops").is_some() {
        return Err("the Secret is encrypted with SOPS; decrypt it first, or give the key with --key-from-env");
    }
    let read = serde_json::from_value::<Secret>(found.node.value());
    let mut secret = read.map_err(|_| "the Secret cannot be read: data must be base64, stringData must be text")?;
    let text = secret.string_data.take().unwrap_or_default();
    let text = text.into_iter().map(|(name, value)| (name, ByteString(value.into_bytes())));
    secret.data.get_or_insert_default().extend(text);
    Ok(secret)
}

/// Which credentials declare an output, by its namespace and name.
type Claims = BTreeMap<(Option<String>, String), BTreeSet<String>>;

/// Claims the outputs of a credential; those that an earlier one of the namespace declares. The same credential twice is
/// a variant of itself.
fn claim(claims: &mut Claims, object: &ConnectorCredential) -> BTreeSet<String> {
    let own = object.metadata.name.clone().unwrap_or_default();
    let mut claimed = BTreeSet::new();
    for output in declared_outputs(object) {
        let place = (object.metadata.namespace.clone(), output.secret_name.clone());
        let names = claims.entry(place).or_default();
        if names.iter().any(|name| *name != own) {
            claimed.insert(output.secret_name);
        }
        names.insert(own.clone());
    }
    claimed
}

fn observe(
    mut object: ConnectorCredential,
    file: &str,
    (secrets, given): (&[(String, Secret)], &Given),
    claimed: BTreeSet<String>,
) -> Observed {
    let meta = &object.metadata;
    let find = |name: &str| nearest(secrets, file, meta.namespace.as_deref().or(given.namespace.as_deref()), name);
    let outputs = declared_outputs(&object);
    let targets = outputs.into_iter().map(|output| {
        let secret = find(&output.secret_name).cloned().map(Box::new);
        Target { name: output.secret_name, secret, cut: false }
    });
    let targets = targets.collect();
    let by_variable = meta.name.as_ref().and_then(|name| given.keys.get(name));
    let source = match by_variable {
        Some(key) => Some(of_variable(&object, key)),
        None => find(&object.spec.key_secret_ref.name).cloned(),
    };
    if by_variable.is_some() {
        // An expiry that stands beside the key is not in the variable: the declared one holds, if any.
        object.spec.key_secret_ref.expiration_key = None;
    }
    let provider = object.spec.provider.chosen().map(|provider| provider.profile().kind);
    Observed {
        source: source.map_or(Source::Missing, |secret| Source::Found(Box::new(secret))),
        targets,
        dropped: Vec::new(),
        claimed,
        site: provider.map(|kind| given.settings.site(kind).clone()).unwrap_or_default(),
        traits: Traits::default(),
        object: Arc::new(object),
    }
}

/// The Secret that the key in a variable stands for.
fn of_variable(object: &ConnectorCredential, key: &str) -> Secret {
    let name = object.spec.key_secret_ref.key.as_deref().unwrap_or(crate::policy::source::DEFAULT_KEY);
    let data = [(name.to_owned(), ByteString(key.as_bytes().to_vec()))];
    Secret { data: Some(data.into()), ..Secret::default() }
}

/// The Secret of this name: from the same file, else from the same directory, else from anywhere. A namespace that one
/// of the two leaves open is the other's.
fn nearest<'a>(secrets: &'a [(String, Secret)], file: &str, namespace: Option<&str>, name: &str) -> Option<&'a Secret> {
    let fits = |secret: &Secret| {
        let theirs = secret.metadata.namespace.as_deref();
        secret.metadata.name.as_deref() == Some(name)
            && (theirs.is_none() || namespace.is_none() || theirs == namespace)
    };
    let distance = |other: &str| match (other == file, Path::new(other).parent() == Path::new(file).parent()) {
        (true, _) => 0,
        (false, true) => 1,
        (false, false) => 2,
    };
    let fitting = secrets.iter().filter(|(_, secret)| fits(secret));
    fitting.min_by_key(|(other, _)| distance(other)).map(|(_, secret)| secret)
}
