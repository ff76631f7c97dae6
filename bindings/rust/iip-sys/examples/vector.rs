//! Plays a vector (examples/vectors/README.md) on the raw declarations and prints its trace: `vector DIR FILE.vec`; DIR
//! takes the captures. Raw, because vectors do what the crate `iip` rules out: release twice, send what is another's.

use std::collections::HashMap;
use std::ffi::{c_char, CStr, CString};
use std::fmt::Write;
use std::process::ExitCode;

use iip_sys::*;

const PATTERN: usize = 2 << 20;
const PUMP: u64 = 65536;
const START: u64 = 0xcbf2_9ce4_8422_2325;
const EVENTS: [&str; 15] = [
    "NONE",
    "ACCEPT",
    "CONNECTED",
    "DATA",
    "FIN",
    "WRITABLE",
    "URGENT",
    "ERROR",
    "CLOSED",
    "UDP",
    "UDP_ERROR",
    "TX_DONE",
    "TIMER",
    "DONE",
    "LINK",
];
const OPTIONS: [(&str, u32); 15] = [
    ("NODELAY", IIP_OPT_NODELAY),
    ("CORK", IIP_OPT_CORK),
    ("KEEPALIVE", IIP_OPT_KEEPALIVE),
    ("KEEPIDLE_US", IIP_OPT_KEEPIDLE_US),
    ("KEEPINTVL_US", IIP_OPT_KEEPINTVL_US),
    ("KEEPCNT", IIP_OPT_KEEPCNT),
    ("USER_TIMEOUT_US", IIP_OPT_USER_TIMEOUT_US),
    ("DSCP", IIP_OPT_DSCP),
    ("TTL", IIP_OPT_TTL),
    ("SNDBUF", IIP_OPT_SNDBUF),
    ("RCVBUF", IIP_OPT_RCVBUF),
    ("QUICKACK", IIP_OPT_QUICKACK),
    ("CC", IIP_OPT_CC),
    ("SYN_RETRIES", IIP_OPT_SYN_RETRIES),
    ("EXPLICIT_CREDIT", IIP_OPT_EXPLICIT_CREDIT),
];

/// An operation, and what the words behind the object's name are: see [`World::fill`].
struct Verb {
    name: &'static str,
    words: &'static str,
    code: u32,
    /// It makes the object.
    makes: bool,
}

const fn verb(name: &'static str, words: &'static str, code: u32, makes: bool) -> Verb {
    Verb { name, words, code, makes }
}

static VERBS: [Verb; 19] = [
    verb("connect", "P", IIP_OP_CONNECT, true),
    verb("listen", "LN", IIP_OP_LISTEN, true),
    verb("udp", "LP", IIP_OP_UDP_OPEN, true),
    verb("timer", "A", IIP_OP_TIMER, true),
    verb("timerat", "W", IIP_OP_TIMER, true),
    verb("send", "NS", IIP_OP_SEND_COPY, false),
    verb("sendbuf", "N", IIP_OP_SEND_BUF, false),
    verb("forward", "B", IIP_OP_SEND_BUF, false),
    verb("extern", "RAN", IIP_OP_SEND_EXTERN, false),
    verb("udpsend", "PN", IIP_OP_UDP_SEND_COPY, false),
    verb("udpforward", "PB", IIP_OP_UDP_SEND, false),
    verb("user", "U", IIP_OP_USER, false),
    verb("credit", "N", IIP_OP_CREDIT, false),
    verb("shutdown", "", IIP_OP_SHUTDOWN, false),
    verb("close", "", IIP_OP_CLOSE, false),
    verb("abort", "", IIP_OP_ABORT, false),
    verb("cancel", "", IIP_OP_CANCEL, false),
    verb("set", "OA", IIP_OP_SET, false),
    verb("urgent", "", IIP_OP_URGENT, false),
];

fn hash(start: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(start, |h, &b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3))
    // FNV-1a
}

fn status_name(status: i32) -> &'static str {
    // SAFETY: takes any number; never null, and a literal of the library.
    unsafe { CStr::from_ptr(iip_status_name(status)) }.to_str().expect("ASCII")
}

fn number(word: &str) -> u64 {
    word.parse().unwrap_or_else(|_| panic!("{word}: no number"))
}

fn terminated(text: &str) -> CString {
    CString::new(text).expect("no zero byte")
}

fn address(word: &str) -> iip_addr {
    let mut addr = iip_addr { ip: [0; 16], port: 0, family: 0, scope: 0, reserved: 0 };
    // SAFETY: both pointers are valid for the call.
    if word != "-" && unsafe { iip_addr_parse(terminated(word).as_ptr(), &mut addr) } < 0 {
        panic!("{word}: no address");
    }
    addr
}

fn address_text(addr: &iip_addr) -> String {
    let mut text: [c_char; 56] = [0; 56];
    // SAFETY: the buffer is as long as is said, and terminated by the call.
    let text = unsafe {
        iip_addr_format(addr, text.as_mut_ptr(), 56);
        CStr::from_ptr(text.as_ptr())
    };
    text.to_str().expect("ASCII").to_owned()
}

/// All zero, with its size.
macro_rules! sized {
    ($type:ty) => {{
        // SAFETY: zero is a valid value of these structures: integers and null pointers.
        let mut value: $type = unsafe { std::mem::zeroed() };
        value.size = size_of::<$type>() as u32;
        value
    }};
}

/// What a vector has a name for: connection, listener, endpoint, timer, region.
struct Object {
    at: usize,
    name: String,
    handle: u64,
    tx: u64,
    goal: u64,
    rx: u64,
    rx_hash: u64,
    children: u32,
    /// A send was taken in part, and WRITABLE is awaited.
    blocked: bool,
}

/// An operation of the coming turn. Its addresses are boxed: the operation points to them.
struct Pending {
    line: String,
    verb: &'static Verb,
    about: usize,
    _addrs: Box<iip_addrs>,
}

struct Player {
    name: String,
    pcap: String,
    engine: *mut iip_engine,
    looper: *mut iip_loop,
    area: iip_area,
    turn: iip_turn,
    pending: Vec<Pending>,
    hold: bool,
    mute: bool,
    list: bool,
    state: u32,
}

impl Player {
    fn is_open(&self) -> bool {
        !self.engine.is_null()
    }

    fn release(&mut self, buf: u64) {
        assert!(self.turn.release_n < self.area.release_cap, "too many releases in one turn");
        // SAFETY: within the array, which is the owner's to write.
        unsafe { self.area.releases.add(self.turn.release_n as usize).write(buf) };
        self.turn.release_n += 1;
    }

    /// An empty buffer, filled; its handle.
    fn buffer(&mut self, bytes: &[u8]) -> u64 {
        assert!(self.turn.tx_taken < self.turn.tx_free_n, "no buffer is free");
        // SAFETY: the last turn laid this entry out, and its memory is ours to write until the operation is done.
        unsafe {
            let span = self.area.tx_free.add(self.turn.tx_taken as usize).read();
            assert!(bytes.len() <= span.len as usize, "longer than a buffer");
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), span.addr as *mut u8, bytes.len());
            self.turn.tx_taken += 1;
            span.buf
        }
    }

    fn counter(&self, name: &str) -> u64 {
        let mut all = [0; 512];
        // SAFETY: `all` has room for as many as we say; the names are literals.
        unsafe {
            let n = iip_loop_counters(self.looper, all.as_mut_ptr(), 512).max(0) as usize;
            let found = (0..n).find(|&i| CStr::from_ptr(iip_counter_name(i as u32)).to_bytes() == name.as_bytes());
            all[found.unwrap_or_else(|| panic!("{name}: no such counter"))]
        }
    }
}

/// What a vector has made so far.
struct World {
    dir: String,
    pattern: Vec<u8>,
    players: Vec<Player>,
    objects: Vec<Object>,
    by_handle: HashMap<u64, usize>,
    held: Vec<(u64, u32)>,
}

impl World {
    fn new(dir: String) -> World {
        let pattern = (0..PATTERN).map(|i| (i * 31 + (i >> 8) * 17) as u8).collect();
        let (players, objects, held) = (Vec::new(), Vec::new(), Vec::new());
        World { dir, pattern, players, objects, by_handle: HashMap::new(), held }
    }

    fn add(&mut self, at: usize, name: &str) -> usize {
        let name = name.to_owned();
        self.objects.push(Object {
            at,
            name,
            handle: 0,
            tx: 0,
            goal: 0,
            rx: 0,
            rx_hash: START,
            children: 0,
            blocked: false,
        });
        self.objects.len() - 1
    }

    fn object(&self, name: &str) -> usize {
        self.objects.iter().rposition(|o| o.name == name).unwrap_or_else(|| panic!("{name}: no such name"))
    }

    fn name(&mut self, about: usize, handle: u64) {
        self.objects[about].handle = handle;
        if handle != 0 {
            self.by_handle.insert(handle, about);
        }
    }

    fn buffer(&self, word: &str) -> usize {
        number(word.trim_start_matches('@')) as usize
    }

    // ---- operations ----

    fn fill(&self, op: &mut iip_op, addrs: &mut iip_addrs, what: char, word: &str, tx: u64) {
        match what {
            'L' => addrs.local = address(word),
            'P' => addrs.peer = address(word),
            'N' => op.len = number(word) as u32,
            'A' => op.arg = number(word),
            'W' => (op.arg, op.flags) = (number(word), IIP_OP_ABSOLUTE as u16),
            'U' => op.user = number(word),
            'B' => (op.buf, op.len) = self.held[self.buffer(word)],
            'R' => op.buf = self.objects[self.object(word)].handle,
            'S' => op.flags = IIP_OP_SHUT as u16,
            'O' => op.offset = OPTIONS.iter().find(|o| o.0 == word).unwrap_or_else(|| panic!("{word}: no option")).1,
            _ => unreachable!("a word of VERBS"),
        }
        match op.code.into() {
            IIP_OP_SEND_COPY => op.arg = self.pattern[tx as usize..].as_ptr() as u64,
            IIP_OP_UDP_SEND_COPY => op.buf = self.pattern.as_ptr() as u64,
            _ => {}
        }
        if matches!(what, 'L' | 'P') {
            op.arg = std::ptr::from_ref(addrs) as u64;
        }
    }

    /// `words`: the verb and what follows. `None`: it is no operation.
    fn operation(&mut self, at: usize, words: &[&str], line: &str) -> Option<(iip_op, Pending)> {
        let verb = VERBS.iter().find(|v| v.name == words[0])?;
        let about = if verb.makes { self.add(at, words[1]) } else { self.object(words[1]) };
        let mut addrs = Box::new(iip_addrs { local: address("-"), peer: address("-") });
        // SAFETY: all zero is a valid value of this structure of integers.
        let mut op: iip_op = unsafe { std::mem::zeroed() };
        op.code = verb.code as u16;
        if verb.makes {
            op.user = self.objects.len() as u64; // the cookie: the how many-th object it is
        } else {
            op.obj = self.objects[about].handle;
        }
        let tx = self.objects[about].tx;
        for (what, word) in verb.words.chars().zip(&words[2..]) {
            self.fill(&mut op, &mut addrs, what, word, tx);
        }
        if verb.name == "sendbuf" {
            let bytes = &self.pattern[tx as usize..][..op.len as usize];
            op.buf = self.players[at].buffer(bytes);
        }
        Some((op, Pending { line: line.to_owned(), verb, about, _addrs: addrs }))
    }

    fn queue(&mut self, at: usize, (op, pending): (iip_op, Pending)) {
        let player = &mut self.players[at];
        assert!(player.turn.op_n < player.area.op_cap, "too many operations in one turn");
        // SAFETY: within the array, which is the owner's to write.
        unsafe { player.area.ops.add(player.turn.op_n as usize).write(op) };
        player.turn.op_n += 1;
        player.pending.push(pending);
    }

    fn tell_operation(&mut self, op: &iip_op, pending: &Pending) {
        let out = if op.out != 0 && !pending.verb.makes { format!(" {}", op.out) } else { String::new() };
        println!("> {} -> {}{out}", pending.line, status_name(op.status));
        if pending.verb.makes {
            self.name(pending.about, op.out);
        }
        if matches!(u32::from(op.code), IIP_OP_SEND_BUF | IIP_OP_SEND_EXTERN | IIP_OP_SEND_COPY) {
            let o = &mut self.objects[pending.about];
            o.tx += op.out;
            o.blocked |= op.out < op.len.into();
            if op.status < 0 && op.status != IIP_E_AGAIN {
                o.goal = 0;
            }
        }
    }

    fn pump(&mut self, at: usize) {
        for i in 0..self.objects.len() {
            let o = &self.objects[i];
            if o.at == at && o.goal > o.tx && !o.blocked {
                let (name, n) = (o.name.clone(), (o.goal - o.tx).min(PUMP).to_string());
                let line = format!("{} send {name} {n}", self.players[at].name);
                let op = self.operation(at, &["send", &name, &n], &line).expect("a verb");
                self.queue(at, op);
            }
        }
    }

    // ---- a turn, and what it tells ----

    fn subject(&mut self, at: usize, event: &iip_event) -> Option<usize> {
        if u32::from(event.type_) != IIP_EVENT_ACCEPT {
            return self.by_handle.get(&event.src).copied();
        }
        let listener = &mut self.objects[self.by_handle[&event.value]];
        listener.children += 1;
        let name = format!("{}.{}", listener.name, listener.children);
        let about = self.add(at, &name);
        self.name(about, event.src);
        Some(about)
    }

    fn tell_event(&mut self, at: usize, event: &iip_event) {
        let about = self.subject(at, event);
        let bytes: &[u8] = match event.buf {
            0 => &[],
            // SAFETY: the bytes are there until the next turn, and `event` has their length.
            _ => unsafe { std::slice::from_raw_parts(event.addr as *const u8, event.len as usize) },
        };
        if let Some(o) = about.map(|i| &mut self.objects[i]) {
            o.blocked &= u32::from(event.type_) != IIP_EVENT_WRITABLE;
            if event.buf != 0 {
                (o.rx, o.rx_hash) = (o.rx + u64::from(event.len), hash(o.rx_hash, bytes));
            }
        }
        if event.buf != 0 {
            self.held.push((event.buf, event.len));
            if !self.players[at].hold {
                self.players[at].release(event.buf);
            }
            if self.players[at].mute {
                return;
            }
        }
        println!("{}", self.event_text(at, event, about, bytes));
    }

    fn event_text(&self, at: usize, event: &iip_event, about: Option<usize>, bytes: &[u8]) -> String {
        let player = &self.players[at];
        let name = about.map_or("-", |i| &self.objects[i].name);
        let (kind, status) = (EVENTS[usize::from(event.type_)], status_name(event.status));
        let mut text = format!("{} {} {name} {kind} {status}", player.turn.now_us, player.name);
        let is_handle = u32::from(event.type_) == IIP_EVENT_ACCEPT || event.value == event.src;
        let value = if is_handle { 0 } else { event.value };
        let numbers = [("user", event.user), ("flags", event.flags.into()), ("len", event.len.into())];
        for (what, n) in numbers.iter().filter(|(_, n)| *n != 0) {
            let _ = write!(text, " {what}={n}");
        }
        if event.buf != 0 {
            let _ = write!(text, " hash={:016x} buf=@{}", hash(START, bytes), self.held.len() - 1);
        }
        if value != 0 {
            let _ = write!(text, " value={value}");
        }
        if event.aux != 0 {
            // SAFETY: aux is the offset of such a record in area.aux, valid until the next turn.
            let ends = unsafe { player.area.aux.add(event.aux as usize).cast::<iip_addrs>().read() };
            let _ = write!(text, " local={} peer={}", address_text(&ends.local), address_text(&ends.peer));
        }
        text
    }

    /// Whether something happened.
    fn turn(&mut self, at: usize, flags: u32) -> bool {
        self.pump(at);
        let player = &mut self.players[at];
        player.turn.flags = flags;
        // SAFETY: the operations and what they name (pattern, addresses of `pending`) live beyond the call.
        let n = unsafe { iip_loop_turn(player.looper, &mut player.turn) };
        assert!(n >= 0, "turn: {}", status_name(n));
        let (area, turn) = (player.area, player.turn);
        let pending = std::mem::take(&mut player.pending);
        for (i, pending) in pending.iter().enumerate() {
            // SAFETY: an operation of this turn; nobody writes there meanwhile.
            let op = unsafe { area.ops.add(i).read() };
            self.tell_operation(&op, pending);
        }
        let name = self.players[at].name.clone();
        if turn.release_failed != 0 {
            println!("{} {name} release_failed={}", turn.now_us, turn.release_failed);
        }
        for i in 0..n as usize {
            // SAFETY: the turn has written n events.
            let event = unsafe { area.events.add(i).read() };
            self.tell_event(at, &event);
        }
        let state = turn.state & !IIP_STATE_MORE;
        if std::mem::replace(&mut self.players[at].state, state) != state {
            println!("{} {name} state={state}", turn.now_us);
        }
        !pending.is_empty() || n > 0 || turn.rx_packets != 0 || turn.state & IIP_STATE_MORE != 0
    }

    /// Until nothing happens.
    fn turn_all(&mut self) {
        let mut busy = true;
        while std::mem::take(&mut busy) {
            for at in 0..self.players.len() {
                busy |= self.players[at].is_open() && self.turn(at, 0);
            }
        }
    }

    fn advance(&self, us: u64) -> u64 {
        let mut now = 0;
        if let Some(player) = self.players.iter().find(|p| p.is_open()) {
            // SAFETY: the engine is open.
            unsafe { iip_engine_advance(player.engine, us, &mut now) };
        }
        now
    }

    fn run(&mut self, words: &[&str], line: &str) {
        let mut left = words.first().map_or(0, |w| number(w));
        let step = words.get(1).map_or(left, |w| number(w));
        self.turn_all();
        while left != 0 {
            self.advance(step.min(left));
            left -= step.min(left);
            self.turn_all();
        }
        println!("> {line} -> {}", self.advance(0));
    }

    // ---- engines ----

    fn open(&mut self, words: &[&str], line: &str) {
        let pcap = format!("{}/{}.pcap", self.dir, words[0]);
        let find = |key: &str| words[3..].iter().find_map(|w| w.strip_prefix(key));
        let texts = [words[1], words[2], find("tunables=").unwrap_or(""), &pcap].map(terminated);
        let mut cfg = sized!(iip_engine_cfg);
        (cfg.port, cfg.addresses) = (texts[0].as_ptr(), texts[1].as_ptr());
        (cfg.tunables, cfg.pcap) = (texts[2].as_ptr(), texts[3].as_ptr());
        cfg.spill_bytes = find("spill=").map_or(0, number);
        let letter = words[0].as_bytes()[0];
        (cfg.seed, cfg.key) = (letter.into(), [letter; 16]);
        let has = |word: &str| words[3..].contains(&word);
        let mut player = Player {
            name: words[0].to_owned(),
            pcap,
            engine: std::ptr::null_mut(),
            looper: std::ptr::null_mut(),
            area: sized!(iip_area),
            turn: sized!(iip_turn),
            pending: Vec::new(),
            hold: has("hold"),
            mute: has("mute"),
            list: has("list"),
            state: 0,
        };
        // SAFETY: the texts live for the call; the loop's functions are called where the engine is open, by its owner.
        let status = unsafe {
            let status = iip_engine_open(&cfg, &mut player.engine, std::ptr::null_mut(), 0);
            if status >= 0 {
                iip_engine_loop(player.engine, 0, &mut player.looper);
                iip_loop_attach(player.looper);
                iip_loop_area(player.looper, &mut player.area);
            }
            status
        };
        println!("> {line} -> {}", status_name(status));
        self.players.push(player);
    }

    fn end(&mut self, at: usize, line: &str) {
        let player = &mut self.players[at];
        let mut l = sized!(iip_leaks);
        // SAFETY: the engine is open, and not used after this.
        let status = unsafe { iip_engine_close(player.engine, &mut l) };
        player.engine = std::ptr::null_mut();
        println!(
            "> {line} -> {} bufs={} conns={} listeners={} udps={} timers={} externs={} regions={}",
            status_name(status),
            l.bufs,
            l.conns,
            l.listeners,
            l.udps,
            l.timers,
            l.externs,
            l.regions
        );
        let capture = std::fs::read(&player.pcap).expect("a capture");
        let (mut left, mut sum, mut n) = (&capture[24..], START, 0);
        let word = |bytes: &[u8], i: usize| u32::from_ne_bytes(bytes[4 * i..4 * i + 4].try_into().expect("four"));
        while !left.is_empty() {
            let us = u64::from(word(left, 0)) * 1_000_000 + u64::from(word(left, 1)); // of a record's head of 16 bytes
            let (frame, rest) = left[16..].split_at(word(left, 2) as usize);
            let text = format!("{us} {} {:016x}\n", frame.len(), hash(START, frame));
            (left, sum, n) = (rest, hash(sum, text.as_bytes()), n + 1);
            if player.list {
                print!("{} frame {text}", player.name);
            }
        }
        println!("{} frames={n} hash={sum:016x}", player.name);
    }

    // ---- steps that are no operations ----

    fn at_once(&mut self, at: usize, words: &[&str]) -> i32 {
        let (engine, looper) = (self.players[at].engine, self.players[at].looper);
        // SAFETY: engine and loop are open, and this thread is the owner; what is pointed to lives for the call, and the
        // pattern, which a region is made of, for ever.
        unsafe {
            match words[0] {
                "post" => {
                    let (mut op, _pending) = self.operation(at, &words[1..], "").expect("a verb");
                    op.flags |= IIP_OP_REPLY as u16;
                    iip_loop_post(looper, &op, 1)
                }
                "inject" => {
                    let digits = |i| u8::from_str_radix(&words[1][i..i + 2], 16).expect("hexadecimal digits");
                    let frame: Vec<u8> = (0..words[1].len()).step_by(2).map(digits).collect();
                    iip_engine_inject(engine, frame.as_ptr().cast(), frame.len() as u32)
                }
                "mtu" => iip_engine_mtu_set(engine, number(words[1]) as u32),
                "retain" => iip_buf_retain(self.held[self.buffer(words[1])].0),
                "region" => {
                    let (about, mut handle) = (self.add(at, words[1]), 0);
                    let status = iip_region_add(engine, self.pattern.as_ptr().cast(), number(words[2]), &mut handle);
                    self.name(about, handle);
                    status
                }
                "unregion" => iip_region_remove(self.objects[self.object(words[1])].handle),
                "free" => iip_buf_release(self.held[self.buffer(words[1])].0),
                "listenall" => {
                    let (about, mut handle, local) = (self.add(at, words[1]), 0, address(words[2]));
                    let (backlog, user) = (words.get(3).map_or(0, |w| number(w)) as u32, self.objects.len() as u64);
                    let status = iip_engine_listen(engine, &local, backlog, user, &mut handle);
                    self.name(about, handle);
                    status
                }
                "unlistenall" => iip_engine_unlisten(engine, self.objects[self.object(words[1])].handle),
                "attach" => iip_loop_attach(looper),
                "detach" => iip_loop_detach(looper),
                "loopclose" => iip_loop_close(looper),
                other => panic!("{other}: no such step"),
            }
        }
    }

    fn step(&mut self, at: usize, words: &[&str], line: &str) {
        if let Some(op) = self.operation(at, words, line) {
            return self.queue(at, op);
        }
        match words[0] {
            "release" => {
                for i in self.buffer(words[1])..=self.buffer(words[words.len() - 1]) {
                    let (buf, _) = self.held[i];
                    self.players[at].release(buf);
                }
            }
            "turn" => drop(self.turn(at, if words.len() > 1 { IIP_TURN_FLUSH } else { 0 })),
            "pump" => {
                let about = self.object(words[1]);
                self.objects[about].goal = number(words[2]);
            }
            "count" => println!("> {line} -> {}", self.players[at].counter(words[1])),
            "sum" => {
                let o = &self.objects[self.object(words[1])];
                let sent = hash(START, &self.pattern[..o.tx as usize]);
                println!("> {line} -> rx={} {:016x} tx={} {sent:016x}", o.rx, o.rx_hash, o.tx);
            }
            "end" => self.end(at, line),
            _ => println!("> {line} -> {}", status_name(self.at_once(at, words))),
        }
    }

    fn play(&mut self, line: &str) {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        match words.first().copied() {
            None => {}
            Some(_) if line.starts_with('#') => {}
            Some("engine") => self.open(&words[1..], line),
            Some("run") => self.run(&words[1..], line),
            Some(name) => {
                let at =
                    self.players.iter().position(|p| p.name == name).unwrap_or_else(|| panic!("{name}: no engine"));
                self.step(at, &words[1..], line);
            }
        }
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [dir, file] = &args[..] else {
        eprintln!("vector: give a directory for the captures and a vector");
        return ExitCode::from(2);
    };
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(e) => {
            eprintln!("vector: {file}: {e}");
            return ExitCode::from(2);
        }
    };
    let mut world = World::new(dir.clone());
    text.lines().for_each(|line| world.play(line));
    for at in 0..world.players.len() {
        if world.players[at].is_open() {
            world.end(at, "end");
        }
    }
    ExitCode::SUCCESS
}
