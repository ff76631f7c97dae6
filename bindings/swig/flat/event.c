/* event.c - the bytes that an event brought: taken by copy, looked at, given back; each buffer once. */
#include <stdlib.h>
#include <string.h>

#include "flat.h"

void flat_event_unref(struct flat_event *event)
{
    if (!event || atomic_fetch_sub(&event->refs, 1) != 1)
        return;
    /* Of a closed engine it would be stale: harmless, but counted by the loop that has the number of the old one now. */
    if (atomic_exchange(&event->owns, 0) && event->engine->raw)
        iip_buf_release(event->is.buf);
    flat_engine_unref(event->engine);
    free(event);
}

/* The buffer becomes the caller's, with the engine's memory pinned. */
static int32_t flat_event_claim(struct flat_event *event)
{
    int32_t status = event ? flat_engine_pin(event->engine) : IIP_E_INVAL;
    if (status < 0)
        return status;
    if (atomic_exchange(&event->owns, 0))
        return 0;
    flat_engine_unpin(event->engine);
    return IIP_E_STALE;
}

/* Claims the buffer, and makes room for its bytes. 0: there is nothing to copy, `bytes` is the answer. */
static int flat_bytes_begin(struct flat_event *event, struct flat_bytes *bytes)
{
    *bytes = (struct flat_bytes){NULL, 0};
    if (event && !event->is.buf)
        return 0;
    bytes->len = flat_event_claim(event);
    if (bytes->len < 0)
        return 0;
    bytes->at = malloc(event->is.len ? event->is.len : 1);
    if (bytes->at)
        return 1;
    atomic_store(&event->owns, 1);
    flat_engine_unpin(event->engine);
    bytes->len = IIP_E_NOMEM;
    return 0;
}

/* `len`: bytes that were copied, or a status. */
static struct flat_bytes flat_bytes_end(struct flat_event *event, struct flat_bytes bytes, int32_t len)
{
    flat_engine_unpin(event->engine);
    bytes.len = len;
    if (len < 0) {
        free(bytes.at);
        bytes.at = NULL;
    }
    return bytes;
}

struct flat_bytes flat_event_recv(struct flat_event *event)
{
    struct flat_bytes bytes;
    if (!flat_bytes_begin(event, &bytes))
        return bytes;
    return flat_bytes_end(event, bytes, iip_buf_detach(event->is.buf, bytes.at, event->is.len));
}

struct flat_bytes flat_event_peek(struct flat_event *event)
{
    struct flat_bytes bytes;
    int32_t len;
    if (!flat_bytes_begin(event, &bytes))
        return bytes;
    len = iip_buf_spans(event->is.buf, NULL, 0); /* E_FORKED, E_STALE */
    if (len >= 0) {
        len = (int32_t)event->is.len;
        memcpy(bytes.at, (const void *)(uintptr_t)event->is.addr, event->is.len);
    }
    atomic_store(&event->owns, 1);
    return flat_bytes_end(event, bytes, len);
}

int64_t flat_event_take(struct flat_event *event)
{
    int32_t status = flat_event_claim(event);
    if (status < 0)
        return status;
    flat_engine_unpin(event->engine);
    return (int64_t)event->is.buf;
}

int32_t flat_event_release(struct flat_event *event)
{
    int32_t status = flat_event_claim(event);
    if (status < 0)
        return status;
    status = iip_buf_release(event->is.buf);
    flat_engine_unpin(event->engine);
    return status;
}

char *flat_addr_text(const struct iip_addr *addr)
{
    char text[64];
    return iip_addr_format(addr, text, sizeof text) < 0 ? NULL : strdup(text);
}

char *flat_event_local_addr(struct flat_event *event)
{
    return event && event->is.aux ? flat_addr_text(&event->ends.local) : NULL;
}

char *flat_event_peer_addr(struct flat_event *event)
{
    return event && event->is.aux ? flat_addr_text(&event->ends.peer) : NULL;
}

/* ---- views ---- */

struct flat_view *flat_event_view(struct flat_event *event)
{
    struct flat_view *view = calloc(1, sizeof *view);
    struct iip_engine_info info = {.size = sizeof info};
    int32_t status = view ? flat_event_claim(event) : IIP_E_NOMEM;
    if (status >= 0 && (status = iip_engine_info_get(event->engine->raw, &info)) < 0)
        flat_engine_unpin(event->engine); /* a forked child: the memory is the parent's */
    if (status < 0) {
        flat_fail(status, NULL);
        free(view);
        return NULL;
    }
    view->engine = event->engine;
    view->buf = event->is.buf;
    view->addr = event->is.addr;
    view->len = event->is.len;
    atomic_fetch_add(&view->engine->refs, 1);
    atomic_fetch_add(&view->engine->views, 1);
    return view; /* pinned until it is freed */
}

int32_t flat_view_release(struct flat_view *view)
{
    int32_t status;
    if (!view || atomic_exchange(&view->released, 1))
        return IIP_E_STALE;
    status = iip_buf_release(view->buf);
    atomic_fetch_sub(&view->engine->views, 1);
    return status;
}

void flat_view_free(struct flat_view *view)
{
    if (!view)
        return;
    flat_view_release(view);
    flat_engine_unpin(view->engine);
    flat_engine_unref(view->engine);
    free(view);
}
