//! What happens to the keys, and what must follow? Six chapters; each says what is done, and fails unless the operator
//! does what is told.
//!
//! A credential may be checked out of turn twice in a row and then once in 30 seconds, so the chapters change different
//! ones, and the last repairs what the earlier ones broke.

use std::path::Path;
use std::time::Instant;

use connector_operator::api::{
    ConditionType, Conditions as _, ConnectorCredential, MANAGED_BY_LABEL, RECONCILE_AT, Reason,
};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use kube::api::ListParams;

use crate::error::Error;
use crate::keys::{self, Example};
use crate::simulator::{IssuedKey, NewKey, key_hash};
use crate::stage::{NAMESPACE, ROOT};
use crate::story::Story;
use crate::table::fit;

/// Who plays what. The names are those of the examples.
const ROTATED: &str = "inventory";
const MISTYPED: &str = "crm";
const EXPIRED: &str = "erp";
const ENDING: &str = "leisure";
/// Declared before its Secret exists.
const EARLY: &str = "warehouse";

/// How far ahead the declared expiry is put.
const SHORTLY: SignedDuration = SignedDuration::from_secs(6);

/// Tells the whole story.
pub(crate) async fn play(story: &mut Story<'_>) -> Result<(), Error> {
    let examples = keys::issue_all(&story.stage.simulator, Path::new(ROOT))?;
    declared_and_proved(story, &examples).await?;
    rotated(story, of(&examples, ROTATED)?).await?;
    mistyped(story, of(&examples, MISTYPED)?).await?;
    expired(story, of(&examples, EXPIRED)?).await?;
    missing(story, of(&examples, ROTATED)?).await?;
    repaired(story, &examples).await
}

fn of<'a>(examples: &'a [Example], name: &str) -> Result<&'a Example, Error> {
    let found = examples.iter().find(|example| example.credential.name_any() == name);
    let problem = format!("no credential named {name}");
    found.ok_or_else(|| Error::Example { file: keys::CREDENTIALS.to_owned(), problem })
}

/// Another key for the same provider and account.
fn another(story: &Story<'_>, example: &Example) -> Result<IssuedKey, Error> {
    let new = keys::like(&example.credential.spec.provider);
    let new: Option<NewKey> = new.map(|new| NewKey { key: None, ..new });
    let problem = "no provider that is simulated".to_owned();
    let new = new.ok_or_else(|| Error::Example { file: keys::CREDENTIALS.to_owned(), problem })?;
    Ok(story.stage.simulator.add_key(new))
}

async fn declared_and_proved(story: &mut Story<'_>, examples: &[Example]) -> Result<(), Error> {
    story.chapter("Declared and proved");
    story.say(
        "Five ConnectorCredentials (concred for short), one for each provider, and the Secrets that hold their keys:",
    );
    story.kubectl(&["create", "namespace", NAMESPACE], None)?;
    let begun = Instant::now();
    story.kubectl(&["apply", "-n", NAMESPACE, "-f", keys::SECRETS, "-f", keys::CREDENTIALS], None)?;
    for example in examples {
        let name = example.credential.name_any();
        story.until(&name, "proved, published and Ready", is_ready).await?;
    }
    story.good(&format!("each key was shown to its provider and accepted: {}", since(begun)));
    story.good("published for workloads, each in the shape that was asked for:");
    list_outputs(story).await?;
    story.rest().await
}

/// Names only: of Secrets, and of what is in them.
async fn list_outputs(story: &mut Story<'_>) -> Result<(), Error> {
    let ours = ListParams::default().labels(&format!("{MANAGED_BY_LABEL}=connector-operator"));
    for secret in story.api::<Secret>().list(&ours).await? {
        let keys: Vec<_> = secret.data.iter().flatten().map(|(name, _)| name.as_str()).collect();
        let line = format!("      {}{}", fit(&secret.name_any(), 16), keys.join(" "));
        story.screen.line(fit(&line, 79).trim_end());
    }
    Ok(())
}

async fn rotated(story: &mut Story<'_>, example: &Example) -> Result<(), Error> {
    story.chapter("A key is rotated");
    story.say("inFlow has issued a new key. It goes into the Secret; workloads get it once it is proved.");
    let new = another(story, example)?;
    let begun = Instant::now();
    let version = put_key(story, example.source(), &new.key).await?;
    let published = story.awaited::<Secret>("inventory-auth", |secret| carries(secret, &new.hash)).await?;
    if published.is_none() {
        return Err(story.unmet("the Secret inventory-auth carries the new key", &story.state_of(ROTATED)));
    }
    story.good(&format!("proved, and published in inventory-auth {} after the change", since(begun)));
    story.until(ROTATED, "Ready with the new key", |it| is_ready(it) && speaks_of(it, &version)).await?;
    story.stage.simulator.revoke_key(&example.issued.id);
    story.good("so the old key can be revoked at inFlow, and is: nobody uses it any more");
    story.rest().await
}

async fn mistyped(story: &mut Story<'_>, example: &Example) -> Result<(), Error> {
    story.chapter("A wrong key is put in");
    story.say(&format!("Somebody pastes a key into {} that Flowlu has never seen.", example.source()));
    let before = story.api::<Secret>().get("crm-auth").await?;
    let version = put_key(story, example.source(), "flowlu-EXAMPLE-mistyped").await?;
    let crm =
        story.until(MISTYPED, "refused with KeyRejected, Stalled, with its last known good key published", |it| {
            speaks_of(it, &version)
                && shows(it, ConditionType::Authenticated, "False", Reason::KeyRejected)
                && shows(it, ConditionType::Stalled, "True", Reason::KeyRejected)
                && shows(it, ConditionType::Published, "True", Reason::LastKnownGood)
        });
    let crm = crm.await?;
    story.good("Flowlu refuses it. crm is not Ready any more, and says what to do:");
    say_why(story, &crm, ConditionType::Ready);
    let after = story.api::<Secret>().get("crm-auth").await?;
    if before.metadata.resource_version != after.metadata.resource_version || before.data != after.data {
        return Err(story.unmet("the Secret crm-auth stays as it was", "it was written"));
    }
    story.good("crm-auth still holds the last good key: workloads notice nothing");
    story.rest().await
}

async fn expired(story: &mut Story<'_>, example: &Example) -> Result<(), Error> {
    story.chapter("Keys expire");
    story.say("At ZenFlow the key of erp expires. The hourly check would find out; we ask now:");
    story.stage.simulator.expire_key(&example.issued.id);
    let request = format!("{RECONCILE_AT}=now");
    story.kubectl(&["annotate", "concred", EXPIRED, "-n", NAMESPACE, &request], None)?;
    let erp = story.until(EXPIRED, "Authenticated turns False with KeyExpired", |it| {
        shows(it, ConditionType::Authenticated, "False", Reason::KeyExpired)
    });
    let erp = erp.await?;
    story.good("ZenFlow says so itself, and is believed at once:");
    say_why(story, &erp, ConditionType::Ready);
    expiry_passes(story).await?;
    story.rest().await
}

async fn expiry_passes(story: &mut Story<'_>) -> Result<(), Error> {
    story.screen.line("");
    story.say("FLOW does not tell when a key expires, so leisure declares it: in 6 seconds, let us say.");
    let end = Timestamp::now().checked_add(SHORTLY).unwrap_or(Timestamp::MAX);
    expire_at(story, &jiff::fmt::strtime::format("%Y-%m-%dT%H:%M:%SZ", end).unwrap_or_default())?;
    let soon = |it: &_| shows(it, ConditionType::Expiring, "True", Reason::ExpiringSoon);
    story.until(ENDING, "Expiring with ExpiringSoon", soon).await?;
    story.good("the warning comes at once; it is due 30 days ahead, as warnBefore says");
    let passed = |it: &_| shows(it, ConditionType::Expiring, "True", Reason::Expired) && is_ready(it);
    let leisure = story.until(ENDING, "Expiring with Expired, and Ready all the same", passed).await?;
    story.good("the expiry is told as it passes; FLOW accepts the key still, so Ready stays True:");
    say_why(story, &leisure, ConditionType::Expiring);
    Ok(())
}

async fn missing(story: &mut Story<'_>, example: &Example) -> Result<(), Error> {
    story.chapter("A Secret is missing, and appears");
    story.say("A credential is declared before its Secret exists:");
    story.kubectl(&["apply", "-n", NAMESPACE, "-f", "tests/demo/warehouse.yaml"], None)?;
    let waits = |it: &_| {
        shows(it, ConditionType::Resolved, "False", Reason::SecretNotFound)
            && shows(it, ConditionType::Reconciling, "True", Reason::SecretNotFound)
    };
    let warehouse = story.until(EARLY, "Resolved is False with SecretNotFound, Reconciling", waits).await?;
    story.good("it waits, and says for what:");
    say_why(story, &warehouse, ConditionType::Ready);
    story.pictures().await?;
    let key = another(story, example)?.key;
    let literal = format!("--from-literal=api-key={key}");
    story.screen.line("");
    let begun = Instant::now();
    story.kubectl(&["create", "secret", "generic", "warehouse-key", "-n", NAMESPACE, &literal], Some(&key))?;
    story.until(EARLY, "Ready once its Secret exists", is_ready).await?;
    story.good(&format!("Ready {} after the Secret appeared", since(begun)));
    story.rest().await
}

async fn repaired(story: &mut Story<'_>, examples: &[Example]) -> Result<(), Error> {
    story.chapter("All is repaired");
    story.say("Good keys go into the Secrets, and the true expiry into leisure. Nobody restarts anything.");
    let mut versions = Vec::new();
    for name in [MISTYPED, EXPIRED] {
        let example = of(examples, name)?;
        let new = another(story, example)?;
        versions.push((name, put_key(story, example.source(), &new.key).await?));
    }
    expire_at(story, "2099-01-31T00:00:00Z")?;
    story.say("This may take a moment: after two checks at once a credential gets one in 30 seconds, because the provider's quota is yours.");
    for (name, version) in versions {
        story.until(name, "Ready with the good key", |it| is_ready(it) && speaks_of(it, &version)).await?;
    }
    let calm = |it: &ConnectorCredential| is_ready(it) && conditions(it).of(ConditionType::Expiring).is_none();
    story.until(ENDING, "Ready, and Expiring no more", calm).await?;
    story.good("all six are Ready");
    story.rest().await
}

fn expire_at(story: &mut Story<'_>, time: &str) -> Result<(), Error> {
    let patch = format!(r#"{{"spec":{{"expiresAt":"{time}"}}}}"#);
    story.kubectl(&["patch", "concred", ENDING, "-n", NAMESPACE, "--type=merge", "-p", &patch], None)
}

/// Puts a key into a source Secret, whose new version it returns.
async fn put_key(story: &mut Story<'_>, secret: &str, key: &str) -> Result<String, Error> {
    let patch = format!(r#"{{"stringData":{{"api-key":"{key}"}}}}"#);
    story.kubectl(&["patch", "secret", secret, "-n", NAMESPACE, "-p", &patch], Some(key))?;
    let secret = story.api::<Secret>().get(secret).await?;
    Ok(secret.metadata.resource_version.unwrap_or_default())
}

fn carries(secret: &Secret, hash: &str) -> bool {
    let mut values = secret.data.iter().flatten().filter_map(|(_, value)| std::str::from_utf8(&value.0).ok());
    values.any(|value| key_hash(value) == hash)
}

fn conditions(credential: &ConnectorCredential) -> &[k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition] {
    credential.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default()
}

fn shows(credential: &ConnectorCredential, condition: ConditionType, status: &str, reason: Reason) -> bool {
    let found = conditions(credential).of(condition);
    found.is_some_and(|found| found.status == status && found.reason == reason.name())
}

fn is_ready(credential: &ConnectorCredential) -> bool {
    shows(credential, ConditionType::Ready, "True", Reason::Ready)
}

/// Whether the verdict is about this version of the source Secret.
fn speaks_of(credential: &ConnectorCredential, version: &str) -> bool {
    let source = credential.status.as_ref().and_then(|status| status.source.as_ref());
    source.is_some_and(|source| source.resource_version == version)
}

fn say_why(story: &mut Story<'_>, credential: &ConnectorCredential, condition: ConditionType) {
    if let Some(found) = conditions(credential).of(condition) {
        story.quote(&found.message);
    }
}

fn since(begun: Instant) -> String {
    format!("{:.1} s", begun.elapsed().as_secs_f64())
}
