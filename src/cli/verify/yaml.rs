//! What stands in a file, and where? YAML documents as trees whose nodes know their line; bounded in size, depth and
//! aliases. Values are never quoted: they may be keys.

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::{Location, Spanned};
use std::fmt;

/// Nodes, aliases included, of one file.
const MOST_NODES: usize = 200_000;

/// A value, and the line that it begins in.
#[derive(Clone)]
pub(in crate::cli) struct Node {
    /// The line, from 1; 0 is unknown.
    pub(in crate::cli) line: u32,
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    Plain(Value),
    List(Vec<Node>),
    /// Names, with their lines, and values.
    Object(Vec<(String, u32, Node)>),
}

/// Why a file cannot be read: where, and a fixed sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Unreadable {
    pub(in crate::cli) line: u32,
    pub(in crate::cli) what: String,
}

/// Reads all documents of a text; empty ones are skipped.
pub(in crate::cli) fn read(text: &str) -> Result<Vec<Node>, Unreadable> {
    let mut budget = serde_saphyr::Budget::default();
    budget.max_events = MOST_NODES.saturating_mul(3);
    budget.max_nodes = MOST_NODES;
    budget.max_documents = MOST_NODES;
    budget.max_aliases = 1_000;
    budget.max_depth = 64;
    let mut options = serde_saphyr::options! { budget: Some(budget), with_snippet: false };
    options.alias_limits.max_total_replayed_events = 100_000;
    let documents = serde_saphyr::from_multiple_with_options::<Spanned<Node>>(text, options);
    documents.map(|all| all.into_iter().map(located).collect()).map_err(|error| unreadable(&error))
}

fn located(node: Spanned<Node>) -> Node {
    Node { line: line(&node.referenced), ..node.value }
}

fn line(place: &Location) -> u32 {
    u32::try_from(place.line()).unwrap_or_default()
}

/// Says what is wrong, and never what stands there: the parser's own text quotes values.
#[expect(clippy::wildcard_enum_match_arm, reason = "the parser's list: all else is not YAML")]
fn unreadable(error: &serde_saphyr::Error) -> Unreadable {
    let error = error.without_snippet();
    let line = error.location().map(|place| line(&place)).unwrap_or_default();
    let what = match error {
        serde_saphyr::Error::DuplicateMappingKey { .. } => "a field stands twice; remove one",
        serde_saphyr::Error::Budget { .. } | serde_saphyr::Error::AliasReplayLimitExceeded { .. } => {
            "too large: more values, aliases or levels than any manifest has; split the file"
        }
        _ => "not YAML; correct it (templates must be rendered first)",
    };
    Unreadable { line, what: what.to_owned() }
}

impl Node {
    /// The value of a field.
    pub(in crate::cli) fn get(&self, name: &str) -> Option<&Node> {
        self.fields().find(|(field, ..)| *field == name).map(|(_, _, node)| node)
    }

    /// All fields, with the lines of their names.
    pub(in crate::cli) fn fields(&self) -> impl Iterator<Item = (&str, u32, &Node)> {
        let fields = match &self.kind {
            Kind::Object(fields) => fields.as_slice(),
            Kind::Plain(_) | Kind::List(_) => &[],
        };
        fields.iter().map(|(name, line, node)| (name.as_str(), *line, node))
    }

    /// All elements.
    pub(in crate::cli) fn elements(&self) -> &[Node] {
        match &self.kind {
            Kind::List(list) => list,
            Kind::Plain(_) | Kind::Object(_) => &[],
        }
    }

    /// The text, if it is one.
    pub(in crate::cli) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Plain(value) => value.as_str(),
            Kind::List(_) | Kind::Object(_) => None,
        }
    }

    /// The line of what a path such as `spec.outputs[0].format` leads to, as far as it leads.
    pub(in crate::cli) fn line_of(&self, path: &str) -> u32 {
        let mut found = (self.line, self);
        for step in path.split(['.', '[', ']']).filter(|step| !step.is_empty()) {
            let (_, node) = found;
            let below = step.parse::<usize>().ok().and_then(|index| node.elements().get(index));
            let field = || node.fields().find(|(name, ..)| *name == step).map(|(_, line, node)| (line, node));
            match below.map(|node| (node.line, node)).or_else(field) {
                Some(next) => found = next,
                None => break,
            }
        }
        found.0
    }

    /// The value without its places.
    pub(in crate::cli) fn value(&self) -> Value {
        match &self.kind {
            Kind::Plain(value) => value.clone(),
            Kind::List(list) => Value::Array(list.iter().map(Self::value).collect()),
            Kind::Object(fields) => {
                Value::Object(fields.iter().map(|(name, _, node)| (name.clone(), node.value())).collect::<Map<_, _>>())
            }
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

#[expect(clippy::unnecessary_wraps, reason = "as visitors want it")]
fn plain<E>(value: impl Into<Value>) -> Result<Node, E> {
    Ok(Node { line: 0, kind: Kind::Plain(value.into()) })
}

impl<'de> Visitor<'de> for Reader {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("YAML")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        plain(value)
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        plain(value)
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        plain(value)
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Node, E> {
        Number::from_f64(value).map(Value::Number).map_or_else(|| Err(E::custom("not a number")), plain)
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        plain(value)
    }

    fn visit_string<E>(self, value: String) -> Result<Node, E> {
        plain(value)
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        plain(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        plain(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = list.next_element::<Spanned<Node>>()? {
            nodes.push(located(node));
        }
        Ok(Node { line: 0, kind: Kind::List(nodes) })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut fields: Vec<(String, u32, Node)> = Vec::new();
        while let Some(name) = map.next_key::<Spanned<String>>()? {
            let node = located(map.next_value::<Spanned<Node>>()?);
            let line = line(&name.referenced);
            if fields.len() >= MOST_NODES {
                return Err(A::Error::custom("too many fields"));
            }
            fields.push((name.value, if line > 0 { line } else { node.line }, node));
        }
        Ok(Node { line: 0, kind: Kind::Object(fields) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_knows_its_line() {
        let text = "# a comment\nkind: A\nspec:\n  outputs:\n  - name: x\n  - name: y\n---\nkind: B\nspec: {a: 1}\n";
        let documents = read(text).expect("YAML");
        assert_eq!(documents.len(), 2);
        for (document, path, line) in
            [(0, "kind", 2), (0, "spec.outputs[1].name", 6), (0, "spec.outputs[7].name", 4), (1, "spec.a", 9)]
        {
            assert_eq!(documents[document].line_of(path), line, "{path}");
        }
        assert_eq!(documents[1].value(), serde_json::json!({"kind": "B", "spec": {"a": 1}}));
    }

    #[test]
    fn a39_an_alias_bomb_is_refused() {
        let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
        let level =
            |pair: &[&str]| format!("{}: &{} [{}]\n", pair[1], pair[1], vec![format!("*{}", pair[0]); 9].join(", "));
        let bomb = format!("a: &a [{}]\n{}", ["x"; 9].join(", "), names.windows(2).map(level).collect::<String>());
        assert!(read(&bomb).is_err());
        assert!(read(&"[".repeat(10_000)).is_err());
    }

    #[test]
    fn a39_errors_quote_nothing() {
        for text in
            ["a: 'secretvalue\n", "a: 1\na: secretvalue\n", "a: {{ .Values.secretvalue }}\n", "a: *secretvalue\n"]
        {
            let error = read(text).err().expect("not YAML");
            assert!(!error.what.contains("secret"), "{}", error.what);
        }
    }
}
