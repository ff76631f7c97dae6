//! What the example programs share: the command line, one thread a loop, signals, statistics, bytes that can be verified;
//! the load generator, which the HTTP server's self-test uses too. `examples/c/README.md` is the contract.
#![forbid(unsafe_code)]

pub mod http;
pub mod load;
mod options;
mod pattern;
mod run;
mod stats;

pub use options::{number, options, seconds, usage, Common};
pub use pattern::Pattern;
pub use run::{serve, Context, Counts, Run};
