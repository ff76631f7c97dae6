/* args.c - the arguments of a port string. */
#include "args.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "iip/status.h"

enum { IIP_NANO = 1000000000 };

void iip_args_init(struct iip_args *a, const char *kind, const char *args, struct iip_port_err *err)
{
    memset(a, 0, sizeof(*a));
    a->kind = kind;
    a->rest = args && *args ? args : NULL;
    a->err = err;
}

static void iip_args_step(struct iip_args *a, const char *end)
{
    a->rest = *end ? end + 1 : NULL;
}

int iip_args_name(struct iip_args *a, char *name, uint32_t cap)
{
    const char *end;
    size_t len;
    name[0] = 0;
    if (!a->rest)
        return IIP_OK;
    end = strchrnul(a->rest, ',');
    len = (size_t)(end - a->rest);
    if (memchr(a->rest, '=', len))
        return IIP_OK;
    if (len >= cap)
        return iip_port_fail(a->err, IIP_E_INVAL, "%s:%.*s: the name has %zu bytes; use at most %u", a->kind, (int)len,
                             a->rest, len, cap - 1);
    memcpy(name, a->rest, len);
    name[len] = 0;
    iip_args_step(a, end);
    return IIP_OK;
}

int iip_args_next(struct iip_args *a)
{
    const char *end, *eq;
    size_t key_len, value_len;
    while (a->rest && *a->rest == ',')
        a->rest++;
    if (!a->rest || !*a->rest)
        return 0;
    end = strchrnul(a->rest, ',');
    eq = memchr(a->rest, '=', (size_t)(end - a->rest));
    key_len = (size_t)((eq ? eq : end) - a->rest);
    value_len = eq ? (size_t)(end - eq - 1) : 0;
    if (!key_len || key_len >= IIP_ARGS_KEY || value_len >= IIP_ARGS_VALUE)
        return iip_port_fail(a->err, IIP_E_INVAL, "%s: '%.*s' is not key=value (key up to %d bytes, value up to %d)",
                             a->kind, (int)(end - a->rest), a->rest, IIP_ARGS_KEY - 1, IIP_ARGS_VALUE - 1);
    memcpy(a->key, a->rest, key_len);
    a->key[key_len] = 0;
    if (eq)
        memcpy(a->value, eq + 1, value_len);
    a->value[value_len] = 0;
    if (!eq)
        memcpy(a->value, "on", 3);
    iip_args_step(a, end);
    return 1;
}

int iip_args_is(const struct iip_args *a, const char *key)
{
    return strcmp(a->key, key) == 0;
}

int iip_args_unknown(struct iip_args *a, const char *known)
{
    return iip_port_fail(a->err, IIP_E_NOT_FOUND, "%s: no argument is called '%s'; there are: %s", a->kind, a->key,
                         known);
}

static int iip_args_bad(struct iip_args *a, int status, const char *right)
{
    return iip_port_fail(a->err, status, "%s: %s=%s: use %s", a->kind, a->key, a->value, right);
}

/* Reads an unsigned decimal with up to nine digits behind the point as value * 10^9; null when there is none. */
static const char *iip_args_decimal(const char *s, uint64_t *nano)
{
    const char *start = s;
    uint64_t whole = 0, part = 0, unit = IIP_NANO;
    for (; *s >= '0' && *s <= '9'; s++) {
        if (whole > UINT64_MAX / IIP_NANO / 10 - 1)
            return NULL;
        whole = whole * 10 + (uint64_t)(*s - '0');
    }
    if (*s == '.')
        for (s++; *s >= '0' && *s <= '9'; s++) {
            unit /= 10;
            part += unit * (uint64_t)(*s - '0');
        }
    if (s == start)
        return NULL;
    *nano = whole * IIP_NANO + part;
    return s;
}

struct iip_unit {
    const char *name;
    uint64_t factor;
};

/* A decimal with a unit, times the unit's factor; -1 when it is neither. */
static int iip_args_measure(const char *s, const struct iip_unit *units, uint64_t *out)
{
    uint64_t nano, whole;
    const char *end = iip_args_decimal(s, &nano);
    if (!end)
        return -1;
    for (; units->name; units++)
        if (strcasecmp(end, units->name) == 0)
            break;
    if (!units->name)
        return -1;
    whole = nano / IIP_NANO;
    if (whole && units->factor > UINT64_MAX / 2 / whole)
        return -1;
    /* The fraction is below 10^9 and no factor is above 2^30, so the product fits. */
    *out = whole * units->factor + nano % IIP_NANO * units->factor / IIP_NANO;
    return 0;
}

int iip_args_u64(struct iip_args *a, uint64_t *out)
{
    const char *s = a->value;
    uint64_t v = 0;
    if (!*s)
        return iip_args_bad(a, IIP_E_INVAL, "a whole number");
    for (; *s; s++) {
        if (*s < '0' || *s > '9' || __builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, *s - '0', &v))
            return iip_args_bad(a, IIP_E_INVAL, "a whole number below 2^64");
    }
    *out = v;
    return IIP_OK;
}

int iip_args_u32(struct iip_args *a, uint32_t min, uint32_t max, uint32_t *out)
{
    uint64_t v = 0;
    char right[64];
    snprintf(right, sizeof(right), "%u to %u", min, max);
    if (strspn(a->value, "0123456789") != strlen(a->value) || !a->value[0] || strlen(a->value) > 10)
        return iip_args_bad(a, IIP_E_INVAL, right);
    iip_args_u64(a, &v);
    if (v < min || v > max)
        return iip_args_bad(a, IIP_E_RANGE, right);
    *out = (uint32_t)v;
    return IIP_OK;
}

int iip_args_bytes(struct iip_args *a, uint64_t max, uint64_t *out)
{
    static const struct iip_unit units[] = {{"", 1}, {"b", 1}, {"k", 1024}, {"m", 1 << 20}, {"g", 1 << 30}, {NULL, 0}};
    char right[96];
    snprintf(right, sizeof(right), "bytes, as 1500, 64k, 1m; at most %llu", (unsigned long long)max);
    if (iip_args_measure(a->value, units, out))
        return iip_args_bad(a, IIP_E_INVAL, right);
    return *out > max ? iip_args_bad(a, IIP_E_RANGE, right) : IIP_OK;
}

int iip_args_time(struct iip_args *a, uint64_t max_us, uint64_t *out_us)
{
    static const struct iip_unit units[] = {{"", 1}, {"us", 1}, {"ms", 1000}, {"s", 1000000}, {NULL, 0}};
    char right[96];
    snprintf(right, sizeof(right), "a time, as 250us, 10ms, 1.5s; at most %llus", (unsigned long long)max_us / 1000000);
    if (iip_args_measure(a->value, units, out_us))
        return iip_args_bad(a, IIP_E_INVAL, right);
    return *out_us > max_us ? iip_args_bad(a, IIP_E_RANGE, right) : IIP_OK;
}

int iip_args_rate(struct iip_args *a, uint64_t *out_bits)
{
    static const struct iip_unit units[] = {{"", 1},         {"bit", 1},         {"k", 1000},
                                            {"kbit", 1000},  {"m", 1000000},     {"mbit", 1000000},
                                            {"g", IIP_NANO}, {"gbit", IIP_NANO}, {NULL, 0}};
    const char *right = "bits a second, as 9600, 56kbit, 100mbit, 10gbit; 1 to 1000gbit";
    if (iip_args_measure(a->value, units, out_bits))
        return iip_args_bad(a, IIP_E_INVAL, right);
    if (!*out_bits || *out_bits > 1000ULL * IIP_NANO)
        return iip_args_bad(a, IIP_E_RANGE, right);
    return IIP_OK;
}

int iip_args_chance(struct iip_args *a, uint32_t *out_ppb)
{
    const char *right = "a chance from 0% to 100%, or 0 to 1";
    uint64_t nano;
    const char *end = iip_args_decimal(a->value, &nano);
    if (!end || (*end && strcmp(end, "%") != 0))
        return iip_args_bad(a, IIP_E_INVAL, right);
    if (*end)
        nano /= 100;
    if (nano > IIP_NANO)
        return iip_args_bad(a, IIP_E_RANGE, right);
    *out_ppb = (uint32_t)nano;
    return IIP_OK;
}

int iip_args_switch(struct iip_args *a, int *out)
{
    static const char *const yes[] = {"on", "yes", "1", "true"}, *const no[] = {"off", "no", "0", "false"};
    for (uint32_t i = 0; i < 4; i++) {
        if (strcmp(a->value, yes[i]) == 0)
            return *out = 1, IIP_OK;
        if (strcmp(a->value, no[i]) == 0)
            return *out = 0, IIP_OK;
    }
    return iip_args_bad(a, IIP_E_INVAL, "on or off");
}

int iip_args_mac(struct iip_args *a, uint8_t out[6])
{
    const char *right = "a unicast address as 02:00:00:00:00:01";
    unsigned b[6];
    int end = 0;
    if (strlen(a->value) != 17 ||
        sscanf(a->value, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &end) != 6 || end != 17)
        return iip_args_bad(a, IIP_E_INVAL, right);
    for (int i = 0; i < 6; i++)
        out[i] = (uint8_t)b[i];
    if ((out[0] & 1) || !(out[0] | out[1] | out[2] | out[3] | out[4] | out[5]))
        return iip_args_bad(a, IIP_E_INVAL, right);
    return IIP_OK;
}

int iip_args_cfg(struct iip_args *a, struct iip_port_cfg *cfg)
{
    static const struct {
        const char *key;
        size_t at;
        uint32_t min, max;
    } keys[] = {{"queues", offsetof(struct iip_port_cfg, queues), 1, 256},
                {"frames", offsetof(struct iip_port_cfg, frames), 64, 1 << 22},
                {"frame_size", offsetof(struct iip_port_cfg, frame_size), 512, 1 << 17},
                {"ring", offsetof(struct iip_port_cfg, ring), 64, 1 << 16}};
    for (uint32_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (iip_args_is(a, keys[i].key)) {
            int status = iip_args_u32(a, keys[i].min, keys[i].max, (uint32_t *)((char *)cfg + keys[i].at));
            return status < 0 ? status : 1;
        }
    return 0;
}
