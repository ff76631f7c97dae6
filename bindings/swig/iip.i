/*
 * iip.i - <iip/iip.h> for every language that SWIG 4.1 knows.
 *
 * What is a number, a text or a plain structure comes from the header as it is. What takes an engine, a loop, memory or
 * an address goes through flat/flat.h; REPLACED names the way for each such function. A language adds one file of
 * typemaps, included below: how to raise, and how bytes look. docs/guide/swig.md tells how to write one.
 */
#ifdef SWIGLUA
%module iip_core
#elif defined(SWIGJAVA)
%module Iip
#else
%module iip
#endif

%{
#include "flat.h"

/* The text of the failure `status`, which is the last one of this thread or has no detail. */
static inline void iip_note(int32_t status)
{
    if (flat_error_status() != status)
        flat_fail(status, NULL);
}
%}

%include <stdint.i>

/* ---- what each language says for itself ----
 * IIP_RAISE        a C macro for wrappers: raise flat_error_status() and flat_error_text(), clear, leave if need be
 * typemaps         (const void *bytes, uint32_t len) in; struct flat_bytes out
 */
#ifdef SWIGLUA
%include "lua/lua.i"
#elif defined(SWIGJAVA)
%include "java/java.i"
#elif defined(SWIGPERL)
%include "perl/perl.i"
#else
#error "this language has no typemaps yet: see docs/guide/swig.md"
#endif

/* ---- statuses: a negative number, or a null with a reason, is raised; in fields of structures they are data ---- */
%typemap(ret) int32_t, int64_t %{ if ($1 < 0) { iip_note((int32_t)$1); IIP_RAISE; } %}
%typemap(ret) int32_t status ""
%typemap(ret) int64_t flat_loop::deadline ""
%typemap(ret) SWIGTYPE *, char * %{ if (!$1 && flat_error_status()) { IIP_RAISE; } %}

/* ---- names: iip.EVENT_DATA, iip.buf_release ---- */
#ifdef SWIGJAVA
%rename("%(regex:/^(?:iip_|flat_)?([a-z]+)_?([a-z0-9]*)_?([a-z]*)_?([a-z]*)$/\\1\\u\\2\\u\\3\\u\\4/)s", %$isfunction) "";
%rename("%(lowercamelcase)s", %$isvariable, %$ismember) "";
#else
%rename("%(strip:[iip_])s", regextarget=1, %$isfunction) "^iip_";
%rename("%(strip:[flat_])s", regextarget=1, %$isfunction) "^flat_";
#endif
%rename("%(strip:[IIP_])s", regextarget=1) "^IIP_";
%rename(EngineOptions) iip_engine_cfg;
%rename(EngineInfo) iip_engine_info;
%rename(Leaks) iip_leaks;
%rename(ConnInfo) iip_conn_info;
%rename(LoopStats) iip_loop_stats;
%rename(Op) iip_op;
%rename(Engine) flat_engine;
%rename(Loop) flat_loop;
%rename(Event) flat_event;
%rename(Events) flat_events;

/* ---- what a script cannot hold safely, and what does it instead ("-": nothing, the reason stands there) ---- */
%define REPLACED(function, by) %ignore function; %enddef
REPLACED(iip_layout_get, "-: compared when the module is loaded")
REPLACED(iip_addr_parse, "-: addresses are text everywhere")
REPLACED(iip_addr_format, "-: addresses are text everywhere")
REPLACED(iip_engine_open, "open")
REPLACED(iip_engine_close, "Engine.close")
REPLACED(iip_engine_info_get, "Engine.info")
REPLACED(iip_engine_list, "-: for tools in the same process, which have the engine")
REPLACED(iip_engine_loop, "Engine.loop")
REPLACED(iip_engine_listen, "Engine.listen")
REPLACED(iip_engine_unlisten, "Engine.unlisten")
REPLACED(iip_engine_regions, "-: events bring bytes themselves")
REPLACED(iip_engine_advance, "Engine.advance")
REPLACED(iip_engine_log, "Engine.log")
REPLACED(iip_engine_inject, "Engine.inject")
REPLACED(iip_engine_mtu_set, "Engine.mtu_set")
REPLACED(iip_region_add, "Engine.region")
REPLACED(iip_region_remove, "Engine.region_remove")
REPLACED(iip_loop_attach, "Loop.attach")
REPLACED(iip_loop_detach, "Loop.detach")
REPLACED(iip_loop_net, "Loop.net")
REPLACED(iip_loop_close, "Loop.close")
REPLACED(iip_loop_index, "Loop.index")
REPLACED(iip_loop_now, "Loop.now")
REPLACED(iip_loop_area, "-: events are copies")
REPLACED(iip_loop_turn, "Loop.turn")
REPLACED(iip_loop_post, "Loop.post")
REPLACED(iip_loop_wake, "Loop.wake")
REPLACED(iip_loop_fd, "Loop.fd")
REPLACED(iip_loop_op, "Loop.op")
REPLACED(iip_loop_listen, "Loop.listen")
REPLACED(iip_loop_connect, "Loop.connect")
REPLACED(iip_loop_udp, "Loop.udp")
REPLACED(iip_loop_conns, "Loop.conn_after")
REPLACED(iip_loop_stats_get, "Loop.stats")
REPLACED(iip_loop_counters, "Loop.counter")
REPLACED(iip_conn_send, "send")
REPLACED(iip_udp_send_to, "udp_send")
REPLACED(iip_conn_get, "conn_get")
REPLACED(iip_conn_info_get, "conn_info")
REPLACED(iip_buf_release_n, "Loop.release")
REPLACED(iip_buf_spans, "Event.peek")
REPLACED(iip_buf_detach, "Event.recv")
REPLACED(iip_buf_alloc, "Loop.buffer")
%ignore iip_layout;
%ignore iip_addr;
%ignore iip_addrs;
%ignore iip_addrs::local; /* a keyword of some languages */
%ignore iip_engine;
%ignore iip_loop;
%ignore iip_region_info;
%ignore iip_event;
%ignore iip_span;
%ignore iip_turn;
%ignore iip_area;
%ignore iip_log_record;

/* ---- structures of the header; those that the library fills are copies ---- */
%ignore size;
%ignore reserved;
%ignore iip_engine_cfg::key;
%ignore iip_engine_info::mac;
%ignore iip_conn_info::local;
%ignore iip_conn_info::peer;
%typemap(memberin) const char * %{ free((char *)$1); $1 = $input ? strdup($input) : NULL; %}
%immutable iip_op::out;
%immutable iip_op::status;
%nodefaultctor iip_engine_info;
%nodefaultctor iip_leaks;
%nodefaultctor iip_conn_info;
%nodefaultctor iip_loop_stats;

%include "iip/status.h"
%include "iip/iip.h"

%newobject iip_conn_info::local_addr;
%newobject iip_conn_info::peer_addr;
%extend iip_engine_cfg {
    iip_engine_cfg() { return flat_options(); }
    ~iip_engine_cfg() { flat_options_free($self); }
    /* The secret key, 16 bytes. */
    int32_t set_key(const void *bytes, uint32_t len)
    {
        if (len != sizeof $self->key)
            return flat_fail(IIP_E_INVAL, "a key has 16 bytes");
        memcpy($self->key, bytes, len);
        return 0;
    }
}
%extend iip_conn_info {
    char *local_addr(void) { return flat_addr_text(&$self->local); }
    char *peer_addr(void) { return flat_addr_text(&$self->peer); }
}

/* ---- objects: methods are the functions of flat.h that begin with the name of the structure ---- */
%nodefaultctor;
struct flat_engine {};
struct flat_loop {};
struct flat_event {};
struct flat_events {};
#ifdef IIP_VIEWS
struct flat_view {};
#endif
%clearnodefaultctor;

%newobject flat_open;
struct flat_engine *flat_open(const struct iip_engine_cfg *cfg);

%newobject flat_engine::loop;
%newobject flat_engine::info;
%newobject flat_engine::leaks;
%newobject flat_engine::log;
%extend flat_engine {
    ~flat_engine() { flat_engine_unref($self); }
    int32_t close(void);
    int32_t closed(void);
    struct flat_loop *loop(uint32_t i);
    struct iip_engine_info *info(void);
    struct iip_leaks *leaks(void);
    int64_t listen(const char *local, uint32_t backlog, uint64_t user);
    int32_t unlisten(uint64_t listener);
    int64_t advance(uint64_t us);
    char *log(void);
    int32_t inject(const void *bytes, uint32_t len);
    int32_t mtu_set(uint32_t mtu);
    int64_t region(const void *bytes, uint32_t len);
    int32_t region_write(uint64_t region, uint32_t offset, const void *bytes, uint32_t len);
    int32_t region_remove(uint64_t region);
}

%newobject flat_loop::turn;
%newobject flat_loop::stats;
%newobject flat_loop::done;
%extend flat_loop {
    ~flat_loop() { flat_loop_free($self); }
    int32_t attach(void);
    int32_t detach(void);
    int32_t close(void);
    int32_t index(void);
    int32_t wake(void);
    int32_t fd(void);
    int64_t now(void);
    int32_t net(int64_t wait_us);
    int64_t listen(const char *local, uint64_t user);
    int64_t connect(const char *peer, uint64_t user);
    int64_t udp(const char *local, uint64_t user);
    int64_t timer(uint64_t us, uint64_t user);
    int64_t op(struct iip_op *op);
    int32_t post(const struct iip_op *op);
    int32_t post_with(const struct iip_op *op, const char *local, const char *peer, const void *bytes, uint32_t len);
    int32_t queue(const struct iip_op *op, const char *local, const char *peer, const void *bytes, uint32_t len);
    struct iip_op *done(uint32_t i);
    int32_t release(uint64_t buf);
    int64_t buffer(const void *bytes, uint32_t len);
    int32_t send_event(uint64_t conn, struct flat_event *event);
    int64_t conn_after(uint64_t after);
    struct iip_loop_stats *stats(void);
    int64_t counter(const char *name);
    struct flat_events *turn(int64_t wait_us, uint32_t flags);
    uint32_t state(void);
    int64_t deadline(void);
    uint32_t rx_packets(void);
    uint32_t release_failed(void);
}

%newobject flat_events::get;
%extend flat_events {
    ~flat_events() { flat_events_free($self); }
    uint32_t count(void) { return $self->n; }
    struct flat_event *get(uint32_t i);
}

/* The fields of struct iip_event, without those that are addresses. */
%define EVENT_FIELD(type, name)
    type name(void) { return $self->is.name; }
%enddef
%typemap(ret) int32_t flat_event::status ""
%newobject flat_event::local_addr;
%newobject flat_event::peer_addr;
%newobject flat_event::view;
%extend flat_event {
    ~flat_event() { flat_event_unref($self); }
    EVENT_FIELD(uint64_t, src)
    EVENT_FIELD(uint64_t, user)
    EVENT_FIELD(int32_t, type)
    EVENT_FIELD(int32_t, flags)
    EVENT_FIELD(int32_t, status)
    EVENT_FIELD(uint64_t, buf)
    EVENT_FIELD(uint32_t, len)
    EVENT_FIELD(uint64_t, value)
    struct flat_bytes recv(void);
    struct flat_bytes peek(void);
    int64_t take(void);
    int32_t release(void);
    char *local_addr(void);
    char *peer_addr(void);
#ifdef IIP_VIEWS
    struct flat_view *view(void);
#endif
}

#ifdef IIP_VIEWS
%extend flat_view {
    ~flat_view() { flat_view_free($self); }
    int32_t release(void);
    IIP_VIEWS direct(void) { return IIP_VIEW_OF($self); }
}
#endif

/* ---- by handle ---- */
%newobject flat_conn_info;
int32_t flat_send(uint64_t conn, const void *bytes, uint32_t len);
int32_t flat_udp_send(uint64_t udp, const char *peer, const void *bytes, uint32_t len);
int64_t flat_conn_get(uint64_t conn, uint32_t option);
struct iip_conn_info *flat_conn_info(uint64_t conn);
