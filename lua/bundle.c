/*
 * bundle: reads the files of a policy once, so that all workers run the same bytes without touching
 * the file system. Nothing here knows Lua.
 */
#include "bundle.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const struct slice format = SLICE_INIT("interim-bundle-1\n");

static char *put_length(char *at, size_t length)
{
    for (size_t i = 0; i < 4; i++)
        *at++ = (char)(unsigned char)(length >> (8 * i) & 0xff);
    return at;
}

static char *put_run(char *at, struct slice run)
{
    at = put_length(at, run.len);
    memcpy(at, run.at, run.len);
    return at + run.len;
}

static bool take_run(struct slice *from, struct slice *run)
{
    size_t length = 0;

    if (from->len < 4)
        return false;
    for (size_t i = 0; i < 4; i++)
        length |= (size_t)(unsigned char)from->at[i] << (8 * i);
    if (length > from->len - 4)
        return false;
    *run = slice_of(from->at + 4, length);
    *from = slice_skip(*from, 4 + length);
    return true;
}

static bool take_source(struct slice *from, struct bundle_source *out)
{
    return take_run(from, &out->name) && take_run(from, &out->chunk) && take_run(from, &out->text);
}

bool bundle_gather(struct bundle *b, const char *path, struct buf *gathered)
{
    const char *last = strrchr(path, '/');

    *b = (struct bundle){.gathered = gathered};
    if (last != NULL)
        b->folder = slice_of(path, (size_t)(last + 1 - path));
    return buf_append_slice(gathered, format);
}

bool bundle_replay(struct bundle *b, struct slice bytes)
{
    struct bundle_source source;

    *b = (struct bundle){.bytes = bytes};
    if (!slice_starts(bytes, format))
        return false;
    struct slice rest = slice_skip(bytes, format.len);
    while (rest.len > 0)
        if (!take_source(&rest, &source))
            return false;
    return true;
}

/* All or nothing: a source that cannot be read whole leaves the bundle as it was. */
static bool append_source(struct bundle *b, struct slice name, const char *path, FILE *file,
                          size_t size)
{
    /* Lua takes a name behind '@' as that of a file, and puts it before its messages. */
    char chunk[512];
    int length = snprintf(chunk, sizeof chunk, "@%s", path);

    if (length < 0 || (size_t)length >= sizeof chunk)
        return false;
    size_t total = 12 + name.len + (size_t)length + size;
    char *at = buf_room(b->gathered, total);
    if (at == NULL)
        return false;
    at = put_run(at, name);
    at = put_run(at, slice_of(chunk, (size_t)length));
    at = put_length(at, size);
    if (fread(at, 1, size, file) != size)
        return false;
    buf_commit(b->gathered, total);
    return true;
}

bool bundle_add_file(struct bundle *b, struct slice name, const char *path, char *why,
                     size_t why_size)
{
    FILE *file = fopen(path, "re");
    struct stat about;

    if (file == NULL) {
        snprintf(why, why_size, "cannot be read: %s", strerror(errno));
        return false;
    }
    bool ok = false;
    if (fstat(fileno(file), &about) != 0 || !S_ISREG(about.st_mode))
        snprintf(why, why_size, "cannot be read: it is not a file");
    else if (about.st_size > (off_t)BUNDLE_TEXT_MAX)
        snprintf(why, why_size, "is larger than %u MiB", BUNDLE_TEXT_MAX / (1024 * 1024));
    else if (!append_source(b, name, path, file, (size_t)about.st_size))
        snprintf(why, why_size, "cannot be read whole, or does not fit beside the other sources");
    else
        ok = true;
    fclose(file);
    return ok;
}

bool bundle_find(const struct bundle *b, struct slice name, struct bundle_source *out)
{
    struct slice rest = b->gathered != NULL ? buf_slice(b->gathered) : b->bytes;

    rest = slice_skip(rest, format.len);
    while (take_source(&rest, out))
        if (slice_equals(out->name, name))
            return true;
    return false;
}
