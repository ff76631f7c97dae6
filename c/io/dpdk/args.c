/*
 * args.c - takes a port string apart: [eal=[ARGUMENTS],]DEVICE[,key=value...].
 *
 * The keys that every kind of port has (queues, frames, frame_size, ring) are ours; all others are the driver's.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dpdk.h"

/* "0000:3b:00.0" or "3b:00.0" */
static int looks_like_pci(const char *s)
{
    int colons = 0, dots = 0;

    for (; *s; s++) {
        colons += *s == ':';
        dots += *s == '.';
        if (!isxdigit((unsigned char)*s) && *s != ':' && *s != '.')
            return 0;
    }
    return colons >= 1 && colons <= 2 && dots == 1;
}

/* Cuts eal=[...] off the front; *rest is what follows. */
static int take_eal(char *text, struct dpdk_args *out, char **rest, char *err, size_t err_len)
{
    char *end;

    *rest = text;
    if (strncmp(text, "eal=", 4) != 0)
        return 0;
    end = text[4] == '[' ? strchr(text, ']') : NULL;
    if (!end)
        return dpdk_fail(IIP_E_INVAL, err, err_len,
                         "dpdk:%s: EAL arguments stand in brackets: dpdk:eal=[-m 512],DEVICE", text);
    out->eal = text + 5;
    *end++ = '\0';
    *rest = *end == ',' ? end + 1 : end;
    return 0;
}

/* ---- keys of ours among those of the driver ---------------------------------------------------------------------- */

static int key_is(const char *item, size_t len, const char *key)
{
    size_t n = strlen(key);

    return len > n && strncmp(item, key, n) == 0 && item[n] == '=';
}

static uint32_t *key_target(struct iip_port_cfg *cfg, const char *item, size_t len)
{
    return key_is(item, len, "queues")    ? &cfg->queues
        : key_is(item, len, "frames")     ? &cfg->frames
        : key_is(item, len, "frame_size") ? &cfg->frame_size
        : key_is(item, len, "ring")       ? &cfg->ring
                                          : NULL;
}

static int key_value(const char *item, uint32_t *out, char *err, size_t err_len)
{
    const char *value = strchr(item, '=') + 1;
    char *end;
    unsigned long v;

    errno = 0;
    v = strtoul(value, &end, 10);
    if (end == value || (*end && *end != ',') || *value == '-' || errno || v == 0 || v > 1U << 24)
        return dpdk_fail(IIP_E_RANGE, err, err_len, "%.*s: a number from 1 to %u is wanted", (int)strcspn(item, ","),
                         item, 1U << 24);
    *out = (uint32_t)v;
    return 0;
}

/* net_vhost and net_virtio_user have an argument "queues" of the same meaning. */
static int is_drivers_too(const char *device, const char *item, size_t len)
{
    return key_is(item, len, "queues") &&
        (strncmp(device, "net_vhost", 9) == 0 || strncmp(device, "net_virtio_user", 15) == 0);
}

int dpdk_args_cfg(struct dpdk_args *args, struct iip_port_cfg *cfg, char *err, size_t err_len)
{
    char *from = args->devargs, *to = args->devargs;

    while (*from) {
        size_t n = strcspn(from, ",");
        uint32_t *target = key_target(cfg, from, n);
        int rc = target ? key_value(from, target, err, err_len) : 0;
        int more = from[n] == ',';

        if (rc < 0)
            return rc;
        if (!target || is_drivers_too(args->device, from, n)) {
            if (to != args->devargs)
                *to++ = ',';
            memmove(to, from, n);
            to += n;
        }
        from += n + (size_t)more;
    }
    *to = '\0';
    return 0;
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

int dpdk_args_parse(const char *text, struct dpdk_args *out, char *err, size_t err_len)
{
    char *comma;
    int rc;

    memset(out, 0, sizeof(*out));
    out->text = strdup(text ? text : "");
    if (!out->text)
        return dpdk_fail(IIP_E_NOMEM, err, err_len, "dpdk: out of memory");
    rc = take_eal(out->text, out, &out->device, err, err_len);
    if (rc < 0)
        goto failed;
    comma = strchr(out->device, ',');
    out->devargs = comma ? comma + 1 : out->device + strlen(out->device);
    if (comma)
        *comma = '\0';
    if (out->device[0] == '\0') {
        rc = dpdk_fail(
            IIP_E_INVAL, err, err_len,
            "dpdk:%s: no device is named: give a PCI address (dpdk:0000:3b:00.0) or a virtual device with its "
            "arguments (dpdk:net_af_packet0,iface=veth0)",
            text ? text : "");
        goto failed;
    }
    out->is_pci = looks_like_pci(out->device);
    return 0;
failed:
    dpdk_args_free(out);
    return rc;
}

void dpdk_args_free(struct dpdk_args *args)
{
    free(args->text);
    memset(args, 0, sizeof(*args));
}

int dpdk_args_get(const char *devargs, const char *key, char *out, size_t out_len)
{
    size_t key_len = strlen(key), n;
    const char *s = devargs;

    while (*s) {
        n = strcspn(s, ",");
        if (n > key_len && s[key_len] == '=' && strncmp(s, key, key_len) == 0) {
            n -= key_len + 1;
            if (n >= out_len)
                n = out_len - 1;
            memcpy(out, s + key_len + 1, n);
            out[n] = '\0';
            return 1;
        }
        s += n;
        s += *s == ',';
    }
    return 0;
}
