//! Which files does a control plane need before it can start, and where are they?

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use ring::rand::{SecureRandom as _, SystemRandom};
use serde_json::json;
use tempfile::NamedTempFile;

use super::error::Error;

/// Who may log in with a token, besides service accounts.
const ADMINISTRATOR: &str = "admin";
const USER: &str = "user";

/// The temporary directory's contents.
#[derive(Debug)]
pub(super) struct Files {
    directory: PathBuf,
    pub(super) admin_token: String,
    pub(super) user_token: String,
}

impl Files {
    /// Writes all files with fresh tokens and keys.
    pub(super) fn write(directory: &Path) -> Result<Self, Error> {
        let files = Self { directory: directory.to_owned(), admin_token: random_token()?, user_token: random_token()? };
        let key = rcgen::KeyPair::generate()?;
        write(&files.signing_key(), &key.serialize_pem())?;
        write(&files.public_key(), &key.public_key_pem())?;
        write(&files.tokens(), &files.token_lines())?;
        write(&files.audit_policy(), &audit_policy().to_string())?;
        Ok(files)
    }

    fn token_lines(&self) -> String {
        let (admin, user) = (&self.admin_token, &self.user_token);
        format!("{admin},{ADMINISTRATOR},{ADMINISTRATOR},system:masters\n{user},{USER},{USER}\n")
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Tells this control plane from any other on the machine.
    pub(super) fn name(&self) -> String {
        let name = self.directory.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    pub(super) fn signing_key(&self) -> PathBuf {
        self.directory.join("service-accounts.key")
    }

    pub(super) fn public_key(&self) -> PathBuf {
        self.directory.join("service-accounts.pub")
    }

    pub(super) fn tokens(&self) -> PathBuf {
        self.directory.join("tokens.csv")
    }

    pub(super) fn audit_policy(&self) -> PathBuf {
        self.directory.join("audit-policy.yaml")
    }

    pub(super) fn audit_log(&self) -> PathBuf {
        self.directory.join("audit.log")
    }

    /// Where the API server puts the certificate it makes for itself.
    pub(super) fn certificates(&self) -> PathBuf {
        self.directory.join("certificates")
    }

    pub(super) fn ca(&self) -> PathBuf {
        self.certificates().join("apiserver.crt")
    }

    pub(super) fn etcd_data(&self) -> PathBuf {
        self.directory.join("etcd")
    }

    pub(super) fn kubeconfig(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.kubeconfig"))
    }

    pub(super) fn log(&self, component: &str) -> PathBuf {
        self.directory.join(format!("{component}.log"))
    }

    /// Writes a kubeconfig for `token` with the API server's certificate inside.
    pub(super) fn write_kubeconfig(&self, name: &str, url: &str, token: &str) -> Result<PathBuf, Error> {
        let path = self.kubeconfig(name);
        let ca = fs::read(self.ca()).map_err(Error::path("read", &self.ca()))?;
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": {
                "server": url,
                "certificate-authority-data": k8s_openapi::ByteString(ca),
            }}],
            "users": [{"name": name, "user": {"token": token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": name}}],
            "current-context": "test",
        });
        // Renamed into place: another test may be reading the file.
        let mut draft =
            NamedTempFile::new_in(&self.directory).map_err(Error::path("create a file in", &self.directory))?;
        draft.write_all(config.to_string().as_bytes()).map_err(Error::path("write", draft.path()))?;
        let persisted = draft.persist(&path);
        persisted.map_err(|failed| Error::path("write", &path)(failed.error))?;
        Ok(path)
    }
}

/// Every request once, when it is answered, without bodies.
fn audit_policy() -> serde_json::Value {
    json!({
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [{"level": "Metadata"}],
    })
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(Error::path("write", path))
}

fn random_token() -> Result<String, Error> {
    let mut bytes = [0_u8; 16];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_unspecified| Error::io("read random bytes")(std::io::ErrorKind::Other.into()))?;
    Ok(hex(&bytes))
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}
