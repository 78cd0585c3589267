//! Is what the documents show true? Their examples, their links, their list of reasons.

use std::fs;
use std::path::Path;

use connector_operator::api::Reason;
use serde_json::Value;

use super::rendering::{documents, repository, text};
use super::{APPLY, chart, dry_run};
use crate::support::bed::bed;

/// Paths of README.md and of everything in docs/.
fn pages() -> Vec<String> {
    let mut pages = vec!["README.md".to_owned(), "SECURITY.md".to_owned()];
    for directory in ["docs", "docs/providers", "docs/runbooks"] {
        let entries = fs::read_dir(repository(directory)).expect("there are documents");
        let names = entries.map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned());
        pages.extend(names.filter(|name| is_page(name)).map(|name| format!("{directory}/{name}")));
    }
    pages
}

fn is_page(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "md")
}

/// The code blocks of one language.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    text(page).split(&fence).skip(1).filter_map(|rest| Some(rest.split_once("\n```")?.0.to_owned())).collect()
}

/// Targets of links, without those that lead elsewhere.
fn links(page: &str) -> Vec<String> {
    let targets = text(page);
    let targets = targets.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0.to_owned()));
    targets.filter(|target| !target.contains("://")).collect()
}

/// The anchors that headings give.
fn anchors(page: &str) -> Vec<String> {
    let text = text(page);
    let headings = text.lines().filter_map(|line| line.strip_prefix('#')).map(|line| line.trim_start_matches('#'));
    let kept = |letter: &char| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_');
    let anchor = |heading: &str| heading.trim().to_lowercase().chars().filter(kept).collect::<String>();
    headings.map(|heading| anchor(heading).replace(' ', "-")).collect()
}

#[test]
fn every_reason_is_explained() {
    let explained = text("docs/conditions.md");
    let missing: Vec<_> =
        Reason::ALL.iter().filter(|reason| !explained.contains(&format!("\n| `{}` |", reason.name()))).collect();
    assert!(missing.is_empty(), "docs/conditions.md has no row for {missing:?}");
}

#[test]
fn every_link_leads_somewhere() {
    for page in pages() {
        for link in links(&page) {
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let directory = Path::new(&page).parent().expect("a page stands somewhere");
            let target =
                if file.is_empty() { page.clone() } else { directory.join(file).to_string_lossy().into_owned() };
            assert!(repository(&target).exists(), "{page} links to {link}");
            let found = anchor.is_empty() || anchors(&target).iter().any(|known| known == anchor);
            assert!(found, "{page} links to {link}; there is only {:?}", anchors(&target));
        }
    }
}

/// What is typed again for the next version must not be refused then.
#[test]
fn what_is_applied_can_be_applied_again() {
    let apply = "sed 's|registry.example|my.registry|' install.yaml | kubectl apply --server-side -f -\n";
    assert!(text("README.md").contains(apply));
    let manifest = text("install.yaml");
    let named: Vec<_> = manifest.lines().filter(|line| line.contains("registry.example")).collect();
    assert!(matches!(named.as_slice(), [line] if line.trim().starts_with("image: ")), "{named:?}");
    for page in pages() {
        assert!(!text(&page).contains("kubectl -n connector-operator set image"), "{page} changes what it applied");
        for template in text(&page).split("helm template ").skip(1) {
            let command = template.split('`').next().unwrap_or_default();
            assert!(command.contains("--kube-version"), "{page}: Helm 3 refuses helm template {command}");
        }
    }
}

/// Artifact Hub shows what the chart's annotations say.
#[tokio::test(flavor = "multi_thread")]
async fn what_artifact_hub_shows_is_true() {
    chart();
    let about = &documents(&text("charts/connector-operator/Chart.yaml"))[0];
    assert_eq!(about["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(about["appVersion"], env!("CARGO_PKG_VERSION"));
    let part = |name: &str| -> Value {
        let text = about["annotations"][format!("artifacthub.io/{name}")].as_str().expect("an annotation");
        serde_saphyr::from_str(text).expect("YAML in YAML")
    };
    assert!(text("install.yaml").contains(part("images")[0]["image"].as_str().expect("an image")));
    assert_eq!(part("crds")[0]["name"], "connectorcredentials.connector-operator.io");
    for link in part("links").as_array().expect("links") {
        let (_, page) = link["url"].as_str().and_then(|url| url.split_once("/blob/main/")).expect("a page of ours");
        assert!(repository(page).is_file(), "{page} is not there");
    }
    let mut example = part("crdsExamples")[0].clone();
    let bed = bed().await;
    example["metadata"]["namespace"] = Value::from(bed.namespace("hub").await);
    dry_run(&bed, APPLY, example.to_string()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_accepts_every_example() {
    chart();
    let bed = bed().await;
    let namespace = bed.namespace("documents").await;
    let mut seen = 0_u32;
    for page in pages() {
        for block in blocks(&page, "yaml") {
            for mut document in documents(&block) {
                let ours = matches!(document["kind"].as_str(), Some("ConnectorCredential" | "Deployment"));
                if ours {
                    document["metadata"]["namespace"] = Value::from(namespace.clone());
                    dry_run(&bed, APPLY, document.to_string()).await;
                    seen += 1;
                }
            }
        }
    }
    // One for each provider, and the two of README.md.
    assert!(seen >= 7, "only {seen} examples were found");
}
