/*
 * wire: one head and what its framing says of a body.
 */
#include "wire.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BODY_MAX 262144

static char decoded[BODY_MAX];

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
        if ((unsigned char)line.at[i] < 0x20 || line.at[i] == 0x7f)
            return false;
    return true;
}

struct slice wire_field(const struct message *m, const char *name)
{
    struct slice head = m->head;
    struct slice line = take_line(&head);
    size_t len = strlen(name);

    while ((line = take_line(&head)).len > 0)
        if (line.len > len + 1 && strncasecmp(line.at, name, len) == 0 && line.at[len] == ':')
            return slice_trim(slice_skip(line, len + 1));
    return slice_of(NULL, 0);
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
    bool response = slice_starts(m->line, SLICE("HTTP/1.1 "));
    return response && m->line.len >= 12 ? (unsigned)strtoul(m->line.at + 9, NULL, 10) : 0;
}

static void read_length(struct message *m, struct slice *in, uint64_t length)
{
    size_t n = in->len < length ? in->len : (size_t)length;

    m->framed = length > 0;
    m->whole = n == length;
    m->body = slice_of(in->at, n);
    *in = slice_skip(*in, n);
}

enum chunk_read { CHUNK_READ, CHUNK_CUT, CHUNK_WAS_LAST };

static enum chunk_read read_chunk(struct message *m, struct slice *in)
{
    struct slice rest = *in;
    struct slice line = take_line(&rest);
    char *end = NULL;
    size_t size = line.len > 0 ? strtoul(line.at, &end, 16) : 0;

    if (rest.len == 0 && (in->len < 2 || memcmp(in->at + in->len - 2, "\r\n", 2) != 0))
        return CHUNK_CUT;
    *in = rest;
    if (end == NULL || (end != line.at + line.len && *end != ';')) {
        m->bad = "a chunk's size is not a number";
        return CHUNK_CUT;
    }
    if (size == 0)
        return CHUNK_WAS_LAST;
    size = size < in->len ? size : in->len;
    if (size > 0)
        memcpy(decoded + m->body.len, in->at, size);
    m->body.len += size;
    *in = slice_skip(*in, size);
    if (in->len < 2)
        return CHUNK_CUT;
    if (memcmp(in->at, "\r\n", 2) != 0) {
        m->bad = "chunk data without its end";
        return CHUNK_CUT;
    }
    *in = slice_skip(*in, 2);
    return CHUNK_READ;
}

static void read_chunks(struct message *m, struct slice *in)
{
    enum chunk_read read;
    const char *end;

    m->framed = true;
    m->whole = false;
    m->body = slice_of(decoded, 0);
    do
        read = read_chunk(m, in);
    while (read == CHUNK_READ);
    if (read == CHUNK_CUT || in->len < 2) {
        *in = slice_of(NULL, 0);
        return;
    }
    /* The trailer section: lines, the last of which is empty. */
    end = memcmp(in->at, "\r\n", 2) == 0 ? in->at : memmem(in->at, in->len, "\r\n\r\n", 4);
    m->whole = end != NULL;
    *in = slice_skip(*in, end == NULL ? in->len : (size_t)(end - in->at) + (end == in->at ? 2 : 4));
}

static void read_to_the_end(struct message *m, struct slice *in, bool ended)
{
    m->framed = true;
    m->whole = ended;
    m->body = *in;
    *in = slice_skip(*in, in->len);
}

bool wire_next(struct slice *in, bool bodyless, bool ended, struct message *m)
{
    const char *end = in->len > 0 ? memmem(in->at, in->len, "\r\n\r\n", 4) : NULL;
    struct slice length, coding, rest = *in;
    unsigned status;
    uint64_t n = 0;

    memset(m, 0, sizeof *m);
    if (end == NULL)
        return false;
    m->head = slice_of(in->at, (size_t)(end - in->at) + 4);
    m->line = take_line(&rest);
    m->bad = check_head(m);
    *in = slice_skip(*in, m->head.len);
    status = wire_status(m);
    length = wire_field(m, "Content-Length");
    coding = wire_field(m, "Transfer-Encoding");
    m->whole = true;
    if (length.len > 0 && (coding.len > 0 || !slice_to_number(length, &n)))
        m->bad = "framing that can be read in two ways";
    else if ((status > 0 && status < 200) || status == 204 || status == 304 || bodyless)
        return true;
    else if (coding.len > 0)
        read_chunks(m, in);
    else if (length.len > 0)
        read_length(m, in, n);
    else if (status > 0)
        read_to_the_end(m, in, ended);
    return true;
}
