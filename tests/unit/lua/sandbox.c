/*
 * What a policy can reach, and that nothing it does there leaves its budget or its state.
 */
#include "scene.h"

/* Everything reachable by name. A new name here is a decision, not an accident. */
static const char golden[] =
    "_G _VERSION assert bit bit.arshift bit.band bit.bnot bit.bor bit.bswap bit.bxor bit.lshift "
    "bit.rol bit.ror bit.rshift bit.tobit bit.tohex coroutine coroutine.create coroutine.resume "
    "coroutine.running coroutine.status coroutine.wrap coroutine.yield error getmetatable ipairs "
    "math math.abs math.acos math.asin math.atan math.atan2 math.ceil math.cos math.cosh math.deg "
    "math.exp math.floor math.fmod math.frexp math.huge math.ldexp math.log math.log10 math.max "
    "math.min math.modf math.pi math.pow math.rad math.random math.randomseed math.sin math.sinh "
    "math.sqrt math.tan math.tanh next os os.clock os.date os.getenv os.time pairs pcall print "
    "rawequal rawget rawset require select setmetatable string string.byte string.char string.find "
    "string.format string.gmatch string.gsub string.len string.lower string.match string.rep "
    "string.reverse string.sub string.upper table table.concat table.insert table.maxn "
    "table.remove table.sort tonumber tostring type unpack";

static void the_reachable_names_are_those_of_the_list(void **state)
{
    struct scene *s = *state;
    assert_false(scene_read(
        s, "local names = {}\n"
           "local function walk(t, prefix) for k, v in pairs(t) do names[#names + 1] = prefix .. k "
           "if type(v) == 'table' and v ~= _G then walk(v, prefix .. k .. '.') end end end\n"
           "walk(_G, '') table.sort(names) error(table.concat(names, ' '), 0)"));
    /* A message of an error is cut, so the list comes in two halves. */
    static char source[2048];
    char expected[sizeof golden + 64];
    snprintf(source, sizeof source,
             "local names = {}\n"
             "local function walk(t, prefix) for k, v in pairs(t) do names[#names + 1] = prefix .. "
             "k if type(v) == 'table' and v ~= _G then walk(v, prefix .. k .. '.') end end end\n"
             "walk(_G, '') table.sort(names) local all = table.concat(names, ' ')\n"
             "error(all:sub(1, 500) .. '|' .. #all, 0)");
    assert_false(scene_read(s, source));
    snprintf(expected, sizeof expected, "policy.lua: %.500s|%zu\n", golden, sizeof golden - 1);
    assert_string_equal(scene_errors(s), expected);
    snprintf(strstr(source, "error(all"), 64, "error(all:sub(501), 0)");
    assert_false(scene_read(s, source));
    snprintf(expected, sizeof expected, "policy.lua: %s\n", golden + 500);
    assert_string_equal(scene_errors(s), expected);
}

/* Each must be false or an error, while loading and in a hook. */
static const char *const absent[] = {
    "io",           "ffi",         "jit",           "debug",      "package",
    "load",         "loadstring",  "loadfile",      "dofile",     "xpcall",
    "newproxy",     "getfenv",     "setfenv",       "gcinfo",     "collectgarbage",
    "module",       "os.execute",  "os.exit",       "os.remove",  "os.rename",
    "os.tmpname",   "string.dump", "os.setlocale",  "table.move", "coroutine.isyieldable",
    "string.gfind", "math.mod",    "table.foreach", "table.getn", "getmetatable('')",
};

static const char *const refused[] = {
    "require 'io'",
    "require 'ffi'",
    "require 'jit'",
    "require 'debug'",
    "require 'string'",
    "require 'package'",
    "require 'table.new'",
    "require '../policy'",
    "require '/etc/passwd'",
    "require ''",
    "require '.'",
    "require 'a..b'",
    "require 'interim.none'",
    "(function() getmetatable('').__index = {} end)()",
    "(function() getmetatable('').x = 1 end)()",
    "setmetatable('', {})",
    "setmetatable(require 'interim'.sleep, {})",
    "(function() local s = '' s.x = 1 end)()",
    "(nil).x",
    "(print).x",
};

static void what_could_leave_the_sandbox_is_absent(void **state)
{
    struct scene *s = *state;
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++) {
        char source[300];
        snprintf(source, sizeof source, "request = function() if %s then return 500 end end",
                 absent[i]);
        scene_policy(s, "", source);
        assert_int_equal(scene_ask(s, HOOK_REQUEST)->kind, VERDICT_DEFAULT);
        scene_drop(s);
    }
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        char source[400];
        snprintf(source, sizeof source,
                 "local function try() local ok = pcall(function() return %s end) return ok end\n"
                 "if try() then error('it worked while loading') end",
                 refused[i]);
        scene_policy(s, source, "request = function() if try() then return 500 end end");
        assert_int_equal(scene_ask(s, HOOK_REQUEST)->kind, VERDICT_DEFAULT);
        scene_drop(s);
    }
}

static void after_loading_nothing_shared_can_be_written(void **state)
{
    static const char *const writes[][2] = {
        {"leaked = 1", "writing the global \\\"leaked\\\" after the policy is loaded"},
        {"mine = 1", "writing the global \\\"mine\\\" after the policy is loaded"},
        {"pcall = nil", "writing the global"},
        {"_G.x = 1", "writing the global"},
        {"rawset(_G, 'x', 1)", "rawset: this table is read-only"},
        {"rawset(string, 'x', 1)", "rawset: this table is read-only"},
        {"table.insert(_G, 1)", "table.insert: this table is read-only"},
        {"table.insert(interim.json, 1, 1)", "table.insert: this table is read-only"},
        {"setmetatable(_G, nil)", "cannot change a protected metatable"},
        {"setmetatable(string, nil)", "cannot change a protected metatable"},
        {"string.find = nil", "string.find is read-only"},
        {"table[1] = 1", "table is read-only"},
        {"coroutine.wrap = nil", "coroutine.wrap is read-only"},
        {"interim.sleep = nil", "interim.sleep is read-only"},
        {"interim.json.encode = nil", "interim.json.encode is read-only"},
    };
    struct scene *s = *state;
    for (size_t i = 0; i < sizeof writes / sizeof writes[0]; i++) {
        char source[500];
        snprintf(
            source, sizeof source,
            "request = function() local ok, why = pcall(function() %s end) "
            "if ok or not why:find(\"%s\", 1, true) then error(tostring(why), 0) end\n"
            "if mine ~= 7 or x or leaked or ('x'):upper() ~= 'X' then error('changed') end end",
            writes[i][0], writes[i][1]);
        scene_policy(s, "local interim = require 'interim' mine = 7", source);
        const struct verdict *v = scene_ask(s, HOOK_REQUEST);
        if (v->kind != VERDICT_DEFAULT)
            print_message("%s\n", scene_log(s));
        assert_int_equal(v->kind, VERDICT_DEFAULT);
        scene_drop(s);
    }
}

static void a_policy_writes_to_protected_tables_of_its_own(void **state)
{
    struct scene *s = *state;
    scene_policy(
        s,
        "local log = {}\n"
        "local t = setmetatable({}, { __metatable = false, __newindex = function(t, k, v)\n"
        "log[#log + 1] = k rawset(t, k, v) end }) t.a = 1",
        "request = function() t.b = 2 table.insert(t, 3)\n"
        "if #log ~= 2 or t.a ~= 1 or t.b ~= 2 or t[1] ~= 3 then error('lost') end end");
    assert_int_equal(scene_ask(s, HOOK_REQUEST)->kind, VERDICT_DEFAULT);
}

/* The global may be another table, none at all, or have a metatable of the policy's own. */
static void a_library_is_sealed_whatever_its_name_means_by_then(void **state)
{
    struct scene *s = *state;
    scene_policy(s,
                 "local lib, list = string, table\n"
                 "string, table = { mine = 1 }, nil setmetatable(math, { __metatable = 'mine' })",
                 "request = function()\n"
                 "local function fails(want, f) local ok, why = pcall(f)\n"
                 "if ok or not why:find(want, 1, true) then error(tostring(why), 0) end end\n"
                 "fails('string.find is read-only', function() lib.find = nil end)\n"
                 "fails('table.x is read-only', function() list.x = 1 end)\n"
                 "fails('math.x is read-only', function() math.x = 1 end)\n"
                 "fails('writing the global', function() string = nil end)\n"
                 "if ('x'):upper() ~= 'X' or string.mine ~= 1 then error('changed') end end");
    const struct verdict *v = scene_ask(s, HOOK_REQUEST);
    if (v->kind != VERDICT_DEFAULT)
        print_message("%s\n", scene_log(s));
    assert_int_equal(v->kind, VERDICT_DEFAULT);
}

/* Loops that try to hold back the budget's error; each must end as a failed hook. */
static const char *const escapes[] = {
    "while true do pcall(function() while true do end end) end",
    "while true do pcall(error) end",
    "local function f() while true do pcall(f) end end f()",
    "local function f() pcall(f) pcall(f) return f() end f()",
    "local function f() for i = 1, 1e9 do pcall(f) end end f()",
    "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
    "while true do pcall(coroutine.wrap(function() while true do end end)) end",
    "local function f() for i = 1, 1e9 do coroutine.resume(coroutine.create(f)) end end f()",
    "local function f() for i = 1, 1e9 do pcall(coroutine.wrap(f)) end end f()",
    ("local co = coroutine.wrap(function() while true do coroutine.yield() end end) "
     "while true do pcall(co) end"),
    "setmetatable({}, { __index = function(t, k) while true do pcall(rawget, t, k) end end }).x()",
    "local t = {} for i = 1, 1e6 do t[i] = -i end while true do table.sort(t) end",
    "table.sort({ 3, 2, 1 }, function() while true do pcall(error) end end)",
    "('x'):gsub('.', function() while true do pcall(error) end end)",
    "while true do pcall(string.rep, 'x', 1e9) end",
    "while true do pcall(table.concat, { ('x'):rep(1e6), ('x'):rep(1e7) }) end",
    "local t = {} while true do pcall(function() t[#t + 1] = ('x'):rep(1e5) .. #t end) end",
    "local s = ('a'):rep(60000) while true do s:find('.-.-.-.-b') end",
    "local s = (' '):rep(65536) for i = 1, 1e9 do pcall(s.match, s, '^(.-)%s+$') end",
    "local s = ('x'):rep(2^24) while true do local t = s:sub(2) end",
    "goto a ::a:: goto a",
    "repeat until false",
    "for i = 1, math.huge do end",
    ("local t = setmetatable({}, { __tostring = function() while true do end end }) "
     "while true do pcall(tostring, t) end"),
    "local s, t = ('x'):rep(1e6), {} for i = 1, 1e4 do t[i] = s end req.headers.x = t",
    "local j = require 'interim'.json while true do pcall(j.decode, ('['):rep(1e5)) end",
};

static void nothing_holds_back_the_budgets_error(void **state)
{
    struct scene *s = *state;
    for (size_t i = 0; i < sizeof escapes / sizeof escapes[0]; i++) {
        char source[500];
        snprintf(source, sizeof source,
                 "request = function(req) %s end, expect = function() return 'continue' end",
                 escapes[i]);
        scene_policy(s, "", source);
        double began = ev_time();
        const struct verdict *v = scene_ask(s, HOOK_REQUEST);
        double took = ev_time() - began;
        if (took > 2)
            print_message("%g s: %s\n", took, escapes[i]);
        assert_true(took < 2);
        assert_int_equal(v->kind, VERDICT_FAILED);
        assert_true(strstr(scene_log(s), "on the CPU at a stretch (limits.hook_cpu)") != NULL ||
                    strstr(s->text, "(limits.policy_memory)") != NULL);
        assert_int_equal(scene_ask(s, HOOK_EXPECT)->kind, VERDICT_CONTINUE);
        scene_forget_log(s);
        scene_drop(s);
    }
}

/* Where the stack ends there is no room to call the budget's hook; how much is left there depends
 * on the size of the frames. */
static void nor_does_the_end_of_the_stack(void **state)
{
    struct scene *s = *state;
    for (int locals = 0; locals < 40; locals++) {
        char source[500];
        size_t n = (size_t)snprintf(source, sizeof source,
                                    "limits = { hook_cpu = 0.005 }, request = function(req)\n"
                                    "local function f()");
        for (int i = 0; i < locals; i++)
            n += (size_t)snprintf(source + n, sizeof source - n, " local a");
        snprintf(source + n, sizeof source - n, " for i = 1, 1e9 do pcall(f) end end f() end");
        scene_policy(s, "", source);
        double began = ev_time();
        assert_int_equal(scene_ask(s, HOOK_REQUEST)->kind, VERDICT_FAILED);
        if (ev_time() - began > 1)
            fail_msg("%g s with %d locals", ev_time() - began, locals);
        scene_drop(s);
    }
}

static void pcall_works_up_to_a_depth(void **state)
{
    struct scene *s = *state;
    scene_policy(s,
                 "local function down(n) if n > 0 then return (down(n - 1)) end\n"
                 "return select(2, pcall(string.upper, 'x')) end",
                 "request = function() if down(900) ~= 'X' then error('too early') end\n"
                 "local ok, why = pcall(down, 1000)\n"
                 "if ok or not why:find('pcall more than 1000 functions deep') then error(why) end "
                 "end");
    assert_int_equal(scene_ask(s, HOOK_REQUEST)->kind, VERDICT_DEFAULT);
}

static void recursion_without_end_is_an_error(void **state)
{
    static const char *const recursions[] = {
        "local function f() return 1 + f() end f()",
        "local function f() coroutine.wrap(f)() end f()",
        "local function f() table.sort({ 1, 2, 3 }, f) end f()",
        "local function f() ('x'):gsub('x', f) end f()",
        "local t = setmetatable({}, { __tostring = function(t) print(t) end }) print(t)",
        "local t = {} setmetatable(t, { __index = function(_, k) return t[k + 1] end }) t = t[1]",
        "error(setmetatable({}, { __tostring = function(t) return tostring(t) end }))",
    };
    struct scene *s = *state;
    for (size_t i = 0; i < sizeof recursions / sizeof recursions[0]; i++) {
        char source[300];
        snprintf(source, sizeof source, "limits = { hook_cpu = 5 }, request = function() %s end",
                 recursions[i]);
        scene_policy(s, "", source);
        assert_int_equal(scene_ask(s, HOOK_REQUEST)->kind, VERDICT_FAILED);
        scene_drop(s);
    }
}

static void modules_beside_the_policy_are_found_and_replayed(void **state)
{
    struct scene *s = *state;
    // NOLINTNEXTLINE(cert-env33-c): a command that nobody chooses
    assert_int_equal(system("mkdir -p lib/deep"), 0);
    scene_write("one.lua", "return { status = 201 }");
    scene_write("lib/two.lua", "local one = require 'one' return { status = one.status + 1 }");
    scene_write("lib/deep/init.lua", "deep = 1");
    scene_policy(s, "local two, deep = require 'lib.two', require 'lib.deep'",
                 "request = function() return require('one').status + two.status - 1 end, "
                 "expect = function() return deep == true and 299 or 500 end, "
                 "log = function() require('late') end");
    // NOLINTNEXTLINE(cert-env33-c): a command that nobody chooses
    assert_int_equal(system("rm -r policy.lua one.lua lib"), 0);
    scene_drop(s);
    scene_load(s); /* from the bundle alone */
    scene_begin(s, SCENE_GET);
    assert_int_equal(scene_ask(s, HOOK_REQUEST)->status, 402);
    assert_int_equal(scene_ask(s, HOOK_EXPECT)->status, 299);
    assert_int_equal(scene_ask(s, HOOK_LOG)->kind, VERDICT_FAILED);
    assert_true(scene_logged(s, "module 'late' was not required while the policy was loaded"));
}

static void a_module_that_fails_is_told_with_its_place(void **state)
{
    struct scene *s = *state;
    assert_false(scene_read(s, "\nrequire 'none'"));
    assert_string_equal(scene_errors(s), "policy.lua:2: module 'none' is not here: there is no "
                                         "none.lua, and interim has no such module\n");
    assert_false(scene_read(s, "local ok = pcall(require, 'none')\n\nrequire 'none'"));
    assert_memory_equal(scene_errors(s), "policy.lua:3: module 'none' is not here", 39);
    scene_write("once.lua", "n = (n or 0) + 1 if n == 1 then error('not yet') end return n");
    assert_true(scene_read(s, "if pcall(require, 'once') then error('it worked') end\n"
                              "if require 'once' ~= 2 or require 'once' ~= 2 then error(n) end\n"
                              "return { listen = 1, upstream = '127.0.0.1:1' }"));
    scene_write("bad.lua", "\n\nlocal x = = 1");
    assert_false(scene_read(s, "require 'bad'"));
    assert_string_equal(scene_errors(s), "bad.lua:3: unexpected symbol near '='\n");
    scene_write("bytes.lua", "\x1bLJ\x02");
    assert_false(scene_read(s, "require 'bytes'"));
    assert_non_null(strstr(scene_errors(s), "attempt to load chunk with wrong mode"));
    scene_write("a.lua", "require 'b'");
    scene_write("b.lua", "require 'a'");
    assert_false(scene_read(s, "require 'a'"));
    assert_string_equal(scene_errors(s), "b.lua:1: module 'a' requires itself, by way of others\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_set_up, scene_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_reachable_names_are_those_of_the_list),
        TEST(what_could_leave_the_sandbox_is_absent),
        TEST(after_loading_nothing_shared_can_be_written),
        TEST(a_policy_writes_to_protected_tables_of_its_own),
        TEST(a_library_is_sealed_whatever_its_name_means_by_then),
        TEST(nothing_holds_back_the_budgets_error),
        TEST(nor_does_the_end_of_the_stack),
        TEST(pcall_works_up_to_a_depth),
        TEST(recursion_without_end_is_an_error),
        TEST(modules_beside_the_policy_are_found_and_replayed),
        TEST(a_module_that_fails_is_told_with_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
