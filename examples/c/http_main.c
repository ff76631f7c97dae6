/* http_main.c - iip_http: the command line. */
#include "http.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static void open_root(const struct ex_config *cfg, struct http_site *site)
{
    if (!site->root)
        return;
    site->root_fd = open(site->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (site->root_fd < 0)
        ex_usage(cfg, "root", site->root, strerror(errno));
}

int main(int argc, char **argv)
{
    struct http_site site = {.body_max = 1ull << 40, .head_s = 10, .body_s = 20, .idle_s = 60};
    struct ex_config cfg = {.program = "iip_http", .about = "an HTTP/1.1 server", .listen = 80};
    struct ex_run run = {.cfg = &cfg, .worker = http_loop, .user = &site, .count_names = http_counts};
    uint64_t requests = 1000;
    int self_test = 0;
    const struct ex_option own[] = {
        {EX_TEXT, "root", "DIR", &site.root, "directory to serve (default: a built-in page, and /bytes/N)", 0, 0, 0, 0},
        {EX_NUMBER, "body-max", "BYTES", &site.body_max, "longest body of a PUT to /sink", 0, 1ull << 60, 0, 0},
        {EX_SECONDS, "head-timeout", "S", &site.head_s, "for the head of a request (10)", 0, 0, 0, 0},
        {EX_SECONDS, "body-timeout", "S", &site.body_s, "for 16 KiB of a body, either way (20)", 0, 0, 0, 0},
        {EX_SECONDS, "idle-timeout", "S", &site.idle_s, "between requests (60)", 0, 0, 0, 0},
        {EX_FLAG, "self-test", NULL, &self_test, "serve a client in this process, on pair: or sim:", 0, 0, 0, 0},
        {EX_NUMBER, "requests", "N", &requests, "how many the self-test makes (1000)", 1, 1000000000, 0, 0},
        {EX_END, 0, 0, 0, 0, 0, 0, 0, 0}};
    cfg.port = NULL;
    ex_options(&cfg, own, argc, argv);
    open_root(&cfg, &site);
    return self_test ? http_self_test(&cfg, &site, requests) : ex_main(&run);
}
