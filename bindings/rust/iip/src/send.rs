//! Sockets that are `Send`: for programs whose tasks run on other threads, like those of a tokio runtime.
//!
//! Each is a pair of queues between its holder and the loop's thread, where a task of the runtime moves the bytes.
//! Received buffers cross as they are; written bytes are copied into the queue. Both queues are bounded, so that
//! back-pressure goes through.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use crate::net::{TcpListener, TcpStream};
use crate::rt::Handle;
use crate::{Ends, Error, RxBuf};

/// Bytes that wait in each direction.
const QUEUE: usize = 1 << 18;
/// Bytes of one write.
const PIECE: usize = 1 << 16;

/// An error that can be told more than once.
type Kind = (io::ErrorKind, Option<Error>);

fn kind(e: &io::Error) -> Kind {
    (e.kind(), e.get_ref().and_then(|inner| inner.downcast_ref::<Error>()).copied())
}

fn error((kind, error): Kind) -> io::Error {
    error.map_or_else(|| kind.into(), io::Error::from)
}

struct Shared<T>(Mutex<T>);

impl<T> Shared<T> {
    /// Wakers are code of others, as is what reads: nothing of that runs while it is locked.
    fn lock(&self) -> MutexGuard<'_, T> {
        // Nothing panics while it is locked.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[derive(Default)]
struct State {
    ends: Option<Ends>,
    received: VecDeque<RxBuf>,
    received_bytes: usize,
    eof: bool,
    error: Option<Kind>,
    sending: VecDeque<Vec<u8>>,
    sending_bytes: usize,
    /// The end was asked for.
    shut: bool,
    dropped: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// The task of the loop.
    pump: Option<Waker>,
}

type StreamShared = Arc<Shared<State>>;

/// A TCP connection that may be used on any thread. Dropped, it is closed in order: what was written still goes out.
pub struct SendStream {
    shared: StreamShared,
}

impl SendStream {
    /// Connects by the loop of this runtime.
    pub async fn connect(handle: &Handle, peer: SocketAddr) -> io::Result<SendStream> {
        let shared = StreamShared::new(Shared(Mutex::default()));
        let stream = SendStream { shared: shared.clone() };
        let end = End(shared);
        handle.spawn(move || async move {
            match TcpStream::connect(peer).await {
                Ok(stream) => pump(stream, end).await,
                Err(e) => end.fail(kind(&e)),
            }
        });
        poll_fn(|cx| {
            let waker = cx.waker().clone();
            let mut s = stream.shared.lock();
            if s.ends.is_some() {
                return Poll::Ready(Ok(()));
            }
            if let Some(e) = s.error {
                return Poll::Ready(Err(error(e)));
            }
            let before = s.writer.replace(waker);
            drop(s);
            drop(before);
            Poll::Pending
        })
        .await?;
        Ok(stream)
    }

    /// A stream of this thread, for all of them: its bytes are moved by a task of this runtime.
    pub fn from_local(local: TcpStream) -> SendStream {
        let shared = StreamShared::new(Shared(Mutex::default()));
        shared.lock().ends = ends(&local);
        let end = End(shared.clone());
        drop(crate::rt::spawn_local(pump(local, end)));
        SendStream { shared }
    }

    /// Our own address.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.shared.lock().ends.map(|e| e.local).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// The other's.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.shared.lock().ends.map(|e| e.peer).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    fn poll_received<T>(
        &self,
        cx: &mut Context<'_>,
        f: impl FnOnce(&mut VecDeque<RxBuf>) -> (T, usize),
    ) -> Poll<io::Result<Option<T>>> {
        let waker = cx.waker().clone();
        let mut s = self.shared.lock();
        if s.received.is_empty() {
            if s.eof {
                return Poll::Ready(Ok(None));
            }
            if let Some(e) = s.error {
                return Poll::Ready(Err(error(e)));
            }
            let before = s.reader.replace(waker);
            drop(s);
            drop(before);
            return Poll::Pending;
        }
        let was = s.received_bytes;
        let (out, n) = f(&mut s.received);
        s.received_bytes -= n;
        let waker = if was >= QUEUE && s.received_bytes < QUEUE { s.pump.clone() } else { None };
        drop(s);
        waker.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(Some(out)))
    }

    /// The next bytes as they arrived, without a copy; `None`: the peer has sent all.
    pub async fn recv(&self) -> io::Result<Option<RxBuf>> {
        let first = |received: &mut VecDeque<RxBuf>| {
            let buf = received.pop_front();
            let n = buf.as_ref().map_or(0, |b| b.len());
            (buf, n)
        };
        poll_fn(|cx| self.poll_received(cx, first)).await.map(Option::flatten)
    }

    /// Gives up to `max` received bytes to `put`, piece by piece; returns how many. 0: the peer has sent all.
    pub fn poll_read_by(
        &self,
        cx: &mut Context<'_>,
        max: usize,
        mut put: impl FnMut(&[u8]),
    ) -> Poll<io::Result<usize>> {
        if max == 0 {
            return Poll::Ready(Ok(0));
        }
        let mut done = 0;
        while done < max {
            match self.poll_piece(cx, max - done) {
                Poll::Ready(Ok(Some(piece))) => {
                    put(&piece);
                    done += piece.len();
                }
                _ if done > 0 => break,
                Poll::Ready(end) => return Poll::Ready(end.map(|_| 0)),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(done))
    }

    /// Bytes of one buffer, `max` at most; `None`: the peer has sent all.
    fn poll_piece(&self, cx: &mut Context<'_>, max: usize) -> Poll<io::Result<Option<RxBuf>>> {
        let piece = |received: &mut VecDeque<RxBuf>| {
            let first = match received.front_mut() {
                Some(first) if first.len() > max => {
                    let part = first.slice(..max);
                    first.advance(max);
                    Some(part)
                }
                _ => received.pop_front(),
            };
            let n = first.as_ref().map_or(0, |part| part.len());
            (first, n)
        };
        self.poll_received(cx, piece).map_ok(Option::flatten)
    }

    /// Takes some bytes; pending, it has taken none.
    pub fn poll_write_from(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let waker = cx.waker().clone();
        let mut s = self.shared.lock();
        if let Some(e) = s.error {
            return Poll::Ready(Err(error(e)));
        }
        if s.shut {
            return Poll::Ready(Err(Error::SHUTDOWN.into()));
        }
        if s.sending_bytes >= QUEUE {
            let before = s.writer.replace(waker);
            drop(s);
            drop(before);
            return Poll::Pending;
        }
        let n = bytes.len().min(PIECE);
        if n > 0 {
            s.sending.push_back(bytes[..n].to_vec());
            s.sending_bytes += n;
        }
        let waker = s.pump.clone();
        drop(s);
        waker.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(n))
    }

    /// No more to write: FIN follows what was written.
    pub fn shutdown(&self) -> io::Result<()> {
        let mut s = self.shared.lock();
        s.shut = true;
        let waker = s.pump.clone();
        drop(s);
        waker.into_iter().for_each(Waker::wake);
        Ok(())
    }
}

impl Drop for SendStream {
    fn drop(&mut self) {
        let mut s = self.shared.lock();
        s.dropped = true;
        let received = std::mem::take(&mut s.received);
        let waker = s.pump.take();
        drop(s);
        drop(received);
        waker.into_iter().for_each(Waker::wake);
    }
}

impl std::fmt::Debug for SendStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SendStream").field("ends", &self.shared.lock().ends).finish()
    }
}

fn ends(stream: &TcpStream) -> Option<Ends> {
    Some(Ends { local: stream.local_addr().ok()?, peer: stream.peer_addr().ok()? })
}

/// The loop's side; gone, whoever waits is told, whatever the reason (an error, the runtime's end).
struct End(StreamShared);

impl End {
    fn fail(&self, e: Kind) {
        let mut s = self.0.lock();
        s.error = s.error.or(Some(e));
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let mut s = self.0.lock();
        s.error = s.error.or(Some((io::ErrorKind::BrokenPipe, Some(Error::CLOSED))));
        s.pump = None;
        let wakers = [s.reader.take(), s.writer.take()];
        drop(s);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}

/// Moves the bytes of one stream until both directions have ended.
async fn pump(stream: TcpStream, end: End) {
    let mut shut = false;
    let mut wakers = Vec::new();
    {
        let mut s = end.0.lock();
        s.ends = ends(&stream);
        wakers.extend(s.writer.take());
    }
    let done = poll_fn(|cx| {
        let mut s = end.0.lock();
        s.pump = Some(cx.waker().clone());
        let done = pump_in(&stream, &mut s, cx, &mut wakers)
            .and_then(|()| pump_out(&stream, &mut s, cx, &mut wakers, &mut shut));
        drop(s);
        wakers.drain(..).for_each(Waker::wake);
        match done {
            Err(e) => Poll::Ready(Some(kind(&e))),
            Ok(true) => Poll::Ready(None),
            Ok(false) => Poll::Pending,
        }
    })
    .await;
    if let Some(e) = done {
        end.fail(e);
    }
}

fn pump_in(stream: &TcpStream, s: &mut State, cx: &mut Context<'_>, wakers: &mut Vec<Waker>) -> io::Result<()> {
    while !s.eof && !s.dropped && s.received_bytes < QUEUE {
        match stream.poll_recv(cx) {
            Poll::Pending => break,
            Poll::Ready(Err(e)) => return Err(e),
            Poll::Ready(Ok(None)) => s.eof = true,
            Poll::Ready(Ok(Some(buf))) => {
                s.received_bytes += buf.len();
                s.received.push_back(buf);
            }
        }
        wakers.extend(s.reader.take());
    }
    Ok(())
}

/// `true`: there is nothing more to do.
fn pump_out(
    stream: &TcpStream,
    s: &mut State,
    cx: &mut Context<'_>,
    wakers: &mut Vec<Waker>,
    shut: &mut bool,
) -> io::Result<bool> {
    while let Some(piece) = s.sending.front_mut() {
        let Poll::Ready(n) = stream.poll_write_from(cx, piece)? else { break };
        if n == piece.len() {
            s.sending.pop_front();
        } else {
            piece.drain(..n);
        }
        s.sending_bytes -= n;
        if s.sending_bytes < QUEUE {
            wakers.extend(s.writer.take());
        }
    }
    if !s.sending.is_empty() {
        return Ok(false);
    }
    if s.shut && !*shut {
        *shut = true;
        stream.shutdown()?;
    }
    Ok(s.dropped || (s.eof && *shut))
}

#[derive(Default)]
struct Listening {
    bound: Option<SocketAddr>,
    accepted: VecDeque<SendStream>,
    error: Option<Kind>,
    dropped: bool,
    waker: Option<Waker>,
    pump: Option<Waker>,
}

/// A TCP listener that may be used on any thread.
pub struct SendListener {
    shared: Arc<Shared<Listening>>,
    local: SocketAddr,
}

impl SendListener {
    /// Listens by the loop of this runtime.
    pub async fn bind(handle: &Handle, local: SocketAddr) -> io::Result<SendListener> {
        let shared = Arc::new(Shared(Mutex::new(Listening::default())));
        let mut listener = SendListener { shared: shared.clone(), local };
        let end = ListenerEnd(shared);
        handle.spawn(move || listen(local, end));
        listener.local = poll_fn(|cx| {
            let waker = cx.waker().clone();
            let mut s = listener.shared.lock();
            if let Some(local) = s.bound {
                return Poll::Ready(Ok(local));
            }
            if let Some(e) = s.error {
                return Poll::Ready(Err(error(e)));
            }
            let before = s.waker.replace(waker);
            drop(s);
            drop(before);
            Poll::Pending
        })
        .await?;
        Ok(listener)
    }

    /// The next connection. Dropped half-way, it loses none.
    pub async fn accept(&self) -> io::Result<SendStream> {
        poll_fn(|cx| {
            let waker = cx.waker().clone();
            let mut s = self.shared.lock();
            if let Some(stream) = s.accepted.pop_front() {
                return Poll::Ready(Ok(stream));
            }
            if let Some(e) = s.error {
                return Poll::Ready(Err(error(e)));
            }
            let before = s.waker.replace(waker);
            drop(s);
            drop(before);
            Poll::Pending
        })
        .await
    }

    /// The address that it was bound to.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }
}

impl Drop for SendListener {
    fn drop(&mut self) {
        let mut s = self.shared.lock();
        s.dropped = true;
        let waiting = std::mem::take(&mut s.accepted);
        let waker = s.pump.take();
        drop(s);
        drop(waiting);
        waker.into_iter().for_each(Waker::wake);
    }
}

impl std::fmt::Debug for SendListener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SendListener({})", self.local)
    }
}

struct ListenerEnd(Arc<Shared<Listening>>);

impl ListenerEnd {
    fn tell(&self, f: impl FnOnce(&mut Listening)) {
        let mut s = self.0.lock();
        f(&mut s);
        let waker = s.waker.take();
        drop(s);
        waker.into_iter().for_each(Waker::wake);
    }
}

impl Drop for ListenerEnd {
    fn drop(&mut self) {
        self.tell(|s| s.error = s.error.or(Some((io::ErrorKind::BrokenPipe, Some(Error::CLOSED)))));
    }
}

async fn listen(local: SocketAddr, end: ListenerEnd) {
    let listener = match TcpListener::bind(local) {
        Ok(listener) => listener,
        Err(e) => return end.tell(|s| s.error = Some(kind(&e))),
    };
    end.tell(|s| s.bound = listener.local_addr().ok());
    poll_fn(|cx| {
        {
            let mut s = end.0.lock();
            if s.dropped {
                return Poll::Ready(());
            }
            s.pump = Some(cx.waker().clone());
        }
        while let Poll::Ready(Ok(stream)) = listener.poll_accept(cx) {
            let stream = SendStream::from_local(stream);
            end.tell(|s| s.accepted.push_back(stream));
        }
        Poll::Pending
    })
    .await;
}

#[cfg(feature = "tokio")]
mod of_tokio {
    use super::{io, Context, Poll, SendStream};
    use std::pin::Pin;

    impl tokio::io::AsyncRead for SendStream {
        fn poll_read(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            to: &mut tokio::io::ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            self.poll_read_by(cx, to.remaining(), |bytes| to.put_slice(bytes)).map_ok(drop)
        }
    }

    impl tokio::io::AsyncWrite for SendStream {
        fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            self.poll_write_from(cx, bytes)
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(SendStream::shutdown(&self))
        }
    }
}

#[cfg(feature = "axum")]
impl axum::serve::Listener for SendListener {
    type Io = SendStream;
    type Addr = SocketAddr;

    /// Waits for ever when the loop is gone, as the trait wants it.
    async fn accept(&mut self) -> (SendStream, SocketAddr) {
        match SendListener::accept(self).await {
            Ok(stream) => {
                let peer = stream.peer_addr().unwrap_or(self.local);
                (stream, peer)
            }
            Err(_) => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }
}
