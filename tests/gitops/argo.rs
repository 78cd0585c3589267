//! Does Argo CD's health check say the right thing? The Lua as shipped, in Lua 5.1 with the libraries that Argo CD opens.

use mlua::{Lua, LuaOptions, StdLib, Table, Value as LuaValue};
use serde_json::{Value, json};

use super::text;

/// What Argo CD shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Health {
    pub(super) status: String,
    pub(super) message: String,
}

/// The health check, loaded once for many objects.
pub(super) struct HealthCheck {
    lua: Lua,
    script: mlua::Function,
}

fn to_lua(lua: &Lua, value: &Value) -> mlua::Result<LuaValue> {
    Ok(match value {
        Value::Null => LuaValue::Nil,
        Value::Bool(value) => LuaValue::Boolean(*value),
        // As in Argo CD's engine every number is a double.
        Value::Number(number) => LuaValue::Number(number.as_f64().expect("JSON numbers are finite")),
        Value::String(text) => LuaValue::String(lua.create_string(text)?),
        Value::Array(items) => {
            let items = items.iter().map(|item| to_lua(lua, item)).collect::<mlua::Result<Vec<_>>>()?;
            LuaValue::Table(lua.create_sequence_from(items)?)
        }
        Value::Object(members) => {
            let table = lua.create_table()?;
            for (name, member) in members {
                table.set(name.as_str(), to_lua(lua, member)?)?;
            }
            LuaValue::Table(table)
        }
    })
}

impl HealthCheck {
    pub(super) fn load() -> Self {
        let lua = Lua::new_with(StdLib::TABLE, LuaOptions::default()).expect("Lua starts");
        let script = lua.load(text("gitops/argocd/health.lua")).into_function().expect("the script is Lua");
        Self { lua, script }
    }

    pub(super) fn of(&self, object: &Value) -> Health {
        let set = |name: &str, value: LuaValue| self.lua.globals().set(name, value).expect("a global");
        set("obj", to_lua(&self.lua, object).expect("JSON fits"));
        let answer: Table = self.script.call(()).expect("the script runs");
        let member = |name: &str| answer.get::<String>(name).expect("status and message are text");
        Health { status: member("status"), message: member("message") }
    }
}

/// What an action's script says of an object. Its Lua goes with it.
fn run_action(script: &str, object: &Value) -> (Table, Lua) {
    let libraries = StdLib::TABLE | StdLib::PACKAGE | StdLib::OS;
    let lua = Lua::new_with(libraries, LuaOptions::default()).expect("Lua starts");
    lua.globals().set("obj", to_lua(&lua, object).expect("JSON fits")).expect("a global");
    let answer = lua.load(text(script)).eval().expect("the script runs");
    (answer, lua)
}

#[test]
fn the_action_asks_for_a_check() {
    for object in [json!({"metadata": {"name": "erp"}}), json!({"metadata": {"annotations": {"note": "kept"}}})] {
        let (changed, _lua) = run_action("gitops/argocd/actions/reconcile.lua", &object);
        let annotations: Table = changed.get::<Table>("metadata").and_then(|it| it.get("annotations")).expect("there");
        let asked: String = annotations.get("connector-operator.io/reconcile-at").expect("set");
        assert!(asked.parse::<jiff::Timestamp>().is_ok(), "{asked}");
        let note: Option<String> = annotations.get("note").expect("text");
        assert_eq!(note.as_deref(), object["metadata"]["annotations"]["note"].as_str());
    }
    for suspended in [false, true] {
        let object = json!({"metadata": {}, "spec": {"suspend": suspended}});
        let (actions, _lua) = run_action("gitops/argocd/actions/discovery.lua", &object);
        let disabled: bool = actions.get::<Table>("reconcile").and_then(|it| it.get("disabled")).expect("a boolean");
        assert_eq!(disabled, suspended);
    }
}

fn indented(path: &str, width: usize) -> String {
    let line = |line: &str| if line.is_empty() { String::new() } else { format!("{}{line}", " ".repeat(width)) };
    text(path).lines().map(line).collect::<Vec<_>>().join("\n")
}

/// What to merge into Argo CD's own settings: the same scripts.
fn argocd_cm() -> String {
    let key = "connector-operator.io_ConnectorCredential";
    format!(
        "\
# For Argo CD: kubectl patch configmap argocd-cm -n argocd --patch-file gitops/argocd/argocd-cm.yaml
# Generated from the scripts beside it by BLESS=1 cargo test --test suite gitops; do not edit.
data:
  resource.customizations.health.{key}: |
{}
  resource.customizations.actions.{key}: |
    discovery.lua: |
{}
    definitions:
    - name: reconcile
      action.lua: |
{}
",
        indented("gitops/argocd/health.lua", 4),
        indented("gitops/argocd/actions/discovery.lua", 6),
        indented("gitops/argocd/actions/reconcile.lua", 8),
    )
}

#[test]
fn the_settings_of_argo_cd_hold_the_scripts() {
    let file = "gitops/argocd/argocd-cm.yaml";
    if std::env::var_os("BLESS").is_some_and(|bless| !bless.is_empty()) {
        std::fs::write(super::repository(file), argocd_cm()).expect("the repository is writable");
    }
    assert!(text(file) == argocd_cm(), "{file} is not up to date: run BLESS=1 cargo test --test suite gitops");
    let parsed: Value = serde_saphyr::from_str(&text(file)).expect("YAML");
    let health = &parsed["data"]["resource.customizations.health.connector-operator.io_ConnectorCredential"];
    assert_eq!(health.as_str().map(str::trim_end), Some(text("gitops/argocd/health.lua").trim_end()));
    let actions = &parsed["data"]["resource.customizations.actions.connector-operator.io_ConnectorCredential"];
    let actions: Value = serde_saphyr::from_str(actions.as_str().expect("text")).expect("YAML in YAML");
    assert_eq!(actions["definitions"][0]["name"], "reconcile");
}
