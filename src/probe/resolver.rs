//! Where does a name lead? Only to addresses that keys may be sent to; what was vetted is what is dialled.
//!
//! Addresses in URLs do not pass here: the configuration vets them. Behind a proxy the proxy resolves.

use crate::config::{Reach, Settings};
use futures::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use url::Url;

/// Who knows where a name leads.
type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync>;

/// A name resolves to no address that may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no permitted address")]
pub(super) struct NoPermittedAddress;

/// Resolves names with the system's resolver and keeps the permitted addresses.
#[derive(Clone)]
pub(super) struct Vetting {
    lookup: Lookup,
    allow_private: bool,
    /// Hosts that are called without TLS, as text before and after a label.
    plain: Vec<(String, String)>,
    proxy: Option<String>,
}

impl Vetting {
    /// With the system's resolver.
    pub(super) fn new(settings: &Settings) -> Self {
        let system = |name: String| -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
            Box::pin(async move { Ok(tokio::net::lookup_host((name.as_str(), 0)).await?.collect()) })
        };
        Self::with_lookup(settings, Arc::new(system))
    }

    pub(super) fn with_lookup(settings: &Settings, lookup: Lookup) -> Self {
        let endpoints = settings.sites.values().filter_map(|site| site.endpoint.as_deref());
        Self {
            lookup,
            allow_private: settings.allow_private_endpoints,
            plain: endpoints.filter_map(plain_host).collect(),
            proxy: settings.proxy.as_ref().and_then(Url::host_str).map(str::to_owned),
        }
    }

    fn permits(&self, name: &str, reach: Reach) -> bool {
        let is_proxy = self.proxy.as_deref() == Some(name);
        let is_plain = || self.plain.iter().any(|(start, end)| name.starts_with(start) && name.ends_with(end));
        match reach {
            Reach::Forbidden => false,
            Reach::Loopback => true,
            Reach::Private => is_proxy || self.allow_private,
            Reach::Public => is_proxy || !is_plain(),
        }
    }

    fn vet(
        &self,
        name: &str,
        addresses: impl Iterator<Item = SocketAddr>,
    ) -> Result<Vec<SocketAddr>, NoPermittedAddress> {
        let permitted: Vec<_> = addresses.filter(|address| self.permits(name, Reach::of(address.ip()))).collect();
        if permitted.is_empty() { Err(NoPermittedAddress) } else { Ok(permitted) }
    }
}

impl fmt::Debug for Vetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vetting").field("allow_private", &self.allow_private).finish_non_exhaustive()
    }
}

impl Resolve for Vetting {
    fn resolve(&self, name: Name) -> Resolving {
        let vetting = self.clone();
        Box::pin(async move {
            let name = name.as_str().to_ascii_lowercase();
            let found = (vetting.lookup)(name.clone()).await?;
            let permitted = vetting.vet(&name, found.into_iter())?;
            let addresses: Addrs = Box::new(permitted.into_iter());
            Ok(addresses)
        })
    }
}

/// The host of an endpoint without TLS, cut at its placeholder.
fn plain_host(endpoint: &str) -> Option<(String, String)> {
    let rest = endpoint.strip_prefix("http://")?;
    let authority = rest.split('/').next()?;
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host).to_ascii_lowercase();
    match host.split_once('{') {
        Some((start, rest)) => Some((start.to_owned(), rest.split_once('}')?.1.to_owned())),
        None => Some((host, String::new())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vetting(yaml: &str) -> Vetting {
        Vetting::new(&Settings::parse(yaml).unwrap())
    }

    fn vetted(vetting: &Vetting, name: &str, addresses: &[&str]) -> Vec<String> {
        let addresses = addresses.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), 0));
        let kept = vetting.vet(name, addresses).unwrap_or_default();
        kept.iter().map(|address| address.ip().to_string()).collect()
    }

    #[test]
    fn a04_only_permitted_addresses_are_dialled() {
        let strict = vetting("");
        let lax = vetting("allowPrivateEndpoints: true");
        let name = "api.zenflow.com.ar";
        for (addresses, expected, with_private) in [
            (&["8.8.8.8"][..], &["8.8.8.8"][..], &["8.8.8.8"][..]),
            (&["169.254.169.254"], &[], &[]),
            (&["8.8.8.8", "169.254.169.254", "10.0.0.1"], &["8.8.8.8"], &["8.8.8.8", "10.0.0.1"]),
            (&["10.0.0.1", "fd00::1"], &[], &["10.0.0.1", "fd00::1"]),
            (&["::ffff:169.254.169.254", "::ffff:10.0.0.1"], &[], &["::ffff:10.0.0.1"]),
            (&["127.0.0.1", "::1"], &["127.0.0.1", "::1"], &["127.0.0.1", "::1"]),
            (&["0.0.0.0", "::", "fe80::1", "224.0.0.1"], &[], &[]),
            // Translated and tunnelled addresses are what they lead to.
            (&["64:ff9b::a9fe:a9fe", "64:ff9b::a00:1", "2002:a9fe:a9fe::1"], &[], &["64:ff9b::a00:1"]),
            (&["::ffff:0.0.0.0", "::ffff:100.100.100.200", "fd00:ec2::254"], &[], &[]),
            (&["::ffff:127.0.0.1"], &["::ffff:127.0.0.1"], &["::ffff:127.0.0.1"]),
            (&[], &[], &[]),
        ] {
            assert_eq!(vetted(&strict, name, addresses), expected);
            assert_eq!(vetted(&lax, name, addresses), with_private);
        }
    }

    #[test]
    fn a04_without_tls_nothing_public_is_dialled() {
        let vetting = vetting(
            "allowPrivateEndpoints: true\nproviders: {zenflow: {endpoint: 'http://zen.test:8080/x'}, flowlu: {endpoint: 'http://{account}.flow.test'}}",
        );
        for (name, address, permitted) in [
            ("zen.test", "8.8.8.8", false),
            ("zen.test", "10.0.0.1", true),
            ("mycompany.flow.test", "8.8.8.8", false),
            ("mycompany.flow.test", "127.0.0.1", true),
            ("cloudapi.inflowinventory.com", "8.8.8.8", true),
        ] {
            assert_eq!(vetting.permits(name, Reach::of(address.parse().unwrap())), permitted, "{name} {address}");
        }
    }

    #[test]
    fn the_proxy_may_be_private_and_never_link_local() {
        let vetting = vetting("proxy: http://egress.example:3128");
        assert_eq!(
            vetted(&vetting, "egress.example", &["10.0.0.1", "169.254.1.1", "8.8.8.8"]),
            ["10.0.0.1", "8.8.8.8"]
        );
        assert_eq!(vetted(&vetting, "api.zenflow.com.ar", &["10.0.0.1"]), Vec::<String>::new());
    }
}
