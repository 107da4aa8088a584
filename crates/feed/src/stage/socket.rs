//! One end of what stages tell one another: bytes in, bytes out, never waiting.

use super::wire::Wire;
use std::io;
use std::os::fd::RawFd;

/// A socket; in tests of several stages on one thread, a queue.
pub enum Socket {
    /// To other processes.
    Wire(Box<Wire>),
    /// Within the test.
    #[cfg(test)]
    Queue(&'static std::sync::Mutex<std::collections::VecDeque<Vec<u8>>>),
}

impl Socket {
    /// Becomes readable when there is something to do.
    pub fn fd(&self) -> RawFd {
        match self {
            Self::Wire(wire) => wire.fd(),
            #[cfg(test)]
            Self::Queue(_) => -1,
        }
    }

    /// See [`Wire::tend`].
    ///
    /// # Errors
    /// The system refuses to wait for descriptors.
    pub fn tend(&mut self) -> io::Result<()> {
        match self {
            Self::Wire(wire) => wire.tend(),
            #[cfg(test)]
            Self::Queue(_) => Ok(()),
        }
    }

    /// See [`Wire::take_lost`].
    pub fn take_lost(&mut self) -> bool {
        match self {
            Self::Wire(wire) => wire.take_lost(),
            #[cfg(test)]
            Self::Queue(_) => false,
        }
    }

    /// See [`Wire::send`].
    #[inline]
    pub fn send(&mut self, message: &[u8]) -> bool {
        match self {
            Self::Wire(wire) => wire.send(message),
            #[cfg(test)]
            Self::Queue(queue) => {
                queue.lock().unwrap().push_back(message.to_vec());
                true
            }
        }
    }

    /// See [`Wire::receive`].
    ///
    /// # Errors
    /// The system refuses to wait for descriptors.
    #[inline]
    pub fn receive<'a>(&mut self, buffer: &'a mut [u8]) -> io::Result<Option<&'a [u8]>> {
        match self {
            Self::Wire(wire) => wire.receive(buffer),
            #[cfg(test)]
            Self::Queue(queue) => {
                let Some(bytes) = queue.lock().unwrap().pop_front() else { return Ok(None) };
                buffer[..bytes.len()].copy_from_slice(&bytes);
                Ok(Some(&buffer[..bytes.len()]))
            }
        }
    }
}
