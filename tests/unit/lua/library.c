/*
 * The functions of `interim`, each by examples: what it gives, and what it says when misused.
 */
#include "library.h"

#include "base/log.h"
#include "budget.h"
#include "engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <lauxlib.h>
#include <lualib.h>

static uint64_t steps;
static uint64_t steps_allowed;

/* In the place of the real ones, so that a library stands alone in a bare state. */
void budget_spend(lua_State *L, unsigned spent)
{
    steps += spent;
    if (steps > steps_allowed)
        luaL_error(L, "budget gone");
}

void budget_check(lua_State *L)
{
    budget_spend(L, 0);
}

struct engine *engine_of(lua_State *L)
{
    static struct engine engine;
    (void)L;
    return &engine;
}

const char *engine_where(lua_State *L)
{
    (void)L;
    return "hook expect, request 1-7f";
}

static int set_up(void **state)
{
    lua_State *L = luaL_newstate();
    assert_non_null(L);
    luaL_openlibs(L);
    lua_newtable(L);
    library_install(L);
    assert_int_equal(lua_gettop(L), 1);
    lua_setglobal(L, "interim");
    steps = 0;
    steps_allowed = UINT64_MAX;
    *state = L;
    return 0;
}

static int tear_down(void **state)
{
    lua_close(*state);
    return 0;
}

static void run(lua_State *L, const char *code)
{
    if (luaL_dostring(L, code) != 0)
        fail_msg("%s\n%s", code, lua_tostring(L, -1));
    lua_settop(L, 0);
}

/* The code must fail, and its error hold these words. */
static void fails(lua_State *L, const char *code, const char *words)
{
    if (luaL_dostring(L, code) == 0)
        fail_msg("no error: %s", code);
    if (strstr(lua_tostring(L, -1), words) == NULL)
        fail_msg("%s\n%s\nwithout: %s", code, lua_tostring(L, -1), words);
    lua_settop(L, 0);
}

static void trim_takes_white_space_from_both_ends(void **state)
{
    run(*state, "assert(interim.trim(' \\t\\r\\n\\v\\fa b\\n') == 'a b')"
                "assert(interim.trim('') == '' and interim.trim('   ') == '')"
                "assert(interim.trim('\\0 ') == '\\0' and interim.trim('\\160a') == '\\160a')"
                "assert(interim.trim(7) == '7')");
    fails(*state, "interim.trim()", "bad argument #1 to 'trim' (string expected, got no value)");
}

static void split_keeps_empty_pieces_and_knows_no_patterns(void **state)
{
    run(*state, "local function list(s, sep) return table.concat(interim.split(s, sep), '|') end\n"
                "assert(list('a,b,,c', ',') == 'a|b||c')"
                "assert(list('', ',') == '' and #interim.split('', ',') == 1)"
                "assert(list(',', ',') == '|' and #interim.split(',', ',') == 2)"
                "assert(list('a.b', '.') == 'a|b' and list('a%sb', '%s') == 'a|b')"
                "assert(list('a--b---c', '--') == 'a|b|-c')"
                "assert(list('ab', 'abc') == 'ab')"
                "assert(list('a\\0b', '\\0') == 'a|b')"
                "assert(#interim.split(('x,'):rep(10000), ',') == 10001)");
    fails(*state, "interim.split('a', '')", "an empty separator splits nowhere");
    fails(*state, "interim.split('a')", "bad argument #2 to 'split'");
}

static void starts_and_ends_compare_bytes(void **state)
{
    run(*state, "assert(interim.starts('/api/x', '/api/') == true)"
                "assert(interim.starts('/api', '/api/') == false)"
                "assert(interim.starts('a', '') and interim.ends('a', ''))"
                "assert(interim.starts('a.c', 'a%.') == false)"
                "assert(interim.ends('x.html', '.html') == true)"
                "assert(interim.ends('html', '.html') == false)"
                "assert(interim.ends('a\\0b', '\\0b') and not interim.ends('a\\0b', '\\0c'))");
    fails(*state, "interim.starts('a', nil)", "bad argument #2 to 'starts'");
    fails(*state, "interim.ends(nil, 'a')", "bad argument #1 to 'ends'");
}

static void json_gives_back_what_went_in(void **state)
{
    run(*state, "local json = interim.json\n"
                "local t = json.decode('{\"a\":[1,2.5,\"x\",true,null],\"b\":{}}')\n"
                "assert(t.a[1] == 1 and t.a[2] == 2.5 and t.a[3] == 'x' and t.a[4] == true)"
                "assert(t.a[5] == json.null and next(t.b) == nil)"
                "assert(json.encode({ 1, 'x', json.null, false }) == '[1,\"x\",null,false]')"
                "assert(json.encode { a = { b = 1 } } == '{\"a\":{\"b\":1}}')"
                "assert(json.encode({}) == '{}' and json.encode(nil) == 'null')"
                "assert(json.encode('a\\n\"\\0') == '\"a\\\\n\\\\\"\\\\u0000\"')"
                "assert(json.decode('\"\\\\u20ac\"') == '\\226\\130\\172')"
                "assert(json.encode({ [1] = 1, [3] = 3 }) == '[1,null,3]')"
                "assert(json.encode(12345678901234) == '12345678901234')"
                /* A number that no double holds is infinite, however it is written. */
                "assert(json.decode('1e999') == 1/0 and json.decode('[-1e999]')[1] == -1/0)"
                "assert(cjson == nil)");
}

static void json_refuses_what_json_cannot_say(void **state)
{
    fails(*state, "interim.json.encode(print)", "json.encode: Cannot serialise function");
    fails(*state, "interim.json.encode({ 0/0 })", "must not be NaN or Inf");
    fails(*state, "interim.json.encode({ [1] = 1, [1000] = 2 })", "excessively sparse array");
    fails(*state, "interim.json.encode({ [true] = 1 })", "key must be a number or string");
    fails(*state, "interim.json.encode()", "bad argument #1 to 'encode'");
    fails(*state, "interim.json.decode('')", "json.decode: Expected value");
    fails(*state, "interim.json.decode('{\"a\":1} x')", "json.decode: Expected the end");
    fails(*state, "interim.json.decode('[1,]')", "at character 4");
    fails(*state, "interim.json.decode('[NaN]')", "json.decode: Expected value");
    fails(*state, "interim.json.decode('[Infinity]')", "json.decode: Expected value");
    fails(*state, "interim.json.decode('[0x10]')", "json.decode: Expected value");
    fails(*state, "interim.json.decode(nil)", "bad argument #1 to 'decode'");
    /* The error names the line of the script. */
    fails(*state, "local x = 1\nlocal y = interim.json.decode('[')", ":2: json.decode");
}

static void json_is_bounded_in_depth_and_size(void **state)
{
    run(*state, "local t = {} for i = 1, 99 do t = { t } end\n"
                "local text = interim.json.encode(t)\n"
                "assert(interim.json.encode(interim.json.decode(text)) == text)");
    fails(*state, "local t = {} t[1] = t interim.json.encode(t)", "one holds itself");
    fails(*state, "local t = {} for i = 1, 100 do t = { t } end interim.json.encode(t)",
          "deeper than 100 levels");
    fails(*state, "interim.json.decode(('['):rep(101) .. (']'):rep(101))", "nested");
    fails(*state, "interim.json.encode(('x'):rep(9 * 1024 * 1024))", "too big (over 8 MiB)");
    fails(*state, "local t = { 1 } for i = 1, 60 do t = { t, t } end interim.json.encode(t)",
          "too big");
    steps_allowed = steps + 100000;
    fails(*state, "local t = { 1 } for i = 1, 60 do t = { t, t } end interim.json.encode(t)",
          "budget gone");
}

static void base64_agrees_with_rfc_4648(void **state)
{
    run(*state, "local b = interim.base64\n"
                "for plain, text in pairs { [''] = '', f = 'Zg==', fo = 'Zm8=', foo = 'Zm9v',\n"
                "  foob = 'Zm9vYg==', fooba = 'Zm9vYmE=', foobar = 'Zm9vYmFy' } do\n"
                "  assert(b.encode(plain) == text and b.decode(text) == plain)\n"
                "end\n"
                "local all = {} for i = 0, 255 do all[#all + 1] = string.char(i) end\n"
                "all = table.concat(all):rep(20)\n"
                "for n = 760, 776 do local s = all:sub(1, n)\n"
                "  assert(b.decode(b.encode(s)) == s and #b.encode(s) == math.ceil(n / 3) * 4)\n"
                "end\n"
                "assert(b.decode(b.encode(all)) == all)\n");
    fails(*state, "interim.base64.encode()", "bad argument #1 to 'encode'");
    fails(*state, "interim.base64.decode({})", "bad argument #1 to 'decode'");
}

static void text_that_is_not_base64_decodes_to_nil(void **state)
{
    run(*state, "for _, text in ipairs { 'Z', 'Zg', 'Zg=', '=', '====', 'Zg=a', 'Z===', ' Zg==',\n"
                "  'Zg==\\n', 'Zm9v ', 'Zm-_', 'Zh==', 'Zm9=', 'Zg==Zg==', '\\0\\0\\0\\0',\n"
                "  'Zm9\\200' } do\n"
                "  assert(interim.base64.decode(text) == nil, text)\n"
                "end");
}

static void digests_agree_with_their_specifications(void **state)
{
    /* FIPS 180-4's examples, RFC 4231 test cases 1 and 2 */
    run(*state, "assert(interim.sha256('') == "
                "'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')"
                "assert(interim.sha256('abc') == "
                "'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')"
                "assert(interim.hmac(('\\11'):rep(20), 'Hi There') == "
                "'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7')"
                "assert(interim.hmac('Jefe', 'what do ya want for nothing?') == "
                "'5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843')"
                "assert(interim.hmac('', '') == "
                "'b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad')");
    fails(*state, "interim.sha256(nil)", "bad argument #1 to 'sha256'");
    fails(*state, "interim.hmac('key')", "bad argument #2 to 'hmac'");
}

static void equal_compares_all_bytes(void **state)
{
    run(*state, "assert(interim.equal('abc', 'abc') == true and interim.equal('', '') == true)"
                "assert(interim.equal('abc', 'abd') == false)"
                "assert(interim.equal('abc', 'ab') == false)"
                "assert(interim.equal('a\\0b', 'a\\0c') == false)");
    /* A missing header must not compare as anything. */
    fails(*state, "interim.equal(nil, 'a')", "bad argument #1 to 'equal'");
}

static void addresses_match_networks(void **state)
{
    run(*state, "local match = interim.ip.match\n"
                "assert(match('10.1.2.3', '10.0.0.0/8') == true)"
                "assert(match('11.1.2.3', '10.0.0.0/8') == false)"
                "assert(match('10.1.2.3', { '192.168.0.0/16', '10.1.2.3' }) == true)"
                "assert(match('10.1.2.4', { '192.168.0.0/16', '10.1.2.3' }) == false)"
                "assert(match('10.1.2.4', {}) == false)"
                "assert(match('fd00::1', 'fd00::/8') == true and match('::1', 'fd00::/8') == false)"
                "assert(match('fe80::1%2', 'fe80::/10') == true)"
                "assert(match('::ffff:10.1.2.3', '10.0.0.0/8') == true)"
                "assert(match('', 'unix:') == true and match('', '0.0.0.0/0') == false)"
                "assert(match('10.1.2.3', 'unix:') == false)");
}

static void what_is_no_address_gives_nil(void **state)
{
    run(*state, "for _, text in ipairs { 'localhost', '10.1.2', '10.0.0.0/8', '1.2.3.4:80',\n"
                "  '[::1]', ' 10.1.2.3', '10.1.2.3\\0', '%', ('1'):rep(5000) } do\n"
                "  assert(interim.ip.match(text, { '0.0.0.0/0', '::/0' }) == nil, text)\n"
                "end");
    fails(*state, "interim.ip.match(nil, '10.0.0.0/8')", "bad argument #1 to 'match'");
}

static void a_wrong_network_is_an_error_even_behind_a_match(void **state)
{
    fails(*state, "interim.ip.match('10.1.2.3', 'example.org')", "bad argument #2 to 'match'");
    fails(*state, "interim.ip.match('10.1.2.3', '10.0.0.1/8')", "bits");
    fails(*state, "interim.ip.match('10.1.2.3', { '10.0.0.0/8', '10.0.0.0/33' })", "0 to 32");
    fails(*state, "interim.ip.match('nobody', { '10.0.0.0/33' })", "0 to 32");
    fails(*state, "interim.ip.match('10.1.2.3')", "expected a network or a list");
    fails(*state, "interim.ip.match('10.1.2.3', { '10.0.0.0/8', true })", "expected a network");
    fails(*state, "interim.ip.match('10.1.2.3', { x = '10.0.0.0/8' })",
          "bad argument #2 to 'match' (in the list of networks the key \"x\" is no place)");
    fails(*state, "interim.ip.match('10.1.2.3', { '10.0.0.0/8', nil, '::1' })",
          "in the list of networks place 2 is empty");
}

static void url_decodes_whole_or_not_at_all(void **state)
{
    run(*state, "local url = interim.url\n"
                "assert(url.decode('a%20b%2Fc+d%e2%82%AC') == 'a b/c+d\\226\\130\\172')"
                "assert(url.decode('') == '' and url.decode('%00') == '\\0')"
                "assert(url.decode('%2541') == '%41')"
                "for _, text in ipairs { '%', 'a%', '%4', 'a%4', '%g0', '%0g', '%%41', '% 1' } do\n"
                "  assert(url.decode(text) == nil, text)\n"
                "end");
    fails(*state, "interim.url.decode(nil)", "bad argument #1 to 'decode'");
}

static void url_encodes_all_but_unreserved_bytes(void **state)
{
    run(*state, "local url = interim.url\n"
                "assert(url.encode('AZaz09-._~') == 'AZaz09-._~' and url.encode('') == '')"
                "assert(url.encode(' /?&=+%\\0\\255') == '%20%2F%3F%26%3D%2B%25%00%FF')"
                "local all = {} for i = 0, 255 do all[#all + 1] = string.char(i) end\n"
                "all = table.concat(all):rep(10)\n"
                "assert(url.decode(url.encode(all)) == all)"
                /* Longer than any buffer on the way. */
                "all = all:rep(500) assert(url.decode(url.encode(all)) == all)");
    fails(*state, "interim.url.encode({})", "bad argument #1 to 'encode'");
}

static void a_query_is_a_table_with_lists_for_repeated_names(void **state)
{
    run(*state, "local q = interim.url.parse_query('a=1&b=x+y%2B&a=2&c&&d==&=e&a=3&%61%5b%5d=4')\n"
                "assert(#q.a == 3 and q.a[1] == '1' and q.a[2] == '2' and q.a[3] == '3')"
                "assert(q.b == 'x y+' and q.c == '' and q.d == '=' and q[''] == 'e')"
                "assert(q['a[]'] == '4' and q.e == nil)"
                "assert(next(interim.url.parse_query('')) == nil)"
                "assert(next(interim.url.parse_query('&&')) == nil)"
                "assert(next(interim.url.parse_query(nil)) == nil)"
                "assert(interim.url.parse_query('a=1&b=%4') == nil)"
                "assert(interim.url.parse_query('a%=1') == nil)"
                "assert(interim.url.parse_query('a=1;b=2').a == '1;b=2')"
                "assert(#interim.url.parse_query(('x&'):rep(5000)).x == 5000)");
    fails(*state, "interim.url.parse_query()", "bad argument #1 to 'parse_query'");
    fails(*state, "interim.url.parse_query({})", "bad argument #1 to 'parse_query'");
}

static void cookies_are_read_by_name_and_the_first_counts(void **state)
{
    run(*state, "local c = interim.cookie.parse('a=1; b = \"x y\" ;c=d=e;a=2; flag; =no;;Z=')\n"
                "assert(c.a == '1' and c.b == '\"x y\"' and c.c == 'd=e' and c.Z == '')"
                "assert(c.flag == nil and c[''] == nil and c.z == nil)"
                "assert(next(interim.cookie.parse('')) == nil)"
                "assert(next(interim.cookie.parse(nil)) == nil)"
                "assert(next(interim.cookie.parse(';; ;=')) == nil)");
    fails(*state, "interim.cookie.parse()", "bad argument #1 to 'parse'");
}

static void dates_are_written_and_read_as_rfc_9110_says(void **state)
{
    run(*state, "local t = interim.time\n"
                "assert(t.http(784111777) == 'Sun, 06 Nov 1994 08:49:37 GMT')"
                "assert(t.http(0.9) == 'Thu, 01 Jan 1970 00:00:00 GMT')"
                "assert(t.http(-1) == 'Wed, 31 Dec 1969 23:59:59 GMT')"
                "assert(t.http(253402300799) == 'Fri, 31 Dec 9999 23:59:59 GMT')"
                "assert(t.parse('Sun, 06 Nov 1994 08:49:37 GMT') == 784111777)"
                "assert(t.parse('Sunday, 06-Nov-94 08:49:37 GMT') == 784111777)"
                "assert(t.parse('Sun Nov  6 08:49:37 1994') == 784111777)"
                "assert(t.parse('Wed Nov 16 08:49:37 1994') == 784975777)"
                "assert(t.parse('Thu, 29 Feb 2024 00:00:00 GMT') == 1709164800)"
                "assert(t.parse('Sat, 31 Dec 2016 23:59:60 GMT') == 1483228800)"
                "for i = 1, 2000 do local s = math.floor(i * 1e8 / 7)\n"
                "  assert(t.parse(t.http(s)) == s) end\n"
                /* Two digits name the nearest year that is at most 50 years ahead. */
                "local now = os.date('!*t').year\n"
                "local function year(y) local s = t.parse(('Monday, 01-Jan-%02d 00:00:00 GMT')\n"
                "  :format(y % 100)) return os.date('!*t', s).year end\n"
                "assert(year(now + 50) == now + 50 and year(now + 51) == now - 49)");
    fails(*state, "interim.time.http()", "bad argument #1 to 'http'");
    fails(*state, "interim.time.http(0/0)", "expected seconds since 1970");
    fails(*state, "interim.time.http(253402300800)", "in the years 0 to 9999");
    fails(*state, "interim.time.http(-1/0)", "expected seconds since 1970");
    fails(*state, "interim.time.parse(nil)", "bad argument #1 to 'parse'");
}

static void what_is_no_http_date_gives_nil(void **state)
{
    run(*state, "for _, text in ipairs { '', 'now', '784111777', 'Sun, 06 Nov 1994 08:49:37',\n"
                "  'Sun, 06 Nov 1994 08:49:37 UTC', 'Sun, 06 Nov 1994 08:49:37 GMT ',\n"
                "  ' Sun, 06 Nov 1994 08:49:37 GMT', 'sun, 06 Nov 1994 08:49:37 GMT',\n"
                "  'Sun, 6 Nov 1994 08:49:37 GMT', 'Sun, 06 nov 1994 08:49:37 GMT',\n"
                "  'Sun, 06 Nov 94 08:49:37 GMT', 'Sun, 31 Nov 1994 08:49:37 GMT',\n"
                "  'Sun, 00 Nov 1994 08:49:37 GMT', 'Wed, 29 Feb 2023 00:00:00 GMT',\n"
                "  'Sun, 06 Nov 1994 24:00:00 GMT', 'Sun, 06 Nov 1994 08:60:37 GMT',\n"
                "  'Sun, 06 Nov 1994 08:49:61 GMT', 'Sun, 06 Nov 1994 +8:49:37 GMT',\n"
                "  'Sun, 06-Nov-94 08:49:37 GMT', 'Sunday, 06-Nov-1994 08:49:37 GMT',\n"
                "  'Sun Nov 6 08:49:37 1994', 'Sun, 06 Nov 1994 08:49:37 GMT\\0',\n"
                "  'Sun, 06 Nov 19941 08:49:37 GMT', ('S'):rep(100000) } do\n"
                "  assert(interim.time.parse(text) == nil, text)\n"
                "end");
}

static void no_part_of_a_date_is_one(void **state)
{
    run(*state,
        "for _, date in ipairs { 'Sun, 06 Nov 1994 08:49:37 GMT',\n"
        "    'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994' } do\n"
        "  for n = 0, #date - 1 do\n"
        "    assert(interim.time.parse(date:sub(1, n)) == nil)\n"
        "    assert(interim.time.parse(date:sub(1, n) .. '\\1' .. date:sub(n + 2)) == nil)\n"
        "  end\n"
        "end");
}

static void clocks_run_forward_in_seconds(void **state)
{
    run(*state, "assert(math.abs(interim.now() - os.time()) < 5)"
                "local a = interim.monotonic() local b = interim.monotonic()\n"
                "assert(type(a) == 'number' and b >= a)");
}

/* What the code wrote to stderr, up to the size of `text`. */
static void catch_log(lua_State *L, const char *code, char *text, size_t size)
{
    FILE *file = tmpfile();
    int saved = dup(STDERR_FILENO);
    assert_non_null(file);
    assert_true(saved >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0);
    int status = luaL_dostring(L, code);
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    close(saved);
    rewind(file);
    text[fread(text, 1, size - 1, file)] = '\0';
    fclose(file);
    if (status != 0)
        fail_msg("%s\n%s", code, lua_tostring(L, -1));
}

static void log_writes_one_line_that_says_who_speaks(void **state)
{
    char text[4096];
    log_open("test", LOG_INFO);
    catch_log(*state, "interim.log('plain')", text, sizeof(text));
    assert_non_null(strstr(text, " info test: hook expect, request 1-7f: plain\n"));
    catch_log(*state, "interim.log('warning', 'a\\nforged: line %s')", text, sizeof(text));
    assert_non_null(strstr(text, " warning test: "));
    assert_non_null(strstr(text, ": a\\x0aforged: line %s\n"));
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    catch_log(*state, "interim.log('a\\0b\\0')", text, sizeof(text)); /* nothing hides behind one */
    assert_non_null(strstr(text, ": a\\x00b\\x00\n"));
    catch_log(*state, "interim.log(('a\\0'):rep(2000))", text, sizeof(text));
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    assert_non_null(strstr(text, "...\n"));
    catch_log(*state, "interim.log('error', nil) interim.log(12)", text, sizeof(text));
    assert_non_null(strstr(text, " error test: hook expect, request 1-7f: nil\n"));
    assert_non_null(strstr(text, ": 12\n"));
    catch_log(*state, "interim.log('debug', 'hidden')", text, sizeof(text));
    assert_string_equal(text, "");
    fails(*state, "interim.log('loud', 'x')", "invalid option 'loud'");
    fails(*state, "interim.log({})", "bad argument #1 to 'log'");
    fails(*state, "interim.log('info', 'b', 'c')",
          "interim.log takes a level and one text, not 3 arguments: join texts with ..");
    fails(*state, "interim.log('info', ('b'):gsub('b', 'c'))",
          "and put a call that gives several values, as gsub does, in parentheses");
}

static void work_on_long_arguments_is_paid_for(void **state)
{
    static const char *const calls[] = {
        "interim.trim(s)",          "interim.split(s, ',')",         "interim.starts(s, s)",
        "interim.ends(s, s)",       "interim.json.decode('1' .. s)", "interim.json.encode(s)",
        "interim.base64.encode(s)", "interim.base64.decode(s)",      "interim.sha256(s)",
        "interim.hmac('k', s)",     "interim.equal(s, s)",           "interim.url.decode(s)",
        "interim.url.encode(s)",    "interim.url.parse_query(s)",    "interim.cookie.parse(s)",
    };
    run(*state, "s = (' '):rep(1024 * 1024)");
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        steps = 0;
        steps_allowed = UINT64_MAX;
        run(*state, calls[i]);
        assert_true(steps >= 1024 * 1024 / 8);
        steps = 0;
        steps_allowed = 1000;
        fails(*state, calls[i], "budget gone");
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(trim_takes_white_space_from_both_ends),
        TEST(split_keeps_empty_pieces_and_knows_no_patterns),
        TEST(starts_and_ends_compare_bytes),
        TEST(json_gives_back_what_went_in),
        TEST(json_refuses_what_json_cannot_say),
        TEST(json_is_bounded_in_depth_and_size),
        TEST(base64_agrees_with_rfc_4648),
        TEST(text_that_is_not_base64_decodes_to_nil),
        TEST(digests_agree_with_their_specifications),
        TEST(equal_compares_all_bytes),
        TEST(addresses_match_networks),
        TEST(what_is_no_address_gives_nil),
        TEST(a_wrong_network_is_an_error_even_behind_a_match),
        TEST(url_decodes_whole_or_not_at_all),
        TEST(url_encodes_all_but_unreserved_bytes),
        TEST(a_query_is_a_table_with_lists_for_repeated_names),
        TEST(cookies_are_read_by_name_and_the_first_counts),
        TEST(dates_are_written_and_read_as_rfc_9110_says),
        TEST(what_is_no_http_date_gives_nil),
        TEST(no_part_of_a_date_is_one),
        TEST(clocks_run_forward_in_seconds),
        TEST(log_writes_one_line_that_says_who_speaks),
        TEST(work_on_long_arguments_is_paid_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
