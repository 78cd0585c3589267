//! Which token does an output of ours carry? Read back after a restart, so that none is minted twice.

use super::{curl, env, nexla, quote};
use crate::api::{Format, Output};
use crate::credential::AccessToken;
use crate::providers::{ProviderKind, Variable};
use serde::Deserialize;
use std::borrow::Cow;
use zeroize::Zeroizing;

/// Aventri's query parameter. Found in an output, it tells that what it holds is a token and not a key.
const PARAMETER: &str = "accesstoken";

/// The Aventri token in the data of an output that [`super::render`] made; `file` looks up one key of the data.
/// `None` when there is none, when it could not be a token, and for templates.
#[must_use]
pub fn token_in<'a>(output: &Output, file: impl Fn(&str) -> Option<&'a [u8]>) -> Option<AccessToken> {
    let text = |key: &str| std::str::from_utf8(file(key)?).ok();
    let found = match output.format.unwrap_or_default() {
        Format::Binding => text(&super::variables::kebab(Variable::AccessToken)).map(plain),
        Format::Env => text(&env_name(output)?).map(plain),
        Format::Dotenv => in_dotenv(text(env::FILE)?, &env_name(output)?),
        Format::HTTP => quote::unpercent(text("query")?.strip_prefix(PARAMETER)?.strip_prefix('=')?),
        Format::Curl => in_curlrc(text(curl::FILE)?),
        Format::Nexla => in_nexla(text(nexla::FILE)?),
        Format::Template => None,
    };
    AccessToken::parse(&found?).ok()
}

fn plain(text: &str) -> Zeroizing<String> {
    Zeroizing::new(text.to_owned())
}

fn env_name(output: &Output) -> Option<String> {
    let prefix = env::prefix(output, ProviderKind::Aventri.member()).ok()?;
    Some(env::name(&prefix, Variable::AccessToken))
}

fn in_dotenv(text: &str, name: &str) -> Option<Zeroizing<String>> {
    quote::undotenv(text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?)
}

fn in_curlrc(text: &str) -> Option<Zeroizing<String>> {
    let parameter = text.lines().find_map(|line| line.strip_prefix("url-query = \"")?.strip_suffix('"'))?;
    quote::unescape(parameter.strip_prefix(PARAMETER)?.strip_prefix('=')?)
}

fn in_nexla(text: &str) -> Option<Zeroizing<String>> {
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        credentials: Credentials<'a>,
    }
    #[derive(Deserialize)]
    struct Credentials<'a> {
        #[serde(borrow, rename = "api.key.auth.key")]
        key: Cow<'a, str>,
        #[serde(borrow, rename = "api.key.auth.value")]
        value: Cow<'a, str>,
    }
    let body: Body<'_> = serde_json::from_str(text).ok()?;
    let value = Zeroizing::new(body.credentials.value.into_owned());
    (body.credentials.key == PARAMETER).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::super::render;
    use super::super::samples::{aventri_with, aventri_without_token, flowlu, inflow, output, template};
    use super::*;
    use proptest::prelude::*;

    const FORMATS: [Format; 6] =
        [Format::Binding, Format::Env, Format::Dotenv, Format::HTTP, Format::Curl, Format::Nexla];

    fn read_back(output: &Output, material: &super::super::Material) -> Option<String> {
        let data = render(output, material).ok()?.data;
        token_in(output, |key| data.get(key).map(|bytes| bytes.as_slice())).map(|token| token.reveal().to_owned())
    }

    #[test]
    fn no_token_is_found_where_there_is_none() {
        for format in FORMATS {
            let output = output(format);
            assert_eq!(read_back(&output, &aventri_without_token()), None, "{format:?}");
            assert_eq!(read_back(&output, &inflow()), None, "{format:?}");
            assert_eq!(read_back(&output, &flowlu()), None, "a key in a query is no token: {format:?}");
            assert!(token_in(&output, |_| None).is_none());
            for bytes in [&b""[..], b"\xff", b"a b", b"{ }", b"{\"credentials\": {}}", b"AVENTRI_ACCESS_TOKEN=' '"] {
                assert!(token_in(&output, |_| Some(bytes)).is_none(), "{format:?}");
            }
        }
        assert_eq!(read_back(&template("$(accessToken)"), &aventri_with("EXAMPLE")), None);
    }

    #[test]
    fn a_prefix_is_heeded() {
        for format in [Format::Env, Format::Dotenv] {
            let output = Output { env_prefix: Some("ERP_".to_owned()), ..output(format) };
            assert_eq!(read_back(&output, &aventri_with("EXAMPLE")).as_deref(), Some("EXAMPLE"));
        }
    }

    proptest! {
        #[test]
        fn every_token_is_read_back_from_every_format(token in "[!-~]{1,64}") {
            for format in FORMATS {
                // Nexla cannot hold a comma; then there is no output to read.
                if format != Format::Nexla || !token.contains(',') {
                    prop_assert_eq!(read_back(&output(format), &aventri_with(&token)), Some(token.clone()));
                }
            }
        }
    }
}
