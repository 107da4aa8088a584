//! An endpoint in; a non-blocking connection, encrypted or plain, with what could not be sent yet, out.

use crate::endpoint::Endpoint;
use crate::net::checked;
use rustls::ClientConnection;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// Bytes of requests that may wait for a peer that does not read; beyond it the peer is broken.
const UNSENT_BYTES_MAX: usize = 1024 * 1024;

/// A connection and, under TLS, its session.
pub(crate) struct Connection {
    stream: TcpStream,
    session: Option<Box<ClientConnection>>,
    unsent: Vec<u8>,
    is_connecting: bool,
    /// The last read was cut by its room: the session may hold more, of which epoll knows nothing.
    is_cut: bool,
}

impl Connection {
    /// Begins to connect; ready for output when it is done.
    pub(crate) fn open(endpoint: &Endpoint) -> io::Result<Connection> {
        let stream = begin(endpoint.address())?;
        stream.set_nodelay(true)?;
        let options = endpoint.sockets;
        for (level, name, value) in [
            (libc::SOL_SOCKET, libc::SO_RCVBUF, options.receive_buffer_bytes as libc::c_int),
            (libc::SOL_SOCKET, libc::SO_SNDBUF, options.send_buffer_bytes as libc::c_int),
            (libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT, options.user_timeout_ms as libc::c_int),
            (libc::IPPROTO_TCP, libc::TCP_QUICKACK, libc::c_int::from(options.quick_ack)),
        ] {
            if value > 0 {
                set_option(&stream, level, name, value)?;
            }
        }
        let mut session = endpoint.session()?;
        if let Some(session) = &mut session {
            session.set_buffer_limit(Some(UNSENT_BYTES_MAX));
        }
        Ok(Connection { stream, session, unsent: Vec::new(), is_connecting: true, is_cut: false })
    }

    pub(crate) fn fd(&self) -> RawFd {
        self.stream.as_raw_fd()
    }

    /// Whether TCP or TLS has not agreed yet.
    #[inline]
    pub(crate) fn is_connecting(&self) -> bool {
        self.is_connecting || self.session.as_ref().is_some_and(|session| session.is_handshaking())
    }

    /// Called when ready for output while connecting.
    pub(crate) fn finish_connecting(&mut self) -> io::Result<()> {
        if let Some(error) = self.stream.take_error()? {
            return Err(error);
        }
        self.is_connecting = false;
        Ok(())
    }

    /// Whether there may be more to read though the socket is empty.
    pub(crate) fn holds_more(&self) -> bool {
        self.is_cut
    }

    /// One read; `None` when there is nothing now. A read that leaves room has taken everything.
    pub(crate) fn read(&mut self, room: &mut [u8]) -> io::Result<Option<usize>> {
        if self.session.is_some() {
            return self.read_secure(room);
        }
        match self.stream.read(room) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => Ok(Some(count)),
            Err(error) if is_later(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn read_secure(&mut self, room: &mut [u8]) -> io::Result<Option<usize>> {
        let Some(session) = &mut self.session else { return Ok(None) };
        let mut total = 0;
        self.is_cut = false;
        loop {
            match session.reader().read(&mut room[total..]) {
                // What came before the end is handed on first; the end is found again.
                Ok(0) if total > 0 => return Ok(Some(total)),
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    total += count;
                    if total == room.len() {
                        self.is_cut = true;
                        return Ok(Some(total));
                    }
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            match session.read_tls(&mut self.stream) {
                Ok(0) if total > 0 => return Ok(Some(total)),
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if is_later(&error) => return Ok((total > 0).then_some(total)),
                Err(error) => return Err(error),
            }
            let processed = session.process_new_packets();
            // The handshake goes on here; after an error the peer is told why.
            let written = write_session(session, &mut self.stream);
            processed
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, explain(&error)))?;
            written?;
        }
    }

    /// Sends as much as the kernel takes now and keeps the rest; true when a rest is kept.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<bool> {
        if let Some(session) = &mut self.session {
            if session.writer().write(bytes)? < bytes.len() {
                return Err(io::ErrorKind::StorageFull.into());
            }
            return self.flush();
        }
        let mut sent = 0;
        if self.unsent.is_empty() && !self.is_connecting {
            sent = write_some(&mut self.stream, bytes)?;
        }
        if self.unsent.len() + bytes.len() - sent > UNSENT_BYTES_MAX {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.unsent.extend_from_slice(&bytes[sent..]);
        Ok(!self.unsent.is_empty())
    }

    /// Sends what was kept; true when there is still a rest.
    pub(crate) fn flush(&mut self) -> io::Result<bool> {
        if self.is_connecting {
            return Ok(true);
        }
        if let Some(session) = &mut self.session {
            write_session(session, &mut self.stream)?;
            return Ok(session.wants_write());
        }
        let sent = write_some(&mut self.stream, &self.unsent)?;
        self.unsent.drain(..sent);
        Ok(!self.unsent.is_empty())
    }
}

/// What a person can do about it.
fn explain(error: &rustls::Error) -> String {
    use rustls::CertificateError as Bad;
    let rustls::Error::InvalidCertificate(bad) = error else { return format!("TLS: {error}") };
    let what = match bad {
        Bad::UnknownIssuer => "is signed by no authority that is trusted here (see ca_file)",
        Bad::NotValidForName | Bad::NotValidForNameContext { .. } => "is of another name",
        Bad::Expired | Bad::ExpiredContext { .. } => "has expired, or our clock is wrong",
        Bad::NotValidYet | Bad::NotValidYetContext { .. } => "begins later, or our clock is wrong",
        _ => "cannot be believed",
    };
    format!("TLS: the venue's certificate {what} ({error})")
}

/// Whether the kernel only asks to come again.
fn is_later(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

fn write_some(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<usize> {
    let mut sent = 0;
    while sent < bytes.len() {
        match stream.write(&bytes[sent..]) {
            Ok(count) => sent += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(sent)
}

fn write_session(session: &mut ClientConnection, stream: &mut TcpStream) -> io::Result<()> {
    while session.wants_write() {
        match session.write_tls(stream) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn begin(address: SocketAddr) -> io::Result<TcpStream> {
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: no pointers; the returned descriptor is ours alone.
    let fd = unsafe { OwnedFd::from_raw_fd(checked(libc::socket(family, kind, 0))?) };
    let result = match address {
        SocketAddr::V4(v4) => {
            let raw = libc::sockaddr_in {
                sin_family: libc::AF_INET as u16,
                sin_port: v4.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(v4.ip().octets()) },
                sin_zero: [0; 8],
            };
            connect(&fd, &raw)
        }
        SocketAddr::V6(v6) => {
            let raw = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as u16,
                sin6_port: v6.port().to_be(),
                sin6_flowinfo: v6.flowinfo(),
                sin6_addr: libc::in6_addr { s6_addr: v6.ip().octets() },
                sin6_scope_id: v6.scope_id(),
            };
            connect(&fd, &raw)
        }
    };
    match result {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
        _ => Ok(TcpStream::from(fd)),
    }
}

fn connect<A>(fd: &OwnedFd, address: &A) -> io::Result<()> {
    // SAFETY: `A` is a sockaddr of the socket's family and lives through the call.
    checked(unsafe {
        libc::connect(
            fd.as_raw_fd(),
            core::ptr::from_ref(address).cast(),
            core::mem::size_of::<A>() as libc::socklen_t,
        )
    })
    .map(drop)
}

fn set_option(
    stream: &TcpStream,
    level: libc::c_int,
    name: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    // SAFETY: `value` is an int of the given size and lives through the call.
    checked(unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            core::mem::size_of::<libc::c_int>() as libc::socklen_t,
        )
    })
    .map(drop)
}
