/* http_file.c - what a path names: a file below the root, a directory's index or list, or bytes that are computed. */
#define _GNU_SOURCE
#include "http.h"
#include "pattern.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { HTTP_LIST_MAX = 4 << 20 };

const char *http_type(const char *path)
{
    static const char *const types[][2] = {
        {".html", "text/html; charset=utf-8"}, {".htm", "text/html; charset=utf-8"}, {".css", "text/css"},
        {".js", "text/javascript"}, {".json", "application/json"}, {".txt", "text/plain; charset=utf-8"},
        {".md", "text/plain; charset=utf-8"}, {".c", "text/plain; charset=utf-8"}, {".h", "text/plain; charset=utf-8"},
        {".svg", "image/svg+xml"}, {".png", "image/png"}, {".jpg", "image/jpeg"}, {".jpeg", "image/jpeg"},
        {".gif", "image/gif"}, {".webp", "image/webp"}, {".ico", "image/x-icon"}, {".pdf", "application/pdf"},
        {".xml", "application/xml"}, {".wasm", "application/wasm"}, {".mp4", "video/mp4"}, {".gz", "application/gzip"}};
    const char *dot = strrchr(path, '.');
    size_t i;
    for (i = 0; dot && i < sizeof types / sizeof *types; i++) {
        if (strcasecmp(dot, types[i][0]) == 0)
            return types[i][1];
    }
    return "application/octet-stream";
}

/* ---- bodies ---------------------------------------------------------------------------------------------------- */

int http_body_text(struct http_body *body, const char *type, const char *text)
{
    memset(body, 0, sizeof *body);
    body->memory = strdup(text);
    if (!body->memory)
        return -1;
    body->kind = HTTP_MEMORY;
    body->end = strlen(text);
    body->type = type;
    return 0;
}

/* Memory stays flat whatever the size of the file: only what fits the buffer is read, straight into it. */
int32_t http_body_read(struct http_body *body, uint8_t *to, uint32_t n)
{
    ssize_t got;
    if (n > body->end - body->at)
        n = (uint32_t)(body->end - body->at);
    got = (ssize_t)n;
    if (body->kind == HTTP_MEMORY)
        memcpy(to, body->memory + body->at, n);
    else if (body->kind == HTTP_PATTERN)
        pattern_fill(to, body->at, n);
    else if (body->kind == HTTP_FILE && n)
        got = pread(body->fd, to, n, (off_t)body->at);
    if (got < 0 || (n && !got))
        return -1;
    body->at += (uint64_t)got;
    return (int32_t)got;
}

void http_body_end(struct http_body *body)
{
    if (body->kind == HTTP_FILE)
        close(body->fd);
    free(body->memory);
    memset(body, 0, sizeof *body);
}

/* ---- directories ----------------------------------------------------------------------------------------------- */

static void escape_html(FILE *f, const char *s)
{
    for (; *s; s++) {
        if (*s == '<' || *s == '>' || *s == '&' || *s == '"')
            fprintf(f, "&#%d;", *s);
        else
            fputc((unsigned char)*s < ' ' ? '?' : *s, f);
    }
}

static void escape_url(FILE *f, const char *s)
{
    fputs("./", f); /* "a:b" is a name, not a scheme */
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || strchr("-._~", c))
            fputc(c, f);
        else
            fprintf(f, "%%%02X", c);
    }
}

static void list_entry(FILE *f, int dir_fd, const char *name)
{
    struct stat st;
    int is_dir;
    if (name[0] == '.' || fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return;
    is_dir = S_ISDIR(st.st_mode);
    fputs("<tr><td><a href=\"", f);
    escape_url(f, name);
    fputs(is_dir ? "/\">" : "\">", f);
    escape_html(f, name);
    fprintf(f, is_dir ? "/</a></td></tr>\n" : "</a></td><td>%llu</td></tr>\n", (unsigned long long)st.st_size);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int list(int fd, const char *path, struct http_body *body)
{
    struct dirent **names = NULL;
    size_t size = 0;
    int n = scandirat(fd, ".", &names, NULL, by_name);
    FILE *f = n < 0 ? NULL : open_memstream(&body->memory, &size);
    int i;
    if (f) {
        fputs("<!doctype html><title>", f);
        escape_html(f, path);
        fputs("</title><table>\n", f);
        for (i = 0; i < n && ftell(f) < HTTP_LIST_MAX; i++)
            list_entry(f, fd, names[i]->d_name);
        fputs("</table>\n", f);
        fclose(f);
        body->kind = HTTP_MEMORY;
        body->end = size;
        body->type = "text/html; charset=utf-8";
    }
    for (i = 0; i < n; i++)
        free(names[i]);
    free(names);
    return f && body->memory ? 200 : 404;
}

/* ---- files ----------------------------------------------------------------------------------------------------- */

/* For kernels without openat2: step by step, and through no symbolic link at all. */
static int open_by_steps(int root_fd, const char *path)
{
    char step[256];
    int fd = dup(root_fd);
    while (fd >= 0 && *path) {
        size_t n = strcspn(path, "/");
        int next;
        if (n >= sizeof step)
            n = sizeof step - 1;
        memcpy(step, path, n);
        step[n] = 0;
        next = openat(fd, n ? step : ".", O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
        close(fd);
        fd = next;
        path += n + (path[n] == '/');
    }
    return fd;
}

/* The kernel itself sees to it that no symbolic link, however it changes meanwhile, leads out of the root. */
static int open_below(int root_fd, const char *path)
{
    struct open_how how;
    int fd;
    while (*path == '/')
        path++;
    if (!*path)
        path = ".";
    memset(&how, 0, sizeof how);
    how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK; /* a FIFO must not stop the loop */
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof how);
    return fd < 0 && (errno == ENOSYS || errno == EPERM) ? open_by_steps(root_fd, path) : fd;
}

static int take_file(struct http_body *body, int fd, const struct stat *st, const char *name)
{
    body->kind = HTTP_FILE;
    body->fd = fd;
    body->end = (uint64_t)st->st_size;
    body->type = http_type(name);
    return 200;
}

static int find_directory(int fd, const char *path, struct http_body *body)
{
    struct stat st;
    int index;
    int status;
    if (path[strlen(path) - 1] != '/') { /* the links of its list would lead astray */
        close(fd);
        return 301;
    }
    index = open_below(fd, "index.html");
    if (index >= 0 && fstat(index, &st) == 0 && S_ISREG(st.st_mode)) {
        close(fd);
        return take_file(body, index, &st, "index.html");
    }
    if (index >= 0)
        close(index);
    status = list(fd, path, body);
    close(fd);
    return status;
}

static int find_file(const struct http_site *site, const char *path, struct http_body *body)
{
    struct stat st;
    int fd = open_below(site->root_fd, path);
    if (fd >= 0 && fstat(fd, &st) == 0) {
        if (S_ISDIR(st.st_mode))
            return find_directory(fd, path, body);
        if (S_ISREG(st.st_mode) && path[strlen(path) - 1] != '/')
            return take_file(body, fd, &st, path);
    }
    if (fd >= 0)
        close(fd);
    return 404;
}

/* /bytes/N: N bytes of pattern.h. */
static int find_bytes(const char *number, struct http_body *body)
{
    char *end;
    errno = 0;
    body->end = strtoull(number, &end, 10);
    if (errno || *end || *number < '0' || *number > '9' || body->end >> 50)
        return 404;
    body->kind = HTTP_PATTERN;
    body->type = "application/octet-stream";
    return 200;
}

int http_find(const struct http_site *site, const char *path, struct http_body *body)
{
    static const char welcome[] = "<!doctype html><title>iip</title><h1>It works</h1>\n"
                                  "<p>This page was sent by a TCP/IP stack in user space.\n"
                                  "<p><a href=\"/bytes/1000\">/bytes/1000</a> is 1000 bytes that can be verified; "
                                  "a PUT to /sink is answered with its SHA-256.\n";
    memset(body, 0, sizeof *body);
    if (strncmp(path, "/bytes/", 7) == 0)
        return find_bytes(path + 7, body);
    if (site->root)
        return find_file(site, path, body);
    if (strcmp(path, "/") != 0)
        return 404;
    return http_body_text(body, "text/html; charset=utf-8", welcome) < 0 ? 404 : 200;
}
