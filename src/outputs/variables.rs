//! How is a variable called in each format? `companyID` is `company-id` in files and `COMPANY_ID` in environments.

use crate::providers::Variable;

/// The name in kebab-case.
pub(super) fn kebab(variable: Variable) -> String {
    words(variable).join("-")
}

/// The name in `UPPER_SNAKE`, without prefix.
pub(super) fn upper_snake(variable: Variable) -> String {
    words(variable).join("_").to_ascii_uppercase()
}

/// The words of a lower camel case name, in lower case. A run of capitals (`URL`, `ID`) is one word.
fn words(variable: Variable) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut after_capital = false;
    for character in variable.name().chars() {
        if character.is_ascii_uppercase() && !after_capital {
            words.push(String::new());
        }
        after_capital = character.is_ascii_uppercase();
        if let Some(word) = words.last_mut() {
            word.push(character.to_ascii_lowercase());
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variable_has_both_names() {
        let expected = [
            ("provider", "provider", "PROVIDER"),
            ("baseURL", "base-url", "BASE_URL"),
            ("host", "host", "HOST"),
            ("apiKey", "api-key", "API_KEY"),
            ("headerName", "header-name", "HEADER_NAME"),
            ("headerValue", "header-value", "HEADER_VALUE"),
            ("authorization", "authorization", "AUTHORIZATION"),
            ("queryName", "query-name", "QUERY_NAME"),
            ("queryValue", "query-value", "QUERY_VALUE"),
            ("accept", "accept", "ACCEPT"),
            ("companyID", "company-id", "COMPANY_ID"),
            ("account", "account", "ACCOUNT"),
            ("accountID", "account-id", "ACCOUNT_ID"),
            ("region", "region", "REGION"),
            ("accessToken", "access-token", "ACCESS_TOKEN"),
            ("environment", "environment", "ENVIRONMENT"),
            ("scopes", "scopes", "SCOPES"),
            ("purpose", "purpose", "PURPOSE"),
            ("reference", "reference", "REFERENCE"),
            ("logoURL", "logo-url", "LOGO_URL"),
            ("primaryColor", "primary-color", "PRIMARY_COLOR"),
            ("secondaryColor", "secondary-color", "SECONDARY_COLOR"),
            ("expiresAt", "expires-at", "EXPIRES_AT"),
        ];
        let found: Vec<_> = Variable::ALL.iter().map(|one| (one.name(), kebab(*one), upper_snake(*one))).collect();
        let found: Vec<_> = found.iter().map(|(name, kebab, snake)| (*name, kebab.as_str(), snake.as_str())).collect();
        assert_eq!(found, expected);
    }
}
