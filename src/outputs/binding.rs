//! What does the Service Binding specification want? `type`, `provider`, `host`, `uri`, and each variable as a file.

use super::variables::kebab;
use super::{Data, Material, value};
use crate::providers::Variable;

/// One key for each variable that has a value, and those that the specification names.
pub(super) fn data(material: &Material) -> Data {
    let named = [("type", Some("connector")), ("provider", Some(material.provider)), ("uri", base_url(material))];
    let named = named.into_iter().filter_map(|(key, text)| Some((key.to_owned(), value(text?))));
    let variables = material.variables.iter().map(|(variable, text)| (kebab(variable), value(text)));
    named.chain(variables).collect()
}

fn base_url(material: &Material) -> Option<&str> {
    material.variables.get(Variable::BaseUrl)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::Variables;

    #[test]
    fn without_an_endpoint_there_is_neither_uri_nor_host() {
        let variables = Variables::default().with(Variable::Provider, "flow").with(Variable::ApiKey, "flow-EXAMPLE");
        let material =
            Material { title: "a/b".to_owned(), description: None, provider: "flow", variables, test_url: None };
        let data = data(&material);
        let found: Vec<_> = data.iter().map(|(key, value)| (key.as_str(), value.as_slice())).collect();
        assert_eq!(found, [("api-key", &b"flow-EXAMPLE"[..]), ("provider", b"flow"), ("type", b"connector")]);
    }
}
