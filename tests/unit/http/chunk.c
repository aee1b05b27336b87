/* What the chunk decoder lets through and what it refuses. Every message is decoded whole, byte by
 * byte, and split in two at every position: always with the same result. */
#include "../fact.h"

#include "http/chunk.h"

#define S(literal) SLICE_INIT(literal)

struct fact {
    const char *name;
    struct slice bytes;
    enum chunk_event end; /* how it ends */
    const char *data;
    const char *trailer;
    size_t left; /* bytes behind the body */
};

#define GOOD CHUNK_END
#define BAD  CHUNK_BAD
#define MORE CHUNK_MORE
#define LAST "0\r\n\r\n"

static const struct fact rows[] = {
    {"one chunk", S("5\r\nhello\r\n" LAST), GOOD, "hello", "", 0},
    {"several chunks", S("5\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n" LAST), GOOD, "hello world", "",
     0},
    {"no data at all", S(LAST), GOOD, "", "", 0},
    {"a last chunk of several zeros", S("000\r\n\r\n"), GOOD, "", "", 0},
    {"a size in upper case", S("A\r\n0123456789\r\n" LAST), GOOD, "0123456789", "", 0},
    {"a size in lower case", S("a\r\n0123456789\r\n" LAST), GOOD, "0123456789", "", 0},
    {"a size of two digits", S("10\r\n0123456789abcdef\r\n" LAST), GOOD, "0123456789abcdef", "", 0},
    {"a size with leading zeros", S("0000000000000003\r\nabc\r\n" LAST), GOOD, "abc", "", 0},
    {"data that looks like framing", S("7\r\n\r\n0\r\n\r\n\r\n" LAST), GOOD, "\r\n0\r\n\r\n", "",
     0},
    {"what follows is the next message's", S("1\r\na\r\n" LAST "GET /"), GOOD, "a", "", 5},
    {"an extension is dropped", S("1;a=b\r\nx\r\n" LAST), GOOD, "x", "", 0},
    {"an extension with blanks and quotes", S("1; a=\"b c\"\t;d\r\nx\r\n" LAST), GOOD, "x", "", 0},
    {"an empty extension", S("1;\r\nx\r\n" LAST), GOOD, "x", "", 0},
    {"an extension of the last chunk", S("0;a\r\n\r\n"), GOOD, "", "", 0},
    {"a trailer field", S("1\r\nx\r\n0\r\nA: b\r\n\r\n"), GOOD, "x", "A: b\r\n", 0},
    {"two trailer fields", S("0\r\nA: b\r\nC:\r\n\r\nGET"), GOOD, "", "A: b\r\nC:\r\n", 3},
    {"a trailer of a longer name", S("0\r\nAb-C: d\r\n\r\n"), GOOD, "", "Ab-C: d\r\n", 0},
    {"obs-text in a trailer", S("0\r\nA: \xff\t\r\n\r\n"), GOOD, "", "A: \xff\t\r\n", 0},

    {"half a size needs more", S("5"), MORE, "", "", 0},
    {"half a chunk needs more", S("5\r\nhel"), MORE, "hel", "", 0},
    {"a chunk without its end needs more", S("5\r\nhello\r"), MORE, "hello", "", 0},
    {"a body without its last chunk needs more", S("5\r\nhello\r\n"), MORE, "hello", "", 0},
    {"a last chunk without the empty line needs more", S("0\r\n"), MORE, "", "", 0},
    {"half an empty line needs more", S("0\r\n\r"), MORE, "", "", 0},
    {"half a trailer needs more", S("0\r\nA: b"), MORE, "", "A: b", 0},

    {"no digit", S("\r\nx\r\n" LAST), BAD, "", "", 0},
    {"an extension without a digit", S(";a\r\n"), BAD, "", "", 0},
    {"a plus sign", S("+3\r\nabc\r\n" LAST), BAD, "", "", 0},
    {"a minus sign", S("-3\r\nabc\r\n" LAST), BAD, "", "", 0},
    {"0x", S("0x3\r\nabc\r\n" LAST), BAD, "", "", 0},
    {"a blank before a size", S(" 3\r\nabc\r\n" LAST), BAD, "", "", 0},
    {"a blank behind a size", S("3 \r\nabc\r\n" LAST), BAD, "", "", 0},
    {"a blank before an extension", S("3 ;a\r\nabc\r\n" LAST), BAD, "", "", 0},
    {"a tab behind a size", S("3\t\r\nabc\r\n" LAST), BAD, "", "", 0},
    {"a byte that is no digit", S("3g\r\nabc\r\n" LAST), BAD, "", "", 0},
    {"the byte before 0", S("/\r\n"), BAD, "", "", 0},
    {"the byte behind 9", S("3:\r\nabc\r\n"), BAD, "", "", 0},
    {"the byte before A", S("@\r\n"), BAD, "", "", 0},
    {"the byte behind F", S("G\r\n"), BAD, "", "", 0},
    {"the byte before a", S("`\r\n"), BAD, "", "", 0},
    {"17 digits", S("00000000000000003\r\nabc\r\n" LAST), BAD, "", "", 0},
    {"a bare LF behind a size", S("3\nabc\r\n" LAST), BAD, "", "", 0},
    {"a bare CR behind a size", S("3\rabc\r\n" LAST), BAD, "", "", 0},
    {"a bare LF in an extension", S("3;a\nabc\r\n" LAST), BAD, "", "", 0},
    {"a bare CR in an extension", S("3;a\rb\r\nabc\r\n" LAST), BAD, "", "", 0},
    {"a NUL in an extension", S("3;a\0\r\nabc\r\n" LAST), BAD, "", "", 0},
    {"a DEL in an extension", S("3;a\x7f\r\nabc\r\n" LAST), BAD, "", "", 0},
    {"a high byte in an extension", S("3;\xff\r\nabc\r\n" LAST), BAD, "", "", 0},
    {"data ended by any two bytes", S("3\r\nabcXX" LAST), BAD, "abc", "", 0},
    {"data ended by a bare LF", S("3\r\nabc\n" LAST), BAD, "abc", "", 0},
    {"data ended by CR X", S("3\r\nabc\rX" LAST), BAD, "abc", "", 0},
    {"data longer than its size", S("3\r\nabcd\r\n" LAST), BAD, "abc", "", 0},
    {"data shorter than its size", S("5\r\nabc\r\n" LAST), BAD, "abc\r\n", "", 0},
    {"a body ended by a bare LF", S("0\r\n\n"), BAD, "", "", 0},
    {"a body ended by CR X", S("0\r\n\rX"), BAD, "", "", 0},
    {"a trailer without a name", S("0\r\n: b\r\n\r\n"), BAD, "", "", 0},
    {"a trailer without a colon", S("0\r\nA\r\n\r\n"), BAD, "", "A", 0},
    {"a trailer with a blank before its colon", S("0\r\nA : b\r\n\r\n"), BAD, "", "A", 0},
    {"a trailer that starts with a blank", S("0\r\n A: b\r\n\r\n"), BAD, "", "", 0},
    {"a folded trailer", S("0\r\nA: b\r\n c\r\n\r\n"), BAD, "", "A: b\r\n", 0},
    {"a trailer ended by a bare LF", S("0\r\nA: b\n\r\n"), BAD, "", "A: b", 0},
    {"a trailer with a bare CR", S("0\r\nA: b\rc\r\n\r\n"), BAD, "", "A: b\r", 0},
    {"a trailer with a NUL", S("0\r\nA: \0\r\n\r\n"), BAD, "", "A: ", 0},
};

/* What came out of one decoding. */
struct result {
    char *data;
    size_t data_len;
    char *trailer;
    size_t trailer_len;
    enum chunk_event last;
    size_t left;
};

static void keep(char *to, size_t *len, struct slice part)
{
    memcpy(to + *len, part.at, part.len);
    *len += part.len;
}

/* Decodes one piece. What the decoder does not take stays in *in. */
static void decode(struct chunk *c, struct slice *in, struct result *r)
{
    for (;;) {
        struct slice out = {NULL, 0};
        r->last = chunk_decode(c, in, &out);
        if (r->last == CHUNK_DATA)
            keep(r->data, &r->data_len, out);
        else if (r->last == CHUNK_TRAILER)
            keep(r->trailer, &r->trailer_len, out);
        else
            return;
        assert_true(out.len > 0);
    }
}

static void check_result(const struct fact *row, const struct result *r, struct chunk *c)
{
    assert_int_equal(r->last, row->end);
    assert_text(slice_of(r->data, r->data_len), row->data);
    assert_true(c->data == r->data_len);
    if (row->end != CHUNK_BAD)
        assert_text(slice_of(r->trailer, r->trailer_len), row->trailer);
    assert_int_equal(c->why != NULL, row->end == CHUNK_BAD);

    /* A verdict stays what it is. */
    struct slice more = row->end == CHUNK_MORE ? SLICE("") : SLICE("5\r\nhello\r\n");
    struct slice out;
    assert_int_equal(chunk_decode(c, &more, &out), row->end);
}

static void check_split(const struct fact *row, size_t first, size_t step)
{
    char data[100], trailer[100];
    struct result r = {.data = data, .trailer = trailer, .last = CHUNK_MORE};
    struct chunk c;
    chunk_init(&c);
    size_t at = 0;
    size_t size = first;
    do {
        size_t n = size < row->bytes.len - at ? size : row->bytes.len - at;
        struct slice in = slice_of(row->bytes.at + at, n);
        decode(&c, &in, &r);
        at += n - in.len;
        size = step;
    } while (r.last == CHUNK_MORE && at < row->bytes.len);
    check_result(row, &r, &c);
    if (r.last == CHUNK_END)
        assert_int_equal(row->bytes.len - at, row->left);
}

static void check_row(void **state)
{
    const struct fact *row = *state;
    check_split(row, row->bytes.len, row->bytes.len);
    check_split(row, 1, 1);
    for (size_t i = 1; i < row->bytes.len; i++)
        check_split(row, i, row->bytes.len);
}

/* Decodes generated bytes `times` over, a terminated string each; gives the last event. */
static enum chunk_event repeat(struct chunk *c, const char *text, size_t times)
{
    enum chunk_event event = CHUNK_MORE;
    for (size_t i = 0; i < times && event == CHUNK_MORE; i++) {
        struct slice in = slice_of_string(text);
        struct slice out;
        do
            event = chunk_decode(c, &in, &out);
        while (event == CHUNK_DATA || event == CHUNK_TRAILER);
    }
    return event;
}

static void an_extension_has_256_bytes_and_no_more(void **state)
{
    (void)state;
    struct chunk c;
    for (int round = 0; round < 2; round++) {
        chunk_init(&c);
        assert_int_equal(repeat(&c, "1;", 1), CHUNK_MORE);
        assert_int_equal(repeat(&c, "x", 256), CHUNK_MORE);
        assert_int_equal(repeat(&c, round == 0 ? "\r\na\r\n0\r\n\r\n" : "x", 1),
                         round == 0 ? CHUNK_END : CHUNK_BAD);
    }
    assert_string_equal(c.why, "a chunk extension over its limit");
}

static void each_chunk_may_have_its_own_extension(void **state)
{
    (void)state;
    struct chunk c;
    chunk_init(&c);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(repeat(&c, "1;", 1), CHUNK_MORE);
        assert_int_equal(repeat(&c, "x", 256), CHUNK_MORE);
        assert_int_equal(repeat(&c, "\r\na\r\n", 1), CHUNK_MORE);
    }
    assert_true(c.data == 3);
}

static void one_byte_chunks_run_out_of_budget(void **state)
{
    (void)state;
    struct chunk c;
    chunk_init(&c);
    assert_int_equal(repeat(&c, "1\r\nx\r\n", 3000), CHUNK_MORE);
    assert_int_equal(repeat(&c, "1\r\nx\r\n", 2000), CHUNK_BAD);
    assert_string_equal(c.why, "more chunk framing than the data is worth");
    assert_true(c.overhead == 16384 + c.data + 1);
}

static void extensions_run_out_of_budget(void **state)
{
    (void)state;
    struct chunk c;
    chunk_init(&c);
    assert_int_equal(repeat(&c, "1;0123456789012345678901234567890123456789\r\nx\r\n", 300),
                     CHUNK_MORE);
    assert_int_equal(repeat(&c, "1;0123456789012345678901234567890123456789\r\nx\r\n", 100),
                     CHUNK_BAD);
}

static void data_earns_budget(void **state)
{
    (void)state;
    struct chunk c;
    chunk_init(&c);
    /* An event stream of small chunks may go on for ever. */
    assert_int_equal(repeat(&c, "5\r\nxxxxx\r\n", 100000), CHUNK_MORE);
    assert_int_equal(repeat(&c, "0\r\n\r\n", 1), CHUNK_END);
    assert_true(c.data == 500000);
}

static void a_trailer_section_has_its_limit(void **state)
{
    (void)state;
    struct chunk c;
    const char *line = "A: 0123456789\r\n"; /* 15 bytes */
    chunk_init(&c);
    assert_int_equal(repeat(&c, "0\r\n", 1), CHUNK_MORE);
    assert_int_equal(repeat(&c, line, CHUNK_TRAILER_MAX / 15), CHUNK_MORE);
    assert_int_equal(c.trailer, CHUNK_TRAILER_MAX / 15 * 15);
    assert_int_equal(repeat(&c, line, 1), CHUNK_BAD);
    assert_string_equal(c.why, "a trailer section over its limit");
}

static void the_largest_sizes_are_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t size;
    } sizes[] = {
        {"7fffffffffffffff\r\nx", INT64_MAX},  {"8000000000000000\r\nx", (uint64_t)INT64_MAX + 1},
        {"FFFFFFFFFFFFFFFF\r\nx", UINT64_MAX}, {"80000000\r\nx", 0x80000000u},
        {"ffffffff\r\nx", UINT32_MAX},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct chunk c;
        chunk_init(&c);
        assert_int_equal(repeat(&c, sizes[i].text, 1), CHUNK_MORE);
        assert_true(c.data == 1);
        assert_true(c.left == sizes[i].size - 1);
    }
}

static void data_is_not_copied(void **state)
{
    (void)state;
    struct chunk c;
    struct slice in = SLICE("5\r\nhello\r\n0\r\n\r\n");
    const char *start = in.at;
    struct slice out;
    chunk_init(&c);
    assert_int_equal(chunk_decode(&c, &in, &out), CHUNK_DATA);
    assert_ptr_equal(out.at, start + 3);
    assert_int_equal(out.len, 5);
}

static void data_may_be_taken_unread(void **state)
{
    (void)state;
    struct chunk c;
    struct slice out;
    struct slice head = SLICE("b\r\nhe"), tail = SLICE("ld\r\n0\r\n\r\nGET");

    chunk_init(&c);
    assert_true(chunk_ahead(&c) == 0);
    assert_int_equal(chunk_decode(&c, &head, &out), CHUNK_DATA);
    assert_true(chunk_ahead(&c) == 9);
    chunk_skip(&c, 7);
    assert_true(chunk_ahead(&c) == 2);
    assert_int_equal(chunk_decode(&c, &tail, &out), CHUNK_DATA);
    assert_text(out, "ld");
    assert_true(chunk_ahead(&c) == 0);
    assert_true(c.data == 11);
    assert_int_equal(chunk_decode(&c, &tail, &out), CHUNK_END);
    assert_text(tail, "GET");
}

static void a_chunk_taken_unread_to_its_end_is_followed_by_framing(void **state)
{
    (void)state;
    struct chunk c;
    struct slice out;
    struct slice head = SLICE("5\r\n"), tail = SLICE("\r\n1\r\nx");

    chunk_init(&c);
    assert_int_equal(chunk_decode(&c, &head, &out), CHUNK_MORE);
    chunk_skip(&c, 5);
    assert_true(chunk_ahead(&c) == 0);
    assert_int_equal(chunk_decode(&c, &tail, &out), CHUNK_DATA);
    assert_text(out, "x");
}

static void between_two_chunks_are_two_line_ends_and_the_size(void **state)
{
    (void)state;
    assert_int_equal(chunk_gap(1), strlen("\r\n1\r\n"));
    assert_int_equal(chunk_gap(0x8000), strlen("\r\n8000\r\n"));
}

static void lines_are_written_in_the_shortest_hex(void **state)
{
    (void)state;
    static const struct {
        uint64_t size;
        const char *line;
    } lines[] = {
        {1, "1\r\n"},
        {15, "f\r\n"},
        {16, "10\r\n"},
        {500, "1f4\r\n"},
        {0xabcdef, "abcdef\r\n"},
        {UINT64_MAX, "ffffffffffffffff\r\n"},
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        char line[CHUNK_LINE_MAX];
        size_t n = chunk_write_line(line, lines[i].size);
        assert_text(slice_of(line, n), lines[i].line);
    }
}

int main(void)
{
    FACT_ADD_TABLE(rows, check_row);
    fact_add("an extension has 256 bytes and no more", an_extension_has_256_bytes_and_no_more,
             NULL);
    fact_add("each chunk may have its own extension", each_chunk_may_have_its_own_extension, NULL);
    fact_add("one-byte chunks run out of budget", one_byte_chunks_run_out_of_budget, NULL);
    fact_add("extensions run out of budget", extensions_run_out_of_budget, NULL);
    fact_add("data earns budget", data_earns_budget, NULL);
    fact_add("a trailer section has its limit", a_trailer_section_has_its_limit, NULL);
    fact_add("the largest sizes are sizes", the_largest_sizes_are_sizes, NULL);
    fact_add("data is not copied", data_is_not_copied, NULL);
    fact_add("data may be taken unread", data_may_be_taken_unread, NULL);
    fact_add("a chunk taken unread to its end is followed by framing",
             a_chunk_taken_unread_to_its_end_is_followed_by_framing, NULL);
    fact_add("between two chunks are two line ends and the size",
             between_two_chunks_are_two_line_ends_and_the_size, NULL);
    fact_add("lines are written in the shortest hex", lines_are_written_in_the_shortest_hex, NULL);
    return fact_run("chunk");
}
