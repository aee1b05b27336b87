/*
 * wire: one head and what its framing says of a body.
 */
#include "wire.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static struct slice take_line(struct slice *in)
{
    const char *end = in->len > 0 ? memmem(in->at, in->len, "\r\n", 2) : NULL;
    struct slice line = slice_of(in->at, end != NULL ? (size_t)(end - in->at) : 0);

    *in = slice_skip(*in, end != NULL ? line.len + 2 : in->len);
    return line;
}

static bool is_plain(struct slice line)
{
    for (size_t i = 0; i < line.len; i++)
        if (((unsigned char)line.at[i] < 0x20 && line.at[i] != '\t') || line.at[i] == 0x7f)
            return false;
    return true;
}

/* Looks through the lines of *head, which moves behind the one of that name. */
static bool next_field(struct slice *head, const char *name, struct slice *value)
{
    size_t len = strlen(name);
    struct slice line;

    while ((line = take_line(head)).len > 0)
        if (line.len > len && strncasecmp(line.at, name, len) == 0 && line.at[len] == ':') {
            *value = slice_trim(slice_skip(line, len + 1));
            return true;
        }
    return false;
}

static struct slice fields_of(const struct message *m)
{
    struct slice head = m->head;
    (void)take_line(&head);
    return head;
}

struct slice wire_field(const struct message *m, const char *name)
{
    struct slice fields = fields_of(m);
    struct slice value = slice_of(NULL, 0);

    (void)next_field(&fields, name, &value);
    return value;
}

size_t wire_field_count(const struct message *m, const char *name)
{
    struct slice fields = fields_of(m), value;
    size_t count = 0;

    while (next_field(&fields, name, &value))
        count++;
    return count;
}

static const char *check_head(const struct message *m)
{
    struct slice head = m->head;
    struct slice line = take_line(&head);

    if (!is_plain(line))
        return "a control byte in a first line";
    while ((line = take_line(&head)).len > 0) {
        size_t colon = slice_find(line, ':');
        if (colon == line.len || !slice_is_token(slice_of(line.at, colon)) || !is_plain(line))
            return "a line that is no field";
    }
    return head.len == 0 ? NULL : "an empty line inside a head";
}

unsigned wire_status(const struct message *m)
{
    if (m->line.len < 12 || !slice_starts(m->line, SLICE("HTTP/1.")) || m->line.at[8] != ' ')
        return 0;
    return (unsigned)strtoul(m->line.at + 9, NULL, 10);
}

static void read_length(struct wire *w, struct message *m, uint64_t length)
{
    size_t n = w->in.len < length ? w->in.len : (size_t)length;

    m->framed = length > 0;
    m->whole = n == length;
    m->body = slice_of(w->in.at, n);
    w->in = slice_skip(w->in, n);
}

enum chunk_read { CHUNK_READ, CHUNK_CUT, CHUNK_WAS_LAST };

/* The size in a chunk's first line. */
static bool read_size(struct slice line, size_t *size)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    size_t n = 0;

    while (n < line.len && n < 17 && memchr(digits, line.at[n], sizeof digits - 1) != NULL)
        n++;
    *size = n > 0 ? strtoul(line.at, NULL, 16) : 0;
    return n > 0 && n < 17 && (n == line.len || line.at[n] == ';') && is_plain(line);
}

static enum chunk_read read_chunk(struct wire *w, struct message *m)
{
    struct slice rest = w->in;
    struct slice line = take_line(&rest);
    size_t size = 0;

    if (rest.len == 0 && (w->in.len < 2 || memcmp(w->in.at + w->in.len - 2, "\r\n", 2) != 0))
        return CHUNK_CUT;
    w->in = rest;
    if (!read_size(line, &size)) {
        m->broken = "a chunk's size is not a number";
        return CHUNK_CUT;
    }
    if (size == 0)
        return CHUNK_WAS_LAST;
    size = size < w->in.len ? size : w->in.len;
    size = size < w->room_len ? size : w->room_len;
    if (size > 0)
        memcpy(w->room, w->in.at, size);
    w->room += size;
    w->room_len -= size;
    m->body.len += size;
    w->in = slice_skip(w->in, size);
    if (w->in.len < 2)
        return CHUNK_CUT;
    if (memcmp(w->in.at, "\r\n", 2) != 0) {
        m->broken = "chunk data without its end";
        return CHUNK_CUT;
    }
    w->in = slice_skip(w->in, 2);
    return CHUNK_READ;
}

static void read_chunks(struct wire *w, struct message *m)
{
    enum chunk_read read;
    const char *end;

    m->framed = true;
    m->whole = false;
    m->body = slice_of(w->room, 0);
    do
        read = read_chunk(w, m);
    while (read == CHUNK_READ);
    if (read == CHUNK_CUT || w->in.len < 2) {
        w->in = slice_of(NULL, 0);
        return;
    }
    /* The trailer section: lines, the last of which is empty. */
    if (memcmp(w->in.at, "\r\n", 2) == 0) {
        m->whole = true;
        w->in = slice_skip(w->in, 2);
        return;
    }
    end = memmem(w->in.at, w->in.len, "\r\n\r\n", 4);
    m->whole = end != NULL;
    w->in = slice_skip(w->in, end == NULL ? w->in.len : (size_t)(end - w->in.at) + 4);
}

static void read_to_the_end(struct wire *w, struct message *m)
{
    m->framed = true;
    m->whole = w->ended;
    m->body = w->in;
    w->in = slice_skip(w->in, w->in.len);
}

bool wire_next(struct wire *w, bool bodyless, struct message *m)
{
    const char *end = w->in.len > 0 ? memmem(w->in.at, w->in.len, "\r\n\r\n", 4) : NULL;
    struct slice length, coding, rest = w->in;
    unsigned status;
    uint64_t n = 0;

    memset(m, 0, sizeof *m);
    if (end == NULL)
        return false;
    m->head = slice_of(w->in.at, (size_t)(end - w->in.at) + 4);
    m->line = take_line(&rest);
    m->bad = check_head(m);
    w->in = slice_skip(w->in, m->head.len);
    status = wire_status(m);
    length = wire_field(m, "Content-Length");
    coding = wire_field(m, "Transfer-Encoding");
    m->whole = true;
    if ((status > 0 && status < 200) || status == 204 || status == 304 || bodyless)
        return true;
    if (length.len > 0 && (coding.len > 0 || !slice_to_number(length, &n)))
        m->bad = "framing that can be read in two ways";
    else if (coding.len > 0)
        read_chunks(w, m);
    else if (length.len > 0)
        read_length(w, m, n);
    else if (status > 0)
        read_to_the_end(w, m);
    return true;
}

struct slice wire_skip_proxy_header(struct slice in)
{
    size_t len;

    if (slice_starts(in, SLICE("\r\n\r\n\0\r\nQUIT\n")) && in.len >= 16) {
        len = 16 + (size_t)((unsigned char)in.at[14] << 8) + (unsigned char)in.at[15];
        return slice_skip(in, len <= in.len ? len : 0);
    }
    if (!slice_starts(in, SLICE("PROXY ")))
        return in;
    len = slice_find(in, '\n');
    return slice_skip(in, len < in.len ? len + 1 : 0);
}
