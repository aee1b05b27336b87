/*
 * scene: the language of scenes. See scene.h.
 *
 * Everything is read into one scratch scene, and copied in the size that it turned out to have.
 */
#include "scene.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 128 bytes, 80 in hex, none of which could be taken for an id. */
#define PIECE                                                                                      \
    "\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"                                            \
    "ghijklmnopqrstuvwxyzghijklmnopqrstuvwxyzghijklmnopqrstuvwxyzghijklmnopqrstuvwxyzghijklmnz"
#define BODY                                                                                       \
    "\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"                                            \
    "ghijklmnopqrstuvwxyzghijklmnopqrstuvwxyzghijklmnopqrstuvwxyzghijklmnopqrstuvwxyzghijklmn!"

#define EIGHT PIECE PIECE PIECE PIECE PIECE PIECE PIECE PIECE

_Static_assert(sizeof PIECE == 129 && sizeof BODY == 129, "a chunk of 80");

static const struct {
    struct slice name, text;
} texts[] = {
    {SLICE_INIT("PIECE"), SLICE_INIT(PIECE)},
    {SLICE_INIT("BODY"), SLICE_INIT(BODY)},
    {SLICE_INIT("CHUNK"), SLICE_INIT("80\r\n" PIECE "\r\n")},
    {SLICE_INIT("LARGE"), SLICE_INIT("1000\r\n" EIGHT EIGHT EIGHT EIGHT "\r\n")},
    {SLICE_INIT("GET"), SLICE_INIT("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n")},
    {SLICE_INIT("GET_SMUGGLED"), SLICE_INIT("GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")},
    {SLICE_INIT("OK"), SLICE_INIT("HTTP/1.1 200 OK\r\nX-For: /?\r\nContent-Length: 3\r\n\r\nhi!")},
    {SLICE_INIT("CONTINUE"), SLICE_INIT("HTTP/1.1 100 Continue\r\n\r\n")},
    {SLICE_INIT("PROCESSING"), SLICE_INIT("HTTP/1.1 102 Processing\r\n\r\n")},
    {SLICE_INIT("HINTS"), SLICE_INIT("HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n")},
    {SLICE_INIT("OFFER"),
     SLICE_INIT("Connection: upgrade\r\nUpgrade: websocket\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n")},
    {SLICE_INIT("SWITCH"),
     SLICE_INIT("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
                "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")},
};

static const struct {
    enum operand operand;
    struct slice words;
} acts[] = {
#define ACT_ENTRY(name, operand, words) [name] = {operand, SLICE_INIT(words)},
    ACTS(ACT_ENTRY)};

static const struct setter {
    size_t offset;
    enum operand operand;
    struct slice words;
} setters[] = {
#define SETTER_ENTRY(member, operand, words)                                                       \
    {offsetof(struct scene, member), operand, SLICE_INIT(words)},
    SETTERS(SETTER_ENTRY)};

#define ANY_HOOK ((1u << HOOK_COUNT) - 1)

static const struct {
    struct slice word;
    enum verdict_kind kind;
    unsigned hooks; /* that may say it */
} verdicts[] = {
    {SLICE_INIT("default"), VERDICT_DEFAULT, ANY_HOOK},
    {SLICE_INIT("forward"), VERDICT_FORWARD, 1u << HOOK_EXPECT},
    {SLICE_INIT("continue"), VERDICT_CONTINUE, 1u << HOOK_EXPECT},
    {SLICE_INIT("offer"), VERDICT_OFFER, 1u << HOOK_UPGRADE},
    {SLICE_INIT("ordinary"), VERDICT_ORDINARY, 1u << HOOK_UPGRADE},
    {SLICE_INIT("answer"), VERDICT_ANSWER, ANY_HOOK & ~(1u << HOOK_LOG)},
    {SLICE_INIT("fails"), VERDICT_FAILED, ANY_HOOK},
};

#define FILE_MAX  (1 << 20)
#define COUNT(of) (sizeof(of) / sizeof *(of))

/* The scene as far as it was read. */
static struct scene scratch;
static char bytes_read[BYTES_MAX];
static size_t used; /* of bytes_read */

const char *act_words(enum act act)
{
    return acts[act].words.at;
}

/* ---- pieces of a line ---- */

static struct slice take_line(struct slice *text)
{
    size_t end = slice_find(*text, '\n');
    struct slice line = slice_of(text->at, end);

    *text = slice_skip(*text, end < text->len ? end + 1 : end);
    return line;
}

/* Moves behind the words if the line begins with them; what is left begins behind a space. */
static bool take_words(struct slice *line, struct slice words)
{
    if (!slice_starts(*line, words))
        return false;
    if (line->len > words.len && line->at[words.len] != ' ')
        return false;
    *line = slice_skip(*line, words.len < line->len ? words.len + 1 : words.len);
    return true;
}

static bool to_number(struct slice s, unsigned *number)
{
    uint64_t n;

    if (!slice_to_number(s, &n) || n > 100000)
        return false;
    *number = (unsigned)n;
    return true;
}

static bool put(const char *at, size_t len)
{
    if (len > BYTES_MAX - used)
        return false;
    memcpy(bytes_read + used, at, len);
    used += len;
    return true;
}

static int hex_value(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c != '\0' ? strchr(digits, c) : NULL;
    return at != NULL ? (int)(at - digits) : -1;
}

/* Behind a backslash. */
static bool put_escape(struct slice *in)
{
    static const char from[] = "rnt\\{", to[] = "\r\n\t\\{";
    const char *known = in->len > 0 && in->at[0] != '\0' ? strchr(from, in->at[0]) : NULL;
    char byte;

    if (known != NULL) {
        *in = slice_skip(*in, 1);
        return put(&to[known - from], 1);
    }
    if (in->len < 3 || in->at[0] != 'x' || hex_value(in->at[1]) < 0 || hex_value(in->at[2]) < 0)
        return false;
    byte = (char)(hex_value(in->at[1]) * 16 + hex_value(in->at[2]));
    *in = slice_skip(*in, 3);
    return put(&byte, 1);
}

/* Behind an opening brace. */
static bool put_text(struct slice *in)
{
    size_t end = slice_find(*in, '}');
    struct slice name = slice_of(in->at, end);
    size_t star = slice_find(name, '*');
    unsigned times = 1;
    bool fits = false;

    if (end == in->len || (star < end && !to_number(slice_skip(name, star + 1), &times)))
        return false;
    name.len = star;
    *in = slice_skip(*in, end + 1);
    for (size_t i = 0; i < COUNT(texts); i++) {
        if (!slice_equals(name, texts[i].name))
            continue;
        fits = true;
        for (unsigned n = 0; n < times && fits; n++)
            fits = put(texts[i].text.at, texts[i].text.len);
    }
    return fits;
}

static bool read_bytes(struct slice in, struct slice *bytes)
{
    size_t from = used;
    bool good = true;

    while (in.len > 0 && good) {
        char c = in.at[0];
        in = slice_skip(in, 1);
        good = c == '\\' ? put_escape(&in) : c == '{' ? put_text(&in) : put(&c, 1);
    }
    if (!good)
        used = from;
    *bytes = slice_of(bytes_read + from, used - from);
    return good;
}

/* ---- lines ---- */

static bool read_step(struct slice line, enum act act, bool at_once)
{
    struct step step = {.act = act, .at_once = at_once};

    if (scratch.count == STEPS_MAX)
        return false;
    if (acts[act].operand == BYTES && !read_bytes(line, &step.bytes))
        return false;
    if (acts[act].operand == NUMBER && !to_number(line, &step.number))
        return false;
    if (acts[act].operand == NOTHING && line.len > 0)
        return false;
    scratch.steps[scratch.count++] = step;
    return true;
}

static bool read_setter(struct slice line, const struct setter *setter)
{
    unsigned *member = (unsigned *)(void *)((char *)&scratch + setter->offset);

    *member = 1;
    return setter->operand == NUMBER ? to_number(line, member) : line.len == 0;
}

static bool read_kind(struct slice *line, unsigned hook, struct said *said)
{
    for (size_t i = 0; i < COUNT(verdicts); i++)
        if (take_words(line, verdicts[i].word)) {
            said->kind = verdicts[i].kind;
            return (verdicts[i].hooks & 1u << hook) != 0;
        }
    return false;
}

/* hook NAME VERDICT [waits], where one verdict is `answer STATUS` */
static bool read_hook(struct slice line)
{
    struct said said = {.when = PROMPT};
    unsigned status = 0, hook = 0;

    while (hook < HOOK_COUNT &&
           !take_words(&line, slice_of_string(policy_hook_name((enum policy_hook)hook))))
        hook++;
    if (hook == HOOK_COUNT || !read_kind(&line, hook, &said))
        return false;
    if (said.kind == VERDICT_ANSWER) {
        size_t end = slice_find(line, ' ');
        if (!to_number(slice_of(line.at, end), &status) || status < 200 || status > 599)
            return false;
        line = slice_skip(line, end < line.len ? end + 1 : end);
    }
    if (take_words(&line, SLICE("waits")))
        said.when = WAITS;
    said.status = (int)status;
    scratch.hooks[hook] = said;
    return line.len == 0;
}

static bool read_line(struct slice line)
{
    bool at_once = take_words(&line, SLICE("+"));

    for (int act = NO_ACT + 1; act < ACT_COUNT; act++)
        if (take_words(&line, acts[act].words))
            return read_step(line, (enum act)act, at_once);
    if (at_once)
        return false;
    if (take_words(&line, SLICE("hook")))
        return read_hook(line);
    for (size_t i = 0; i < COUNT(setters); i++)
        if (take_words(&line, setters[i].words))
            return read_setter(line, &setters[i]);
    return line.len == 0 || line.at[0] == '#';
}

static bool read_name(struct slice *text)
{
    struct slice line = slice_of(NULL, 0);

    while (text->len > 0 && !take_words(&line, SLICE("scene")))
        line = take_line(text);
    if (line.len >= SCENE_NAME_MAX)
        return false;
    if (line.len > 0)
        memcpy(scratch.name, line.at, line.len);
    return line.len > 0;
}

/* The bytes move along. */
static struct scene *copy(void)
{
    struct scene *s = malloc(sizeof *s + used);

    if (s == NULL)
        abort();
    *s = scratch;
    memcpy(s->bytes, bytes_read, used);
    for (size_t i = 0; i < s->count; i++)
        if (s->steps[i].bytes.len > 0)
            s->steps[i].bytes.at = s->bytes + (s->steps[i].bytes.at - bytes_read);
    return s;
}

struct scene *scene_read(struct slice *text, bool lenient, const char **why)
{
    *why = NULL;
    used = 0;
    memset(&scratch, 0, sizeof scratch);
    if (!read_name(text))
        return NULL;
    while (text->len > 0) {
        struct slice here = *text;
        struct slice line = take_line(text);
        if (slice_starts(line, SLICE("scene "))) {
            *text = here;
            break;
        }
        if (!read_line(line) && !lenient) {
            *text = here;
            *why = "a line that is neither a step nor sets anything up, or is too long";
            return NULL;
        }
    }
    return copy();
}

static struct slice read_file(const char *path, char *room, size_t size)
{
    FILE *f = fopen(path, "r");
    size_t len = f != NULL ? fread(room, 1, size, f) : 0;

    if (f == NULL || ferror(f) || len == size) {
        fprintf(stderr, "%s: cannot be read, or is too long\n", path);
        exit(2);
    }
    fclose(f);
    return slice_of(room, len);
}

size_t scenes_load(const char *path, bool lenient, struct scene *scenes[], size_t max)
{
    static char room[FILE_MAX];
    struct slice text = read_file(path, room, sizeof room);
    size_t count = 0;
    const char *why = NULL;
    struct scene *s;

    while (count < max && (s = scene_read(&text, lenient, &why)) != NULL)
        scenes[count++] = s;
    if (why != NULL)
        fprintf(stderr, "%s: %s: %.*s\n", path, why, (int)slice_find(text, '\n'), text.at);
    else if (count == max)
        fprintf(stderr, "%s: one scene too many\n", path);
    if (why != NULL || count == max)
        exit(2);
    return count;
}

struct fault_plan scene_faults(const struct scene *s)
{
    return (struct fault_plan){
        .io = s->bytewise ? FAULT_IO_SHORT
              : s->storm  ? FAULT_IO_STORM
                          : FAULT_IO_WHOLE,
        .at = s->fail,
        .way = s->way,
        .onward = s->onward != 0,
    };
}
