use std::path::{Path, PathBuf};

use mysql_async::{ClientIdentity, SslOpts};
use serde::Deserialize;
use tributary_domain::FieldError;

use crate::error::SourceError;

/// Encryption of the connection to the database.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsConfig {
    pub mode: TlsMode,
    /// PEM file of the authorities that are trusted; empty: the well-known public ones.
    pub ca: PathBuf,
    /// The name that the server's certificate must be for; empty: the host of the URL.
    pub server_name: String,
    /// PEM files with which this process proves who it is; empty: it does not.
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// The names are those of MySQL's `--ssl-mode`. Its `VERIFY_CA` is left out: `mysql_async` 0.37.1
/// looks for an older wording of rustls and then verifies the name too; `server_name` does the same
/// and more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TlsMode {
    /// Not encrypted.
    #[default]
    Disabled,
    /// Encrypted, whoever the server is.
    Required,
    /// The server's certificate is of a trusted authority, and for the expected name.
    VerifyIdentity,
}

impl TlsConfig {
    pub(super) fn check(&self) -> Result<(), FieldError> {
        let is_empty = |path: &Path| path.as_os_str().is_empty();
        match (is_empty(&self.certificate), is_empty(&self.key)) {
            (false, true) => Err(FieldError::new("key", "is missing beside tls.certificate")),
            (true, false) => Err(FieldError::new("certificate", "is missing beside tls.key")),
            _ => Ok(()),
        }
    }

    /// For the client; `None`: not encrypted. Reads the files.
    pub(crate) fn options(&self) -> Result<Option<SslOpts>, SourceError> {
        if self.mode == TlsMode::Disabled {
            return Ok(None);
        }
        let ca = read(&self.ca)?;
        let identity = read(&self.certificate)?.zip(read(&self.key)?);
        let identity = identity.map(|(chain, key)| ClientIdentity::new(chain.into(), key.into()));
        let expected = (!self.server_name.is_empty()).then(|| self.server_name.clone());
        let options = SslOpts::default()
            .with_disable_built_in_roots(ca.is_some())
            .with_root_certs(ca.into_iter().map(Into::into).collect())
            .with_client_identity(identity)
            .with_danger_accept_invalid_certs(self.mode == TlsMode::Required)
            .with_danger_tls_hostname_override(expected);
        Ok(Some(options))
    }
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, SourceError> {
    if path.as_os_str().is_empty() {
        return Ok(None);
    }
    let read = std::fs::read(path).map_err(|error| SourceError::File(path.to_owned(), error))?;
    Ok(Some(read))
}
