/* row_pingpong.c - requests of one byte, replies of one byte, beside connections that say nothing. */
#include "rows.h"

#include <stdlib.h>

/* What the client knows of a connection: its next request. The reply must be that plus one. */
struct talk {
    struct iip_tcp_conn *conn;
    iip_u8 request;
};

/* One byte by the call that copies nothing: it is written where it will be sent from. */
static inline void talk_say(struct pair_end *end, struct iip_tcp_conn *conn, iip_u8 byte)
{
    struct iip_pkt *pkt = pair_pkt(end);
    pkt->data[0] = byte;
    pkt->len = pkt->total = 1;
    if (iip_tcp_send(end->stk, conn, pkt) != 1)
        bench_fail("a byte was refused");
}

static void talk_ask(struct pair_end *end, struct talk *talk)
{
    talk->request = (iip_u8)(talk->request * 5 + 3);
    talk_say(end, talk->conn, talk->request);
}

static inline iip_u8 talk_byte(struct pair_end *end, const struct iip_note *note)
{
    iip_u8 byte;
    if (note->type != IIP_NOTE_DATA || note->bytes != 1)
        bench_fail("note %u, %u bytes, status %d instead of one byte", note->type, note->bytes, note->status);
    byte = note->pkt->data[0];
    pair_used(end, note);
    return byte;
}

static void talk_server(struct pair *pair)
{
    struct pair_end *end = &pair->server;
    uint32_t i, n;
    pair_in(pair, end);
    do {
        n = pair_notes(end);
        for (i = 0; i < n; i++) {
            iip_u8 byte = talk_byte(end, &end->notes[i]);
            talk_say(end, end->notes[i].conn, (iip_u8)(byte + 1));
        }
    } while (n == PAIR_NOTES);
    pair_out(pair, end);
}

static uint32_t talk_client(struct pair *pair)
{
    struct pair_end *end = &pair->client;
    uint32_t replies = 0;
    uint32_t i, n;
    pair_in(pair, end);
    do {
        n = pair_notes(end);
        for (i = 0; i < n; i++) {
            struct talk *talk = end->notes[i].user;
            if (talk_byte(end, &end->notes[i]) != (iip_u8)(talk->request + 1))
                bench_fail("a wrong reply");
            talk_ask(end, talk);
        }
        replies += n;
    } while (n == PAIR_NOTES);
    pair_out(pair, end);
    return replies;
}

static uint64_t talk_for(struct pair *pair, uint64_t units)
{
    uint64_t done = 0;
    uint64_t turns;
    for (turns = 0; done < units; turns++) {
        pair_tick(pair, PAIR_HOP_US);
        talk_server(pair);
        pair_tick(pair, PAIR_HOP_US);
        done += talk_client(pair);
        if (turns > units + 1000)
            bench_fail("%llu of %llu replies came", (unsigned long long)done, (unsigned long long)units);
    }
    return done;
}

void row_pingpong(const struct bench_args *args)
{
    static struct pair pair;
    struct iip_tcp_conn **conns = calloc(args->conns, sizeof *conns);
    struct talk *talks = calloc(args->conns, sizeof *talks);
    uint64_t units = args->units ? args->units : 3200;
    uint32_t i;
    if (!conns || !talks)
        bench_fail("no memory");
    pair_open(&pair, args);
    rows_listen(&pair);
    rows_establish(&pair, args->idle, 0);
    rows_establish(&pair, args->conns, conns);
    for (i = 0; i < args->conns; i++) {
        talks[i].conn = conns[i];
        talks[i].request = (iip_u8)i;
        iip_tcp_user_set(conns[i], &talks[i]);
        talk_ask(&pair.client, &talks[i]);
    }
    pair_out(&pair, &pair.client);
    talk_for(&pair, 20 * args->conns);
    for (i = 0; i < args->reps; i++) {
        uint64_t done;
        bench_start();
        done = talk_for(&pair, units);
        bench_stop((double)done);
    }
    pair_close(&pair);
}
