//! All connections of one loop.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use iip::net::TcpStream;
use iip::rt;

use super::talk::talk;
use super::{Bad, Load, Options, Totals};
use crate::run::Context;

/// Connections being opened at a time: few until the peer's hardware address is known, later not all.
const OPENING_FIRST: u64 = 4;
const OPENING_MAX: u64 = 256;
const CONNECT: Duration = Duration::from_secs(10);
/// After --duration: for answers that are on their way, and the end.
const GRACE: Duration = Duration::from_secs(2);

fn complain(load: &Load, bad: Bad) {
    let mut totals = load.totals.borrow_mut();
    let text = match bad {
        Bad::Mismatch(text) => {
            totals.mismatches += 1;
            text
        }
        Bad::Error(text) => {
            totals.errors += 1;
            format!("a connection ended: {text}")
        }
    };
    eprintln!("iip_load: {text}");
}

async fn one_client(load: Rc<Load>, opening: Rc<Cell<u64>>, met: Rc<Cell<bool>>) -> Result<(), Bad> {
    let stream = rt::timeout(CONNECT, TcpStream::connect(load.peer)).await;
    opening.set(opening.get() - 1);
    let stream = stream.ok_or_else(|| Bad::Error("nobody answers".into()))?.map_err(|e| Bad::Error(e.to_string()))?;
    met.set(true);
    let _ = stream.set_nodelay(true);
    talk(load, stream).await
}

/// Opens connections, a few at a time, and waits for all of them.
pub async fn clients(context: Context, options: Options, peer: SocketAddr, sum: Arc<Mutex<Totals>>) {
    let share = |all: u64| {
        all / u64::from(context.loops) + u64::from(u64::from(context.index) < all % u64::from(context.loops))
    };
    let (conns, quota) = (share(options.conns), options.count.map_or(u64::MAX, share));
    let load = Rc::new(Load {
        options,
        peer,
        totals: RefCell::new(Totals::default()),
        quota: Cell::new(quota),
        over: Cell::new(false),
        context,
    });
    if let Some(duration) = load.options.common.duration {
        let load = load.clone();
        drop(rt::spawn_local(async move {
            rt::sleep(duration).await;
            load.over.set(true);
        }));
    }
    let (opening, met, began) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(false)), Instant::now());
    let mut all = Vec::new();
    for _ in 0..conns {
        while opening.get() >= if met.get() { OPENING_MAX } else { OPENING_FIRST } {
            rt::sleep(Duration::from_micros(100)).await;
        }
        opening.set(opening.get() + 1);
        let (load, opening, met) = (load.clone(), opening.clone(), met.clone());
        all.push(rt::spawn_local(async move {
            load.context.counts.add(0, 1);
            let one = one_client(load.clone(), opening, met);
            let done = match load.options.common.duration {
                Some(d) => {
                    rt::timeout(d + GRACE, one).await.unwrap_or_else(|| Err(Bad::Error("no end came".to_owned())))
                }
                None => one.await,
            };
            if let Err(bad) = done {
                complain(&load, bad);
            }
        }));
    }
    for one in all {
        one.await;
    }
    load.totals.borrow_mut().seconds = began.elapsed().as_secs_f64();
    if let Ok(mut sum) = sum.lock() {
        sum.add(&load.totals.borrow());
    }
}
