//! A `ZeroMQ` socket that Python has made in; messages sent and received without Python out.
//!
//! Python makes the sockets (paths, keys, who may connect) and lends them to the hot thread, with
//! the addresses of the two functions of the very libzmq that made them. So nothing is linked twice
//! and no message takes the interpreter's lock.

use std::ffi::{c_int, c_void};
use std::io;
use std::os::fd::RawFd;

type SendFn = unsafe extern "C" fn(*mut c_void, *const c_void, usize, c_int) -> c_int;
type ReceiveFn = unsafe extern "C" fn(*mut c_void, *mut c_void, usize, c_int) -> c_int;

/// `ZMQ_DONTWAIT`.
const DO_NOT_WAIT: c_int = 1;

/// `zmq_send` and `zmq_recv` of the process's libzmq.
#[derive(Copy, Clone)]
pub struct Library {
    send: SendFn,
    receive: ReceiveFn,
}

impl Library {
    /// The functions at these addresses.
    ///
    /// # Safety
    /// They are the addresses of `zmq_send` and `zmq_recv` of libzmq 4, which stays loaded.
    pub unsafe fn at(send: usize, receive: usize) -> Library {
        // SAFETY: the caller's promise; the signatures are those of zmq.h.
        unsafe {
            Library {
                send: core::mem::transmute::<*const (), SendFn>(send as *const ()),
                receive: core::mem::transmute::<*const (), ReceiveFn>(receive as *const ()),
            }
        }
    }
}

/// One socket, lent for as long as this lives.
pub struct Socket {
    library: Library,
    address: *mut c_void,
    fd: RawFd,
}

// SAFETY: a ZeroMQ socket may move to another thread behind a full barrier, which starting a
// thread is; the lender does not use it meanwhile.
unsafe impl Send for Socket {}

impl Socket {
    /// The socket at an address.
    ///
    /// # Safety
    /// `address` is a socket of `library`'s libzmq and `fd` its `ZMQ_FD`. It outlives this, and
    /// nobody else uses it meanwhile.
    pub unsafe fn lent(library: Library, address: usize, fd: RawFd) -> Socket {
        Socket { library, address: address as *mut c_void, fd }
    }

    /// Becomes readable when `receive` may find something.
    pub fn fd(&self) -> RawFd {
        self.fd
    }

    /// Sends without waiting; false when there is nobody or no room.
    ///
    /// # Errors
    /// The socket is broken.
    pub fn send(&self, bytes: &[u8]) -> io::Result<bool> {
        // SAFETY: the bytes live through the call, which copies them.
        let sent = unsafe {
            (self.library.send)(self.address, bytes.as_ptr().cast(), bytes.len(), DO_NOT_WAIT)
        };
        if sent >= 0 { Ok(true) } else { nothing_yet().map(|()| false) }
    }

    /// Receives without waiting; the message's bytes in `buffer`, `None` when there is none. One
    /// that is longer than `buffer` is broken off and fails to decode.
    ///
    /// # Errors
    /// The socket is broken.
    #[inline]
    pub fn receive<'a>(&self, buffer: &'a mut [u8]) -> io::Result<Option<&'a [u8]>> {
        // SAFETY: at most `buffer.len()` bytes are written into it.
        let size = unsafe {
            (self.library.receive)(
                self.address,
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                DO_NOT_WAIT,
            )
        };
        if size < 0 {
            return nothing_yet().map(|()| None);
        }
        let size = (size as usize).min(buffer.len());
        Ok(Some(&buffer[..size]))
    }
}

/// The last failure, unless it only says that nothing is there yet.
fn nothing_yet() -> io::Result<()> {
    let error = io::Error::last_os_error();
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(()),
        _ => Err(error),
    }
}
