//! One request with a token to one host, and its answer.

use super::NotifyError;
use crate::review::escape::plain;
use serde::{Serialize, de::DeserializeOwned};
use std::{sync::Arc, time::Duration};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};
use url::{Host, Url};

const CONNECT: Duration = Duration::from_secs(5);
const TOTAL: Duration = Duration::from_secs(20);
/// Of a refusal's words, so many characters are shown.
const WORDS: usize = 300;
/// An answer with more than this is not read, bytes.
const MAX_ANSWER: usize = 1 << 20;

/// A secret of the environment. It has no `Debug` and no `Display` on purpose.
pub struct Token(pub String);

/// Where a sent item lies now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sent {
    /// The ticket's address.
    pub ticket: String,
}

/// How a host wants the token.
pub enum Auth<'a> {
    /// `Authorization: Bearer`
    Bearer(&'a Token),
    /// `Authorization: Basic`, with a login name.
    Basic(&'a str, &'a Token),
}

/// Posts JSON and reads JSON.
pub async fn json<A: DeserializeOwned>(
    address: &str,
    auth: &Auth<'_>,
    accept: &'static str,
    body: &(impl Serialize + Sync),
) -> Result<A, NotifyError> {
    let url = allowed(address)?;
    let host = url.host_str().unwrap_or_default().to_owned();
    let unreachable = |error: reqwest::Error| NotifyError::Unreachable { host: host.clone(), why: reason(&error) };
    let client = client().map_err(unreachable)?;
    let request = client.post(url).header("accept", accept).header("user-agent", "firedrill").json(body);
    let (request, secret) = match auth {
        Auth::Bearer(token) => (request.bearer_auth(&token.0), &token.0),
        Auth::Basic(user, token) => (request.basic_auth(user, Some(&token.0)), &token.0),
    };
    let mut answer = request.send().await.map_err(unreachable)?;
    let status = answer.status();
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MAX_ANSWER {
            break;
        }
    }
    // A host may repeat what it was sent.
    let says = || plain(&String::from_utf8_lossy(&bytes).replace(secret.as_str(), "***")).chars().take(WORDS).collect();
    if !status.is_success() {
        return Err(NotifyError::Refused { host: host.clone(), status: status.as_u16(), says: says() });
    }
    serde_json::from_slice(&bytes).map_err(|_| NotifyError::NoTicket { host: host.clone(), says: says() })
}

/// A token goes over an encrypted line, or to this machine.
fn allowed(address: &str) -> Result<Url, NotifyError> {
    let wrong = |why| NotifyError::Address { address: without_login(address), why };
    let url = Url::parse(address).map_err(|_| wrong("is not an address such as https://api.github.com"))?;
    let here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => return Err(wrong("names no host")),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("has a login in it; tokens come from the environment"));
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if here => Ok(url),
        _ => Err(wrong("is not https, so the token would be sent for everybody to read")),
    }
}

/// An address as it may be shown.
fn without_login(address: &str) -> String {
    match (address.split_once("://"), address.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => plain(&format!("{scheme}://{rest}")),
        _ => plain(address),
    }
}

/// The innermost cause; the outer ones name the address.
fn reason(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if error.is_timeout() { format!("no answer within {} s", TOTAL.as_secs()) } else { plain(&cause.to_string()) }
}

fn client() -> Result<reqwest::Client, reqwest::Error> {
    let roots: RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring speaks the versions that rustls calls safe")
        .with_root_certificates(roots)
        .with_no_client_auth();
    // A redirection would take the token elsewhere.
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .retry(reqwest::retry::never())
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT)
        .timeout(TOTAL)
        .build()
}

/// The address of a ticket as a host gave it, if it is one that can be kept in a review.
pub fn address(text: &str) -> Option<String> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "https" | "http") && url.has_host())?;
    let address = url.to_string();
    (address.len() < 500 && url.username().is_empty() && url.password().is_none()).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_not_sent_in_the_open() {
        let why = |address: &str| allowed(address).unwrap_err().to_string();
        assert!(allowed("https://api.github.com/x").is_ok() && allowed("http://127.0.0.1:8080").is_ok());
        assert!(allowed("http://[::1]:8080/").is_ok() && allowed("http://localhost/").is_ok());
        assert!(why("http://jira.example.org").contains("for everybody to read"));
        assert!(why("ftp://localhost/").contains("is not https"));
        assert_eq!(
            why("https://me:secret@example.org/"),
            "https://example.org/ has a login in it; tokens come from the environment"
        );
        assert!(why("example.org").contains("is not an address"));
    }

    #[test]
    fn only_an_address_is_a_ticket() {
        assert_eq!(address("https://github.com/o/r/issues/1").as_deref(), Some("https://github.com/o/r/issues/1"));
        assert_eq!(
            (address("javascript:alert(1)"), address("see there"), address("https://a:b@c/")),
            (None, None, None)
        );
    }
}
