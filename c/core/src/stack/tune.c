#include "stack/stack.h"

struct iip_tunable {
    const char *name;
    iip_u64 min, max;
    iip_size offset;
};

/* The digits of tcp.syn_options, a bit each. */
static iip_u32 iip_tune_digits(iip_u64 order)
{
    iip_u32 digits = 0;
    for (; order; order >>= 4)
        digits |= 1U << (order & 15);
    return digits;
}

IIP_LOCAL void iip_tune_defaults(struct iip_stack *stk)
{
#define IIP_TUNE_DEFAULT(field, name, min, max, def, doc) stk->tune.field = def;
    IIP_TUNABLES(IIP_TUNE_DEFAULT)
#undef IIP_TUNE_DEFAULT
    stk->syn_digits = iip_tune_digits(stk->tune.tcp_syn_options);
}

static const struct iip_tunable iip_tunables[] = {
#define IIP_TUNE_ROW(field, name, min, max, def, doc) { name, min, max, __builtin_offsetof(struct iip_tune, field) },
    IIP_TUNABLES(IIP_TUNE_ROW)
#undef IIP_TUNE_ROW
};

enum { IIP_SYN_OPTIONS = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 8 }; /* 0: a place left empty */

static int iip_name_same(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

static const struct iip_tunable *iip_tunable_find(const char *name)
{
    iip_u32 i;
    for (i = 0; name && i < IIP_COUNT(iip_tunables); i++) {
        if (iip_name_same(iip_tunables[i].name, name))
            return &iip_tunables[i];
    }
    return 0;
}

/* Digits that name no option, and shifts between "do not offer" and "from tcp.rcvbuf". */
static int iip_tune_strange(const struct iip_tunable *t, iip_u64 value)
{
    if (t->offset == __builtin_offsetof(struct iip_tune, tcp_wscale))
        return value > 15 && value < 255;
    if (t->offset != __builtin_offsetof(struct iip_tune, tcp_syn_options))
        return 0;
    return (iip_tune_digits(value) & ~(iip_u32)IIP_SYN_OPTIONS) != 0;
}

IIP_API int iip_stack_set(struct iip_stack *stk, const char *name, iip_u64 value)
{
    const struct iip_tunable *t = iip_tunable_find(name);
    if (!t)
        return IIP_E_NOT_FOUND;
    if (value < t->min || value > t->max || iip_tune_strange(t, value))
        return IIP_E_RANGE;
    if (t->offset == __builtin_offsetof(struct iip_tune, mtu))
        return iip_stack_mtu_set(stk, (iip_u32)value);
    IIP_COPY((iip_u8 *)&stk->tune + t->offset, &value, sizeof(value));
    stk->syn_digits = iip_tune_digits(stk->tune.tcp_syn_options);
    return IIP_OK;
}

IIP_API int iip_stack_get(const struct iip_stack *stk, const char *name, iip_u64 *value)
{
    const struct iip_tunable *t = iip_tunable_find(name);
    if (!t)
        return IIP_E_NOT_FOUND;
    IIP_COPY(value, (const iip_u8 *)&stk->tune + t->offset, sizeof(*value));
    return IIP_OK;
}

IIP_API const char *iip_stack_tunable(iip_u32 i)
{
    return i < IIP_COUNT(iip_tunables) ? iip_tunables[i].name : 0;
}

IIP_API void iip_stack_pressure(struct iip_stack *stk, iip_u32 level)
{
    stk->pressure = level;
}

static const char *const iip_counter_names[IIP_CTR_COUNT] = {
#define IIP_COUNTER_NAME(name, text, doc) text,
    IIP_COUNTERS(IIP_COUNTER_NAME)
#undef IIP_COUNTER_NAME
};

IIP_API const char *iip_stack_counter_name(iip_u32 i)
{
    return i < IIP_CTR_COUNT ? iip_counter_names[i] : 0;
}

IIP_API iip_u32 iip_stack_counters(const struct iip_stack *stk, iip_u64 *out, iip_u32 cap)
{
    if (cap)
        IIP_COPY(out, stk->ctr, iip_min32(cap, IIP_CTR_COUNT) * sizeof(*out));
    return IIP_CTR_COUNT;
}
