//! The poll-style traits of the ecosystem, for streams of this thread.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use super::TcpStream;

#[cfg(feature = "futures-io")]
impl futures_io::AsyncRead for TcpStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut [u8]) -> Poll<io::Result<usize>> {
        self.poll_read_into(cx, to)
    }
}

#[cfg(feature = "tokio")]
impl tokio::io::AsyncRead for TcpStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut tokio::io::ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll_read_by(cx, to.remaining(), |_, bytes| to.put_slice(bytes)).map_ok(drop)
    }
}

#[cfg(feature = "futures-io")]
impl futures_io::AsyncBufRead for TcpStream {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        self.get_mut().poll_fill(cx)
    }

    fn consume(self: Pin<&mut Self>, n: usize) {
        self.get_mut().consumed(n);
    }
}

#[cfg(feature = "tokio")]
impl tokio::io::AsyncBufRead for TcpStream {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        self.get_mut().poll_fill(cx)
    }

    fn consume(self: Pin<&mut Self>, n: usize) {
        self.get_mut().consumed(n);
    }
}

/// Accepted connections, for ever.
#[cfg(feature = "futures-io")]
impl futures_core::Stream for super::TcpListener {
    type Item = io::Result<TcpStream>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<TcpStream>>> {
        self.poll_accept(cx).map(Some)
    }
}

#[cfg(feature = "hyper")]
impl hyper::rt::Read for TcpStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut to: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_read_by(cx, to.remaining(), |_, bytes| to.put_slice(bytes)).map_ok(drop)
    }
}

/// What is the same in all of them. Nothing is ever held back, so there is nothing to flush.
macro_rules! writes {
    ($($item:tt)*) => {
        fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            self.poll_write_from(cx, bytes)
        }

        fn poll_write_vectored(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            parts: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            self.poll_write_parts(cx, parts.iter().map(|part| &**part))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        $($item)*
    };
}

#[cfg(feature = "futures-io")]
impl futures_io::AsyncWrite for TcpStream {
    writes! {
        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(self.shutdown())
        }
    }
}

#[cfg(feature = "tokio")]
impl tokio::io::AsyncWrite for TcpStream {
    writes! {
        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(TcpStream::shutdown(&self))
        }

        fn is_write_vectored(&self) -> bool {
            true
        }
    }
}

#[cfg(feature = "hyper")]
impl hyper::rt::Write for TcpStream {
    writes! {
        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(TcpStream::shutdown(&self))
        }

        fn is_write_vectored(&self) -> bool {
            true
        }
    }
}
