//! Is this endpoint, or this proxy, one that keys may be sent to?

use super::reach::Reach;
use crate::providers::{BaseUrl, Label};
use std::net::IpAddr;
use url::{Host, Url};

/// What may be called beside the Internet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// The placeholder that the provider's endpoint may hold, braces included.
    pub(super) placeholder: Option<&'static str>,
    /// Whether private addresses may be called.
    pub(super) allow_private: bool,
    /// Whether a proxy carries every call, and resolves names.
    pub(super) by_proxy: bool,
}

/// Checks an endpoint as far as its text shows; names are vetted when they are resolved.
pub(super) fn check(endpoint: &str, rules: Rules) -> Result<(), &'static str> {
    let plain = match rules.placeholder {
        Some(placeholder) => endpoint.replace(placeholder, "x"),
        None => endpoint.to_owned(),
    };
    if plain.contains(['{', '}']) {
        return Err(
            "holds a placeholder that this provider does not have; use {account} for flowlu, {region} for aventri",
        );
    }
    let url = parse(&plain, "must be a URL such as https://api.example.com")?;
    let in_port = endpoint.split("://").nth(1).and_then(|rest| rest.split('/').next()?.rsplit_once(":{"));
    if in_port.is_some() {
        return Err("has a placeholder in its port; placeholders may stand in the host or the path");
    }
    let reach = match url.host() {
        Some(Host::Ipv4(address)) => literal(IpAddr::V4(address))?,
        Some(Host::Ipv6(address)) => literal(IpAddr::V6(address))?,
        Some(Host::Domain(name)) => by_name(name, rules.allow_private),
        None => return Err("has no host; write it as https://api.example.com"),
    };
    if reach == Reach::Private && !rules.allow_private {
        return Err("is a private address; set allowPrivateEndpoints: true if keys may be sent there");
    }
    if url.scheme() == "http" && reach == Reach::Public {
        return Err(
            "must start with https://; plain http is for loopback and, with allowPrivateEndpoints, for private addresses",
        );
    }
    if url.scheme() == "http" && rules.by_proxy {
        return Err("must start with https:// where there is a proxy: the key would pass it in the clear");
    }
    let label = Label { placeholder: rules.placeholder.unwrap_or("{}"), value: "x", field: "endpoint" };
    match BaseUrl::build(endpoint, &label, "") {
        Ok(_) => Ok(()),
        Err(_) => {
            Err("must be written plainly: lower-case host, no encoded or repeated parts, no dots as path segments")
        }
    }
}

/// Checks the proxy. It is the administrator's own, so its address may be private.
pub(super) fn check_proxy(proxy: &str) -> Result<Url, &'static str> {
    let url = parse(proxy, "must be a URL such as http://egress.example:3128")?;
    match url.host() {
        Some(Host::Ipv4(address)) => literal(IpAddr::V4(address))?,
        Some(Host::Ipv6(address)) => literal(IpAddr::V6(address))?,
        Some(Host::Domain(_)) => Reach::Private,
        None => return Err("has no host; write it as http://egress.example:3128"),
    };
    if url.path().trim_end_matches('/').is_empty() {
        Ok(url)
    } else {
        Err("has a path; write scheme, host and port only")
    }
}

fn parse(text: &str, otherwise: &'static str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| otherwise)?;
    let authority =
        text.split("://").nth(1).and_then(|rest| rest.split(['/', '?', '#', '\\']).next()).unwrap_or_default();
    if !matches!(url.scheme(), "http" | "https") || authority.is_empty() {
        return Err(otherwise);
    }
    if authority.contains('@') || !url.username().is_empty() || url.password().is_some() {
        return Err("holds a user name or password; remove it");
    }
    if text.contains(['?', '#']) {
        return Err("holds a query or a fragment; remove it");
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) || text.contains(['\\', '%']) || url.port() == Some(0) {
        return Err("holds a character or a port that a plain URL does not have; write it as https://api.example.com");
    }
    Ok(url)
}

fn literal(address: IpAddr) -> Result<Reach, &'static str> {
    if matches!(address, IpAddr::V6(address) if address.to_ipv4_mapped().is_some()) {
        return Err("is an IPv4 address written as IPv6; write the IPv4 address");
    }
    match Reach::of(address) {
        Reach::Forbidden => Err("is a link-local, multicast or unspecified address; keys are never sent there"),
        reach @ (Reach::Public | Reach::Private | Reach::Loopback) => Ok(reach),
    }
}

/// What is known of a name before it is resolved: with private endpoints allowed it may turn out to be one.
fn by_name(name: &str, allow_private: bool) -> Reach {
    let name = name.trim_end_matches('.');
    if name == "localhost" || name.ends_with(".localhost") {
        Reach::Loopback
    } else if allow_private {
        Reach::Private
    } else {
        Reach::Public
    }
}
