/* region.c - memory that is registered for sending without a copy: it is ours, so no collector moves or frees it. */
#include <stdlib.h>
#include <string.h>

#include "flat.h"

struct flat_region {
    struct flat_region *next;
    uint64_t handle;
    uint32_t len;
    char bytes[];
};

int64_t flat_engine_region(struct flat_engine *engine, const void *bytes, uint32_t len)
{
    struct flat_region *region = len ? malloc(sizeof *region + len) : NULL;
    int32_t status = region ? flat_engine_pin(engine) : len ? IIP_E_NOMEM : IIP_E_INVAL;
    int64_t handle = status;
    if (status >= 0) {
        memcpy(region->bytes, bytes, len);
        region->len = len;
        region->handle = 0;
        pthread_mutex_lock(&engine->lock);
        status = iip_region_add(engine->raw, region->bytes, len, &region->handle);
        if (status >= 0) {
            handle = (int64_t)region->handle;
            region->next = engine->regions;
            engine->regions = region;
        }
        pthread_mutex_unlock(&engine->lock);
        flat_engine_unpin(engine);
    }
    if (status >= 0)
        return handle;
    free(region);
    return status;
}

/* The link that leads to it; the link at the end when there is none. */
static struct flat_region **flat_region_find(struct flat_engine *engine, uint64_t handle)
{
    struct flat_region **at = &engine->regions;
    while (*at && (*at)->handle != handle)
        at = &(*at)->next;
    return at;
}

int32_t flat_engine_region_write(struct flat_engine *engine, uint64_t handle, uint32_t offset, const void *bytes,
                                 uint32_t len)
{
    struct flat_region *region;
    int32_t status = flat_engine_pin(engine);
    if (status < 0)
        return status;
    pthread_mutex_lock(&engine->lock);
    region = *flat_region_find(engine, handle);
    if (!region)
        status = IIP_E_STALE;
    else if (offset > region->len || len > region->len - offset)
        status = flat_fail(IIP_E_RANGE, "the region ends before that");
    else
        memcpy(region->bytes + offset, bytes, len);
    pthread_mutex_unlock(&engine->lock);
    flat_engine_unpin(engine);
    return status;
}

int32_t flat_engine_region_remove(struct flat_engine *engine, uint64_t handle)
{
    struct flat_region **at, *region;
    int32_t status = flat_engine_pin(engine);
    if (status < 0)
        return status;
    pthread_mutex_lock(&engine->lock);
    at = flat_region_find(engine, handle);
    region = *at;
    status = region ? iip_region_remove(handle) : IIP_E_STALE;
    if (status >= 0)
        *at = region->next;
    pthread_mutex_unlock(&engine->lock);
    if (status >= 0)
        free(region);
    flat_engine_unpin(engine);
    return status;
}

void flat_regions_free(struct flat_engine *engine)
{
    struct flat_region *region, *next;
    for (region = engine->regions; region; region = next) {
        next = region->next;
        free(region);
    }
    engine->regions = NULL;
}
