//! Whom do we trust to be a provider? The system's certificate authorities and the administrator's.

use super::Unprepared;
use crate::config::Settings;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::sync::Arc;

/// TLS 1.2 or 1.3 by ring, with the system's authorities and the configured ones. No key log, no resumption: a
/// session ticket would tie one tenant's calls to another's.
pub(super) fn client(settings: &Settings) -> Result<rustls::ClientConfig, Unprepared> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(file) = &settings.ca_bundle_file {
        let pem = std::fs::read(file).map_err(|_| Unprepared::BadBundle)?;
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        let certificates = certificates.map_err(|_| Unprepared::BadBundle)?;
        if certificates.is_empty() {
            return Err(Unprepared::BadBundle);
        }
        for certificate in certificates {
            roots.add(certificate).map_err(|_| Unprepared::BadBundle)?;
        }
    }
    let needs_roots =
        settings.sites.values().filter_map(|site| site.endpoint.as_deref()).any(|e| e.starts_with("https:"));
    if roots.is_empty() && needs_roots {
        return Err(Unprepared::NoRoots);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|_| Unprepared::Client)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = rustls::client::Resumption::disabled();
    Ok(config)
}
