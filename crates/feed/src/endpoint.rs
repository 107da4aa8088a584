//! An address as text in; where to connect to, over TLS or on this host only, out.
//!
//! Live trading goes over TLS. Plain text is accepted only where nobody can listen in between: at a
//! loopback address, where the simulated exchange is.

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::Thread;

/// How the kernel is to treat a connection. Zero leaves a size or a time to the kernel.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct SocketOptions {
    /// `SO_RCVBUF`.
    pub receive_buffer_bytes: usize,
    /// `SO_SNDBUF`.
    pub send_buffer_bytes: usize,
    /// `TCP_USER_TIMEOUT`: sent bytes that nobody acknowledges for so long end the connection.
    pub user_timeout_ms: u32,
    /// `TCP_QUICKACK` at the start.
    pub quick_ack: bool,
}

/// Whose certificates are believed.
#[derive(Clone)]
pub struct Trust(Arc<ClientConfig>);

impl Trust {
    /// The authorities that browsers believe (Mozilla's list).
    pub fn public() -> Trust {
        let roots = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
        Trust::in_roots(roots)
    }

    /// The authorities of a PEM file, and no others.
    ///
    /// # Errors
    /// The file cannot be read or holds no certificate.
    pub fn file(path: &Path) -> Result<Trust, String> {
        let shown = path.display();
        let expected = |error| format!("{shown}: expected certificates in PEM: {error}");
        let mut roots = RootCertStore::empty();
        for found in CertificateDer::pem_file_iter(path).map_err(|e| expected(e.to_string()))? {
            let certificate = found.map_err(|error| expected(error.to_string()))?;
            roots.add(certificate).map_err(|error| expected(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(expected("found none".to_owned()));
        }
        Ok(Trust::in_roots(roots))
    }

    fn in_roots(roots: RootCertStore) -> Trust {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider knows TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Trust(Arc::new(config))
    }
}

/// A host's name and its address, which may change while we run.
struct Target {
    name_and_port: String,
    address: Mutex<SocketAddr>,
    is_asked: AtomicBool,
    resolver: OnceLock<Thread>,
}

/// Where a server listens, and how to talk to it.
#[derive(Clone)]
pub struct Endpoint {
    /// For the `Host` header.
    pub host: String,
    target: Arc<Target>,
    /// TLS: whom to believe and whom to expect.
    secure: Option<(Trust, ServerName<'static>)>,
    pub(crate) sockets: SocketOptions,
}

impl Endpoint {
    /// Reads `SCHEME://HOST[:PORT]`, where the scheme is `plain` or `plain` with an s (TLS).
    ///
    /// # Errors
    /// Another form, a name that cannot be resolved, or plain text to another host.
    pub fn parse(
        url: &str,
        plain: &str,
        trust: &Trust,
        sockets: SocketOptions,
    ) -> Result<Endpoint, String> {
        let expected = || format!("expected {plain}s://HOST[:PORT] or {plain}://, found {url}");
        let (scheme, rest) = url.split_once("://").ok_or_else(expected)?;
        let is_secure = scheme.strip_suffix('s') == Some(plain);
        let host = rest.trim_end_matches('/');
        if (scheme != plain && !is_secure) || host.is_empty() || host.contains('/') {
            return Err(expected());
        }
        let (name, name_and_port) = match host.rsplit_once(':') {
            Some((name, port)) if port.parse::<u16>().is_ok() => (name, host.to_owned()),
            _ => (host, format!("{host}:{}", if is_secure { 443 } else { 80 })),
        };
        let address =
            resolve(&name_and_port).map_err(|error| format!("{}: {error}", expected()))?;
        if !is_secure && !address.ip().is_loopback() {
            return Err(format!(
                "live trading only over TLS: expected {plain}s://{host}, found {url}; plain text \
                 is for this host alone (127.0.0.1)"
            ));
        }
        let secure = if is_secure {
            let bare = name.trim_start_matches('[').trim_end_matches(']').to_owned();
            let name = ServerName::try_from(bare).map_err(|error| error.to_string())?;
            Some((trust.clone(), name))
        } else {
            None
        };
        let target = Target {
            name_and_port,
            address: Mutex::new(address),
            is_asked: AtomicBool::new(false),
            resolver: OnceLock::new(),
        };
        Ok(Endpoint { host: host.to_owned(), target: Arc::new(target), secure, sockets })
    }

    /// Where to connect to now. The resolver holds the lock for the time of one assignment.
    pub(crate) fn address(&self) -> SocketAddr {
        *self.target.address.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the name resolved again, on another thread; the next attempt may find a new address.
    pub(crate) fn ask_address(&self) {
        self.target.is_asked.store(true, Ordering::Release);
        if let Some(resolver) = self.target.resolver.get() {
            resolver.unpark();
        }
    }

    /// A TLS session that has not begun; `None` for plain text.
    pub(crate) fn session(&self) -> std::io::Result<Option<Box<rustls::ClientConnection>>> {
        let Some((trust, name)) = &self.secure else { return Ok(None) };
        rustls::ClientConnection::new(Arc::clone(&trust.0), name.clone())
            .map(|session| Some(Box::new(session)))
            .map_err(std::io::Error::other)
    }

    /// Whether its connections are encrypted.
    pub fn is_secure(&self) -> bool {
        self.secure.is_some()
    }
}

fn resolve(name_and_port: &str) -> Result<SocketAddr, String> {
    let mut found = name_and_port.to_socket_addrs().map_err(|error| error.to_string())?;
    found.next().ok_or_else(|| "the name has no address".to_owned())
}

/// Resolves what is asked for, until told that it is over. A name that cannot be resolved keeps its
/// last address: a broken name server must not end a working connection's way back.
pub(crate) fn resolve_on_request(endpoints: &[Endpoint], is_over: &AtomicBool) {
    for endpoint in endpoints {
        let _ = endpoint.target.resolver.set(std::thread::current());
    }
    while !is_over.load(Ordering::Acquire) {
        for target in endpoints.iter().map(|endpoint| &endpoint.target) {
            if !target.is_asked.swap(false, Ordering::AcqRel) {
                continue;
            }
            if let Ok(found) = resolve(&target.name_and_port) {
                *target.address.lock().unwrap_or_else(PoisonError::into_inner) = found;
            }
        }
        std::thread::park_timeout(std::time::Duration::from_secs(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Endpoint, String> {
        Endpoint::parse(url, "http", &Trust::public(), SocketOptions::default())
    }

    #[test]
    fn plain_text_is_for_this_host_alone() {
        assert!(!parse("http://127.0.0.1:9001").unwrap().is_secure());
        assert!(!parse("http://localhost:9001/").unwrap().is_secure());
        let refused = parse("http://192.0.2.1:80").err().unwrap();
        assert!(refused.contains("live trading only over TLS"), "{refused}");
        let found = parse("https://192.0.2.1").unwrap();
        assert!(found.is_secure());
        assert_eq!(found.address().port(), 443);
        assert_eq!(found.host, "192.0.2.1");
    }

    #[test]
    fn other_forms_are_refused_with_what_was_found() {
        for url in ["ws://127.0.0.1:1", "127.0.0.1:1", "https://", "http://127.0.0.1/x", "http://"]
        {
            let refused = parse(url).err().expect(url);
            assert!(refused.contains("expected http"), "{refused}");
            assert!(refused.contains(url), "{refused}");
        }
    }

    #[test]
    fn file_without_certificates_is_refused_by_name() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let refused = Trust::file(file.path()).err().unwrap();
        assert!(refused.contains("found none"), "{refused}");
        assert!(Trust::file(Path::new("/nowhere/ca.pem")).is_err());
    }

    #[test]
    fn asked_name_is_resolved_anew_on_another_thread() {
        let endpoint = parse("http://localhost:9001").unwrap();
        let wrong = "127.0.0.9:1".parse().unwrap();
        *endpoint.target.address.lock().unwrap() = wrong;
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| resolve_on_request(core::slice::from_ref(&endpoint), &is_over));
            endpoint.ask_address();
            let begun = std::time::Instant::now();
            while endpoint.address() == wrong {
                assert!(begun.elapsed().as_secs() < 10, "never resolved");
                std::thread::yield_now();
            }
            is_over.store(true, Ordering::Release);
            endpoint.ask_address();
        });
        assert_eq!(endpoint.address().port(), 9001);
    }
}
