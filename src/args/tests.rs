use super::*;

fn read(args: &[&str]) -> Result<Settings, String> {
    let args = std::iter::once(&"connector-operator").chain(args);
    Settings::read(args).map_err(|error| error.to_string())
}

#[test]
fn the_flags_are_consistent() {
    Flags::command().debug_assert();
}

#[test]
fn every_flag_is_an_environment_variable_of_the_same_name() {
    for arg in Flags::command().get_arguments() {
        let Some(long) = arg.get_long() else { continue };
        let expected = format!("CONNECTOR_OPERATOR_{}", long.to_uppercase().replace('-', "_"));
        assert_eq!(arg.get_env().and_then(|name| name.to_str()), Some(expected.as_str()));
    }
}

#[test]
fn defaults_are_those_of_the_manual() {
    let settings = read(&[]).expect("defaults");
    assert!(settings.namespaces.is_empty() && !settings.leader_elect);
    assert_eq!((settings.concurrency, settings.secret_watch), (64, SecretWatch::Metadata));
    assert_eq!(settings.metrics_address, "0.0.0.0:8080".parse().ok());
    assert_eq!(settings.health_address.to_string(), "0.0.0.0:8081");
    assert_eq!((settings.log_format, settings.log_level), (LogFormat::Text, LogLevel::Info));
}

#[test]
fn the_manual_tells_each_default() {
    let manual = include_str!("../../docs/operations.md");
    for arg in Flags::command().get_arguments() {
        let Some(long) = arg.get_long().filter(|long| !["help", "version"].contains(long)) else { continue };
        let row = manual.lines().find(|line| line.starts_with('|') && line.contains(&format!("`--{long}")));
        let row = row.unwrap_or_else(|| panic!("docs/operations.md has no --{long}"));
        let told = row.split("| ").nth(2).unwrap_or_default();
        for default in arg.get_default_values() {
            let default = default.to_string_lossy();
            assert!(told.starts_with(&format!("`{default}`")), "--{long} is {default} by itself: {row}");
        }
        assert!(!told.trim().is_empty(), "{row}");
    }
}

#[test]
fn leader_elect_is_a_switch_with_an_optional_value() {
    let held = |args: &[&str]| read(args).map(|settings| settings.leader_elect);
    assert_eq!(held(&["--leader-elect"]), Ok(true));
    assert_eq!(held(&["--leader-elect=false"]), Ok(false));
    assert!(held(&["--leader-elect", "false"]).is_err(), "a stray word is refused");
}

#[test]
fn namespaces_are_repeated_or_joined_and_empty_ones_count_as_none() {
    let settings = read(&["--watch-namespace", "b,a", "--watch-namespace=a", "--watch-namespace="]).expect("valid");
    assert_eq!(settings.namespaces.into_iter().collect::<Vec<_>>(), ["a", "b"]);
    assert!(read(&["--watch-namespace", "Team_A"]).expect_err("refused").contains("a-z, 0-9 and -"));
}

#[test]
fn a_mistake_is_explained() {
    assert!(read(&["--concurrency", "257"]).expect_err("refused").contains("1..=256"));
    assert!(read(&["--metrics-address", "8080"]).expect_err("refused").contains("0 means nowhere"));
    assert!(read(&["--health-address", "0"]).expect_err("refused").contains("IP:PORT"));
    let same = ["--metrics-address=127.0.0.1:1", "--health-address=127.0.0.1:1"];
    assert!(read(&same).expect_err("refused").contains("must differ"));
    assert_eq!(read(&["--metrics-address", "0"]).expect("off").metrics_address, None);
}
