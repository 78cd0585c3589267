//! `status`: what is wrong with one credential, since when, and what to do; one screen.

mod page;

pub(super) use page::ready_tone;

use super::Shown;
use super::cluster::{Cluster, ClusterFlags};
use super::completion;
use super::consumers::{Consumer, consumers, hidden};
use super::object::{self, Form};
use super::output::Output;
use super::page::Page;
use super::trouble::{Ending, Trouble};
use crate::api::ConnectorCredential;
use crate::policy::declared_outputs;
use clap::Args;
use clap_complete::engine::ArgValueCandidates;
use jiff::Timestamp;
use k8s_openapi::api::events::v1::Event;
use kube::api::ListParams;
use std::collections::BTreeSet;

#[derive(Debug, Args)]
pub(super) struct StatusCommand {
    /// The credential
    #[arg(value_name = "NAME", value_parser = object::named, add = ArgValueCandidates::new(completion::names))]
    name: String,
    /// The form of the result
    #[arg(short, long, value_name = "FORM", default_value = "table")]
    output: Form,
    #[command(flatten)]
    cluster: ClusterFlags,
}

/// What is around a credential; an error says why it is not shown.
struct Around {
    consumers: Result<Vec<Consumer>, String>,
    events: Result<Vec<Event>, String>,
}

impl StatusCommand {
    pub(super) async fn run(self, output: Output, shown: &Shown) -> Result<Ending, Trouble> {
        let cluster = self.cluster.connect(*shown).await?;
        let object = cluster.credential(&self.name).await?;
        let page = if matches!(self.output, Form::Table | Form::Wide) {
            let around = look_around(&cluster, &object).await;
            page::page(&object, &around, shown, cluster.now())
        } else {
            Page::default()
        };
        object::print(std::slice::from_ref(&object), (true, self.output), output, || page)?;
        Ok(object::is_healthy(&object).into())
    }
}

async fn look_around(cluster: &Cluster, object: &ConnectorCredential) -> Around {
    let secrets: BTreeSet<_> = declared_outputs(object).into_iter().map(|output| output.secret_name).collect();
    let about = format!("regarding.kind=ConnectorCredential,regarding.name={}", object::name(object));
    let api = cluster.api();
    let (consumers, events) = tokio::join!(
        consumers(cluster, &secrets),
        cluster.list::<Event>(&api, ListParams::default().fields(&about), "events")
    );
    let of_this = |event: &Event| {
        let uid = event.regarding.as_ref().and_then(|regarding| regarding.uid.as_ref());
        uid.is_none() || uid == object.metadata.uid.as_ref()
    };
    let events = events.map(|mut events| {
        events.retain(of_this);
        events.sort_by_key(|event| std::cmp::Reverse(time(event)));
        events
    });
    Around {
        consumers: consumers.map_err(|failure| hidden(&failure)),
        events: events.map_err(|failure| hidden(&failure)),
    }
}

fn time(event: &Event) -> Option<Timestamp> {
    let last = event.series.as_ref().map(|series| series.last_observed_time.0);
    last.or(event.event_time.as_ref().map(|time| time.0))
        .or(event.deprecated_last_timestamp.as_ref().map(|time| time.0))
        .or(event.metadata.creation_timestamp.as_ref().map(|time| time.0))
}
