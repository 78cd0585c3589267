//! Help, completion, man pages, and being kubectl's plugin.

use super::{Cluster, ctl, ctl_with, run};
use crate::support::bed::bed;
use std::process::Command;

const COMMANDS: [&str; 14] = [
    "verify",
    "status",
    "list",
    "tree",
    "render",
    "reconcile",
    "suspend",
    "resume",
    "check",
    "report",
    "crd",
    "completion",
    "man",
    "version",
];

#[test]
fn the_help_of_each_command_has_an_example() {
    for command in COMMANDS {
        let run = ctl(&[command, "--help"]).ended(0);
        let example = run.out.contains("Example") && run.out.contains(&format!("connectorctl {command}"));
        assert!(example, "{command}: {}", run.out);
        assert!(!run.out.contains('\u{1b}'), "{command}");
    }
    let help = ctl(&["--help"]).ended(0).out;
    for command in COMMANDS {
        assert!(help.contains(&format!("\n  {command} ")), "{command}: {help}");
    }
    ctl(&[]).ended(2);
    ctl(&["nonsense"]).ended(2);
    ctl(&["list", "--nonsense"]).ended(2);
}

#[test]
fn each_command_that_needs_a_cluster_has_kubectls_flags() {
    let flags = ["kubeconfig", "context", "cluster", "user", "namespace", "as", "as-group", "request-timeout", "color"];
    for command in ["status", "list", "tree", "render", "reconcile", "suspend", "resume", "check", "report"] {
        let help = ctl(&[command, "--help"]).ended(0).out;
        for flag in flags {
            assert!(help.contains(&format!("--{flag} <")), "{command} has no --{flag}: {help}");
        }
    }
}

#[test]
fn as_a_plugin_it_is_kubectl_connector() {
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    let plugin = directory.path().join("kubectl-connector");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_connectorctl"), &plugin).expect("links can be made");
    for arguments in [&["--help"][..], &["status", "--help"]] {
        let mut command = Command::new(&plugin);
        command.args(arguments);
        let help = run(command, "").ended(0).out;
        assert!(help.contains("Usage: kubectl connector") && !help.contains("connectorctl"), "{help}");
    }
}

/// What a script of ours asks for when a user presses Tab after these words.
fn candidates(words: &[&str], variables: &[(&str, &str)]) -> Vec<String> {
    let last = (words.len() - 1).to_string();
    let asked = [
        ("CONNECTORCTL_COMPLETE", "bash"),
        ("_CLAP_COMPLETE_INDEX", last.as_str()),
        ("_CLAP_COMPLETE_COMP_TYPE", "9"),
        ("_CLAP_IFS", "\n"),
    ];
    let run = ctl_with(&[&["--"], words].concat(), "", &[&asked, variables].concat()).ended(0);
    run.out.lines().map(str::to_owned).collect()
}

#[test]
fn completion_works_in_every_shell() {
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let script = ctl(&["completion", shell]).ended(0).out;
        assert!(script.contains("connectorctl") && script.contains("CONNECTORCTL_COMPLETE"), "{shell}: {script}");
    }
    ctl(&["completion", "cmd"]).ended(2);
    let commands = candidates(&["connectorctl", ""], &[]);
    for command in &COMMANDS {
        assert!(commands.iter().any(|one| one == command), "{command}: {commands:?}");
    }
    assert!(candidates(&["connectorctl", "status", "--names"], &[]).contains(&"--namespace".to_owned()));
    let tab = "source <(connectorctl completion bash) && complete -p connectorctl && COMP_WORDS=(connectorctl resu) \
        COMP_CWORD=1 COMP_TYPE=9 && _clap_complete_connectorctl connectorctl resu connectorctl && echo \"${COMPREPLY[@]}\"";
    let said = shell("bash", &["-c", tab], &[]);
    assert!(said.contains("-F _clap_complete_connectorctl connectorctl\n") && said.ends_with("resume\n"), "{said}");
}

/// What a shell prints that finds our program.
fn shell(name: &str, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let directory = std::path::Path::new(env!("CARGO_BIN_EXE_connectorctl")).parent().expect("a directory");
    let mut command = Command::new(name);
    command.args(arguments).envs(variables.iter().copied());
    command.env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", directory.display()));
    run(command, "").ended(0).out
}

/// A zsh at a terminal of its own, in which somebody types `resu`, Tab and the rest.
const ZSH: &str = r#"
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'PS1=; autoload -U compinit; compinit -u -D; source <(connectorctl completion zsh); echo is"" set'
zpty -r -m shell all '*is set*'
zpty -w -n shell $'connectorctl resu\t--help\r'
zpty -r -m shell all '*credentials up again*'
zpty -d shell
echo completed
"#;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Debian's packages zsh and fish: .ci/run installs them and runs this"]
async fn tab_completes_in_zsh_and_fish() {
    let bed = bed().await;
    let namespace = bed.namespace("tab").await;
    let cluster = Cluster::of(&bed, &namespace);
    cluster.create(&bed, "erp").await;
    let kubeconfig = [("KUBECONFIG", cluster.kubeconfig.as_str())];
    tokio::task::block_in_place(|| {
        let tab = format!("connectorctl completion fish | source; complete -C 'connectorctl status -n {namespace} e'");
        assert_eq!(shell("fish", &["--no-config", "-c", &tab], &kubeconfig), "erp\n");
        // What does not complete waits for ever.
        assert_eq!(shell("timeout", &["60", "zsh", "-f", "-c", ZSH], &kubeconfig), "completed\n");
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_completed_from_the_cluster() {
    let bed = bed().await;
    let namespace = bed.namespace("names").await;
    let cluster = Cluster::of(&bed, &namespace);
    cluster.create(&bed, "erp").await;
    let kubeconfig = [("KUBECONFIG", cluster.kubeconfig.as_str())];
    // A cluster that does not answer within two seconds offers nothing: then it is asked again.
    let start = std::time::Instant::now();
    while candidates(&["connectorctl", "status", "-n", &namespace, "e"], &kubeconfig) != ["erp"] {
        assert!(start.elapsed() < crate::support::stage::SOON, "erp is not offered");
    }
    assert_eq!(candidates(&["connectorctl", "status", "-n", &namespace, "x"], &kubeconfig), [""; 0]);
    assert_eq!(candidates(&["connectorctl", "status", "-n", &namespace], &kubeconfig), [namespace.as_str()]);
    assert_eq!(candidates(&["connectorctl", "list", "--context", ""], &kubeconfig), ["test"]);
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    let plugin = directory.path().join("kubectl_complete-connector");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_connectorctl"), &plugin).expect("links can be made");
    let mut command = Command::new(&plugin);
    command.args(["status", "-n", &namespace, "e"]).env("KUBECONFIG", &cluster.kubeconfig);
    assert_eq!(run(command, "").ended(0).out, "erp\n:4\n");
}

#[test]
fn man_pages_are_written_for_every_command() {
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    ctl(&["man", &directory.path().display().to_string()]).ended(0);
    for command in COMMANDS.iter().filter(|command| **command != "man") {
        let page = std::fs::read_to_string(directory.path().join(format!("connectorctl-{command}.1")));
        assert!(page.expect("a page").contains("Example"), "{command}");
    }
    ctl(&["man", "/nonexistent"]).ended(1);
}

#[test]
fn the_definition_is_the_one_of_the_repository() {
    let stored = include_str!("../../crds/connector-operator.io_connectorcredentials.yaml");
    assert_eq!(ctl(&["crd"]).ended(0).out, stored);
    assert_eq!(ctl(&["version"]).ended(0).out, format!("connectorctl {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let shell = format!("{} crd | head -1", env!("CARGO_BIN_EXE_connectorctl"));
    let mut command = Command::new("bash");
    command.args(["-o", "pipefail", "-c", &shell]);
    let run = run(command, "").ended(0);
    assert_eq!(run.err, "");
}

/// The help of every command as a page of the documentation.
fn reference() -> String {
    let mut page = "# connectorctl: reference\n\nGenerated from the commands; see [cli.md](cli.md).\n".to_owned();
    for command in COMMANDS {
        let help = ctl(&[command, "--help"]).ended(0).out;
        page.extend(["\n## ", command, "\n\n```text\n", help.trim_end(), "\n```\n"]);
    }
    page
}

/// `BLESS=1 cargo test --test suite help` rewrites it.
#[test]
fn the_reference_is_what_the_commands_say() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/cli-reference.md");
    let page = reference();
    if std::env::var_os("BLESS").is_some_and(|bless| !bless.is_empty()) {
        std::fs::write(path, &page).expect("the repository is writable");
    }
    let stored = std::fs::read_to_string(path).unwrap_or_default();
    assert!(stored == page, "docs/cli-reference.md differs: run BLESS=1 cargo test --test suite help");
}
