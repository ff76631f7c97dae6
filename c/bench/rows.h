/* rows.h - the rows of "the stack alone", and what they share. */
#ifndef BENCH_ROWS_H
#define BENCH_ROWS_H

#include "pair.h"

void row_pingpong(const struct bench_args *args);
void row_bulk(const struct bench_args *args);
void row_queue(const struct bench_args *args);
void row_churn(const struct bench_args *args);
void row_mem_idle(const struct bench_args *args);
void row_mem_time_wait(const struct bench_args *args);
void row_mem_half_open(const struct bench_args *args);
void row_csum(const struct bench_args *args);

/* The server listens, on its address and port. */
struct iip_tcp_listener *rows_listen(struct pair *pair);
/* The client opens one connection from address i, with `user` as its cookie. */
struct iip_tcp_conn *rows_connect(struct pair *pair, uint32_t i, void *user);
/* Opens n connections, a burst at a time, and waits until both sides know of each. Cookies of the client's side are
   the addresses of users[0] .. users[n - 1]; null: none. */
void rows_establish(struct pair *pair, uint32_t n, struct iip_tcp_conn **users);

#endif
