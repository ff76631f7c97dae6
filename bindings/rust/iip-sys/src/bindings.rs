// Generated from <iip/iip.h> by bindings/rust/tools/generate. Do not edit.

pub const IIP_OK: _bindgen_ty_1 = 0;
pub const IIP_E_AGAIN: _bindgen_ty_1 = -1;
pub const IIP_E_INVAL: _bindgen_ty_1 = -2;
pub const IIP_E_NOMEM: _bindgen_ty_1 = -3;
pub const IIP_E_NOBUFS: _bindgen_ty_1 = -4;
pub const IIP_E_ADDR_IN_USE: _bindgen_ty_1 = -5;
pub const IIP_E_ADDR_NOT_AVAIL: _bindgen_ty_1 = -6;
pub const IIP_E_UNREACHABLE: _bindgen_ty_1 = -7;
pub const IIP_E_NET_UNREACHABLE: _bindgen_ty_1 = -8;
pub const IIP_E_REFUSED: _bindgen_ty_1 = -9;
pub const IIP_E_RESET: _bindgen_ty_1 = -10;
pub const IIP_E_TIMEOUT: _bindgen_ty_1 = -11;
pub const IIP_E_ABORTED: _bindgen_ty_1 = -12;
pub const IIP_E_NOT_CONNECTED: _bindgen_ty_1 = -13;
pub const IIP_E_SHUTDOWN: _bindgen_ty_1 = -14;
pub const IIP_E_MSGSIZE: _bindgen_ty_1 = -15;
pub const IIP_E_NOT_FOUND: _bindgen_ty_1 = -16;
pub const IIP_E_RANGE: _bindgen_ty_1 = -17;
pub const IIP_E_NOT_SUPPORTED: _bindgen_ty_1 = -18;
pub const IIP_E_ACCESS: _bindgen_ty_1 = -19;
pub const IIP_E_BUSY: _bindgen_ty_1 = -20;
pub const IIP_E_STALE: _bindgen_ty_1 = -21;
pub const IIP_E_WRONG_THREAD: _bindgen_ty_1 = -22;
pub const IIP_E_FORKED: _bindgen_ty_1 = -23;
pub const IIP_E_UNKNOWN_FIELD: _bindgen_ty_1 = -24;
pub const IIP_E_ABI: _bindgen_ty_1 = -25;
pub const IIP_E_CLOSED: _bindgen_ty_1 = -26;
pub const IIP_E_IO: _bindgen_ty_1 = -27;
pub const IIP_E_NO_DEVICE: _bindgen_ty_1 = -28;
pub const IIP_E_EXISTS: _bindgen_ty_1 = -29;
pub const IIP_E_LINK_DOWN: _bindgen_ty_1 = -30;
pub const IIP_E_LAST: _bindgen_ty_1 = -31;
pub type _bindgen_ty_1 = ::core::ffi::c_int;
pub const IIP_ABI_MAJOR: _bindgen_ty_2 = 0;
pub const IIP_ABI_MINOR: _bindgen_ty_2 = 9;
pub type _bindgen_ty_2 = ::core::ffi::c_uint;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct iip_layout {
    pub type_: *const ::core::ffi::c_char,
    pub field: *const ::core::ffi::c_char,
    pub offset: u32,
    pub size: u32,
}
pub const IIP_CLASS_OK: _bindgen_ty_3 = 0;
pub const IIP_CLASS_RETRY: _bindgen_ty_3 = 1;
pub const IIP_CLASS_CONNECTION: _bindgen_ty_3 = 2;
pub const IIP_CLASS_LOOP: _bindgen_ty_3 = 3;
pub const IIP_CLASS_USAGE: _bindgen_ty_3 = 4;
pub const IIP_CLASS_RESOURCE: _bindgen_ty_3 = 5;
pub type _bindgen_ty_3 = ::core::ffi::c_uint;
pub const IIP_KIND_CONN: _bindgen_ty_4 = 1;
pub const IIP_KIND_LISTENER: _bindgen_ty_4 = 2;
pub const IIP_KIND_UDP: _bindgen_ty_4 = 3;
pub const IIP_KIND_TIMER: _bindgen_ty_4 = 4;
pub const IIP_KIND_BUF: _bindgen_ty_4 = 5;
pub const IIP_KIND_REGION: _bindgen_ty_4 = 6;
pub const IIP_HANDLE_SLOT_BITS: _bindgen_ty_4 = 22;
pub const IIP_HANDLE_GENERATION_BITS: _bindgen_ty_4 = 21;
pub const IIP_HANDLE_LOOP_BITS: _bindgen_ty_4 = 7;
pub const IIP_HANDLE_KIND_BITS: _bindgen_ty_4 = 3;
pub const IIP_HANDLE_NO_LOOP: _bindgen_ty_4 = 127;
pub type _bindgen_ty_4 = ::core::ffi::c_uint;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct iip_addr {
    pub ip: [u8; 16usize],
    pub port: u16,
    pub family: u16,
    pub scope: u32,
    pub reserved: u64,
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct iip_addrs {
    pub local: iip_addr,
    pub peer: iip_addr,
}
#[repr(C)]
#[derive(Debug)]
pub struct iip_engine {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug)]
pub struct iip_loop {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct iip_engine_cfg {
    pub size: u32,
    pub flags: u32,
    pub port: *const ::core::ffi::c_char,
    pub addresses: *const ::core::ffi::c_char,
    pub routes: *const ::core::ffi::c_char,
    pub tunables: *const ::core::ffi::c_char,
    pub neighbours: *const ::core::ffi::c_char,
    pub pcap: *const ::core::ffi::c_char,
    pub loops: u32,
    pub cores: u32,
    pub frames: u32,
    pub frame_bytes: u32,
    pub ring: u32,
    pub mtu: u32,
    pub op_cap: u32,
    pub release_cap: u32,
    pub event_cap: u32,
    pub tx_free_cap: u32,
    pub post_cap: u32,
    pub poll_us: u32,
    pub spill_bytes: u64,
    pub mem_limit: u64,
    pub seed: u64,
    pub key: [u8; 16usize],
    pub log_level: u32,
    pub reserved: u32,
}
pub const IIP_CORES_UNIFIED: _bindgen_ty_5 = 0;
pub const IIP_CORES_SPLIT: _bindgen_ty_5 = 1;
pub const IIP_CORES_MERGE: _bindgen_ty_5 = 2;
pub type _bindgen_ty_5 = ::core::ffi::c_uint;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct iip_engine_info {
    pub size: u32,
    pub loops: u32,
    pub mtu: u32,
    pub link_up: u32,
    pub polls: u32,
    pub poll_us: u32,
    pub caps: u32,
    pub regions: u32,
    pub mac: [u8; 6usize],
    pub reserved: u16,
    pub conns: u32,
}
pub const IIP_PORT_IP_CSUM: _bindgen_ty_6 = 1;
pub const IIP_PORT_TCP_CSUM: _bindgen_ty_6 = 2;
pub const IIP_PORT_UDP_CSUM: _bindgen_ty_6 = 4;
pub const IIP_PORT_TSO: _bindgen_ty_6 = 8;
pub const IIP_PORT_SG: _bindgen_ty_6 = 16;
pub const IIP_PORT_L3: _bindgen_ty_6 = 256;
pub type _bindgen_ty_6 = ::core::ffi::c_uint;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct iip_leaks {
    pub size: u32,
    pub bufs: u32,
    pub conns: u32,
    pub listeners: u32,
    pub udps: u32,
    pub timers: u32,
    pub externs: u32,
    pub regions: u32,
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct iip_region_info {
    pub base: u64,
    pub len: u64,
    pub index: u32,
    pub reserved: u32,
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct iip_event {
    pub src: u64,
    pub user: u64,
    pub type_: u16,
    pub flags: u16,
    pub status: i32,
    pub buf: u64,
    pub addr: u64,
    pub len: u32,
    pub offset: u32,
    pub region: u16,
    pub reserved: u16,
    pub aux: u32,
    pub value: u64,
}
pub const IIP_EVENT_NONE: _bindgen_ty_7 = 0;
pub const IIP_EVENT_ACCEPT: _bindgen_ty_7 = 1;
pub const IIP_EVENT_CONNECTED: _bindgen_ty_7 = 2;
pub const IIP_EVENT_DATA: _bindgen_ty_7 = 3;
pub const IIP_EVENT_FIN: _bindgen_ty_7 = 4;
pub const IIP_EVENT_WRITABLE: _bindgen_ty_7 = 5;
pub const IIP_EVENT_URGENT: _bindgen_ty_7 = 6;
pub const IIP_EVENT_ERROR: _bindgen_ty_7 = 7;
pub const IIP_EVENT_CLOSED: _bindgen_ty_7 = 8;
pub const IIP_EVENT_UDP: _bindgen_ty_7 = 9;
pub const IIP_EVENT_UDP_ERROR: _bindgen_ty_7 = 10;
pub const IIP_EVENT_TX_DONE: _bindgen_ty_7 = 11;
pub const IIP_EVENT_TIMER: _bindgen_ty_7 = 12;
pub const IIP_EVENT_DONE: _bindgen_ty_7 = 13;
pub const IIP_EVENT_LINK: _bindgen_ty_7 = 14;
pub type _bindgen_ty_7 = ::core::ffi::c_uint;
pub const IIP_EVENT_MORE: _bindgen_ty_8 = 1;
pub const IIP_EVENT_COPIED: _bindgen_ty_8 = 2;
pub type _bindgen_ty_8 = ::core::ffi::c_uint;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct iip_op {
    pub code: u16,
    pub flags: u16,
    pub len: u32,
    pub obj: u64,
    pub user: u64,
    pub buf: u64,
    pub arg: u64,
    pub offset: u32,
    pub aux: u32,
    pub out: u64,
    pub status: i32,
    pub reserved: u32,
}
pub const IIP_OP_NOP: _bindgen_ty_9 = 0;
pub const IIP_OP_CONNECT: _bindgen_ty_9 = 1;
pub const IIP_OP_LISTEN: _bindgen_ty_9 = 2;
pub const IIP_OP_UDP_OPEN: _bindgen_ty_9 = 3;
pub const IIP_OP_SEND_BUF: _bindgen_ty_9 = 4;
pub const IIP_OP_SEND_EXTERN: _bindgen_ty_9 = 5;
pub const IIP_OP_SEND_COPY: _bindgen_ty_9 = 6;
pub const IIP_OP_UDP_SEND: _bindgen_ty_9 = 7;
pub const IIP_OP_UDP_SEND_COPY: _bindgen_ty_9 = 8;
pub const IIP_OP_CREDIT: _bindgen_ty_9 = 9;
pub const IIP_OP_SHUTDOWN: _bindgen_ty_9 = 10;
pub const IIP_OP_CLOSE: _bindgen_ty_9 = 11;
pub const IIP_OP_ABORT: _bindgen_ty_9 = 12;
pub const IIP_OP_TIMER: _bindgen_ty_9 = 13;
pub const IIP_OP_CANCEL: _bindgen_ty_9 = 14;
pub const IIP_OP_SET: _bindgen_ty_9 = 15;
pub const IIP_OP_USER: _bindgen_ty_9 = 16;
pub const IIP_OP_URGENT: _bindgen_ty_9 = 17;
pub type _bindgen_ty_9 = ::core::ffi::c_uint;
pub const IIP_OP_REPLY: _bindgen_ty_10 = 1;
pub const IIP_OP_ABSOLUTE: _bindgen_ty_10 = 2;
pub const IIP_OP_SHUT: _bindgen_ty_10 = 4;
pub type _bindgen_ty_10 = ::core::ffi::c_uint;
pub const IIP_OPT_NODELAY: _bindgen_ty_11 = 1;
pub const IIP_OPT_CORK: _bindgen_ty_11 = 2;
pub const IIP_OPT_KEEPALIVE: _bindgen_ty_11 = 3;
pub const IIP_OPT_KEEPIDLE_US: _bindgen_ty_11 = 4;
pub const IIP_OPT_KEEPINTVL_US: _bindgen_ty_11 = 5;
pub const IIP_OPT_KEEPCNT: _bindgen_ty_11 = 6;
pub const IIP_OPT_USER_TIMEOUT_US: _bindgen_ty_11 = 7;
pub const IIP_OPT_DSCP: _bindgen_ty_11 = 8;
pub const IIP_OPT_TTL: _bindgen_ty_11 = 9;
pub const IIP_OPT_SNDBUF: _bindgen_ty_11 = 10;
pub const IIP_OPT_RCVBUF: _bindgen_ty_11 = 11;
pub const IIP_OPT_QUICKACK: _bindgen_ty_11 = 12;
pub const IIP_OPT_CC: _bindgen_ty_11 = 13;
pub const IIP_OPT_SYN_RETRIES: _bindgen_ty_11 = 14;
pub const IIP_OPT_EXPLICIT_CREDIT: _bindgen_ty_11 = 64;
pub type _bindgen_ty_11 = ::core::ffi::c_uint;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct iip_span {
    pub buf: u64,
    pub addr: u64,
    pub len: u32,
    pub offset: u32,
    pub region: u16,
    pub reserved: u16,
    pub flags: u32,
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct iip_turn {
    pub size: u32,
    pub flags: u32,
    pub wait_us: i64,
    pub op_n: u32,
    pub release_n: u32,
    pub tx_taken: u32,
    pub event_max: u32,
    pub event_n: u32,
    pub tx_free_n: u32,
    pub op_short: u32,
    pub release_failed: u32,
    pub state: u32,
    pub rx_packets: u32,
    pub now_us: u64,
    pub deadline_us: u64,
}
pub const IIP_TURN_WAIT: _bindgen_ty_12 = 1;
pub const IIP_TURN_FLUSH: _bindgen_ty_12 = 2;
pub const IIP_TURN_DEADLINE: _bindgen_ty_12 = 8;
pub const IIP_TURN_PARK: _bindgen_ty_12 = 4;
pub type _bindgen_ty_12 = ::core::ffi::c_uint;
pub const IIP_STATE_MORE: _bindgen_ty_13 = 1;
pub const IIP_STATE_TX_PENDING: _bindgen_ty_13 = 2;
pub const IIP_STATE_POOL_LOW: _bindgen_ty_13 = 4;
pub const IIP_STATE_PARKED: _bindgen_ty_13 = 8;
pub const IIP_STATE_LINK_DOWN: _bindgen_ty_13 = 16;
pub const IIP_STATE_CLOSED: _bindgen_ty_13 = 32;
pub type _bindgen_ty_13 = ::core::ffi::c_uint;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct iip_area {
    pub size: u32,
    pub wake_fd: i32,
    pub turn: *mut iip_turn,
    pub ops: *mut iip_op,
    pub releases: *mut u64,
    pub events: *const iip_event,
    pub tx_free: *const iip_span,
    pub aux: *const u8,
    pub op_aux: *mut u8,
    pub parked: *const u32,
    pub op_cap: u32,
    pub release_cap: u32,
    pub event_cap: u32,
    pub tx_free_cap: u32,
    pub aux_bytes: u32,
    pub op_aux_bytes: u32,
    pub woken: *mut u32,
}
pub const IIP_CONN_CLOSED: _bindgen_ty_14 = 0;
pub const IIP_CONN_LISTEN: _bindgen_ty_14 = 1;
pub const IIP_CONN_SYN_SENT: _bindgen_ty_14 = 2;
pub const IIP_CONN_SYN_RECEIVED: _bindgen_ty_14 = 3;
pub const IIP_CONN_ESTABLISHED: _bindgen_ty_14 = 4;
pub const IIP_CONN_FIN_WAIT_1: _bindgen_ty_14 = 5;
pub const IIP_CONN_FIN_WAIT_2: _bindgen_ty_14 = 6;
pub const IIP_CONN_CLOSE_WAIT: _bindgen_ty_14 = 7;
pub const IIP_CONN_CLOSING: _bindgen_ty_14 = 8;
pub const IIP_CONN_LAST_ACK: _bindgen_ty_14 = 9;
pub const IIP_CONN_TIME_WAIT: _bindgen_ty_14 = 10;
pub type _bindgen_ty_14 = ::core::ffi::c_uint;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct iip_conn_info {
    pub size: u32,
    pub state: u32,
    pub conn: u64,
    pub user: u64,
    pub local: iip_addr,
    pub peer: iip_addr,
    pub options: u32,
    pub mss: u32,
    pub srtt_us: u32,
    pub rttvar_us: u32,
    pub rto_us: u32,
    pub min_rtt_us: u32,
    pub cwnd: u32,
    pub ssthresh: u32,
    pub snd_wnd: u32,
    pub rcv_wnd: u32,
    pub unacked: u32,
    pub unsent: u32,
    pub unread: u32,
    pub uncredited: u32,
    pub out_of_order: u32,
    pub retransmits: u32,
    pub rto_count: u32,
    pub dup_acks: u32,
    pub bytes_in: u64,
    pub bytes_out: u64,
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct iip_loop_stats {
    pub size: u32,
    pub conns: u32,
    pub turns: u64,
    pub events: u64,
    pub ops: u64,
    pub ops_failed: u64,
    pub posts: u64,
    pub parks: u64,
    pub wakes: u64,
    pub releases: u64,
    pub foreign_releases: u64,
    pub stale_handles: u64,
    pub spill_copies: u64,
    pub spill_bytes: u64,
    pub bufs_held: u64,
    pub frames_free: u64,
    pub tx_pending: u64,
    pub mem_used: u64,
    pub rx_packets: u64,
    pub rx_bytes: u64,
    pub rx_dropped: u64,
    pub tx_packets: u64,
    pub tx_bytes: u64,
    pub tx_refused: u64,
    pub wire_lost: u64,
    pub wire_duplicated: u64,
    pub handed_over: u64,
    pub handed_lost: u64,
}
pub const IIP_LOG_ERROR: _bindgen_ty_15 = 1;
pub const IIP_LOG_WARN: _bindgen_ty_15 = 2;
pub const IIP_LOG_INFO: _bindgen_ty_15 = 3;
pub const IIP_LOG_DEBUG: _bindgen_ty_15 = 4;
pub type _bindgen_ty_15 = ::core::ffi::c_uint;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct iip_log_record {
    pub time_us: u64,
    pub obj: u64,
    pub level: u32,
    pub status: i32,
    pub loop_: u32,
    pub lost: u32,
    pub text: [::core::ffi::c_char; 96usize],
}
unsafe extern "C" {
    pub fn iip_abi_version() -> u32;
    pub fn iip_abi_require(major: u32, minor: u32) -> i32;
    pub fn iip_version() -> *const ::core::ffi::c_char;
    pub fn iip_probe(feature: *const ::core::ffi::c_char) -> i32;
    pub fn iip_feature_name(i: u32) -> *const ::core::ffi::c_char;
    pub fn iip_layout_get(i: u32, out: *mut iip_layout) -> i32;
    pub fn iip_status_name(status: i32) -> *const ::core::ffi::c_char;
    pub fn iip_status_text(status: i32) -> *const ::core::ffi::c_char;
    pub fn iip_status_class(status: i32) -> u32;
    pub fn iip_status_errno(status: i32) -> i32;
    pub fn iip_addr_parse(text: *const ::core::ffi::c_char, out: *mut iip_addr) -> i32;
    pub fn iip_addr_format(addr: *const iip_addr, out: *mut ::core::ffi::c_char, cap: u32) -> i32;
    pub fn iip_engine_open(
        cfg: *const iip_engine_cfg,
        out: *mut *mut iip_engine,
        error: *mut ::core::ffi::c_char,
        error_cap: u32,
    ) -> i32;
    pub fn iip_engine_close(engine: *mut iip_engine, leaks: *mut iip_leaks) -> i32;
    pub fn iip_engine_info_get(engine: *mut iip_engine, out: *mut iip_engine_info) -> i32;
    pub fn iip_engine_list(i: u32, out: *mut *mut iip_engine) -> i32;
    pub fn iip_engine_loop(engine: *mut iip_engine, i: u32, out: *mut *mut iip_loop) -> i32;
    pub fn iip_engine_kind(i: u32) -> *const ::core::ffi::c_char;
    pub fn iip_engine_listen(
        engine: *mut iip_engine,
        local: *const iip_addr,
        backlog: u32,
        user: u64,
        out: *mut u64,
    ) -> i32;
    pub fn iip_engine_unlisten(engine: *mut iip_engine, listener: u64) -> i32;
    pub fn iip_engine_regions(engine: *mut iip_engine, out: *mut iip_region_info, cap: u32) -> i32;
    pub fn iip_region_add(engine: *mut iip_engine, base: *const ::core::ffi::c_void, len: u64, out: *mut u64) -> i32;
    pub fn iip_region_remove(region: u64) -> i32;
    pub fn iip_loop_attach(loop_: *mut iip_loop) -> i32;
    pub fn iip_loop_detach(loop_: *mut iip_loop) -> i32;
    pub fn iip_loop_net(loop_: *mut iip_loop, wait_us: i64) -> i32;
    pub fn iip_loop_close(loop_: *mut iip_loop) -> i32;
    pub fn iip_loop_index(loop_: *mut iip_loop) -> i32;
    pub fn iip_loop_now(loop_: *mut iip_loop, now_us: *mut u64) -> i32;
    pub fn iip_engine_advance(engine: *mut iip_engine, us: u64, now_us: *mut u64) -> i32;
    pub fn iip_engine_inject(engine: *mut iip_engine, frame: *const ::core::ffi::c_void, len: u32) -> i32;
    pub fn iip_engine_mtu_set(engine: *mut iip_engine, mtu: u32) -> i32;
    pub fn iip_buf_retain(buf: u64) -> i32;
    pub fn iip_buf_release(buf: u64) -> i32;
    pub fn iip_buf_release_n(bufs: *const u64, n: u32) -> i32;
    pub fn iip_buf_spans(buf: u64, out: *mut iip_span, cap: u32) -> i32;
    pub fn iip_buf_detach(buf: u64, out: *mut ::core::ffi::c_void, cap: u32) -> i32;
    pub fn iip_buf_alloc(loop_: *mut iip_loop, out: *mut iip_span) -> i32;
    pub fn iip_loop_area(loop_: *mut iip_loop, out: *mut iip_area) -> i32;
    pub fn iip_loop_turn(loop_: *mut iip_loop, turn: *mut iip_turn) -> i32;
    pub fn iip_loop_post(loop_: *mut iip_loop, ops: *const iip_op, n: u32) -> i32;
    pub fn iip_loop_wake(loop_: *mut iip_loop) -> i32;
    pub fn iip_loop_fd(loop_: *mut iip_loop) -> i32;
    pub fn iip_loop_op(loop_: *mut iip_loop, op: *mut iip_op) -> i32;
    pub fn iip_loop_listen(loop_: *mut iip_loop, local: *const ::core::ffi::c_char, user: u64, out: *mut u64) -> i32;
    pub fn iip_loop_connect(loop_: *mut iip_loop, peer: *const ::core::ffi::c_char, user: u64, out: *mut u64) -> i32;
    pub fn iip_loop_udp(loop_: *mut iip_loop, local: *const ::core::ffi::c_char, user: u64, out: *mut u64) -> i32;
    pub fn iip_conn_send(conn: u64, bytes: *const ::core::ffi::c_void, len: u32) -> i32;
    pub fn iip_udp_send_to(udp: u64, peer: *const iip_addr, bytes: *const ::core::ffi::c_void, len: u32) -> i32;
    pub fn iip_conn_shutdown(conn: u64) -> i32;
    pub fn iip_conn_abort(conn: u64) -> i32;
    pub fn iip_conn_set(conn: u64, option: u32, value: u64) -> i32;
    pub fn iip_conn_get(conn: u64, option: u32, value: *mut u64) -> i32;
    pub fn iip_handle_close(handle: u64) -> i32;
    pub fn iip_conn_info_get(conn: u64, out: *mut iip_conn_info) -> i32;
    pub fn iip_loop_conns(loop_: *mut iip_loop, after: u64, out: *mut u64, cap: u32) -> i32;
    pub fn iip_loop_stats_get(loop_: *mut iip_loop, out: *mut iip_loop_stats) -> i32;
    pub fn iip_loop_counters(loop_: *mut iip_loop, out: *mut u64, cap: u32) -> i32;
    pub fn iip_counter_name(i: u32) -> *const ::core::ffi::c_char;
    pub fn iip_engine_log(engine: *mut iip_engine, out: *mut iip_log_record, cap: u32) -> i32;
}
