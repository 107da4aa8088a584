//! File descriptors in, readiness and bytes out: the few system calls of the hot loop.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// Events taken from the kernel in one turn; more wait for the next turn.
const EVENTS_MAX: usize = 64;
/// Bytes of requests that may wait for a peer that does not read; beyond it the peer is broken.
const UNSENT_BYTES_MAX: usize = 1024 * 1024;

/// What the kernel says of one descriptor.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Ready {
    pub token: u64,
    pub is_readable: bool,
    pub is_writable: bool,
}

/// An epoll instance.
pub(crate) struct Poller {
    epoll: OwnedFd,
    events: Vec<libc::epoll_event>,
}

fn checked(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

impl Poller {
    pub(crate) fn new() -> io::Result<Poller> {
        // SAFETY: no pointers; the returned descriptor is ours alone.
        let epoll =
            unsafe { OwnedFd::from_raw_fd(checked(libc::epoll_create1(libc::EPOLL_CLOEXEC))?) };
        Ok(Poller { epoll, events: vec![libc::epoll_event { events: 0, u64: 0 }; EVENTS_MAX] })
    }

    /// Watches `fd` for input, and for output while `for_output`. Closing the descriptor ends it.
    pub(crate) fn watch(&self, fd: RawFd, token: u64, for_output: bool) -> io::Result<()> {
        let output = if for_output { libc::EPOLLOUT } else { 0 };
        let mut event = libc::epoll_event { events: (libc::EPOLLIN | output) as u32, u64: token };
        // SAFETY: `event` lives through the call; both descriptors are open.
        let changed = unsafe {
            libc::epoll_ctl(self.epoll.as_raw_fd(), libc::EPOLL_CTL_MOD, fd, &raw mut event)
        };
        if changed == 0 {
            return Ok(());
        }
        // SAFETY: as above.
        checked(unsafe {
            libc::epoll_ctl(self.epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, &raw mut event)
        })
        .map(drop)
    }

    /// Waits up to `timeout_ns` for readiness and copies it to `ready`.
    pub(crate) fn wait(&mut self, timeout_ns: i64, ready: &mut Vec<Ready>) -> io::Result<()> {
        ready.clear();
        let timeout_ns = timeout_ns.max(0);
        let timeout = libc::timespec {
            tv_sec: timeout_ns / 1_000_000_000,
            tv_nsec: timeout_ns % 1_000_000_000,
        };
        // SAFETY: `events` has room for `EVENTS_MAX`; `timeout` lives through the call.
        let count = unsafe {
            libc::epoll_pwait2(
                self.epoll.as_raw_fd(),
                self.events.as_mut_ptr(),
                EVENTS_MAX as libc::c_int,
                &raw const timeout,
                core::ptr::null(),
            )
        };
        let count = match checked(count) {
            Ok(count) => count as usize,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            Err(error) => return Err(error),
        };
        for event in &self.events[..count] {
            let bits = event.events;
            let broken = bits & (libc::EPOLLERR | libc::EPOLLHUP) as u32 != 0;
            ready.push(Ready {
                token: event.u64,
                is_readable: broken || bits & libc::EPOLLIN as u32 != 0,
                is_writable: broken || bits & libc::EPOLLOUT as u32 != 0,
            });
        }
        Ok(())
    }
}

/// Wakes a poller from another thread.
pub(crate) struct Waker(OwnedFd);

impl Waker {
    pub(crate) fn new() -> io::Result<Waker> {
        // SAFETY: no pointers; the returned descriptor is ours alone.
        let fd = unsafe { checked(libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK))? };
        // SAFETY: just made, owned by nobody else.
        Ok(Waker(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    pub(crate) fn fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    pub(crate) fn wake(&self) {
        let one = 1u64.to_ne_bytes();
        // SAFETY: eight bytes that live through the call. It can fail only when the counter is
        // full, and then the poller is awake anyway.
        unsafe { libc::write(self.fd(), one.as_ptr().cast(), one.len()) };
    }

    pub(crate) fn drain(&self) {
        let mut count = [0u8; 8];
        // SAFETY: eight bytes that live through the call; an empty counter is no error here.
        unsafe { libc::read(self.fd(), count.as_mut_ptr().cast(), count.len()) };
    }
}

/// A non-blocking connection with what could not be sent yet.
pub(crate) struct Connection {
    stream: TcpStream,
    unsent: Vec<u8>,
    is_connecting: bool,
}

impl Connection {
    /// Begins to connect; ready for output when it is done.
    pub(crate) fn open(address: SocketAddr) -> io::Result<Connection> {
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
            Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => return Err(error),
            _ => {}
        }
        let stream = TcpStream::from(fd);
        stream.set_nodelay(true)?;
        Ok(Connection { stream, unsent: Vec::new(), is_connecting: true })
    }

    pub(crate) fn fd(&self) -> RawFd {
        self.stream.as_raw_fd()
    }

    pub(crate) fn is_connecting(&self) -> bool {
        self.is_connecting
    }

    /// Called when ready for output: whether it is connected now.
    pub(crate) fn finish_connecting(&mut self) -> io::Result<()> {
        if let Some(error) = self.stream.take_error()? {
            return Err(error);
        }
        self.is_connecting = false;
        Ok(())
    }

    /// One read; `None` when there is nothing now.
    pub(crate) fn read(&mut self, room: &mut [u8]) -> io::Result<Option<usize>> {
        match self.stream.read(room) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => Ok(Some(count)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sends as much as the kernel takes now and keeps the rest; true when a rest is kept.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<bool> {
        let mut sent = 0;
        if self.unsent.is_empty() && !self.is_connecting {
            sent = self.write_some(bytes)?;
        }
        if self.unsent.len() + bytes.len() - sent > UNSENT_BYTES_MAX {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.unsent.extend_from_slice(&bytes[sent..]);
        Ok(!self.unsent.is_empty())
    }

    /// Sends what was kept; true when there is still a rest.
    pub(crate) fn flush(&mut self) -> io::Result<bool> {
        let unsent = core::mem::take(&mut self.unsent);
        let sent = self.write_some(&unsent);
        self.unsent = unsent;
        self.unsent.drain(..sent?);
        Ok(!self.unsent.is_empty())
    }

    fn write_some(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut sent = 0;
        while sent < bytes.len() {
            match self.stream.write(&bytes[sent..]) {
                Ok(count) => sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(sent)
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

/// Nanoseconds since the epoch.
#[inline]
pub(crate) fn wall_ns() -> i64 {
    clock_ns(libc::CLOCK_REALTIME)
}

/// Nanoseconds on a clock that never steps.
#[inline]
pub(crate) fn monotonic_ns() -> i64 {
    clock_ns(libc::CLOCK_MONOTONIC)
}

#[inline]
fn clock_ns(clock: libc::clockid_t) -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` lives through the call; both clocks always exist.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// Binds the calling thread to one processor.
pub(crate) fn pin_thread(cpu: usize) -> io::Result<()> {
    // SAFETY: a cpu_set_t of zeros is valid, `CPU_SET` checks the range, pid 0 is this thread.
    unsafe {
        let mut set: libc::cpu_set_t = core::mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        checked(libc::sched_setaffinity(0, core::mem::size_of_val(&set), &raw const set)).map(drop)
    }
}

/// The kernel's number of the calling thread.
pub(crate) fn thread_id() -> i32 {
    // SAFETY: no arguments, cannot fail.
    unsafe { libc::gettid() }
}
