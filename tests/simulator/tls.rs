//! A certificate authority of the simulator's own, made anew at every start.

use std::io;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

use super::provider::REAL_HOSTS;

/// What is wrong with the server's TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Certificate {
    #[default]
    Good,
    /// It ended yesterday.
    Expired,
    /// For another host.
    OtherHost,
    /// Of an authority that `ca_pem` does not have.
    OtherAuthority,
    /// The server speaks TLS 1.1 only.
    OldVersion,
}

pub(crate) struct Tls {
    /// None: the server speaks an old version only.
    pub(crate) acceptor: Option<TlsAcceptor>,
    pub(crate) ca_pem: String,
}

/// A `ServerHello` of TLS 1.1 with a cipher of that time.
pub(super) fn old_hello() -> Vec<u8> {
    let mut hello = vec![22, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2];
    hello.extend([7; 32]);
    hello.extend([0, 0xc0, 0x13, 0]);
    hello
}

/// A server certificate for localhost and for the providers' real hosts, unless something is to be wrong with it.
pub(crate) fn make(certificate: Certificate) -> io::Result<Tls> {
    let (ca_pem, issuer) = authority().map_err(io::Error::other)?;
    let ca_pem = match certificate {
        Certificate::OtherAuthority => authority().map_err(io::Error::other)?.0,
        _ => ca_pem,
    };
    if certificate == Certificate::OldVersion {
        return Ok(Tls { acceptor: None, ca_pem });
    }
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    names.extend(REAL_HOSTS.map(str::to_owned));
    if certificate == Certificate::OtherHost {
        names = vec!["elsewhere.example".to_owned()];
    }
    let key = KeyPair::generate().map_err(io::Error::other)?;
    let mut params = CertificateParams::new(names).map_err(io::Error::other)?;
    if certificate == Certificate::Expired {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    }
    let leaf = params.signed_by(&key, &issuer).map_err(io::Error::other)?;
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![leaf.der().clone()], private))
        .map_err(io::Error::other)?;
    Ok(Tls { acceptor: Some(TlsAcceptor::from(Arc::new(config))), ca_pem })
}

fn authority() -> Result<(String, Issuer<'static, KeyPair>), rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, "Provider simulator EXAMPLE CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    let key = KeyPair::generate()?;
    let pem = params.self_signed(&key)?.pem();
    Ok((pem, Issuer::new(params, key)))
}
