//! The command line: what all programs take, and what is said to a mistake.

use std::process::exit;
use std::time::Duration;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgAction, Command, Parser};
use iip::Cores;

/// Flags that all of them take.
#[derive(Clone, Debug, clap::Args)]
pub struct Common {
    /// tap:NAME, pair:NAME, sim:..., dpdk:... (default tap:iip0)
    #[arg(long, value_name = "STRING")]
    pub port: Option<String>,
    /// our own address; repeatable
    #[arg(long = "addr", value_name = "A/PLEN")]
    pub addresses: Vec<String>,
    /// default gateway; repeatable (IPv4, IPv6)
    #[arg(long = "gateway", value_name = "G")]
    pub gateways: Vec<String>,
    /// port that is served
    #[arg(long, value_name = "PORT", value_parser = number(1, 65535))]
    pub listen: Option<u64>,
    /// record all packets
    #[arg(long, value_name = "FILE")]
    pub pcap: Option<String>,
    /// a tunable of the stack; repeatable
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = tunable)]
    pub tunables: Vec<String>,
    /// statistics, at the end and on SIGUSR1
    #[arg(long, value_name = "FILE")]
    pub stats_json: Option<String>,
    /// end after S seconds
    #[arg(long, value_name = "S", value_parser = seconds)]
    pub duration: Option<Duration>,
    /// loops, one thread each (also --threads)
    #[arg(long, alias = "threads", value_name = "N", default_value = "1", value_parser = number(1, 64))]
    pub loops: u64,
    /// unified; split, merge: networking in a thread of its own
    #[arg(long, value_name = "MODEL", default_value = "unified", value_parser = model)]
    pub model: Cores,
}

impl Common {
    /// The port, as given or the default.
    pub fn port(&self) -> &str {
        self.port.as_deref().unwrap_or("tap:iip0")
    }
}

/// Takes a number, and says which.
pub fn number(min: u64, max: u64) -> impl Fn(&str) -> Result<u64, String> + Clone + Send + Sync {
    move |text| {
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        let value = text.parse().ok().filter(|n| digits && (min..=max).contains(n));
        value.ok_or_else(|| format!("give a number from {min} to {max}"))
    }
}

fn tunable(text: &str) -> Result<String, String> {
    let good = text.contains('=');
    good.then(|| text.to_owned()).ok_or_else(|| "give name=value, for example tcp.mss=1400".to_owned())
}

/// "2.5" as a time.
pub fn seconds(text: &str) -> Result<Duration, String> {
    let value: Option<f64> = text.parse().ok().filter(|s| (0.0..1e9).contains(s));
    value.map(Duration::from_secs_f64).ok_or_else(|| "give seconds, for example 2.5".to_owned())
}

fn model(text: &str) -> Result<Cores, String> {
    match text {
        "unified" => Ok(Cores::Unified),
        "split" => Ok(Cores::Split),
        "merge" => Ok(Cores::Merge),
        _ => Err("give unified, split or merge".to_owned()),
    }
}

/// The command line, or the end: a mistake is one line on standard error and exit code 2.
pub fn options<T: Parser>(program: &str) -> T {
    // Of an option that is given twice, the last counts.
    let parsed = T::command().args_override_self(true).try_get_matches().and_then(|m| T::from_arg_matches(&m));
    parsed.unwrap_or_else(|e| match e.kind() {
        ErrorKind::DisplayHelp => {
            help(program, &T::command());
            exit(0)
        }
        _ => usage(program, &explain(&e)),
    })
}

/// One line on standard error, and exit code 2.
pub fn usage(program: &str, text: &str) -> ! {
    eprintln!("{program}: {text}");
    exit(2)
}

fn help(program: &str, command: &Command) {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    println!("{program}: {about}\n");
    for arg in command.get_arguments().filter(|a| !matches!(a.get_action(), ArgAction::Help)) {
        let value = arg.get_value_names().filter(|_| arg.get_action().takes_values());
        let value = value.map(|names| format!(" {}", names[0])).unwrap_or_default();
        let left = format!("--{}{value}", arg.get_long().unwrap_or_default());
        println!("  {left:<24} {}", arg.get_help().map(ToString::to_string).unwrap_or_default());
        if arg.get_id() == "model" {
            println!("  {:<24} the same as --loops", "--threads N");
        }
    }
    println!("  {:<24} this text", "--help");
}

fn context(e: &clap::Error, kind: ContextKind) -> Option<&str> {
    match e.get(kind) {
        Some(ContextValue::String(text)) => Some(text),
        Some(ContextValue::Strings(texts)) => texts.first().map(String::as_str),
        _ => None,
    }
}

/// A mistake in a few words, with what is to be done.
fn explain(e: &clap::Error) -> String {
    let arg = context(e, ContextKind::InvalidArg).unwrap_or_default();
    let flag = arg.split([' ', '=']).next().unwrap_or_default();
    let value = context(e, ContextKind::InvalidValue).unwrap_or_default();
    // The word as it was written: clap names only the part of it that it did not understand.
    let word = std::env::args().skip(1).find(|word| word.starts_with(flag)).unwrap_or_else(|| flag.to_owned());
    match (e.kind(), std::error::Error::source(e)) {
        (ErrorKind::ValueValidation, Some(why)) => format!("{flag} {value}: {why}"),
        (ErrorKind::InvalidValue, _) if value.is_empty() => {
            format!("{flag}: needs a value; --help lists what there is")
        }
        (ErrorKind::TooManyValues, _) => format!("{word}: takes no value; --help lists what there is"),
        _ => format!("{word}: no such option; --help lists what there is"),
    }
}
