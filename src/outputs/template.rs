//! What do a user's own files become? `$(variable)` is replaced in one pass, `$$(` is a literal `$(`; nothing else.

use super::page::Page;
use super::{Data, MAX_BYTES, Material, Unrenderable};
use crate::api::Output;
use crate::providers::{Variable, Variables};

/// The given files. A value is never looked at again, whatever it holds.
pub(super) fn data(output: &Output, material: &Material) -> Result<Data, Unrenderable> {
    let files = output.template.iter().flatten();
    let mut data = Data::new();
    let mut left = MAX_BYTES;
    for (file, text) in files {
        if !is_key(file) {
            return Err(Unrenderable::BadField("template"));
        }
        let page = expand(text, &material.variables, left)
            .map_err(|stop| stop.into_unrenderable(file, &material.variables))?;
        left = left.saturating_sub(page.len());
        data.insert(file.clone(), page.finish());
    }
    if data.is_empty() { Err(Unrenderable::BadField("template")) } else { Ok(data) }
}

/// No more than this comes of the files: a variable has no more than the longest key behind a scheme, or encoded.
pub(super) fn largest(output: &Output) -> usize {
    const VALUE: usize = crate::credential::MAX_BYTES + 512;
    let of_file = |(file, text): (&String, &String)| {
        let encoded = text.matches("$(queryValue").count().saturating_mul(2);
        let values = text.matches("$(").count().saturating_add(encoded).saturating_mul(VALUE);
        file.len().saturating_add(text.len()).saturating_add(values)
    };
    output.template.iter().flatten().map(of_file).fold(0, usize::saturating_add)
}

/// Why a template came to a stop.
enum Stop<'a> {
    Unknown(&'a str),
    Full,
}

impl Stop<'_> {
    fn into_unrenderable(self, file: &str, variables: &Variables) -> Unrenderable {
        match self {
            Self::Full => Unrenderable::TooLarge,
            Self::Unknown(name) => Unrenderable::UnknownVariable {
                file: file.to_owned(),
                name: name.chars().take(64).map(|one| if one.is_control() { ' ' } else { one }).collect(),
                known: variables.iter().map(|(variable, _)| variable.name()).collect::<Vec<_>>().join(", "),
            },
        }
    }
}

/// Stops as soon as more than `limit` bytes are written: a small template can ask for a key very often.
fn expand<'a>(text: &'a str, variables: &Variables, limit: usize) -> Result<Page, Stop<'a>> {
    let mut page = Page::default();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("$(") {
        if let Some(before) = before.strip_suffix('$') {
            page.push(before);
            page.push("$(");
            rest = after;
        } else {
            // Without a closing parenthesis all of it is the name, which does not exist.
            let (name, tail) = after.split_once(')').ok_or(Stop::Unknown(after))?;
            page.push(before);
            page.push(named(name).and_then(|variable| variables.get(variable)).ok_or(Stop::Unknown(name))?);
            rest = tail;
        }
        if page.len() > limit {
            return Err(Stop::Full);
        }
    }
    page.push(rest);
    if page.len() > limit { Err(Stop::Full) } else { Ok(page) }
}

fn named(name: &str) -> Option<Variable> {
    Variable::ALL.iter().copied().find(|variable| variable.name() == name)
}

/// Whether the API server takes this as a key of a Secret.
fn is_key(file: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    (1..=253).contains(&file.len()) && file != "." && !file.starts_with("..") && file.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::super::samples::{material, only, output, rendered, template, zenflow};
    use super::*;
    use crate::api::Format;
    use proptest::prelude::*;

    #[test]
    fn a35_templates_are_replaced_in_one_pass() {
        let mut material = zenflow();
        material.variables = material.variables.with(Variable::Reference, "$(apiKey)$$(").with(Variable::Purpose, "$");
        for (text, expected) in [
            ("", ""),
            ("$", "$"),
            ("$$", "$$"),
            ("$ ( $) )", "$ ( $) )"),
            ("${apiKey} $apiKey", "${apiKey} $apiKey"),
            ("$$(apiKey)", "$(apiKey)"),
            (" $$( a ) ", " $( a ) "),
            ("$$$(apiKey)", "$$(apiKey)"),
            ("$$($(environment))", "$(Live)"),
            ("$(environment)$(environment)", "LiveLive"),
            ("$(reference)!", "$(apiKey)$$(!"),
            ("$(purpose)(apiKey)", "$(apiKey)"),
            ("é$(environment)é", "éLiveé"),
        ] {
            assert_eq!(only(&template(text), &material), expected, "{text}");
        }
        let known =
            "provider, baseURL, host, apiKey, headerName, headerValue, accept, environment, scopes, purpose, reference";
        let long = "x".repeat(100);
        for (text, name) in [
            ("$(nothing)", "nothing"),
            ("$(companyID)", "companyID"),
            ("$(api-key)", "api-key"),
            ("$(APIKey)", "APIKey"),
            ("$( apiKey )", " apiKey "),
            ("$()", ""),
            ("a $(apiKey", "apiKey"),
            ("$(date\n+%s)", "date +%s"),
            ("$($(apiKey))", "$(apiKey"),
            (&format!("$({long})"), &"x".repeat(64)),
        ] {
            let expected = Unrenderable::UnknownVariable {
                file: "file".to_owned(),
                name: name.to_owned(),
                known: known.to_owned(),
            };
            assert_eq!(rendered(&template(text), &material), Err(expected), "{text}");
        }
    }

    #[test]
    fn template_files_have_names_that_a_secret_may_have() {
        let with = |name: &str| {
            let files = [(name.to_owned(), String::new())].into();
            rendered(&Output { template: Some(files), ..output(Format::Template) }, &zenflow()).err()
        };
        for name in ["app.ini", ".env", "a", "-", &"a".repeat(253)] {
            assert_eq!(with(name), None, "{name}");
        }
        for name in ["", ".", "..", "..a", "a/b", "a b", "é", &"a".repeat(254)] {
            assert_eq!(with(name), Some(Unrenderable::BadField("template")), "{name}");
        }
        assert_eq!(rendered(&output(Format::Template), &zenflow()), Err(Unrenderable::BadField("template")));
    }

    proptest! {
        #[test]
        fn a_template_never_looks_at_a_value_again(
            values in prop::collection::vec("[$(a-zK)]{0,12}|\\$\\(apiKey\\)|\\PC{0,12}", 2),
            literal in "[^$]{0,8}",
        ) {
            let material = material("flow", &[(Variable::ApiKey, &values[0]), (Variable::Reference, &values[1])]);
            let text = format!("{literal}$(apiKey)$(reference){literal}$$($(apiKey)");
            let expected = format!("{literal}{}{}{literal}$({}", values[0], values[1], values[0]);
            prop_assert_eq!(only(&template(&text), &material), expected);
        }
    }
}
