/*
 * commands: reads the words of `interim test` and `interim types`, finds test files, and hands over
 * to the modules in lua/interim/, each file in a state of its own.
 */
#include "commands.h"

#include "base/output.h"
#include "base/words.h"
#include "embedded.h"
#include "tool.h"

#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_USAGE 2

static const char test_help[] =
    "interim test - run policy tests\n"
    "\n"
    "Usage:\n"
    "  interim test [FILE | FOLDER]... [--allow NAMES] [--json | --tap]\n"
    "\n"
    "Options:\n"
    "  --allow NAMES   let the policies, not the test files, use what is kept from them otherwise, "
    "as\n"
    "                  `interim run` does: io, os, ffi, jit, debug, load, separated by commas\n"
    "  --json          print one JSON object per test, then one with the sums\n"
    "  --tap           print TAP, the Test Anything Protocol\n"
    "  --help          this text\n"
    "\n"
    "Without FILEs, all files named *_test.lua in this folder and below are run. A test file:\n"
    "\n"
    "  local policy = require(\"interim.test\").load(\"policy.lua\")\n"
    "\n"
    "  test(\"no token, no upload\", function()\n"
    "    expect_equal(policy:expect { method = \"PUT\", path = \"/up\" }.status, 401)\n"
    "  end)\n"
    "\n"
    "Exit status: 0 when all tests passed, 1 when one failed or there was none, 2 when the "
    "command\n"
    "line was wrong.\n";

static const char types_help[] =
    "interim types - print what the Lua language server needs to know to check policies\n"
    "\n"
    "Usage:\n"
    "  interim types [--output FILE]\n"
    "\n"
    "Options:\n"
    "  --output FILE   write there instead of to standard output\n"
    "  --help          this text\n"
    "\n"
    "Example: put the file where the language server looks (the folder of the policy will do), "
    "and\n"
    "write `---@type interim.policy` above the table that the policy returns:\n"
    "\n"
    "  interim types --output interim.d.lua\n";

static int refuse(const char *command, const char *text, const char *word, const char *hint)
{
    fprintf(stderr, "interim %s: %s \"%.100s\"%s\nTry `interim %s --help`.\n", command, text, word,
            hint, command);
    return EXIT_USAGE;
}

static int refuse_option(const char *command, const char *word, const char *const *known,
                         size_t count)
{
    char hint[WORDS_HINT_MAX];

    return refuse(command, "unknown option", word,
                  words_hint(hint, sizeof hint, slice_of_string(word), known, count));
}

/* Whether argv[*i] is this option. Its value may be the next word; NULL: there is none. */
static bool is_option(const char *name, int argc, char *const argv[], int *i, const char **value)
{
    size_t len = strlen(name);

    if (strncmp(argv[*i], name, len) != 0 || (argv[*i][len] != '=' && argv[*i][len] != '\0'))
        return false;
    if (argv[*i][len] == '=')
        *value = argv[*i] + len + 1;
    else
        *value = *i + 1 < argc ? argv[++*i] : NULL;
    return true;
}

/* ---- try ---- */

struct words {
    int count;
    char *const *at;
};

static int push_words(lua_State *L, void *data)
{
    const struct words *w = data;

    lua_createtable(L, w->count, 0);
    for (int i = 0; i < w->count; i++) {
        lua_pushstring(L, w->at[i]);
        lua_rawseti(L, -2, i + 1);
    }
    return 1;
}

int commands_try(int argc, char *const argv[])
{
    struct words words = {argc, argv};
    struct tool tool;
    char why[256];
    int status[1] = {EXIT_FAILURE};

    if (!tool_open(&tool, NULL, why, sizeof why))
        fprintf(stderr, "interim: %s\n", why);
    else if (!tool_call(&tool, "interim.try", push_words, &words, status, 1))
        status[0] = EXIT_FAILURE;
    tool_close(&tool);
    return output_end(status[0]);
}

/* ---- test ---- */

struct testing {
    const char *form;
    unsigned allow;   /* to the policies */
    const char *file; /* that is running */
    int passed, failed;
};

static int push_file(lua_State *L, void *data)
{
    const struct testing *t = data;

    lua_pushstring(L, t->file);
    lua_pushstring(L, t->form);
    lua_pushinteger(L, t->passed + t->failed + 1);
    lua_pushinteger(L, (lua_Integer)t->allow);
    return 4;
}

static void run_file(struct testing *t, const char *file)
{
    struct tool tool;
    char why[256];
    int counts[2];

    t->file = file;
    if (!tool_open(&tool, file, why, sizeof why)) {
        fflush(stdout);
        fprintf(stderr, "%s: %s\n", file, why);
        t->failed++;
    } else if (tool_call(&tool, "interim.runner", push_file, t, counts, 2)) {
        t->passed += counts[0];
        t->failed += counts[1];
    } else {
        t->failed++;
    }
    tool_close(&tool);
    fflush(stdout);
}

static int compare_entries(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static bool is_test(const FTSENT *entry)
{
    struct slice name = slice_of(entry->fts_name, entry->fts_namelen);

    return entry->fts_info == FTS_F && slice_ends(name, SLICE("_test.lua"));
}

/* A file that was named is run whatever it is called. */
static void run_path(struct testing *t, char *path)
{
    char *roots[] = {path, NULL};
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, compare_entries);

    if (tree == NULL)
        return;
    for (FTSENT *e = fts_read(tree); e != NULL; e = fts_read(tree)) {
        bool named = e->fts_level == FTS_ROOTLEVEL;
        if (e->fts_info == FTS_D && !named && e->fts_name[0] == '.')
            fts_set(tree, e, FTS_SKIP);
        else if (named ? e->fts_info != FTS_D && e->fts_info != FTS_DP : is_test(e))
            run_file(t, strncmp(e->fts_path, "./", 2) == 0 ? e->fts_path + 2 : e->fts_path);
    }
    fts_close(tree);
}

static void print_sums(const struct testing *t)
{
    if (strcmp(t->form, "json") == 0)
        printf("{\"passed\":%d,\"failed\":%d}\n", t->passed, t->failed);
    else if (strcmp(t->form, "tap") == 0)
        printf("1..%d\n", t->passed + t->failed);
    else
        printf("\n%d passed, %d failed\n", t->passed, t->failed);
}

static int run_tests(struct testing *t, char *const *paths, int count)
{
    char here[] = ".";

    if (strcmp(t->form, "tap") == 0)
        printf("TAP version 13\n");
    for (int i = 0; i < count; i++)
        run_path(t, paths[i]);
    if (count == 0)
        run_path(t, here);
    print_sums(t);
    if (t->passed + t->failed > 0)
        return output_end(t->failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
    fprintf(stderr, "interim test: there is no *_test.lua here\n");
    return output_end(EXIT_FAILURE);
}

static bool read_allow(struct testing *t, const char *names)
{
    char why[256] = "--allow needs a value";

    if (names != NULL && settings_read_allow(slice_of_string(names), &t->allow, why, sizeof why))
        return true;
    fprintf(stderr, "interim test: %s\nTry `interim test --help`.\n", why);
    return false;
}

/* The files and folders go to paths[*count]. False: it is done, with this exit status. */
static bool read_test_words(struct testing *t, int argc, char *const argv[], char **paths,
                            int *count, int *status)
{
    static const char *const known[] = {"--allow", "--json", "--tap", "--help"};
    const char *value;

    *status = EXIT_USAGE;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(test_help, stdout);
            *status = output_end(EXIT_SUCCESS);
            return false;
        }
        if (strcmp(argv[i], "--json") == 0 || strcmp(argv[i], "--tap") == 0) {
            t->form = argv[i] + 2;
        } else if (is_option("--allow", argc, argv, &i, &value)) {
            if (!read_allow(t, value))
                return false;
        } else if (argv[i][0] == '-') {
            refuse_option("test", argv[i], known, 4);
            return false;
        } else {
            paths[(*count)++] = argv[i];
        }
    }
    return true;
}

int commands_test(int argc, char *const argv[])
{
    struct testing t = {.form = "text"};
    char **paths = calloc((size_t)argc + 1, sizeof *paths);
    int count = 0, status = EXIT_FAILURE;

    if (paths != NULL && read_test_words(&t, argc, argv, paths, &count, &status))
        status = run_tests(&t, paths, count);
    free(paths);
    return status;
}

/* ---- types ---- */

static int write_types(FILE *file)
{
    for (const struct embedded *m = embedded; m->name != NULL; m++)
        if (strcmp(m->name, "interim.types") == 0 && fwrite(m->text, 1, m->len, file) == m->len)
            return EXIT_SUCCESS;
    return EXIT_FAILURE;
}

static int write_types_to(const char *path)
{
    FILE *file = fopen(path, "we");

    int status = file != NULL ? write_types(file) : EXIT_FAILURE;
    if (file != NULL && fclose(file) != 0)
        status = EXIT_FAILURE;
    if (status != EXIT_SUCCESS)
        fprintf(stderr, "interim types: %s cannot be written: %m\n", path);
    return status;
}

int commands_types(int argc, char *const argv[])
{
    static const char *const known[] = {"--output", "--help"};
    const char *output = NULL;

    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(types_help, stdout);
            return output_end(EXIT_SUCCESS);
        }
        if (is_option("--output", argc, argv, &i, &output)) {
            if (output == NULL)
                return refuse("types", "a file is needed behind", argv[i], "");
            continue;
        }
        if (argv[i][0] == '-')
            return refuse_option("types", argv[i], known, 2);
        else
            return refuse("types", "no words but options are taken: what is", argv[i], "?");
    }
    return output != NULL ? write_types_to(output) : output_end(write_types(stdout));
}
