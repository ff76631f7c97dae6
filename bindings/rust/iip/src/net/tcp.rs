//! TCP.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};

use crate::addr::Ends;
use crate::rt::{current, Inner};
use crate::{Conn, Error, Event, EventKind, Listener, Loop, Opt, RxBuf, TxBuf};

/// Sends of one stream in one turn; behind a send that was not taken all others would come back.
const BURST: u32 = 8;

/// A connection as the loop sees it; it lives until its last event, also when the stream is dropped before.
pub(crate) struct StreamState {
    conn: Conn,
    pub(crate) is_active: Cell<bool>,
    s: RefCell<State>,
}

struct State {
    ends: Option<Ends>,
    connected: bool,
    received: VecDeque<RxBuf>,
    eof: bool,
    /// CLOSED came: there is no connection any more.
    gone: bool,
    error: Option<Error>,
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// Bytes that the connection did not take, in order; `true`: and then the end.
    held: VecDeque<(RxBuf, bool)>,
    /// How many of them came back from this turn: they go in front of the others.
    returned: usize,
    /// They wait for WRITABLE.
    blocked: bool,
    /// Sends of this turn.
    burst: u32,
    /// The end was asked for, and is done.
    shut: bool,
    shut_pending: bool,
    /// The stream was dropped: CLOSE follows what is held.
    dropped: bool,
    close_done: bool,
}

impl StreamState {
    pub(crate) fn new(conn: Conn, ends: Option<Ends>, connected: bool) -> StreamState {
        let s = State {
            ends,
            connected,
            received: VecDeque::new(),
            eof: false,
            gone: false,
            error: None,
            reader: None,
            writer: None,
            held: VecDeque::new(),
            returned: 0,
            blocked: false,
            burst: 0,
            shut: false,
            shut_pending: false,
            dropped: false,
            close_done: false,
        };
        StreamState { conn, is_active: Cell::new(false), s: RefCell::new(s) }
    }

    // ---- what the loop tells ----

    pub(crate) fn event(&self, event: Event<'_>, wakers: &mut Vec<Waker>) {
        let mut s = self.s.borrow_mut();
        match event.kind() {
            EventKind::Connected => {
                s.connected = true;
                s.ends = event.ends();
                wakers.extend(s.writer.take());
            }
            EventKind::Data if !s.dropped => s.received.extend(event.take()),
            EventKind::Fin => s.eof = true,
            _ => return,
        }
        wakers.extend(s.reader.take());
    }

    pub(crate) fn closed(&self, error: Option<Error>, wakers: &mut Vec<Waker>) {
        let mut s = self.s.borrow_mut();
        s.gone = true;
        s.error = error;
        s.held.clear();
        s.blocked = false;
        wakers.extend(s.reader.take());
        wakers.extend(s.writer.take());
    }

    /// A send fell short. Only AGAIN is followed by WRITABLE; other reasons end with CLOSED.
    pub(crate) fn came_back(&self, error: Error, rest: RxBuf, last: bool) {
        let mut s = self.s.borrow_mut();
        if s.gone || error != Error::AGAIN {
            return;
        }
        let at = s.returned;
        s.held.insert(at, (rest, last));
        s.returned += 1;
        s.blocked = true;
    }

    pub(crate) fn writable(&self) {
        self.s.borrow_mut().blocked = false;
    }

    /// After a turn. `true`: there was not room for all of it, so the next turn shall come soon.
    pub(crate) fn settle(&self, l: &Loop, wakers: &mut Vec<Waker>) -> bool {
        let mut s = self.s.borrow_mut();
        s.returned = 0;
        s.burst = 0;
        if s.gone {
            return false;
        }
        self.send_held(&mut s, l);
        if s.blocked {
            return false; // WRITABLE comes
        }
        if !s.held.is_empty() {
            return true;
        }
        if s.shut_pending {
            s.shut_pending = s.burst != 0 || l.shutdown(self.conn).is_err();
        }
        if s.dropped && !s.close_done && !s.shut_pending {
            s.close_done = s.burst == 0 && l.close_conn(self.conn).is_ok();
        }
        if s.burst < BURST {
            wakers.extend(s.writer.take());
        }
        s.burst != 0 || s.shut_pending || s.dropped != s.close_done
    }

    fn send_held(&self, s: &mut State, l: &Loop) {
        while !s.blocked && s.burst < BURST {
            let Some((buf, last)) = s.held.pop_front() else { return };
            let sent = if last { l.send_last(self.conn, buf) } else { l.send(self.conn, buf) };
            if let Err(refused) = sent {
                s.held.push_front((refused.buf, last));
                return;
            }
            s.burst += 1;
        }
    }

    // ---- what the stream asks ----

    /// The waker goes where `place` says; wakers are code of others, so nothing is borrowed when one is cloned or dropped.
    fn wait(&self, cx: &Context<'_>, place: impl FnOnce(&mut State) -> &mut Option<Waker>) {
        let waker = cx.waker().clone();
        let before = place(&mut self.s.borrow_mut()).replace(waker);
        drop(before);
    }

    fn poll_connected(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let s = self.s.borrow();
        if s.gone {
            return Poll::Ready(Err(s.error.unwrap_or(Error::CLOSED).into()));
        }
        if s.connected {
            return Poll::Ready(Ok(()));
        }
        drop(s);
        self.wait(cx, |s| &mut s.writer);
        Poll::Pending
    }

    fn poll_received<T>(
        &self,
        cx: &mut Context<'_>,
        f: impl FnOnce(&mut VecDeque<RxBuf>) -> T,
    ) -> Poll<io::Result<Option<T>>> {
        let mut s = self.s.borrow_mut();
        if !s.received.is_empty() {
            return Poll::Ready(Ok(Some(f(&mut s.received))));
        }
        if s.eof {
            return Poll::Ready(Ok(None));
        }
        if s.gone {
            return Poll::Ready(s.error.map_or(Ok(None), |e| Err(e.into())));
        }
        drop(s);
        self.wait(cx, |s| &mut s.reader);
        Poll::Pending
    }

    /// Ready when this turn takes another send of this stream.
    fn poll_sendable(self: &Rc<Self>, rt: &Inner, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let s = self.s.borrow();
        if s.shut || s.gone {
            let error = s.error.filter(|_| s.gone).unwrap_or(Error::SHUTDOWN);
            return Poll::Ready(Err(error.into()));
        }
        let room = rt.with(|l| l.room() > l.op_cap() / 4); // the rest is for what does not send
        if s.held.is_empty() && !s.blocked && s.burst < BURST && room && s.connected {
            return Poll::Ready(Ok(()));
        }
        if !s.blocked {
            rt.sockets.activate(self);
        }
        drop(s);
        self.wait(cx, |s| &mut s.writer);
        Poll::Pending
    }

    /// Bytes that a write may take: while buffers are few, what may leave at once. More would keep them from those who read.
    fn room(&self, rt: &Inner) -> usize {
        if !rt.pool_low() {
            return usize::MAX;
        }
        if self.s.borrow().burst != 0 {
            return 0; // how much of that the peer has room for is not known yet
        }
        rt.with(|l| l.conn_info(self.conn)).map_or(0, |info| {
            let queued = info.unacked + info.unsent;
            info.snd_wnd.min(info.cwnd).saturating_sub(queued) as usize
        })
    }

    fn submit(self: &Rc<Self>, rt: &Inner, buf: RxBuf) {
        let mut s = self.s.borrow_mut();
        if let Err(refused) = rt.with(|l| l.send(self.conn, buf)) {
            s.held.push_back((refused.buf, false)); // the next turn has room
        }
        s.burst += 1;
        rt.sockets.activate(self);
    }

    fn is_full(&self) -> bool {
        let s = self.s.borrow();
        s.burst >= BURST || !s.held.is_empty()
    }

    /// The end goes with the last bytes: an operation of its own might be done although those were not taken.
    fn shutdown(self: &Rc<Self>, rt: &Inner) {
        let mut s = self.s.borrow_mut();
        if s.shut || s.gone {
            return;
        }
        s.shut = true;
        if let Some(held) = s.held.back_mut() {
            held.1 = true;
        } else {
            s.shut_pending = s.burst != 0 || rt.with(|l| l.shutdown(self.conn)).is_err();
        }
        rt.sockets.activate(self);
    }
}

/// A TCP connection of a runtime of this thread. Dropped, it is closed in order: what was written still goes out.
///
/// It stays with the runtime that made it, wherever on the thread it is used; when that has ended, what was received can
/// still be read, and all else is [`Error::CLOSED`].
///
/// All methods take `&self`: one task may read while another writes (one of each).
pub struct TcpStream {
    state: Rc<StreamState>,
    rt: Weak<Inner>,
    /// What [`TcpStream::poll_fill`] shows; the bytes stay the first of those received until they are consumed.
    #[cfg(any(feature = "futures-io", feature = "tokio"))]
    shown: Option<RxBuf>,
}

impl TcpStream {
    fn of(state: Rc<StreamState>, rt: Weak<Inner>) -> TcpStream {
        TcpStream {
            state,
            rt,
            #[cfg(any(feature = "futures-io", feature = "tokio"))]
            shown: None,
        }
    }

    fn rt(&self) -> io::Result<Rc<Inner>> {
        self.rt.upgrade().ok_or_else(|| Error::CLOSED.into())
    }

    /// Connects.
    pub async fn connect(peer: SocketAddr) -> io::Result<TcpStream> {
        let rt = current();
        let conn = rt.with(|l| l.connect(peer, 0))?;
        let stream = TcpStream::of(Rc::new(StreamState::new(conn, None, false)), Rc::downgrade(&rt));
        rt.sockets.streams.borrow_mut().insert(conn.raw(), stream.state.clone());
        drop(rt);
        poll_fn(|cx| stream.state.poll_connected(cx)).await?;
        Ok(stream)
    }

    /// Its handle, for [`with_loop`](crate::rt::with_loop).
    pub fn conn(&self) -> Conn {
        self.state.conn
    }

    /// Our own address.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.state.s.borrow().ends.map(|e| e.local).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// The other's.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.state.s.borrow().ends.map(|e| e.peer).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Whether small segments leave at once (no Nagle).
    pub fn set_nodelay(&self, on: bool) -> io::Result<()> {
        Ok(self.rt()?.with(|l| l.set(self.state.conn, Opt::NoDelay, u64::from(on)))?)
    }

    /// Ends it by RST.
    pub fn abort(&self) -> io::Result<()> {
        Ok(self.rt()?.with(|l| l.abort(self.state.conn))?)
    }

    // ---- completion style ----

    /// The next bytes as they arrived, without a copy; `None`: the peer has sent all. Dropped half-way, it loses nothing.
    pub async fn recv(&self) -> io::Result<Option<RxBuf>> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// As [`TcpStream::recv`], by polling.
    pub fn poll_recv(&self, cx: &mut Context<'_>) -> Poll<io::Result<Option<RxBuf>>> {
        self.state.poll_received(cx, |received| received.pop_front()).map_ok(Option::flatten)
    }

    /// An empty buffer, to be filled and sent; waits for one.
    pub async fn tx_buf(&self) -> io::Result<TxBuf> {
        poll_fn(|cx| self.poll_tx_buf(cx)).await
    }

    fn poll_tx_buf(&self, cx: &mut Context<'_>) -> Poll<io::Result<TxBuf>> {
        let rt = self.rt()?;
        std::task::ready!(self.state.poll_sendable(&rt, cx))?;
        // Not beyond what the turn laid out: it knows when they are few, and then hands out a few at a time.
        if let Some(buf) = rt.with(|l| if l.laid_out() == 0 { None } else { l.tx_buf() }) {
            return Poll::Ready(Ok(buf));
        }
        rt.starve(cx);
        Poll::Pending
    }

    /// Sends a buffer without a copy, received ones too; waits while the send queue is full. Dropped half-way, it has sent
    /// nothing.
    pub async fn send(&self, buf: impl Into<RxBuf>) -> io::Result<()> {
        let buf = buf.into();
        poll_fn(|cx| self.state.poll_sendable(&*self.rt()?, cx)).await?;
        self.state.submit(&*self.rt()?, buf);
        Ok(())
    }

    // ---- by copies ----

    /// Reads some bytes; 0: the peer has sent all.
    pub async fn read(&self, to: &mut [u8]) -> io::Result<usize> {
        poll_fn(|cx| self.poll_read_into(cx, to)).await
    }

    /// As [`TcpStream::read`], by polling.
    pub fn poll_read_into(&self, cx: &mut Context<'_>, to: &mut [u8]) -> Poll<io::Result<usize>> {
        self.poll_read_by(cx, to.len(), |done, bytes| to[done..done + bytes.len()].copy_from_slice(bytes))
    }

    /// Gives up to `max` bytes to `put`, each piece with how many came before it; returns how many.
    pub(crate) fn poll_read_by(
        &self,
        cx: &mut Context<'_>,
        max: usize,
        mut put: impl FnMut(usize, &[u8]),
    ) -> Poll<io::Result<usize>> {
        if max == 0 {
            return Poll::Ready(Ok(0));
        }
        let copy = |received: &mut VecDeque<RxBuf>| {
            let mut done = 0;
            while let Some(buf) = received.front_mut().filter(|_| done < max) {
                let n = buf.len().min(max - done);
                put(done, &buf[..n]);
                done += n;
                buf.advance(n);
                if buf.is_empty() {
                    received.pop_front();
                }
            }
            done
        };
        self.state.poll_received(cx, copy).map_ok(|n| n.unwrap_or(0))
    }

    /// The first bytes that are there, where they lie; none: the peer has sent all.
    #[cfg(any(feature = "futures-io", feature = "tokio"))]
    pub(crate) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let first = std::task::ready!(self.state.poll_received(cx, |received| received.front().cloned()))?;
        self.shown = first.flatten();
        Poll::Ready(Ok(self.shown.as_deref().unwrap_or(&[])))
    }

    /// So many of them were read.
    #[cfg(any(feature = "futures-io", feature = "tokio"))]
    pub(crate) fn consumed(&mut self, n: usize) {
        self.shown = None;
        let received = &mut self.state.s.borrow_mut().received;
        if let Some(first) = received.front_mut() {
            first.advance(n.min(first.len()));
            if first.is_empty() {
                received.pop_front();
            }
        }
    }

    /// Writes some bytes, by copying them into packet buffers; pending, it has taken none.
    pub async fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        poll_fn(|cx| self.poll_write_from(cx, bytes)).await
    }

    /// As [`TcpStream::write`], by polling.
    pub fn poll_write_from(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_parts(cx, std::iter::once(bytes))
    }

    /// Writes some bytes of several pieces, packed into as few buffers as they need.
    pub(crate) fn poll_write_parts<'a>(
        &self,
        cx: &mut Context<'_>,
        parts: impl Iterator<Item = &'a [u8]>,
    ) -> Poll<io::Result<usize>> {
        let rt = self.rt()?;
        let mut done = 0;
        let mut room = self.state.room(&rt);
        let mut open: Option<TxBuf> = None;
        let mut parts = parts.filter(|part| !part.is_empty());
        let mut part: &[u8] = &[];
        let stopped = loop {
            if part.is_empty() {
                match parts.next() {
                    Some(next) => part = next,
                    None => break Poll::Ready(Ok(())),
                }
            }
            if room == 0 {
                if done == 0 {
                    std::task::ready!(self.state.poll_sendable(&rt, cx))?;
                    rt.starve(cx);
                }
                break Poll::Pending;
            }
            let mut buf = match open.take() {
                Some(buf) => buf,
                None if done > 0 && self.state.is_full() => break Poll::Pending,
                None => match self.poll_tx_buf(cx) {
                    Poll::Ready(Ok(buf)) => buf,
                    Poll::Ready(Err(e)) => break Poll::Ready(Err(e)),
                    Poll::Pending => break Poll::Pending,
                },
            };
            let n = buf.extend_from_slice(&part[..part.len().min(room)]);
            done += n;
            room -= n;
            part = &part[n..];
            if buf.spare() == 0 {
                self.state.submit(&rt, buf.into());
            } else {
                open = Some(buf);
            }
        };
        if let Some(buf) = open {
            self.state.submit(&rt, buf.into());
        }
        match stopped {
            _ if done > 0 => Poll::Ready(Ok(done)),
            Poll::Ready(end) => Poll::Ready(end.map(|()| 0)),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Writes all of it. Dropped half-way, some of it may have been sent.
    pub async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let n = self.write(bytes).await?;
            bytes = &bytes[n..];
        }
        Ok(())
    }

    /// No more to write: FIN follows what was written; reading goes on.
    pub fn shutdown(&self) -> io::Result<()> {
        self.state.shutdown(&*self.rt()?);
        Ok(())
    }

    /// Waits until the connection is gone: both sides have ended and all was acknowledged, or it failed.
    pub async fn closed(&self) -> io::Result<()> {
        poll_fn(|cx| {
            let s = self.state.s.borrow();
            if s.gone {
                return Poll::Ready(s.error.map_or(Ok(()), |e| Err(e.into())));
            }
            drop(s);
            self.state.wait(cx, |s| &mut s.writer);
            Poll::Pending
        })
        .await
    }
}

impl Drop for TcpStream {
    fn drop(&mut self) {
        let left = {
            let mut s = self.state.s.borrow_mut();
            s.dropped = true;
            (s.reader.take(), s.writer.take(), std::mem::take(&mut s.received))
        };
        if let Some(rt) = self.rt.upgrade() {
            if !self.state.s.borrow().gone {
                rt.sockets.activate(&self.state);
            }
        }
        drop(left); // wakers are code of others, so it comes last
    }
}

impl std::fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TcpStream").field("ends", &self.state.s.borrow().ends).finish_non_exhaustive()
    }
}

pub(crate) struct ListenerState {
    accepted: RefCell<VecDeque<Rc<StreamState>>>,
    waker: RefCell<Option<Waker>>,
}

impl ListenerState {
    pub(crate) fn arrived(&self, stream: Rc<StreamState>, wakers: &mut Vec<Waker>) {
        self.accepted.borrow_mut().push_back(stream);
        wakers.extend(self.waker.borrow_mut().take());
    }

    /// Its runtime has ended.
    pub(crate) fn orphan(&self) -> Option<Waker> {
        self.waker.borrow_mut().take()
    }
}

/// A TCP listener of a runtime of this thread. Dropped, it ends; what it accepted lives on, what waits to be is closed.
pub struct TcpListener {
    listener: Listener,
    local: SocketAddr,
    state: Rc<ListenerState>,
    rt: Weak<Inner>,
}

impl TcpListener {
    /// Listens on an address of the stack, or on all of them (`0.0.0.0` of IPv4, `::` of both families). Each loop of an
    /// engine that is to serve has a listener of its own.
    pub fn bind(local: SocketAddr) -> io::Result<TcpListener> {
        let rt = current();
        let listener = rt.with(|l| l.listen(local, 0))?;
        let state = Rc::new(ListenerState { accepted: RefCell::default(), waker: RefCell::default() });
        rt.sockets.listeners.borrow_mut().insert(listener.raw(), state.clone());
        Ok(TcpListener { listener, local, state, rt: Rc::downgrade(&rt) })
    }

    /// The address that it was bound to.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }

    /// The next connection. Dropped half-way, it loses none.
    pub async fn accept(&self) -> io::Result<TcpStream> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// As [`TcpListener::accept`], by polling.
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<TcpStream>> {
        if let Some(state) = self.state.accepted.borrow_mut().pop_front() {
            return Poll::Ready(Ok(TcpStream::of(state, self.rt.clone())));
        }
        if self.rt.strong_count() == 0 {
            return Poll::Ready(Err(Error::CLOSED.into()));
        }
        let waker = cx.waker().clone();
        let before = self.state.waker.replace(Some(waker));
        drop(before); // code of others: nothing is borrowed
        Poll::Pending
    }
}

impl Drop for TcpListener {
    fn drop(&mut self) {
        let waiting = std::mem::take(&mut *self.state.accepted.borrow_mut());
        waiting.into_iter().for_each(|state| drop(TcpStream::of(state, self.rt.clone())));
        if let Some(rt) = self.rt.upgrade() {
            rt.sockets.listeners.borrow_mut().remove(&self.listener.raw());
            let _ = rt.with(|l| l.close_listener(self.listener)); // no room: it stays until the loop ends
        }
    }
}

impl std::fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TcpListener({})", self.local)
    }
}
