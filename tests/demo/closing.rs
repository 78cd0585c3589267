//! What remains to be said: what it cost, what was told, and where to look around.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use k8s_openapi::api::events::v1::Event;
use kube::api::ListParams;

use crate::error::Error;
use crate::screen::Colour;
use crate::simulator::{LedgerFilter, Provider};
use crate::stage::ROOT;
use crate::story::Story;
use crate::table::fit;

/// How the providers write themselves.
const PROVIDERS: [(Provider, &str); 5] = [
    (Provider::InFlow, "inFlow"),
    (Provider::Flowlu, "Flowlu"),
    (Provider::ZenFlow, "ZenFlow"),
    (Provider::Flow, "FLOW"),
    (Provider::Aventri, "Aventri"),
];

/// What is worth a look while everything runs, and why; a line of each has 80 columns.
const LOOK_AROUND: [(&str, &str); 13] = [
    ("kubectl get concred -n demo", "all credentials"),
    ("kubectl describe concred erp -n demo", "one, in full"),
    ("connectorctl status erp -n demo", "on one page"),
    ("connectorctl tree erp -n demo", "who uses what"),
    ("connectorctl render erp -n demo --config $CONFIG", "what is out"),
    ("connectorctl verify -f $EXAMPLES --config $CONFIG", "a minute; two died"),
    ("curl -s $METRICS | grep ^connectorcredential_", "metrics"),
    ("kubectl get secret erp-auth -n demo -o yaml", "for a workload"),
    ("kubectl explain concred.spec.provider.zenflow", "the fields"),
    ("kubectl get events -n demo", "what was told"),
    ("kubectl edit secret flowlu-key -n demo", "break it"),
    ("kubectl get secret crm-auth -n demo -o yaml", "has the good key"),
    ("kubectl wait --for=condition=Ready concred --all -n demo", "for scripts"),
];
/// As wide as the widest command, and two spaces.
const COMMAND: usize = 58;
const _: () = {
    let mut at = 0;
    while at < LOOK_AROUND.len() {
        let (command, why) = LOOK_AROUND[at];
        assert!(command.len() + 2 <= COMMAND && 2 + COMMAND + 2 + why.len() <= 80, "80 columns hold it");
        at += 1;
    }
};

/// What the story cost, and the Events it left.
pub(crate) async fn sum_up(story: &mut Story<'_>) -> Result<(), Error> {
    let title = story.screen.paint(Colour::Bold, "What it took");
    for line in ["", &title, ""] {
        story.screen.line(line);
    }
    let calls = story.stage.simulator.ledger(&LedgerFilter::default());
    let mut each: BTreeMap<Provider, usize> = BTreeMap::new();
    for provider in calls.iter().filter_map(|call| call.provider) {
        *each.entry(provider).or_default() += 1;
    }
    let each: Vec<_> =
        PROVIDERS.iter().map(|(provider, name)| format!("{name} {}", each.get(provider).unwrap_or(&0))).collect();
    story.say(&format!("{} calls to providers: {}.", calls.len(), each.join(", ")));
    list_events(story).await?;
    story.screen.line("");
    let log = format!("  The operator's log: {}", story.stage.log().display());
    story.screen.line(&log);
    Ok(())
}

async fn list_events(story: &mut Story<'_>) -> Result<(), Error> {
    let events = story.api::<Event>().list(&ListParams::default()).await?;
    let mut events: Vec<_> = events.items;
    events.sort_by(|one, other| one.event_time.cmp(&other.event_time));
    story.say(&format!("{} Events, as kubectl get events shows them:", events.len()));
    story.screen.line("");
    for event in events {
        let warning = event.type_.as_deref() == Some("Warning");
        let regarding = event.regarding.and_then(|regarding| regarding.name).unwrap_or_default();
        let reason = fit(&event.reason.unwrap_or_default(), 16);
        let reason = story.screen.paint(if warning { Colour::Yellow } else { Colour::Green }, &reason);
        let note = fit(&event.note.unwrap_or_default(), 48);
        story.screen.line(format!("  {}  {reason}  {note}", fit(&regarding, 9)).trim_end());
    }
    Ok(())
}

/// What another terminal needs to know, as a file that a shell reads: long paths are copied by nobody.
async fn environment(story: &mut Story<'_>) -> Result<PathBuf, Error> {
    let kubectl = &story.stage.plane.binaries().kubectl;
    let directory = kubectl.parent().unwrap_or(kubectl).display().to_string();
    let config = story.stage.plane.kubeconfig().display().to_string();
    let program = std::env::current_exe().unwrap_or_default();
    let ours = program.ancestors().nth(2).unwrap_or(&program).display().to_string();
    let settings = story.stage.config().display().to_string();
    let metrics = story.stage.metrics().await?;
    let text = format!(
        "export KUBECONFIG='{config}' CONFIG='{settings}' EXAMPLES='{ROOT}/examples'\n\
         export METRICS='http://{metrics}/metrics' PATH='{directory}:{ours}':\"$PATH\"\n"
    );
    let file = story.stage.plane.directory().join("env");
    fs::write(&file, text).map_err(Error::io(format!("write {}", file.display())))?;
    Ok(file)
}

/// How to go on in another terminal.
pub(crate) async fn ways_to_look_around(story: &mut Story<'_>) -> Result<(), Error> {
    let bold = story.screen.paint(Colour::Bold, "Look around, in another terminal");
    let file = environment(story).await?;
    let mut lines = vec![String::new(), bold, String::new(), format!("  . {}", file.display())];
    for (command, why) in LOOK_AROUND {
        lines.push(format!("  {}{}", fit(command, COMMAND), story.screen.paint(Colour::Dim, &format!("# {why}"))));
    }
    lines.push(String::new());
    lines.push(
        story.screen.paint(Colour::Bold, "  The table below goes on. Ctrl-C ends everything; only the log stays."),
    );
    for line in lines {
        story.screen.line(&line);
    }
    Ok(())
}
