//! One connection, from both of its ends: what is planned, what is sent and what is received.

use std::io;
use std::rc::Rc;

use bytes::Bytes;
use iip::net::TcpStream;
use iip::{rt, RxBuf};
use iip_stress::{Chance, Content};

use crate::keeper::{Held, Piece};
use crate::{Side, World};

/// Bytes of a plan on the wire: the first of a connection.
const HEAD: usize = 40;
const NEVER: u64 = u64::MAX;

/// What a connection does; the client draws it, and tells the server.
#[derive(Clone, Copy)]
pub struct Plan {
    id: u64,
    /// Bytes to the server behind the plan, and back.
    up: u64,
    down: u64,
    /// An end goes away, rudely, when it has got so many bytes.
    client_cut: u64,
    server_cut: u64,
}

impl Plan {
    pub fn draw(id: u64, chance: &mut Chance) -> Plan {
        let mut size = || match chance.below(8) {
            0 => 0,
            1 => chance.below(300_000),
            _ => chance.below(20_000),
        };
        let (up, down) = (size(), size());
        let (mut client_cut, mut server_cut) = (NEVER, NEVER);
        match chance.below(8) {
            0 if down > 0 => client_cut = chance.below(down),
            1 if up > 0 => server_cut = chance.below(up),
            _ => {}
        }
        Plan { id, up, down, client_cut, server_cut }
    }

    fn to_bytes(self) -> Vec<u8> {
        [self.id, self.up, self.down, self.client_cut, self.server_cut].iter().flat_map(|n| n.to_le_bytes()).collect()
    }

    fn from_bytes(bytes: &[u8; HEAD]) -> Plan {
        let n = |i: usize| u64::from_le_bytes(bytes[8 * i..8 * i + 8].try_into().expect("8 bytes"));
        Plan { id: n(0), up: n(1), down: n(2), client_cut: n(3), server_cut: n(4) }
    }

    fn content(&self, side: Side) -> Content {
        Content(2 * self.id + u64::from(side == Side::Server))
    }
}

/// How a connection ended for one of its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// All bytes came, and both ends closed it.
    Whole,
    /// We went away.
    Cut,
    /// The other did.
    Reset,
}

/// Sends `n` bytes: in buffers that become what is sent, or by copies.
async fn send(stream: &TcpStream, content: Content, n: u64, mut chance: Chance) -> io::Result<()> {
    let mut at = 0;
    while at < n {
        let left = usize::try_from(n - at).unwrap_or(usize::MAX);
        if chance.below(4) == 0 {
            let mut bytes = vec![0; left.min(1 + chance.below(5000) as usize)];
            content.fill(at, &mut bytes);
            stream.write_all(&bytes).await?;
            at += bytes.len() as u64;
            continue;
        }
        let mut buf = stream.tx_buf().await?;
        buf.resize(left.min(buf.capacity()));
        content.fill(at, &mut buf);
        at += buf.len() as u64;
        stream.send(buf).await?;
    }
    Ok(())
}

/// Shows a received buffer to the keepers, in one of the forms that it may have.
fn hand_out(world: &World, chance: &mut Chance, buf: RxBuf, content: Content, at: u64) {
    if !content.is(at, &buf) {
        world.tally.error(&format!("{content:?} at {at}: {} bytes of something else", buf.len()));
    }
    world.tally.got(buf.len() as u64);
    if chance.below(3) == 0 || !world.kept.add() {
        return; // dropped here
    }
    let held = match chance.below(3) {
        0 => Held::Buf(buf),
        1 => Held::Bytes(Bytes::from(buf)),
        _ => {
            let middle = chance.below(buf.len() as u64 + 1) as usize;
            let tail = buf.slice(middle..);
            if world.kept.add() {
                world.give(chance, Piece { held: Held::Buf(tail), content, at: at + middle as u64 });
            }
            Held::Bytes(Bytes::from(buf).slice(..middle))
        }
    };
    world.give(chance, Piece { held, content, at });
}

/// Receives until the other's end or `cut`; returns how many bytes came.
async fn receive(
    world: &World,
    stream: &TcpStream,
    first: Option<RxBuf>,
    content: Content,
    cut: u64,
    chance: &mut Chance,
) -> io::Result<u64> {
    let (mut at, mut next) = (0, first);
    while at <= cut {
        let buf = match next.take() {
            Some(buf) => buf,
            None => match stream.recv().await? {
                Some(buf) => buf,
                None => break,
            },
        };
        let n = buf.len() as u64;
        hand_out(world, chance, buf, content, at);
        at += n;
    }
    Ok(at)
}

/// The plan, which may have come in pieces, and what came behind it.
async fn head(stream: &TcpStream) -> io::Result<(Plan, Option<RxBuf>)> {
    let mut bytes = [0; HEAD];
    let mut have = 0;
    loop {
        let mut buf = stream.recv().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let n = buf.len().min(HEAD - have);
        bytes[have..have + n].copy_from_slice(&buf[..n]);
        have += n;
        buf.advance(n);
        if have == HEAD {
            return Ok((Plan::from_bytes(&bytes), Some(buf).filter(|buf| !buf.is_empty())));
        }
    }
}

/// Both directions at once, and the end.
async fn exchange(
    world: &World,
    stream: Rc<TcpStream>,
    side: Side,
    plan: Plan,
    first: Option<RxBuf>,
    mut chance: Chance,
) -> io::Result<End> {
    let (ours, theirs, want, cut) = match side {
        Side::Client => (plan.up, Side::Server, plan.down, plan.client_cut),
        Side::Server => (plan.down, Side::Client, plan.up, plan.server_cut),
    };
    let (writing, content, dice) = (stream.clone(), plan.content(side), Chance::new(chance.below(u64::MAX)));
    let sent = rt::spawn_local(async move {
        send(&writing, content, ours, dice).await?;
        // Who is to go away does not end it in order before, so that the other one cannot miss it.
        if cut == NEVER {
            writing.shutdown()
        } else {
            Ok(())
        }
    });
    let got = receive(world, &stream, first, plan.content(theirs), cut, &mut chance).await;
    if got.as_ref().is_ok_and(|&got| got > cut) {
        stream.abort()?;
        let _ = sent.await;
        let _ = stream.closed().await;
        return Ok(End::Cut);
    }
    let sent = sent.await;
    if stream.closed().await.is_err() {
        return Ok(End::Reset);
    }
    sent?;
    let got = got?;
    if got != want {
        world.tally.error(&format!("connection {}: {got} bytes of {want}", plan.id));
    }
    Ok(End::Whole)
}

pub async fn client(world: &World, stream: TcpStream, plan: Plan, chance: Chance) -> io::Result<End> {
    if stream.write_all(&plan.to_bytes()).await.is_err() {
        return Ok(End::Reset);
    }
    exchange(world, Rc::new(stream), Side::Client, plan, None, chance).await
}

pub async fn server(world: &World, stream: TcpStream, chance: Chance) -> io::Result<End> {
    match head(&stream).await {
        Ok((plan, first)) => exchange(world, Rc::new(stream), Side::Server, plan, first, chance).await,
        Err(_) => Ok(End::Reset),
    }
}
