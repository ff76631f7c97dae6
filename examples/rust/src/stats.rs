//! The file of `--stats-json`.

use std::time::Duration;

use iip::{counter_names, Engine, LoopStats};
use serde_json::{json, Map, Value};

use crate::run::Run;

/// Counters and statistics of all loops. While they run each answers at its next turn, so it is asked twice.
pub(crate) fn sum(engine: &Engine, ended: bool) -> (Vec<(&'static str, u64)>, Vec<LoopStats>) {
    let loops = engine.info().map_or(0, |info| info.loops);
    let mut totals: Vec<_> = counter_names().iter().map(|&name| (name, 0)).collect();
    let mut stats = Vec::new();
    for i in 0..loops {
        let got = if ended { owned(engine, i) } else { asked(engine, i) };
        let Some((counters, loop_stats)) = got else {
            continue;
        };
        totals.iter_mut().zip(counters).for_each(|(total, n)| total.1 += n);
        stats.push(loop_stats);
    }
    (totals, stats)
}

fn owned(engine: &Engine, i: u32) -> Option<(Vec<u64>, LoopStats)> {
    let l = engine.attach(i).ok()?;
    Some((l.counters().ok()?, l.stats().ok()?))
}

fn asked(engine: &Engine, i: u32) -> Option<(Vec<u64>, LoopStats)> {
    let remote = engine.remote(i).ok()?;
    let ask = || Some((remote.counters().ok()?, remote.stats().ok()?));
    ask()?;
    remote.wake().ok()?;
    std::thread::sleep(Duration::from_millis(20));
    ask()
}

macro_rules! fields {
    ($stats:expr, $($name:ident)*) => {{
        let mut map = Map::new();
        $(map.insert(stringify!($name).to_owned(), json!($stats.iter().map(|s| s.$name).sum::<u64>()));)*
        Value::Object(map)
    }};
}

pub(crate) fn json(run: &Run, ended: bool) -> Value {
    let (counters, stats) = sum(&run.engine, ended);
    let mut all = Map::new();
    let mut put = |name: &str, value: Value| all.insert(name.to_owned(), value);
    put("program", json!(run.program));
    put("version", json!(iip::version()));
    put("port", json!(run.common.port()));
    put("addresses", json!(run.common.addresses.join(" ")));
    put("listen", json!(run.common.listen.unwrap_or(0)));
    put("seconds", json!(run.began.elapsed().as_secs_f64()));
    for (name, value) in run.counts.all() {
        put(name, json!(value));
    }
    put("counters", counters.into_iter().map(|(name, n)| (name.to_owned(), json!(n))).collect::<Map<_, _>>().into());
    put("conns", json!(stats.iter().map(|s| s.conns).sum::<u32>()));
    put("turns", fields!(stats, turns events ops ops_failed stale_handles spill_copies bufs_held mem_used));
    put(
        "ports",
        fields!(stats, rx_packets rx_bytes rx_dropped tx_packets tx_bytes tx_refused tx_pending wire_lost wire_duplicated
            handed_over handed_lost),
    );
    Value::Object(all)
}
