/* How long a body is, or why nobody can tell: one line a fact. */
#include "../fact.h"

#include "http/framing.h"

#define NONE    FRAMING_NONE
#define LENGTH  FRAMING_LENGTH
#define CHUNKED FRAMING_CHUNKED
#define CLOSE   FRAMING_CLOSE

struct fact {
    const char *name;
    const char *fields; /* "name: value" lines, each ended by LF; a leading '0' line: HTTP/1.0 */
    int status;         /* of the fault; 0: none */
    enum framing_kind kind;
    uint64_t length;
    int code;     /* of a response; 0: a request */
    bool to_head; /* the response answers HEAD */
};

#define CL "Content-Length: "
#define TE "Transfer-Encoding: "

static const struct fact request_rows[] = {
    {"no field announces no body", "", .kind = NONE},
    {"a length is taken", CL "5\n", .kind = LENGTH, .length = 5},
    {"a length of zero is a length", CL "0\n", .kind = LENGTH},
    {"a length may have leading zeros", CL "005\n", .kind = LENGTH, .length = 5},
    {"the largest length", CL "9223372036854775807\n", .kind = LENGTH, .length = INT64_MAX},
    {"a length in HTTP/1.0", "0\n" CL "5\n", .kind = LENGTH, .length = 5},
    {"a length too large", CL "9223372036854775808\n", .status = 400},
    {"a length of 2^64 and 5", CL "18446744073709551621\n", .status = 400},
    {"an empty length", CL "\n", .status = 400},
    {"a length with a plus", CL "+5\n", .status = 400},
    {"a length with a minus", CL "-5\n", .status = 400},
    {"a length in hex", CL "0x5\n", .status = 400},
    {"a length with a blank inside", CL "1 0\n", .status = 400},
    {"a list of lengths", CL "5, 5\n", .status = 400},
    {"a length that is text", CL "five\n", .status = 400},
    {"two equal lengths", CL "5\n" CL "5\n", .status = 400},
    {"two different lengths", CL "5\n" CL "6\n", .status = 400},
    {"two lengths, one of them empty", CL "\n" CL "5\n", .status = 400},
    {"chunked", TE "chunked\n", .kind = CHUNKED},
    {"chunked has no letter case", TE "ChUnKeD\n", .kind = CHUNKED},
    {"chunked in HTTP/1.0", "0\n" TE "chunked\n", .status = 400},
    {"chunked with a length", TE "chunked\n" CL "5\n", .status = 400},
    {"a length with chunked", CL "5\n" TE "chunked\n", .status = 400},
    {"chunked with a length of zero", TE "chunked\n" CL "0\n", .status = 400},
    {"chunked twice in two fields", TE "chunked\n" TE "chunked\n", .status = 400},
    {"chunked twice in one field", TE "chunked, chunked\n", .status = 400},
    {"chunked and identity in two fields", TE "chunked\n" TE "identity\n", .status = 400},
    {"identity and chunked in two fields", TE "identity\n" TE "chunked\n", .status = 400},
    {"another coding and chunked", TE "gzip, chunked\n", .status = 501},
    {"several other codings and chunked", TE "deflate,gzip ,Chunked\n", .status = 501},
    {"identity and chunked", TE "identity, chunked\n", .status = 501},
    {"another coding alone", TE "gzip\n", .status = 400},
    {"chunked in front of another coding", TE "chunked, gzip\n", .status = 400},
    {"chunked on both sides of another coding", TE "chunked, gzip, chunked\n", .status = 400},
    {"identity", TE "identity\n", .status = 400},
    {"an empty coding", TE "\n", .status = 400},
    {"commas around chunked", TE ",chunked\n", .status = 400},
    {"a coding that only begins like chunked", TE "chunkedx\n", .status = 400},
    {"a coding that only ends like chunked", TE "xchunked\n", .status = 400},
    {"chunked with a parameter", TE "chunked;q=1\n", .status = 400},
    {"chunked in quotes", TE "\"chunked\"\n", .status = 400},
    {"chunked behind what is no token", TE "g zip, chunked\n", .status = 400},
    {"chunked behind a vertical tab",
     TE "\x0b"
        "chunked\n",
     .status = 400},
    {"a name that only begins like Transfer-Encoding", "Transfer-Encodingx: chunked\n",
     .kind = NONE},
    {"an underscore is no hyphen", "Content_Length: 5\n", .kind = NONE},
};

static const struct fact response_rows[] = {
    {"a response without a length ends with the connection", "", .code = 200, .kind = CLOSE},
    {"a response with a length", CL "5\n", .code = 200, .kind = LENGTH, .length = 5},
    {"a chunked response", TE "chunked\n", .code = 200, .kind = CHUNKED},
    {"a chunked error", TE "Chunked\n", .code = 502, .kind = CHUNKED},
    {"a 205 is like any other", CL "0\n", .code = 205, .kind = LENGTH},
    {"an answer to HEAD has no body", CL "5\n", .code = 200, .to_head = true, .kind = NONE},
    {"an answer to HEAD has no chunks", TE "chunked\n", .code = 200, .to_head = true, .kind = NONE},
    {"an answer to HEAD without a length ends at its head", "", .code = 200, .to_head = true,
     .kind = NONE},
    {"a 204 has no body", CL "5\n", .code = 204, .kind = NONE},
    {"a 204 without a length ends at its head", "", .code = 204, .kind = NONE},
    {"a 304 has no body", CL "5\n", .code = 304, .kind = NONE},
    {"a 304 has no chunks", TE "chunked\n", .code = 304, .kind = NONE},
    {"a 103 has no body", CL "5\n", .code = 103, .kind = NONE},
    {"a 101 has no body", TE "chunked\n", .code = 101, .kind = NONE},
    {"what frames a 1xx is not even read", CL "x\n" CL "5\n" TE "y\n", .code = 100, .kind = NONE},
    {"the fields of a 304 are well-formed", CL "x\n", .code = 304, .status = 502},
    {"the fields of an answer to HEAD are well-formed", CL "5\n" CL "6\n", .code = 200,
     .to_head = true, .status = 502},
    {"an answer with a malformed length", CL "5x\n", .code = 200, .status = 502},
    {"an answer with an empty length", CL "\n", .code = 200, .status = 502},
    {"an answer with two equal lengths", CL "5\n" CL "5\n", .code = 200, .status = 502},
    {"an answer with two different lengths", CL "5\n" CL "6\n", .code = 200, .status = 502},
    {"an answer with a list of lengths", CL "5, 5\n", .code = 200, .status = 502},
    {"an answer with a length and chunks", CL "5\n" TE "chunked\n", .code = 200, .status = 502},
    {"an answer with chunks in HTTP/1.0", "0\n" TE "chunked\n", .code = 200, .status = 502},
    {"an answer with another coding", TE "gzip, chunked\n", .code = 200, .status = 502},
    {"an answer with another coding alone", TE "gzip\n", .code = 200, .status = 502},
    {"an answer with two codings in two fields", TE "gzip\n" TE "chunked\n", .code = 200,
     .status = 502},
    {"an answer with chunks twice", TE "chunked\n" TE "chunked\n", .code = 200, .status = 502},
    {"an answer with an empty coding", TE "\n", .code = 200, .status = 502},
};

static void read_fields(struct head *head, struct slice lines)
{
    if (slice_starts(lines, SLICE("0\n"))) {
        head->minor = 0;
        lines = slice_skip(lines, 2);
    }
    while (lines.len > 0) {
        struct slice line = slice_of(lines.at, slice_find(lines, '\n'));
        lines = slice_skip(lines, line.len + 1);
        size_t colon = slice_find(line, ':');
        assert_true(head_add(head, slice_of(line.at, colon), slice_skip(line, colon + 2)));
    }
}

static void check(const struct fact *row)
{
    struct arena arena;
    struct framing framing;
    arena_init(&arena, 10000);
    struct head head = {.arena = &arena, .minor = 1, .status = row->code};
    read_fields(&head, slice_of_string(row->fields));
    struct fault f = row->code ? framing_of_response(&head, row->to_head, &framing)
                               : framing_of_request(&head, &framing);
    if (f.status != row->status)
        fail_msg("status %d (%s), wanted %d", f.status, f.why ? f.why : "", row->status);
    if (f.status == 0) {
        assert_int_equal(framing.kind, row->kind);
        assert_true(framing.length == row->length);
    }
    arena_free(&arena);
}

static void check_row(void **state)
{
    check(*state);
}

static void a_body_is_announced_by_at_least_one_byte(void **state)
{
    (void)state;
    assert_false(framing_has_body((struct framing){NONE, 0}));
    assert_false(framing_has_body((struct framing){LENGTH, 0}));
    assert_true(framing_has_body((struct framing){LENGTH, 1}));
    assert_true(framing_has_body((struct framing){CHUNKED, 0}));
    assert_true(framing_has_body((struct framing){CLOSE, 0}));
}

int main(void)
{
    FACT_ADD_TABLE(request_rows, check_row);
    FACT_ADD_TABLE(response_rows, check_row);
    fact_add("a body is announced by at least one byte", a_body_is_announced_by_at_least_one_byte,
             NULL);
    return fact_run("framing");
}
