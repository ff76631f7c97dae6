/* file.c - capture files: reading, checking, writing. */
#include "file.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "../wire.h"
#include "iip/status.h"

enum { IIP_PCAP_HEAD = 24, IIP_PCAP_RECORD = 16 };
enum {
    IIP_LINK_ETHERNET = 1,
    IIP_LINK_RAW_BSD = 12,
    IIP_LINK_RAW_OPENBSD = 14,
    IIP_LINK_RAW = 101,
    IIP_LINK_IPV4 = 228,
    IIP_LINK_IPV6 = 229
};

static uint32_t iip_pcap_u32(const struct iip_pcap_reader *r, const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return r->swapped ? __builtin_bswap32(v) : v;
}

static int iip_pcap_magic(struct iip_pcap_reader *r, const uint8_t *p)
{
    uint32_t magic;
    memcpy(&magic, p, 4);
    r->swapped = magic == 0xd4c3b2a1 || magic == 0x4d3cb2a1;
    if (r->swapped)
        magic = __builtin_bswap32(magic);
    r->nano = magic == 0xa1b23c4d;
    return magic == 0xa1b2c3d4 || r->nano;
}

static int iip_pcap_head(struct iip_pcap_reader *r, const char *path, struct iip_port_err *err)
{
    uint8_t head[IIP_PCAP_HEAD];
    size_t got = fread(head, 1, sizeof(head), r->file);
    uint32_t link;
    if (got >= 4 && memcmp(head, "\x0a\x0d\x0d\x0a", 4) == 0)
        return iip_port_fail(err, IIP_E_INVAL,
                             "pcap:%s: this is pcapng; convert it with: tcpdump -r %s -w new.pcap, or "
                             "editcap -F pcap %s new.pcap",
                             path, path, path);
    if (got < 4 || !iip_pcap_magic(r, head))
        return iip_port_fail(err, IIP_E_INVAL,
                             "pcap:%s: this is no capture file: it does not begin with a pcap magic number", path);
    if (got < sizeof(head))
        return iip_port_fail(err, IIP_E_INVAL, "pcap:%s: the file header is cut short: %zu of %d bytes", path, got,
                             IIP_PCAP_HEAD);
    link = iip_pcap_u32(r, head + 20) & 0xffff;
    r->l3 = link == IIP_LINK_RAW_BSD || link == IIP_LINK_RAW_OPENBSD || link == IIP_LINK_RAW || link == IIP_LINK_IPV4 ||
        link == IIP_LINK_IPV6;
    if (!r->l3 && link != IIP_LINK_ETHERNET)
        return iip_port_fail(err, IIP_E_NOT_SUPPORTED,
                             "pcap:%s: link type %u; use a capture of an Ethernet (1) or raw IP (101) "
                             "interface",
                             path, link);
    return IIP_OK;
}

/* Walks all records by their lengths. */
static int iip_pcap_check(struct iip_pcap_reader *r, const char *path, struct iip_port_err *err)
{
    uint8_t head[IIP_PCAP_RECORD];
    struct stat st;
    uint64_t at = IIP_PCAP_HEAD, end;
    uint32_t len;
    if (fstat(fileno(r->file), &st) || !S_ISREG(st.st_mode))
        return iip_port_fail(err, IIP_E_INVAL, "pcap:%s: this is no regular file; save the capture to one first", path);
    end = (uint64_t)st.st_size;
    for (; at < end; at += IIP_PCAP_RECORD + len, r->packets++) {
        if (end - at < IIP_PCAP_RECORD || fread(head, 1, sizeof(head), r->file) != sizeof(head))
            return iip_port_fail(err, IIP_E_INVAL,
                                 "pcap:%s: packet %llu at byte %llu is cut short in its header; cut the file there",
                                 path, (unsigned long long)r->packets + 1, (unsigned long long)at);
        len = iip_pcap_u32(r, head + 8);
        if (len > IIP_PCAP_MAX)
            return iip_port_fail(err, IIP_E_INVAL,
                                 "pcap:%s: packet %llu at byte %llu says %u bytes, more than %d; the file is "
                                 "damaged there",
                                 path, (unsigned long long)r->packets + 1, (unsigned long long)at, len, IIP_PCAP_MAX);
        if (end - at - IIP_PCAP_RECORD < len || fseeko(r->file, (off_t)len, SEEK_CUR))
            return iip_port_fail(err, IIP_E_INVAL,
                                 "pcap:%s: packet %llu at byte %llu is cut short: it has %llu of %u bytes; cut "
                                 "the file there",
                                 path, (unsigned long long)r->packets + 1, (unsigned long long)at,
                                 (unsigned long long)(end - at - IIP_PCAP_RECORD), len);
    }
    return fseeko(r->file, IIP_PCAP_HEAD, SEEK_SET) ? IIP_E_IO : IIP_OK;
}

static int iip_pcap_errno(const char *path, struct iip_port_err *err)
{
    int status = errno == ENOENT ? IIP_E_NOT_FOUND : errno == EACCES || errno == EPERM ? IIP_E_ACCESS : IIP_E_IO;
    return iip_port_fail(err, status, "pcap: %s: %s; name a file in a directory that you may use", path,
                         strerror(errno));
}

int iip_pcap_open(struct iip_pcap_reader *r, const char *path, struct iip_port_err *err)
{
    int status;
    memset(r, 0, sizeof(*r));
    r->file = fopen(path, "rbe");
    if (!r->file)
        return iip_pcap_errno(path, err);
    status = iip_pcap_head(r, path, err);
    if (status >= 0)
        status = iip_pcap_check(r, path, err);
    if (status < 0)
        iip_pcap_close(r);
    return status;
}

int iip_pcap_read(struct iip_pcap_reader *r, struct iip_pcap_record *rec, uint8_t *to)
{
    uint8_t head[IIP_PCAP_RECORD];
    if (fread(head, 1, sizeof(head), r->file) != sizeof(head))
        return 0;
    rec->time_us = (uint64_t)iip_pcap_u32(r, head) * 1000000 + iip_pcap_u32(r, head + 4) / (r->nano ? 1000 : 1);
    rec->len = iip_pcap_u32(r, head + 8);
    /* The file was checked when it was opened, but it may have been changed since. */
    return rec->len <= IIP_PCAP_MAX && fread(to, 1, rec->len, r->file) == rec->len;
}

void iip_pcap_close(struct iip_pcap_reader *r)
{
    if (r->file)
        fclose(r->file);
    r->file = NULL;
}

/* ---- writing ---- */

uint64_t iip_pcap_wall_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static uint32_t iip_pcap_put(uint8_t *to, uint32_t at, uint32_t v)
{
    memcpy(to + at, &v, 4); /* in our own byte order: the magic number says which */
    return at + 4;
}

int iip_pcap_create(struct iip_pcap_writer *w, const char *path, int l3, struct iip_port_err *err)
{
    uint8_t head[IIP_PCAP_HEAD];
    uint16_t version[2] = {2, 4};
    memset(w, 0, sizeof(*w));
    w->file = fopen(path, "wbe");
    if (!w->file)
        return iip_pcap_errno(path, err);
    pthread_mutex_init(&w->lock, NULL);
    memset(head, 0, sizeof(head));
    iip_pcap_put(head, 0, 0xa1b2c3d4);
    memcpy(head + 4, version, 4);
    iip_pcap_put(head, 16, IIP_PCAP_MAX);
    iip_pcap_put(head, 20, l3 ? IIP_LINK_RAW : IIP_LINK_ETHERNET);
    iip_pcap_write(w, head, sizeof(head));
    if (!w->failed && fflush(w->file) == 0)
        return IIP_OK;
    iip_pcap_errno(path, err);
    iip_pcap_finish(w);
    return IIP_E_IO;
}

uint32_t iip_pcap_format(uint8_t *to, uint64_t time_us, uint32_t len)
{
    uint32_t at = iip_pcap_put(to, 0, (uint32_t)(time_us / 1000000));
    at = iip_pcap_put(to, at, (uint32_t)(time_us % 1000000));
    at = iip_pcap_put(to, at, len);
    return iip_pcap_put(to, at, len);
}

void iip_pcap_write(struct iip_pcap_writer *w, const uint8_t *records, size_t len)
{
    pthread_mutex_lock(&w->lock);
    if (!w->failed && fwrite(records, 1, len, w->file) != len)
        w->failed = 1;
    w->dirty = 1;
    pthread_mutex_unlock(&w->lock);
}

void iip_pcap_flush(struct iip_pcap_writer *w)
{
    pthread_mutex_lock(&w->lock);
    if (w->dirty && fflush(w->file))
        w->failed = 1;
    w->dirty = 0;
    pthread_mutex_unlock(&w->lock);
}

void iip_pcap_finish(struct iip_pcap_writer *w)
{
    if (!w->file)
        return;
    fclose(w->file);
    w->file = NULL;
    pthread_mutex_destroy(&w->lock);
}

uint32_t iip_pcap_packet(uint8_t *to, const struct iip_pkt *pkt, uint64_t time_us, int l3)
{
    const uint32_t undone = IIP_PKT_IP_CSUM | IIP_PKT_L4_CSUM | IIP_PKT_TSO | IIP_PKT_IP_CSUM_OK | IIP_PKT_L4_CSUM_OK;
    uint32_t len = iip_wire_copy(to + IIP_PCAP_RECORD, IIP_PCAP_MAX, pkt);
    iip_pcap_format(to, time_us, len);
    if (pkt->flags & undone)
        iip_wire_csum_fill(to + IIP_PCAP_RECORD, len, l3);
    return IIP_PCAP_RECORD + len;
}
