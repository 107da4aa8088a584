//! File descriptors in, readiness and bytes out: the few system calls of the hot loop.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// Events taken from the kernel in one turn; more wait for the next turn.
const EVENTS_MAX: usize = 64;

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

pub(crate) fn checked(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

impl Poller {
    pub(crate) fn new() -> io::Result<Poller> {
        // SAFETY: no pointers; the returned descriptor is ours alone.
        let epoll =
            unsafe { OwnedFd::from_raw_fd(checked(libc::epoll_create1(libc::EPOLL_CLOEXEC))?) };
        Ok(Poller { epoll, events: vec![libc::epoll_event { events: 0, u64: 0 }; EVENTS_MAX] })
    }

    /// Readable when something that is watched is ready.
    pub(crate) fn fd(&self) -> RawFd {
        self.epoll.as_raw_fd()
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
