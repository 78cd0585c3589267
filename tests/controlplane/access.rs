//! How does one talk to the control plane, and as whom?

use std::path::{Path, PathBuf};
use std::time::Duration;

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::PostParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};

use super::ControlPlane;
use super::error::Error;

/// How long a service account's token lasts: longer than any test.
const TOKEN_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

impl ControlPlane {
    /// The API server's address.
    pub(crate) fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.ports.api_server)
    }

    /// The certificate to trust the API server by, as a PEM file.
    pub(crate) fn ca(&self) -> PathBuf {
        self.files.ca()
    }

    /// The administrator's kubeconfig.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.files.kubeconfig("admin")
    }

    /// A kubeconfig named `name` for whoever `token` belongs to.
    pub(crate) fn kubeconfig_for_token(&self, name: &str, token: &str) -> Result<PathBuf, Error> {
        self.files.write_kubeconfig(name, &self.url(), token)
    }

    /// The token of `user`, who has no rights beyond those of every authenticated user.
    pub(crate) fn user_token(&self) -> &str {
        &self.files.user_token
    }

    /// The administrator's client, for the runtime that calls this.
    pub(crate) async fn client(&self) -> Result<Client, Error> {
        client_from(&self.kubeconfig()).await
    }

    /// A fresh token of a service account, valid for 24 hours.
    pub(crate) async fn service_account_token(&self, namespace: &str, name: &str) -> Result<String, Error> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client().await?, namespace);
        let request = TokenRequest {
            spec: TokenRequestSpec {
                expiration_seconds: i64::try_from(TOKEN_LIFETIME.as_secs()).ok(),
                ..TokenRequestSpec::default()
            },
            ..TokenRequest::default()
        };
        let answer = accounts.create_token_request(name, &PostParams::default(), &request).await?;
        let status = answer
            .status
            .ok_or_else(|| Error::Answer { from: "the token request", message: "no status".to_owned() })?;
        Ok(status.token)
    }

    /// A kubeconfig that acts as a service account.
    pub(crate) async fn kubeconfig_for_service_account(&self, namespace: &str, name: &str) -> Result<PathBuf, Error> {
        let token = self.service_account_token(namespace, name).await?;
        self.kubeconfig_for_token(&format!("{namespace}.{name}"), &token)
    }

    /// The log of all requests, one JSON object a line, without bodies.
    pub(crate) fn audit_log(&self) -> PathBuf {
        self.files.audit_log()
    }
}

/// A client for a kubeconfig file.
pub(crate) async fn client_from(kubeconfig: &Path) -> Result<Client, Error> {
    // Installed already by an earlier call, or by the code under test.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await?;
    Ok(Client::try_from(config)?)
}
