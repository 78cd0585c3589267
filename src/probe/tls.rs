//! Whom do we trust to be a provider? The system's certificate authorities and the administrator's, and nobody whom the
//! environment names.

use super::Unprepared;
use crate::config::Settings;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_native_certs::load_certs_from_paths;
use std::path::Path;
use std::sync::Arc;

/// Where systems keep their certificate authorities in one file, and where each in its own. `SSL_CERT_FILE` and
/// `SSL_CERT_DIR` are not read: who is trusted with keys stands in the image and in `caBundleFile`.
const FILES: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/local/etc/ssl/cert.pem",
];
const DIRECTORIES: [&str; 2] = ["/etc/ssl/certs", "/etc/pki/tls/certs"];

fn system_roots() -> Vec<CertificateDer<'static>> {
    let found = |paths: &'static [&str]| paths.iter().map(Path::new).find(|path| path.exists());
    let file = found(&FILES);
    let directory = if file.is_some() { None } else { found(&DIRECTORIES) };
    load_certs_from_paths(file, directory).certs
}

/// TLS 1.2 or 1.3 by ring, with the system's authorities and the configured ones. No key log, no resumption: a
/// session ticket would tie one tenant's calls to another's.
pub(super) fn client(settings: &Settings) -> Result<rustls::ClientConfig, Unprepared> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(system_roots());
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
