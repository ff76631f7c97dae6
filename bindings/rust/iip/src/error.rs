//! Statuses of the library as errors.

use std::ffi::CStr;
use std::{fmt, io};

use iip_sys as sys;

/// What a caller can do about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Class {
    /// Wait for the event that says so, then try again.
    Retry,
    /// This connection is over, others live.
    Connection,
    /// The port of this loop failed.
    Loop,
    /// The caller's mistake.
    Usage,
    /// Memory or buffers ran out.
    Resource,
}

/// A failure that the library reports: one of its negative statuses.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Error(std::num::NonZeroI32);

/// Shorthand of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! statuses {
    ($($(#[$doc:meta])* $name:ident = $status:ident,)*) => {
        impl Error {
            $($(#[$doc])* pub const $name: Error = Error::of(sys::$status);)*
        }
    };
}

statuses! {
    /// A queue or a buffer is full; wait for the event that says it drained.
    AGAIN = IIP_E_AGAIN,
    /// An argument is out of its range.
    INVAL = IIP_E_INVAL,
    /// No packet buffer is free.
    NOBUFS = IIP_E_NOBUFS,
    /// The local address and port are taken.
    ADDR_IN_USE = IIP_E_ADDR_IN_USE,
    /// The peer answered a SYN with RST, or a datagram with port unreachable.
    REFUSED = IIP_E_REFUSED,
    /// The peer reset the connection.
    RESET = IIP_E_RESET,
    /// Retransmissions, keep-alives or the user timeout ran out.
    TIMEOUT = IIP_E_TIMEOUT,
    /// The application aborted the connection.
    ABORTED = IIP_E_ABORTED,
    /// This direction was already shut down.
    SHUTDOWN = IIP_E_SHUTDOWN,
    /// No such name.
    NOT_FOUND = IIP_E_NOT_FOUND,
    /// It is in use; close what uses it first.
    BUSY = IIP_E_BUSY,
    /// The handle is closed, released or foreign.
    STALE = IIP_E_STALE,
    /// Only the thread that owns the loop may call this.
    WRONG_THREAD = IIP_E_WRONG_THREAD,
    /// The object belongs to the parent of this process.
    FORKED = IIP_E_FORKED,
    /// Library, plug-in or caller are of different versions.
    ABI = IIP_E_ABI,
    /// The object was closed.
    CLOSED = IIP_E_CLOSED,
}

impl Error {
    const fn of(status: i32) -> Error {
        match std::num::NonZeroI32::new(status) {
            Some(status) => Error(status),
            None => panic!("IIP_OK is no error"),
        }
    }

    /// The status as the C interface has it: negative.
    pub fn status(self) -> i32 {
        self.0.get()
    }

    /// `"IIP_E_AGAIN"`: stable.
    pub fn name(self) -> &'static str {
        // SAFETY: never null, and a literal of the library.
        unsafe { literal(sys::iip_status_name(self.status())) }
    }

    /// One sentence for people; may change.
    pub fn text(self) -> &'static str {
        // SAFETY: as in name().
        unsafe { literal(sys::iip_status_text(self.status())) }
    }

    /// What the caller can do about it.
    pub fn class(self) -> Class {
        // SAFETY: takes any number.
        match unsafe { sys::iip_status_class(self.status()) } {
            sys::IIP_CLASS_RETRY => Class::Retry,
            sys::IIP_CLASS_CONNECTION => Class::Connection,
            sys::IIP_CLASS_LOOP => Class::Loop,
            sys::IIP_CLASS_RESOURCE => Class::Resource,
            _ => Class::Usage,
        }
    }

    /// The errno of this system that is nearest, positive.
    pub fn errno(self) -> i32 {
        // SAFETY: takes any number.
        unsafe { sys::iip_status_errno(self.status()) }
    }

    /// The kind that `std::io` has for it.
    pub fn kind(self) -> io::ErrorKind {
        match self.status() {
            sys::IIP_E_ABI | sys::IIP_E_UNKNOWN_FIELD | sys::IIP_E_NOT_SUPPORTED => io::ErrorKind::Unsupported,
            sys::IIP_E_STALE | sys::IIP_E_NOT_CONNECTED => io::ErrorKind::NotConnected,
            sys::IIP_E_NOMEM | sys::IIP_E_NOBUFS => io::ErrorKind::OutOfMemory,
            _ => io::Error::from_raw_os_error(self.errno()).kind(),
        }
    }
}

/// # Safety
/// `text` is a terminated literal of the library.
pub(crate) unsafe fn literal(text: *const std::ffi::c_char) -> &'static str {
    // SAFETY: the caller vouches for it.
    unsafe { CStr::from_ptr(text) }.to_str().unwrap_or("?")
}

/// A return value of the library: 0 or more, or an error.
#[inline]
pub(crate) fn check(status: i32) -> Result<u32> {
    if status < 0 {
        return Err(Error::of(status));
    }
    Ok(status as u32)
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.text(), self.name())
    }
}

impl std::error::Error for Error {}

impl From<Error> for io::Error {
    fn from(e: Error) -> io::Error {
        io::Error::new(e.kind(), e)
    }
}

/// Why an engine could not be opened: the status, and a sentence that names the value and the remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenError {
    /// The status.
    pub error: Error,
    /// The sentence.
    pub text: String,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.text.is_empty() { self.error.text() } else { &self.text })
    }
}

impl std::error::Error for OpenError {}

impl From<OpenError> for io::Error {
    fn from(e: OpenError) -> io::Error {
        io::Error::new(e.error.kind(), e)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_classes_and_kinds() {
        assert_eq!(Error::AGAIN.name(), "IIP_E_AGAIN");
        assert_eq!(Error::AGAIN.class(), Class::Retry);
        assert_eq!(Error::RESET.class(), Class::Connection);
        let kinds = [
            (Error::AGAIN, io::ErrorKind::WouldBlock),
            (Error::RESET, io::ErrorKind::ConnectionReset),
            (Error::REFUSED, io::ErrorKind::ConnectionRefused),
            (Error::TIMEOUT, io::ErrorKind::TimedOut),
            (Error::ADDR_IN_USE, io::ErrorKind::AddrInUse),
            (Error::SHUTDOWN, io::ErrorKind::BrokenPipe),
            (Error::ABORTED, io::ErrorKind::ConnectionAborted),
            (Error::NOT_FOUND, io::ErrorKind::NotFound),
        ];
        for (error, kind) in kinds {
            assert_eq!(io::Error::from(error).kind(), kind, "{error:?}");
        }
        let inner = io::Error::from(Error::RESET);
        assert_eq!(inner.get_ref().unwrap().downcast_ref::<Error>(), Some(&Error::RESET));
        assert!(check(0).is_ok() && check(-2) == Err(Error::INVAL));
    }
}
