/* error.c - the last failure of this thread, in words; and whether the library is the one we were compiled for. */
#include <stdio.h>
#include <string.h>

#include "flat.h"

static _Thread_local int32_t flat_last;
static _Thread_local char flat_last_text[512];

int32_t flat_fail(int32_t status, const char *detail)
{
    flat_last = status;
    snprintf(flat_last_text, sizeof flat_last_text, "%s: %s%s%s", iip_status_name(status), iip_status_text(status),
             detail ? ": " : "", detail ? detail : "");
    return status;
}

int32_t flat_error_status(void)
{
    return flat_last;
}

const char *flat_error_text(void)
{
    return flat_last_text;
}

void flat_error_clear(void)
{
    flat_last = 0;
}

/* The fields as this module sees them, made from <iip/iip.h> by layout.py. */
static const struct iip_layout flat_layout[] = {
#include "layout_rows.inc"
};

static const char *flat_layout_differs(const struct iip_layout *row)
{
    static char why[160];
    size_t i;

    for (i = 0; i < sizeof flat_layout / sizeof flat_layout[0]; i++) {
        const struct iip_layout *ours = &flat_layout[i];
        if (strcmp(ours->type, row->type) != 0 || strcmp(ours->field ? ours->field : "", row->field ? row->field : ""))
            continue;
        if (ours->offset == row->offset && ours->size == row->size)
            return NULL;
        break;
    }
    snprintf(why, sizeof why, "libiip %s lays out %s.%s in another way than this module was compiled for",
             iip_version(), row->type, row->field ? row->field : "(size)");
    return why;
}

const char *flat_check(void)
{
    struct iip_layout row;
    const char *why;
    uint32_t i;

    if (iip_abi_require(IIP_ABI_MAJOR, IIP_ABI_MINOR) < 0)
        return "libiip is of another version than this module was compiled for";
    for (i = 0; iip_layout_get(i, &row) >= 0; i++) {
        why = flat_layout_differs(&row);
        if (why)
            return why;
    }
    return i > 0 ? NULL : "libiip tells no layout";
}
