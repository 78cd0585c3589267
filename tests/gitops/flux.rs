//! Do the expressions of the Flux example say what kstatus says? Run by an interpreter of CEL, in Flux' order.

use cel::{Context, Program, Value as CelValue, to_value};
use serde_json::Value;

use super::kstatus::Kstatus;
use super::text;

/// The expressions of the example, compiled.
pub(super) struct FluxCheck {
    expressions: [(Program, Kstatus); 3],
}

impl FluxCheck {
    pub(super) fn load() -> Self {
        let documents: Vec<Value> =
            serde_saphyr::from_multiple(&text("gitops/flux/clusters/production/connectors.yaml")).expect("YAML");
        let checks = documents.iter().find_map(|document| document["spec"]["healthCheckExprs"].as_array());
        let check = &checks.expect("the example has expressions")[0];
        let compiled = |name: &str, says: Kstatus| {
            let expression = check[name].as_str().expect("an expression");
            (Program::compile(expression).expect("it is CEL"), says)
        };
        let expressions = [
            compiled("inProgress", Kstatus::InProgress),
            compiled("failed", Kstatus::Failed),
            compiled("current", Kstatus::Current),
        ];
        Self { expressions }
    }

    /// What Flux makes of an object: the first expression that holds, or in progress.
    pub(super) fn of(&self, object: &Value) -> Kstatus {
        let mut context = Context::default();
        for member in ["metadata", "spec", "status"] {
            let value = to_value(&object[member]).expect("JSON fits");
            context.add_variable_from_value(member, value);
        }
        for (program, says) in &self.expressions {
            match program.execute(&context).expect("it can be evaluated") {
                CelValue::Bool(true) => return *says,
                CelValue::Bool(false) => {}
                other => panic!("{other:?} is no answer"),
            }
        }
        Kstatus::InProgress
    }
}
