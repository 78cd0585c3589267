//! What may happen in a namespace? Moves of users, administrators, providers and the kubelet, drawn at random.

use proptest::prelude::*;
use serde_json::{Value, json};

/// The names of the two credentials.
pub(super) const CREDENTIALS: [&str; 2] = ["first", "second"];
/// The Secrets with keys: two for ZenFlow, one for each of three others.
pub(super) const SOURCES: [&str; 5] = ["zenflow-a", "zenflow-b", "aventri", "inflow", "flowlu"];
/// Names of outputs that they share, and that strangers like, too.
pub(super) const OUTPUTS: [&str; 3] = ["out-a", "out-b", "out-c"];
const FORMATS: [&str; 4] = ["Binding", "Env", "Dotenv", "HTTP"];

/// What stands in a source.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Content {
    /// One of two keys that the provider knows.
    Good(usize),
    /// A key that it does not know.
    Wrong,
    Malformed,
    /// No Secret.
    Absent,
}

/// What a credential declares.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Declared {
    source: usize,
    outputs: Vec<(usize, usize)>,
    publish: &'static str,
    rejection: &'static str,
    local: bool,
    suspended: bool,
}

impl Declared {
    fn names(&self) -> impl Iterator<Item = usize> {
        self.outputs.iter().map(|(name, _)| *name)
    }

    /// As an object's spec; `company` and `account` are inFlow's and Flowlu's.
    pub(super) fn spec(&self, company: &str, account: &str) -> Value {
        let provider = match SOURCES[self.source] {
            "aventri" => json!({"aventri": {"accountID": "12345", "region": "NorthAmerica"}}),
            "inflow" => json!({"inflow": {"companyID": company}}),
            "flowlu" => json!({"flowlu": {"account": account}}),
            _ => json!({"zenflow": {"scopes": ["read:orders"]}}),
        };
        let output =
            |(name, format): &(usize, usize)| json!({"secretName": OUTPUTS[*name], "format": FORMATS[*format]});
        json!({
            "provider": provider,
            "keySecretRef": {"name": SOURCES[self.source]},
            "outputs": self.outputs.iter().map(output).collect::<Vec<_>>(),
            "publishPolicy": self.publish,
            "rejectionPolicy": self.rejection,
            "validation": {"mode": if self.local { "Local" } else { "Provider" }},
            "suspend": self.suspended,
        })
    }
}

/// How the providers answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Weather {
    Fair,
    Down,
    Throttling,
    Resetting,
}

/// One move.
#[derive(Clone, Debug)]
pub(super) enum Move {
    Declare(usize, Declared),
    Undeclare(usize),
    Put(usize, Content),
    /// Somebody changes an output.
    Tamper(usize),
    /// Somebody deletes an output, or a stranger's Secret in its place.
    Delete(usize),
    /// A stranger takes the name of an output, if it is free.
    Squat(usize),
    Weather(Weather),
    /// The operator's right to Secrets.
    Rights(bool),
    Restart {
        kindly: bool,
    },
    Pause(u64),
}

fn declared() -> impl Strategy<Value = Declared> {
    let names = proptest::sample::subsequence(vec![0_usize, 1, 2], 1..=2);
    let outputs = (names, proptest::collection::vec(0..FORMATS.len(), 2));
    let outputs = outputs.prop_map(|(names, formats)| names.into_iter().zip(formats).collect());
    let publish = prop_oneof![6 => Just("WhenVerified"), 1 => Just("Always"), 1 => Just("Never")];
    let rejection = prop_oneof![Just("Keep"), Just("Withdraw")];
    let rare = || prop_oneof![7 => Just(false), 1 => Just(true)];
    let all = (0..SOURCES.len(), outputs, publish, rejection, rare(), rare());
    all.prop_map(|(source, outputs, publish, rejection, local, suspended)| Declared {
        source,
        outputs,
        publish,
        rejection,
        local,
        suspended,
    })
}

fn content() -> impl Strategy<Value = Content> {
    prop_oneof![
        6 => (0..2_usize).prop_map(Content::Good),
        1 => Just(Content::Wrong),
        1 => Just(Content::Malformed),
        1 => Just(Content::Absent),
    ]
}

fn weather() -> impl Strategy<Value = Weather> {
    prop_oneof![Just(Weather::Fair), Just(Weather::Down), Just(Weather::Throttling), Just(Weather::Resetting)]
}

fn a_move() -> impl Strategy<Value = Move> {
    let output = || 0..OUTPUTS.len();
    prop_oneof![
        5 => (0..2_usize, declared()).prop_map(|(who, what)| Move::Declare(who, what)),
        1 => (0..2_usize).prop_map(Move::Undeclare),
        5 => (0..SOURCES.len(), content()).prop_map(|(source, content)| Move::Put(source, content)),
        1 => output().prop_map(Move::Tamper),
        2 => output().prop_map(Move::Delete),
        1 => output().prop_map(Move::Squat),
        2 => weather().prop_map(Move::Weather),
        1 => any::<bool>().prop_map(Move::Rights),
        2 => any::<bool>().prop_map(|kindly| Move::Restart { kindly }),
        4 => (0..400_u64).prop_map(Move::Pause),
    ]
}

/// A sequence: it begins with something to see.
pub(super) fn sequence() -> impl Strategy<Value = Vec<Move>> {
    let start = (0..2_usize, declared()).prop_map(|(key, declared)| {
        let put = Move::Put(declared.source, Content::Good(key));
        vec![put, Move::Declare(0, declared)]
    });
    (start, proptest::collection::vec(a_move(), 3..14)).prop_map(|(start, rest)| [start, rest].concat())
}

/// What holds after the last move.
#[derive(Clone, Debug)]
pub(super) struct Model {
    pub(super) declared: [Option<Declared>; 2],
    pub(super) contents: [Content; SOURCES.len()],
    /// Whether a credential was ever to publish what nobody had proved.
    pub(super) ever_unproved: [bool; 2],
    /// The outputs that each living credential declares or has declared.
    ever_declared: [Vec<usize>; 2],
}

impl Model {
    pub(super) fn after(moves: &[Move]) -> Self {
        let mut model = Self {
            declared: [None, None],
            contents: [Content::Absent; SOURCES.len()],
            ever_unproved: [false; 2],
            ever_declared: [Vec::new(), Vec::new()],
        };
        for one in moves {
            match one {
                Move::Declare(who, what) => {
                    model.ever_unproved[*who] |= what.local || what.publish == "Always";
                    model.ever_declared[*who].extend(what.names());
                    model.declared[*who] = Some(what.clone());
                }
                Move::Undeclare(who) => {
                    model.ever_declared[*who].clear();
                    model.declared[*who] = None;
                }
                Move::Put(source, content) => model.contents[*source] = *content,
                _ => {}
            }
        }
        model
    }

    pub(super) fn is_unpublished(&self, who: usize) -> bool {
        self.declared[who].as_ref().is_some_and(|declared| declared.publish == "Never")
    }

    /// Whether the name of an output may be either's: whoever has it keeps it.
    ///
    /// An output that is declared no more goes when the others are `published`; until then, and while its credential is
    /// suspended, it keeps its name.
    pub(super) fn is_disputed(&self, published: [bool; 2]) -> bool {
        let [Some(_), Some(_)] = &self.declared else { return false };
        let [first, second] = [self.may_hold(0, published[0]), self.may_hold(1, published[1])];
        first.iter().any(|name| second.contains(name))
    }

    fn may_hold(&self, who: usize, published: bool) -> Vec<usize> {
        match &self.declared[who] {
            Some(declared) if published && !declared.suspended => declared.names().collect(),
            Some(_) => self.ever_declared[who].clone(),
            None => Vec::new(),
        }
    }
}
