/* pool_test.c - frames: alignment, exhaustion, order, and the way home from other threads. */
#include "pool.h"

#include <pthread.h>

#include "check.h"
#include "iip/status.h"

static void sizes(void)
{
    CHECK_EQ(iip_pool_frame_size(1500), 2048);
    CHECK_EQ(iip_pool_frame_size(9000), 16384);
    CHECK_EQ(iip_pool_frame_size(65535), 131072);
}

static void refuses_frames_that_hold_no_packet(void)
{
    char text[200];
    struct iip_port_err err = {text, sizeof(text)};
    uint32_t size = 0;
    CHECK_EQ(iip_pool_fit(&size, 1500, &err), IIP_OK);
    CHECK_EQ(size, 2048);
    size = 1025; /* it is rounded up */
    CHECK_EQ(iip_pool_fit(&size, 1500, &err), IIP_OK);
    size = 1024;
    CHECK_EQ(iip_pool_fit(&size, 1500, &err), IIP_E_RANGE);
    CHECK(strstr(text, "frame_size=1024: a packet of mtu=1500 does not fit; use at least 2048") != NULL);
    size = UINT32_MAX;
    CHECK_EQ(iip_pool_fit(&size, 65535, &err), IIP_OK);
}

static void refuses_bad_sizes(void)
{
    char text[200];
    struct iip_port_err err = {text, sizeof(text)};
    struct iip_pool p;
    CHECK_EQ(iip_pool_init(&p, 0, 0, 2048, &err), IIP_E_RANGE);
    CHECK(strstr(text, "frames=0") != NULL);
    CHECK_EQ(iip_pool_init(&p, 0, 1, 1u << 30, &err), IIP_E_RANGE);
    CHECK(strstr(text, "frame_size=1073741824") != NULL);
}

static void exhausts_and_recovers(void)
{
    struct iip_pool p;
    struct iip_frame *got[100];
    REQUIRE(iip_pool_init(&p, 7, 100, 16384, NULL) == IIP_OK);
    CHECK_EQ(iip_pool_left(&p), 100);
    for (int i = 0; i < 100; i++) {
        got[i] = iip_pool_get(&p);
        REQUIRE(got[i]);
        CHECK_EQ((uintptr_t)got[i]->base % 16384, 0);
        CHECK(got[i]->base >= p.base && got[i]->base + got[i]->size <= p.base + p.len);
        CHECK_EQ(got[i]->region, 7);
        CHECK_EQ(got[i]->views, 0);
        got[i]->flags = 1;
        memset(got[i]->base, i, got[i]->size);
    }
    CHECK_EQ(iip_pool_left(&p), 0);
    CHECK(!iip_pool_get(&p));
    for (int i = 0; i < 100; i++)
        CHECK(got[i]->base[0] == i && got[i]->base[16383] == i);
    for (int i = 0; i < 100; i++)
        iip_pool_put(&p, got[i]);
    CHECK_EQ(iip_pool_left(&p), 100);
    CHECK(iip_pool_get(&p) == got[99]); /* last in, first out */
    CHECK_EQ(got[99]->flags, 0);
    iip_pool_free(&p);
}

struct away {
    struct iip_pool other;
    struct iip_frame *frames[64];
};

static void *give_back(void *arg)
{
    struct away *a = arg;
    for (int i = 0; i < 64; i++)
        iip_pool_put(&a->other, a->frames[i]); /* not theirs: they go home */
    return NULL;
}

/* Two threads give frames of a third one's pool back, while it goes on using it. */
static void comes_home_from_threads(void)
{
    static struct away a[2];
    struct iip_pool p;
    pthread_t t[2];
    REQUIRE(iip_pool_init(&p, 0, 256, 2048, NULL) == IIP_OK);
    for (int i = 0; i < 2; i++) {
        REQUIRE(iip_pool_init(&a[i].other, 1, 1, 2048, NULL) == IIP_OK);
        for (int k = 0; k < 64; k++)
            a[i].frames[k] = iip_pool_get(&p);
    }
    for (int i = 0; i < 2; i++)
        pthread_create(&t[i], NULL, give_back, &a[i]);
    for (int i = 0; i < 1000; i++)
        iip_pool_put(&p, iip_pool_get(&p));
    for (int i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    uint32_t n = 0;
    while (iip_pool_get(&p))
        n++;
    CHECK_EQ(n, 256);
    for (int i = 0; i < 2; i++)
        iip_pool_free(&a[i].other);
    iip_pool_free(&p);
}

int main(void)
{
    RUN(sizes);
    RUN(refuses_frames_that_hold_no_packet);
    RUN(refuses_bad_sizes);
    RUN(exhausts_and_recovers);
    RUN(comes_home_from_threads);
    return check_done();
}
