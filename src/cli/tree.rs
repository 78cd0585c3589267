//! `tree`: from the source Secret over the credential and its outputs to the Pods that use them, and their owners.

use super::Shown;
use super::cluster::{Cluster, ClusterFlags};
use super::completion;
use super::consumers::{Consumer, consumers, hidden};
use super::object::{self, condition};
use super::output::Output;
use super::page::{Page, Tone, Word};
use super::status::ready_tone;
use super::trouble::{Ending, Trouble};
use crate::api::{ConditionType, ConnectorCredential, PublishPolicy};
use crate::error::{Failure, Verb};
use crate::policy::declared_outputs;
use clap::Args;
use clap_complete::engine::ArgValueCandidates;
use k8s_openapi::api::core::v1::Secret;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Args)]
pub(super) struct Tree {
    /// The credential
    #[arg(value_name = "NAME", value_parser = object::named, add = ArgValueCandidates::new(completion::names))]
    name: String,
    #[command(flatten)]
    cluster: ClusterFlags,
}

/// What is said of an output that stands although it is not declared any more, or is not to be published.
const LEFT: &str = "not kept up any more";

/// A line of the tree, and what hangs on it.
struct Branch {
    words: Vec<Word>,
    below: Vec<Branch>,
}

fn leaf(name: impl AsRef<str>, note: impl Into<Word>) -> Branch {
    Branch { words: vec![Word::new(name, Tone::Strong), "  ".into(), note.into()], below: Vec::new() }
}

impl Tree {
    pub(super) async fn run(self, output: Output, shown: &Shown) -> Result<Ending, Trouble> {
        let cluster = self.cluster.connect(*shown).await?;
        let object = cluster.credential(&self.name).await?;
        let outputs = match object.spec.publish_policy {
            Some(PublishPolicy::Never) => Vec::new(),
            _ => declared_outputs(&object),
        };
        let declared: BTreeSet<_> = outputs.iter().map(|output| output.secret_name.clone()).collect();
        // What is not declared any more stands until it is deleted, and workloads may still use it.
        let written = object.status.as_ref().map(|status| status.outputs.as_slice()).unwrap_or_default();
        let mut names = declared.clone();
        names.extend(written.iter().map(|output| output.secret_name.clone()));
        let used = consumers(&cluster, &names).await;
        let mut branches = Vec::new();
        for name in names {
            let stands = if declared.contains(&name) { Word::new("published", Tone::Good) } else { LEFT.into() };
            let note = state(&cluster, &name, (object.metadata.uid.as_deref(), stands)).await;
            let mut branch = leaf(format!("Secret/{name}"), note);
            branch.below = match &used {
                Ok(used) => users(used, &name),
                Err(failure) => vec![leaf("Pods", Word::new(hidden(failure), Tone::Faint))],
            };
            branches.push(branch);
        }
        let source = &object.spec.key_secret_ref.name;
        let mut root = leaf(format!("Secret/{source}"), source_state(&cluster, source).await);
        root.below = vec![Branch { words: title(&object), below: branches }];
        let mut page = Page::default();
        draw(&mut page, root, ("", ""));
        output.page(&page)?;
        Ok(Ending::Good)
    }
}

fn title(object: &ConnectorCredential) -> Vec<Word> {
    let ready = condition(object, ConditionType::Ready);
    let note = ready
        .map_or_else(|| "not looked at yet".to_owned(), |ready| format!("Ready={} {}", ready.status, ready.reason));
    let name = format!("ConnectorCredential/{}", object::name(object));
    vec![Word::new(name, Tone::Strong), "  ".into(), Word::new(note, ready_tone(object))]
}

async fn source_state(cluster: &Cluster, name: &str) -> Word {
    match cluster.api::<Secret>().get_metadata_opt(name).await {
        Ok(Some(_)) => "holds the key".into(),
        Ok(None) => Word::new("does not exist", Tone::Bad),
        Err(error) => unseen(&error),
    }
}

/// Whether the Secret is there, and ours. Its metadata are read, never its data.
async fn state(cluster: &Cluster, name: &str, (uid, stands): (Option<&str>, Word)) -> Word {
    match cluster.api::<Secret>().get_metadata_opt(name).await {
        Ok(Some(found)) => {
            let mut owners = found.metadata.owner_references.iter().flatten();
            let ours = owners.any(|owner| owner.controller == Some(true) && Some(owner.uid.as_str()) == uid);
            if ours { stands } else { Word::new("belongs to somebody else", Tone::Bad) }
        }
        Ok(None) => Word::new("not written", Tone::Doubtful),
        Err(error) => unseen(&error),
    }
}

fn unseen(error: &kube::Error) -> Word {
    Word::new(hidden(&Failure::new(Verb::Get, "secrets", error)), Tone::Faint)
}

/// What uses a Secret, under what owns it.
fn users(used: &[Consumer], secret: &str) -> Vec<Branch> {
    let mut by_owner: BTreeMap<Vec<String>, Vec<&Consumer>> = BTreeMap::new();
    for consumer in used.iter().filter(|consumer| consumer.secret == secret) {
        let path = consumer.owners.iter().rev().cloned().collect();
        by_owner.entry(path).or_default().push(consumer);
    }
    let mut branches = Vec::new();
    for (path, consumers) in by_owner {
        let pods = consumers.into_iter().map(|one| leaf(format!("Pod/{}", one.pod), one.phase.as_str()));
        let nested = path.into_iter().rev().fold(pods.collect::<Vec<_>>(), |below, owner| {
            vec![Branch { words: vec![Word::new(owner, Tone::Strong)], below }]
        });
        branches.extend(nested);
    }
    if branches.is_empty() {
        branches.push(Branch { words: vec![Word::new("no Pod uses it", Tone::Faint)], below: Vec::new() });
    }
    branches
}

fn draw(page: &mut Page, branch: Branch, (first, rest): (&str, &str)) {
    let mut line = vec![Word::new(first, Tone::Faint)];
    line.extend(branch.words);
    page.line(line);
    let last = branch.below.len().saturating_sub(1);
    for (place, below) in branch.below.into_iter().enumerate() {
        let (knee, bar) = if place == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        draw(page, below, (&format!("{rest}{knee}"), &format!("{rest}{bar}")));
    }
}
