//! iip_load: a load generator that verifies every byte.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use iip_examples::load::{clients, report, server, two_ends, Mode, Options, Totals, NAMES};
use iip_examples::{options, serve, usage, Run};

const PROGRAM: &str = "iip_load";

/// All loops turn until the last one is done: packets of one may arrive at another.
fn client(options: &Options, peer: SocketAddr, other: Option<Run>) -> ExitCode {
    let sum = Arc::new(Mutex::new(Totals::default()));
    let mut common = options.common.clone();
    (common.listen, common.duration) = (None, None); // the loops end in order by themselves
    let (plan, totals) = (options.clone(), sum.clone());
    let mut run =
        Run::start(PROGRAM, &common, NAMES, move |context| clients(context, plan.clone(), peer, totals.clone()));
    run.wait();
    run.stop();
    let totals = sum.lock().expect("nobody panics with it");
    report(options, &run, &totals);
    let mut good = run.end();
    if let Some(mut server) = other {
        server.stop();
        good &= server.end();
    }
    if good && totals.errors == 0 && totals.mismatches == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn both(mut options: Options) -> ExitCode {
    let duration = options.common.duration;
    let (common, peer) = two_ends(PROGRAM, "--self", &mut options.common);
    options.common.duration = duration;
    let plan = options.clone();
    let run = Run::start(PROGRAM, &common, NAMES, move |context| server(context, plan.clone()));
    client(&options, peer, Some(run))
}

fn main() -> ExitCode {
    let mut options: Options = options(PROGRAM);
    options.common.listen.get_or_insert(7);
    if options.serve && options.mode == Mode::Http {
        usage(PROGRAM, "--mode http: is what iip_http serves");
    }
    if options.both && options.mode == Mode::Http {
        usage(PROGRAM, "--mode http: with a server in the same process is `iip_http --self-test`");
    }
    if options.serve {
        let common = options.common.clone();
        return serve(PROGRAM, &common, NAMES, move |context| server(context, options.clone()));
    }
    let options = options.with_an_end();
    if options.both {
        return both(options);
    }
    match options.connect {
        Some(peer) => client(&options, peer, None),
        None => usage(PROGRAM, "--connect: missing; give the server as ADDRESS:PORT, or --serve, or --self"),
    }
}
