//! Does `verify` refuse what the API server refuses, in its words? The same rows as `tests/api`.

use super::{ctl, write};
use crate::api::rows;
use serde_json::Value;

#[test]
fn verify_and_the_api_server_refuse_the_same_objects() {
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    let rows = rows();
    for (number, row) in rows.iter().enumerate() {
        let text = serde_json::to_string_pretty(&row.manifest).expect("JSON");
        write(directory.path(), &format!("{number:04}.json"), &text);
    }
    let run = ctl(&["verify", "-f", &directory.path().display().to_string(), "-o", "json"]).ended(1);
    let results: Vec<Value> = serde_json::from_str(&run.out).expect("JSON");
    let mut wrong = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        let file = format!("{number:04}.json");
        let of_row: Vec<_> =
            results.iter().filter(|one| one["file"].as_str().is_some_and(|name| name.ends_with(&file))).collect();
        let said: Vec<_> = of_row
            .iter()
            // Whoever is refused here has no provider yet; a later InvalidSpec is the operator's.
            .filter(|one| one["provider"] == "")
            .flat_map(|one| std::iter::once(*one).chain(one["more"].as_array().into_iter().flatten()))
            .map(|one| one["message"].as_str().expect("a message"))
            .collect();
        let said = said.join("\n");
        if row.is_accepted() != said.is_empty() {
            wrong.push(format!("{}: accepted is {}, but: {said}", row.name, row.is_accepted()));
        }
        // What is a pattern there is told in words here.
        let is_said = |words: &str| said.contains(words) || (words == "should match" && said.contains("must be "));
        for words in row.says.iter().filter(|words| !is_said(words)) {
            wrong.push(format!("{}: does not say {words:?}: {said}", row.name));
        }
        if !row.is_accepted() && of_row.iter().any(|one| one["line"].as_u64().unwrap_or_default() == 0) {
            wrong.push(format!("{}: no line", row.name));
        }
    }
    assert!(!run.out.contains("should match '^([0-9]"), "durations have words");
    assert!(wrong.is_empty(), "{} of {} rows differ:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

#[test]
fn a_refusal_names_the_line_of_the_field() {
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    let file = write(
        directory.path(),
        "erp.yaml",
        "# one\n---\napiVersion: connector-operator.io/v1alpha1\nkind: ConnectorCredential\nmetadata: {name: erp}\n\
         spec:\n  provider:\n    flowlu:\n      account: Not.A.Label\n  keySecretRef: {name: k}\n  hosts: evil\n",
    );
    let run = ctl(&["verify", "-f", &file]).ended(1);
    for line in [9, 11] {
        assert!(run.out.contains(&format!("erp.yaml:{line}: erp: InvalidSpec: ")), "{line}: {}", run.out);
    }
    assert!(!run.all().contains("Not.A.Label"), "values are not quoted: {}", run.all());
}

#[test]
fn a39_hostile_files_are_refused_quickly_and_quoted_nowhere() {
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    let at = directory.path();
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
    let level =
        |pair: &[&str]| format!("{}: &{} [{}]\n", pair[1], pair[1], vec![format!("*{}", pair[0]); 9].join(", "));
    let bomb = format!("a: &a [{}]\n{}", ["x"; 9].join(", "), names.windows(2).map(level).collect::<String>());
    let files = [
        ("bomb.yaml", bomb),
        ("deep.yaml", "[".repeat(200_000)),
        ("large.yaml", format!("a: {}\n", "x".repeat(100 << 20))),
        ("many.yaml", "- a\n".repeat(400_000)),
        ("broken.yaml", "kind: Secret\ndata: {api-key: secretvalue\n".to_owned()),
        ("binary.yaml", "\u{0}\u{1}\u{2}".to_owned()),
        ("escape.yaml", "kind: \"\\e[2Jsecretvalue\n".to_owned()),
        ("twice.yaml", "apiVersion: v1\nkind: Secret\nkind: secretvalue\n".to_owned()),
        (
            "odd.yaml",
            "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {api-key: '**secretvalue**'}\n---\n\
             apiVersion: connector-operator.io/v1alpha1\nkind: ConnectorCredential\nmetadata: {name: a}\n\
             spec: {provider: {zenflow: {}}, keySecretRef: {name: a}}\n"
                .to_owned(),
        ),
        ("old.yaml", "apiVersion: connector-operator.io/v1\nkind: ConnectorCredential\n".to_owned()),
    ];
    for (name, text) in files {
        let started = std::time::Instant::now();
        let file = write(at, name, &text);
        let run = ctl(&["verify", "-f", &file]).ended(1);
        let says = if name == "large.yaml" { "larger than 8 MiB" } else { "" };
        assert!(run.out.contains(&format!("{name}:")) && run.out.contains(says), "{name}: {}", run.all());
        assert!(!run.all().contains("secretvalue") && !run.all().contains('\u{1b}'), "{name}: {}", run.all());
        assert!(started.elapsed().as_secs() < 20, "{name} took {:?}", started.elapsed());
    }
}
