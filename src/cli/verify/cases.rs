//! Which credential goes with which key? Objects of files become what the operator would have observed.

use super::input::{Found, Input, Place};
use super::prove::Judged;
use super::schema::Schema;
use crate::api::ConnectorCredential;
use crate::config::Settings;
use crate::policy::{Observed, Source, Target, Traits, declared_outputs};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use regex::Regex;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// Names of objects: DNS-1123 subdomains.
const OBJECT_NAME: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";

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
        let secrets = cases.secrets(input.secrets);
        let admitted = cases.admit(input.credentials, given.namespace.as_deref());
        let claims: Vec<_> = admitted.iter().map(|(_, _, object)| claim(object)).collect();
        for (order, (number, found, object)) in admitted.into_iter().enumerate() {
            let claimed = claimed_before(claims.get(..order).unwrap_or_default(), &claim(&object));
            let seen = observe(object, &found.file, (&secrets, given), claimed);
            cases.open.push(Case { number, found, seen });
        }
        cases
    }

    fn secrets(&mut self, found: Vec<Found>) -> Vec<(String, Secret)> {
        let mut secrets = Vec::new();
        for found in found {
            if let Some(secret) = secret(&found) {
                secrets.push((found.file, secret));
                continue;
            }
            let place = Place { line: found.node.line_of("kind"), file: found.file };
            let what = "the Secret cannot be read: data must be base64, stringData must be text".to_owned();
            self.refused.push((0, Judged::refused(place, name_of(&found.node), what)));
        }
        secrets
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

/// All that is wrong with one object.
fn refusal(found: &Found, faults: Vec<(String, String)>) -> Option<Judged> {
    let mut lines = faults.into_iter().map(|(path, what)| {
        let message = if what.contains(&path) { what } else { format!("{path}: {what}") };
        (found.node.line_of(&path), message)
    });
    let (line, message) = lines.next()?;
    let first = Judged::refused(Place { file: found.file.clone(), line }, name_of(&found.node), message);
    Some(lines.fold(first, |refused, (line, message)| refused.and(line, message)))
}

fn name_of(node: &super::yaml::Node) -> String {
    let name = node.get("metadata").and_then(|meta| meta.get("name")).and_then(super::yaml::Node::text);
    name.unwrap_or_default().to_owned()
}

/// The credential as the API server would store it, or fields and what is wrong with them.
fn object(
    schema: &Schema,
    found: &Found,
    namespace: Option<&str>,
) -> Result<ConnectorCredential, Vec<(String, String)>> {
    let mut value = found.node.value();
    let mut faults: Vec<_> = schema.faults(&mut value).into_iter().map(|fault| (fault.path, fault.what)).collect();
    let name = name_of(&found.node);
    if name.len() > 253 || !Regex::new(OBJECT_NAME).is_ok_and(|form| form.is_match(&name)) {
        let what = "Invalid value: must be a name of small letters, digits, '-' and '.', at most 253 characters";
        faults.push(("metadata.name".to_owned(), what.to_owned()));
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let read = serde_json::from_value::<ConnectorCredential>(value);
    let mut object = read.map_err(|_| {
        let what = "Invalid value: does not fit the schema; compare it with kubectl explain concred.spec";
        vec![("spec".to_owned(), what.to_owned())]
    })?;
    object.metadata.generation = Some(1);
    object.metadata.namespace = object.metadata.namespace.or_else(|| namespace.map(str::to_owned));
    Ok(object)
}

/// The Secret with its stringData where data is.
fn secret(found: &Found) -> Option<Secret> {
    let mut secret: Secret = serde_json::from_value(found.node.value()).ok()?;
    let text = secret.string_data.take().unwrap_or_default();
    let text = text.into_iter().map(|(name, value)| (name, ByteString(value.into_bytes())));
    secret.data.get_or_insert_default().extend(text);
    Some(secret)
}

/// Who declares which outputs.
struct Claim {
    namespace: Option<String>,
    name: String,
    outputs: BTreeSet<String>,
}

fn claim(object: &ConnectorCredential) -> Claim {
    Claim {
        namespace: object.metadata.namespace.clone(),
        name: object.metadata.name.clone().unwrap_or_default(),
        outputs: declared_outputs(object).into_iter().map(|output| output.secret_name).collect(),
    }
}

/// Output names that an earlier credential of the namespace declares. The same one twice is a variant of itself.
fn claimed_before(earlier: &[Claim], own: &Claim) -> BTreeSet<String> {
    let others = earlier.iter().filter(|other| other.namespace == own.namespace && other.name != own.name);
    others.flat_map(|other| other.outputs.intersection(&own.outputs).cloned()).collect()
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
        Target { name: output.secret_name, secret }
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
