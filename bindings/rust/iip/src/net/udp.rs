//! UDP.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};

use crate::addr::Ends;
use crate::rt::{current, Inner};
use crate::{Error, Event, Loop, RxBuf, Udp};

/// Datagrams that wait to be received; more of them are dropped, as any queue of the network does.
const WAITING: usize = 1024;

/// One datagram: its ends, and its bytes where they arrived, in one piece or several.
#[derive(Debug)]
pub struct Datagram {
    /// The address that it was sent to, and whose it is.
    pub ends: Ends,
    first: Option<RxBuf>,
    more: Vec<RxBuf>,
}

impl Datagram {
    /// The pieces, in order.
    pub fn parts(&self) -> impl Iterator<Item = &RxBuf> {
        self.first.iter().chain(&self.more)
    }

    /// Bytes in all.
    pub fn len(&self) -> usize {
        self.parts().map(|p| p.len()).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A copy in one piece.
    pub fn to_vec(&self) -> Vec<u8> {
        self.parts().flat_map(|p| p.iter().copied()).collect()
    }
}

#[derive(Default)]
pub(crate) struct UdpState {
    waiting: RefCell<VecDeque<Datagram>>,
    /// One whose last piece has not come yet.
    partial: RefCell<Option<Datagram>>,
    waker: RefCell<Option<Waker>>,
}

impl UdpState {
    pub(crate) fn arrived(&self, event: Event<'_>, wakers: &mut Vec<Waker>) {
        let (ends, more) = (event.ends(), event.more());
        let mut partial = self.partial.borrow_mut();
        match (partial.as_mut(), ends) {
            (Some(datagram), _) => datagram.more.extend(event.take()),
            (None, Some(ends)) => *partial = Some(Datagram { ends, first: event.take(), more: Vec::new() }),
            (None, None) => return,
        }
        if more {
            return;
        }
        let mut waiting = self.waiting.borrow_mut();
        let datagram = partial.take();
        if waiting.len() < WAITING {
            waiting.extend(datagram);
        }
        wakers.extend(self.waker.borrow_mut().take());
    }

    /// Its runtime has ended.
    pub(crate) fn orphan(&self) -> Option<Waker> {
        self.waker.borrow_mut().take()
    }
}

/// A UDP endpoint of a runtime of this thread. When that has ended it is [`Error::CLOSED`].
pub struct UdpSocket {
    udp: Udp,
    state: Rc<UdpState>,
    rt: Weak<Inner>,
}

impl UdpSocket {
    /// Opens an endpoint on an address of the stack, or on all of them; port 0: a free one.
    pub fn bind(local: SocketAddr) -> io::Result<UdpSocket> {
        let rt = current();
        let udp = rt.with(|l| l.udp(local, 0))?;
        let state = Rc::new(UdpState::default());
        rt.sockets.udps.borrow_mut().insert(udp.raw(), state.clone());
        Ok(UdpSocket { udp, state, rt: Rc::downgrade(&rt) })
    }

    /// The next datagram, without a copy. Dropped half-way, it loses none.
    pub async fn recv(&self) -> io::Result<Datagram> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// As [`UdpSocket::recv`], by polling.
    pub fn poll_recv(&self, cx: &mut Context<'_>) -> Poll<io::Result<Datagram>> {
        if let Some(datagram) = self.state.waiting.borrow_mut().pop_front() {
            return Poll::Ready(Ok(datagram));
        }
        if self.rt.strong_count() == 0 {
            return Poll::Ready(Err(Error::CLOSED.into()));
        }
        let waker = cx.waker().clone();
        let before = self.state.waker.replace(Some(waker));
        drop(before); // code of others: nothing is borrowed
        Poll::Pending
    }

    /// Copies the next datagram; returns its length and whose it is. What does not fit is lost.
    pub async fn recv_from(&self, to: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let datagram = self.recv().await?;
        let mut done = 0;
        for part in datagram.parts() {
            let n = part.len().min(to.len() - done);
            to[done..done + n].copy_from_slice(&part[..n]);
            done += n;
        }
        Ok((done, datagram.ends.peer))
    }

    /// Sends a datagram, by a copy.
    pub fn send_to(&self, bytes: &[u8], peer: SocketAddr) -> io::Result<()> {
        self.send(bytes, peer, None)
    }

    /// Sends a datagram from one of our addresses: an answer leaves from where the question came to.
    pub fn send_from(&self, bytes: &[u8], ends: Ends) -> io::Result<()> {
        self.send(bytes, ends.peer, Some(ends.local))
    }

    /// With the next turn if it fits a packet buffer, else by a call.
    fn send(&self, bytes: &[u8], peer: SocketAddr, local: Option<SocketAddr>) -> io::Result<()> {
        let rt = self.rt.upgrade().ok_or(Error::CLOSED)?;
        rt.with(|l| {
            let buf = l.tx_buf().filter(|buf| buf.capacity() >= bytes.len());
            if let Some(mut buf) = buf {
                buf.extend_from_slice(bytes);
                if l.udp_send(self.udp, peer, local, buf).is_ok() {
                    return Ok(());
                }
            }
            Ok(l.udp_send_copy(self.udp, peer, local, bytes)?)
        })
    }
}

impl Drop for UdpSocket {
    fn drop(&mut self) {
        if let Some(rt) = self.rt.upgrade() {
            rt.sockets.udps.borrow_mut().remove(&self.udp.raw());
            let _ = rt.with(|l: &Loop| l.close_udp(self.udp)); // no room: it stays until the loop ends
        }
    }
}

impl std::fmt::Debug for UdpSocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "UdpSocket({:?})", self.udp)
    }
}
