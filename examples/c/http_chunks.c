/* http_chunks.c - chunked bodies, as strictly as heads: where one ends must not be a matter of taste. [RFC 9112 7.1] */
#include "http_parser.h"

enum { SIZE, SIZE_SPACE, EXTENSION, SIZE_LF, DATA, DATA_CR, DATA_LF };
enum { TRAILER = DATA_LF + 1, TRAILER_NAME, TRAILER_VALUE, TRAILER_LF, LAST_LF };
enum { CHUNK_EXTRA_MAX = 8192 };

static int is_control(char c)
{
    return ((unsigned char)c < ' ' && c != '\t') || c == 127;
}

/* Behind the size: its end, or an extension, which may have blanks before it. */
static uint8_t size_end(char ch)
{
    if (ch == '\r')
        return SIZE_LF;
    if (ch == ';')
        return EXTENSION;
    return ch == ' ' || ch == '\t' ? SIZE_SPACE : HTTP_CHUNKS_BAD;
}

static uint8_t size_digit(struct http_chunks *c, char ch)
{
    int digit = http_hex(ch);
    if (digit < 0)
        return c->digits ? size_end(ch) : HTTP_CHUNKS_BAD;
    if (++c->digits > 15)
        return HTTP_CHUNKS_BAD;
    c->left = c->left * 16 + (uint64_t)digit;
    return SIZE;
}

/* What is skipped up to the end of its line. */
static uint8_t skipped(char ch, uint8_t same, uint8_t next)
{
    if (ch == '\r')
        return next;
    return is_control(ch) ? HTTP_CHUNKS_BAD : same;
}

static uint8_t trailer_name(const struct http_chunks *c, char ch)
{
    if (http_is_token(ch))
        return TRAILER_NAME;
    return ch == ':' && c->state == TRAILER_NAME ? TRAILER_VALUE : HTTP_CHUNKS_BAD;
}

static uint8_t chunk_step(struct http_chunks *c, char ch)
{
    switch (c->state) {
    case SIZE:
        return size_digit(c, ch);
    case SIZE_SPACE:
        return size_end(ch);
    case EXTENSION:
        return skipped(ch, EXTENSION, SIZE_LF);
    case SIZE_LF:
        c->digits = 0;
        return ch != '\n' ? HTTP_CHUNKS_BAD : c->left ? DATA : TRAILER;
    case DATA_CR:
        return ch == '\r' ? DATA_LF : HTTP_CHUNKS_BAD;
    case DATA_LF:
        return ch == '\n' ? SIZE : HTTP_CHUNKS_BAD;
    case TRAILER:
        return ch == '\r' ? LAST_LF : trailer_name(c, ch);
    case TRAILER_NAME:
        return trailer_name(c, ch);
    case TRAILER_VALUE:
        return skipped(ch, TRAILER_VALUE, TRAILER_LF);
    case TRAILER_LF:
        return ch == '\n' ? TRAILER : HTTP_CHUNKS_BAD;
    default:
        return ch == '\n' ? HTTP_CHUNKS_DONE : HTTP_CHUNKS_BAD;
    }
}

static int is_extra(uint8_t state)
{
    return state == SIZE_SPACE || state == EXTENSION || (state >= TRAILER && state <= TRAILER_LF);
}

uint32_t http_chunks_read(struct http_chunks *c, const char *p, uint32_t n, struct http_text *data)
{
    uint32_t i;
    data->n = 0;
    data->p = p;
    for (i = 0; i < n && c->state < HTTP_CHUNKS_DONE; i++) {
        if (c->state == DATA) {
            data->p = p + i;
            data->n = c->left < n - i ? (uint32_t)c->left : n - i;
            c->left -= data->n;
            if (!c->left)
                c->state = DATA_CR;
            return i + data->n;
        }
        if (is_extra(c->state) && ++c->extra > CHUNK_EXTRA_MAX)
            c->state = HTTP_CHUNKS_BAD;
        else
            c->state = chunk_step(c, p[i]);
    }
    return i;
}
