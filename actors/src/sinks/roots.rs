//! Whom a receiver's certificate has to be signed by: the authorities of a file, or those of the system.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

/// Where distributions keep the authorities that they trust: Debian, Fedora, SUSE.
const SYSTEM: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem"];

/// What TLS goes by. Read anew with each connection after a failure, as authorities are renewed.
pub(super) fn tls(ca: Option<&Path>) -> Result<TlsConfig, String> {
    let file = match ca {
        Some(file) => file.to_owned(),
        None => SYSTEM.map(PathBuf::from).into_iter().find(|file| file.exists()).ok_or_else(|| {
            format!("there is no list of authorities ({}): install ca-certificates, or set ca_file", SYSTEM.join(", "))
        })?,
    };
    let roots = certificates(&file)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = RootCerts::Specific(Arc::new(roots));
    Ok(TlsConfig::builder().root_certs(roots).unversioned_rustls_crypto_provider(provider).build())
}

fn certificates(file: &Path) -> Result<Vec<Certificate<'static>>, String> {
    let told = |what: String| format!("{}: {what}", file.display());
    let text = std::fs::read(file).map_err(|error| told(error.to_string()))?;
    let items = parse_pem(&text).collect::<Result<Vec<_>, _>>().map_err(|error| told(error.to_string()))?;
    let certificate = |item| match item {
        PemItem::Certificate(certificate) => Some(certificate),
        _ => None,
    };
    let found: Vec<_> = items.into_iter().filter_map(certificate).collect();
    if found.is_empty() { Err(told("there is no certificate in it, expected PEM".to_owned())) } else { Ok(found) }
}
