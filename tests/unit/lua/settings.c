/*
 * The data fields of a policy: what they set, and what each mistake is told.
 */
#include "scene.h"

#define HEAD "return { listen = '127.0.0.1:8080', upstream = '127.0.0.1:9000', "

static void assert_refused(struct scene *s, const char *source, const char *errors)
{
    assert_false(scene_read(s, source));
    assert_string_equal(scene_errors(s), errors);
}

static void assert_taken(struct scene *s, const char *source)
{
    bool ok = scene_read(s, source);
    assert_string_equal(scene_errors(s), "");
    assert_true(ok);
}

static void the_shortest_policy_has_the_defaults(void **state)
{
    struct scene *s = *state;
    struct settings expected;
    settings_default(&expected);
    assert_taken(s, HEAD "}");
    assert_int_equal(s->settings.listener_count, 1);
    assert_int_equal(addr_port(&s->settings.listeners[0]), 8080);
    assert_int_equal(s->settings.upstream_count, 1);
    assert_string_equal(s->settings.upstreams[0].name, "127.0.0.1:9000");
    assert_int_equal(s->settings.upstream, 0);
    assert_memory_equal(&s->settings.timeouts, &expected.timeouts, sizeof expected.timeouts);
    assert_memory_equal(&s->settings.limits, &expected.limits, sizeof expected.limits);
    assert_string_equal(s->settings.via, "interim");
}

static void every_field_is_read(void **state)
{
    struct scene *s = *state;
    assert_taken(
        s, "return { listen = { 8080, '127.0.0.1:8081', 'unix:/run/x.sock' },\n"
           "upstreams = { app = { '127.0.0.1:9000', '127.0.0.1:9001' }, up = '127.0.0.1:9100',\n"
           "slow = { addresses = '127.0.0.1:9200', proxy_protocol = 'v2', balance = 'least', "
           "timeouts = { response = "
           "'5m' } } },\n"
           "upstream = 'app', workers = 3, statuses = 'cloudflare', access_log = 'json',\n"
           "timeouts = { connect = 5, idle = '250ms', continue = '1.5s', tunnel = '2h',\n"
           "processing_restarts = false },\n"
           "limits = { head = '64k', fields = 100, hook_cpu = '20ms', policy_memory = '8m' },\n"
           "admin = '127.0.0.1:9901', trusted_proxies = { '10.0.0.0/8', '::1' },\n"
           "via = { name = 'edge', responses = false }, on_error = 'default', drain = '1m',\n"
           "user = 'www-data', jit = true }");
    const struct settings *t = &s->settings;
    assert_int_equal(t->upstream_count, 3);
    assert_string_equal(t->upstreams[t->upstream].name, "app");
    assert_int_equal(t->upstreams[t->upstream].count, 2);
    const struct settings_upstream *slow = &t->upstreams[settings_find_upstream(t, SLICE("slow"))];
    assert_int_equal(slow->balance, BALANCE_LEAST);
    assert_int_equal(slow->proxy_protocol, PROXY_VERSION_2);
    assert_true(slow->timeouts.response == 300 && slow->timeouts.connect == 5);
    assert_int_equal(t->workers, 3);
    assert_int_equal(t->statuses, STATUSES_CLOUDFLARE);
    assert_int_equal(t->access_log, LOG_FORM_JSON);
    assert_true(t->timeouts.idle == 0.25 && t->timeouts.continue_ == 1.5);
    assert_true(t->timeouts.tunnel == 7200 && !t->timeouts.processing_restarts);
    assert_int_equal(t->limits.head, 65536);
    assert_int_equal(t->limits.fields, 100);
    assert_true(t->limits.hook_cpu == 0.02);
    assert_int_equal(t->limits.policy_memory, 8 << 20);
    assert_int_equal(addr_port(&t->admin), 9901);
    assert_int_equal(t->trusted_count, 2);
    assert_string_equal(t->via, "edge");
    assert_false(t->via_responses);
    assert_true(t->on_error_default && t->drain == 60 && t->jit);
    assert_string_equal(t->user, "www-data");
}

static void what_is_the_default_may_be_said(void **state)
{
    struct scene *s = *state;
    assert_taken(s, HEAD "workers = 'auto', on_error = 'deny', access_log = 'text' }");
    assert_int_equal(s->settings.workers, 0);
    assert_false(s->settings.on_error_default);
    assert_int_equal(s->settings.access_log, LOG_FORM_TEXT);
}

static void switches_that_are_false_switch_off(void **state)
{
    struct scene *s = *state;
    assert_taken(s, HEAD "access_log = false, via = false }");
    assert_int_equal(s->settings.access_log, LOG_FORM_NONE);
    assert_string_equal(s->settings.via, "");
}

/* To sort many would take minutes. */
static void names_beyond_all_bounds_are_told_at_once(void **state)
{
    struct scene *s = *state;
    assert_refused(s,
                   "local t = {} for i = 1, 3000 do t['u' .. i] = '127.0.0.1:1' end\n" HEAD
                   "upstreams = t }",
                   "policy.lua: upstreams: 3000 names are more than any table of a policy has\n");
    assert_refused(s,
                   "local t = {} for i = 1, 3000 do t['u' .. i] = 1 end\n"
                   "t.listen, t.upstream = 1, '127.0.0.1:1' return t",
                   "policy.lua: 3002 names are more than any table of a policy has\n");
}

static void an_unknown_key_is_told_with_its_path_and_the_nearest_known_one(void **state)
{
    struct scene *s = *state;
    assert_refused(s, HEAD "timeouts = { conect = 5 } }",
                   "policy.lua: timeouts.conect: unknown key; did you mean \"connect\"?\n");
    assert_refused(s, HEAD "expct = function() end }",
                   "policy.lua: expct: unknown key; did you mean \"expect\"?\n");
    assert_refused(s, HEAD "colour = 'red' }", "policy.lua: colour: unknown key\n");
    assert_refused(s, HEAD "'extra' }",
                   "policy.lua: the key [1] is not a name; this is a table of named fields\n");
    assert_refused(s, HEAD "'extra', 'another', [-3] = 1, [true] = 1 }",
                   "policy.lua: the key [-3] is not a name; this is a table of named fields\n"
                   "policy.lua: a key of type boolean; this is a table of named fields\n");
    assert_refused(s, HEAD "upstreams = { a = { address = '127.0.0.1:1' } } }",
                   "policy.lua: upstreams.a.address: unknown key; did you mean \"addresses\"?\n");
    assert_refused(s,
                   HEAD "upstreams = { a = { addresses = '127.0.0.1:1', "
                        "timeouts = { header = 1 } } } }",
                   "policy.lua: upstreams.a.timeouts.header: unknown key: it cannot differ from "
                   "upstream to upstream; set it in the policy's own timeouts\n");
    assert_refused(s,
                   HEAD "upstreams = { a = { addresses = '127.0.0.1:1', "
                        "timeouts = { conect = 1 } } }, timeouts = { heder = 1 } }",
                   "policy.lua: timeouts.heder: unknown key; did you mean \"header\"?\n"
                   "policy.lua: upstreams.a.timeouts.conect: unknown key; did you mean "
                   "\"connect\"?\n");
}

static void an_error_is_one_line_whatever_the_key(void **state)
{
    struct scene *s = *state;
    assert_refused(s, HEAD "['a\\nb'] = 1 }", "policy.lua: a b: unknown key\n");
    assert_refused(s, HEAD "timeouts = { ['\\n\\n\\n'] = 1 } }",
                   "policy.lua: timeouts.   : unknown key\n");
}

static void a_known_word_with_bytes_behind_a_nul_is_unknown(void **state)
{
    struct scene *s = *state;
    assert_refused(s, HEAD "['expect\\0ation and more'] = 1 }",
                   "policy.lua: expect: unknown key\n");
    assert_refused(
        s, HEAD "statuses = 'standard\\0' }",
        "policy.lua: statuses: must be one of \"default\", \"standard\", \"cloudflare\", not "
        "\"standard\"\n");
}

static void all_errors_are_told_at_once(void **state)
{
    struct scene *s = *state;
    assert_refused(s,
                   "return { listen = '127.0.0.1:8080', upstream = '127.0.0.1:9000',\n"
                   "workers = 0, statuses = 'x', tiemouts = {}, limits = { fields = 'many' } }",
                   "policy.lua: limits.fields: must be a whole number, not \"many\"\n"
                   "policy.lua: workers: must be \"auto\" or a whole number between 1 and 256\n"
                   "policy.lua: statuses: must be one of \"default\", \"standard\", "
                   "\"cloudflare\", not \"x\"\n"
                   "policy.lua: tiemouts: unknown key; did you mean \"timeouts\"?\n");
}

static void wrong_types_and_impossible_values_are_refused(void **state)
{
    static const char *const cases[][2] = {
        {"timeouts = 5", "timeouts: must be a table, not 5"},
        {"timeouts = { connect = {} }",
         "timeouts.connect: must be a number of seconds, or a text such as \"250ms\", \"100s\", "
         "\"5m\", \"1h\", not a table"},
        {"timeouts = { connect = '5 s' }",
         "timeouts.connect: must be a number of seconds, or a text such as \"250ms\", \"100s\", "
         "\"5m\", \"1h\", not \"5 s\""},
        {"timeouts = { connect = -1 }",
         "timeouts.connect: must be between 0.001 and 31536000 seconds, not -1"},
        {"timeouts = { connect = 0/0 }",
         "timeouts.connect: must be between 0.001 and 31536000 seconds, not "},
        {"timeouts = { processing_restarts = 1 }",
         "timeouts.processing_restarts: must be true or false, not 1"},
        {"limits = { head = '1x' }",
         "limits.head: must be a number of bytes, or a text such as \"64k\", \"50m\", \"1g\", not "
         "\"1x\""},
        {"limits = { fields = 1.5 }", "limits.fields: must be a whole number, not 1.5"},
        {"limits = { fields = 5000 }", "limits.fields: must be between 1 and 1024, not 5000"},
        {"limits = { policy_memory = '64k' }", "limits.policy_memory: must be between 1048576 and"},
        {"workers = 'many'", "workers: must be \"auto\" or a whole number between 1 and 256"},
        {"workers = 1.5", "workers: must be \"auto\" or a whole number between 1 and 256"},
        {"proxy_protocol = 'v1'", "proxy_protocol: must be"},
        {"proxy_protocol = true", "proxy_protocol: nobody may speak it"},
        {"access_log = true", "access_log: must be \"text\", \"json\" or false"},
        {"on_error = 'allow'", "on_error: must be \"deny\" or \"default\""},
        {"via = 'a b'", "via: must be a name of up to 63 letters"},
        {"user = ''", "user: must be the name of a user"},
        {"jit = 'yes'", "jit: must be true or false, not \"yes\""},
        {"trusted_proxies = 5",
         "trusted_proxies: must be an address or a network such as \"10.0.0.0/8\", not 5"},
        {"trusted_proxies = { '10.0.0.0/33' }", "trusted_proxies[1]: "},
        {"admin = true", "admin: must be an address such as \"127.0.0.1:9901\", not a boolean"},
        {"admin = {}", "admin: listen is missing: write for example admin = { listen ="},
        {"admin = { listen = {} }", "admin.listen: must be an address such as"},
        {"admin = { lisen = 1 }", "admin.lisen: unknown key; did you mean \"listen\"?"},
        {"admin = '0.0.0.0:9901'", "admin: 0.0.0.0:9901 can be reached from other machines"},
        {"admin = '127.0.0.1'", "admin: \"127.0.0.1\": "},
        {"workers = 257", "workers: must be \"auto\" or a whole number between 1 and 256"},
        {"statuses = 5", "statuses: must be one of"},
        {"on_error = false", "on_error: must be \"deny\" or \"default\""},
        {"via = true", "via: must be a name of up to 63 letters"},
        {"via = ('v'):rep(64)", "via: must be a name of up to 63 letters"},
        {"user = ('u'):rep(64)", "user: must be the name of a user"},
        {"user = 'root\\0'", "user: must be the name of a user"},
        {"trusted_proxies = { a = '10.0.0.1' }",
         "trusted_proxies: must be an address or a network such as \"10.0.0.0/8\", or a list of "
         "them; in this one the key \"a\" is no place"},
        {"upstreams = { [''] = '127.0.0.1:1' }",
         "upstreams.: the name of an upstream has 1 to 127 bytes and no NUL"},
        {"upstream = ('a'):rep(120) .. '.example:80'",
         "upstream: an address of more than 127 bytes needs a shorter name: upstreams = { app = "
         "ADDRESS }"},
        {"upstream = { '127.0.0.1:1', '127.0.0.1:2' }",
         "upstream: must be the name of an upstream or an address, not a table; several addresses "
         "stand in upstreams = { app = { ADDRESS, ADDRESS } }"},
        {"upstreams = { a = { addresses = '127.0.0.1:1', proxy_protocol = true } }",
         "upstreams.a.proxy_protocol: must be \"v1\" or \"v2\""},
        {"[true] = 1", "a key of type boolean; this is a table of named fields"},
        {"request = 'x'", "request: must be a function, not \"x\""},
    };
    struct scene *s = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char source[400], expected[400];
        snprintf(source, sizeof source, HEAD "%s }", cases[i][0]);
        snprintf(expected, sizeof expected, "policy.lua: %s", cases[i][1]);
        assert_false(scene_read(s, source));
        assert_memory_equal(scene_errors(s), expected, strlen(expected));
        assert_ptr_equal(strchr(s->text, '\n'), s->text + strlen(s->text) - 1);
    }
}

static void addresses_are_checked_where_they_stand(void **state)
{
    struct scene *s = *state;
    assert_false(scene_read(s, "return { listen = { '127.0.0.1:80', 'nonsense' }, "
                               "upstream = '127.0.0.1:9000' }"));
    assert_memory_equal(scene_errors(s), "policy.lua: listen[2]: ", 23);
    assert_false(scene_read(s, "return { listen = 8080, upstreams = { a = { '127.0.0.1:1', "
                               "'127.0.0.1:99999' } } }"));
    assert_memory_equal(scene_errors(s), "policy.lua: upstreams.a[2]: ", 28);
    assert_refused(s, "return { listen = {}, upstream = '127.0.0.1:9000' }",
                   "policy.lua: listen: nothing to listen on; write for example listen = "
                   "\"127.0.0.1:8080\"\n");
    assert_refused(s, "return { listen = 8080, upstreams = { a = {} } }",
                   "policy.lua: upstreams.a: has no address; give it an address such as "
                   "\"127.0.0.1:9000\"\n");
    assert_false(scene_read(s, "return { listen = 8080, upstream = '127.0.0.1:99999' }"));
    assert_memory_equal(scene_errors(s), "policy.lua: upstream: ", 22);
    assert_refused(s, "return { listen = 8080, upstream = 9000 }",
                   "policy.lua: upstream: must be the name of an upstream or an address, not a "
                   "number\n");
    assert_refused(s, "return { listen = 8080, upstreams = 'a' }",
                   "policy.lua: upstreams: must be a table from names to addresses, such as "
                   "{ app = \"127.0.0.1:9000\" }\n");
}

static void a_list_is_read_whole_or_not_at_all(void **state)
{
    static const char *const cases[][2] = {
        {"listen = 8080, trusted_proxies = { '10.0.0.0/8', nil, 'bad' }",
         "trusted_proxies: must be an address or a network such as \"10.0.0.0/8\", or a list of "
         "them; in this one place 2 is empty\n"},
        {"listen = 8080, trusted_proxies = { [2] = '10.0.0.0/8' }", "place 1 is empty\n"},
        {"listen = { 8080, nil, 8081 }",
         "listen: must be an address such as \"127.0.0.1:8080\" or "
         "a port, or a list of them; in this one place 2 is empty\n"},
        {"listen = { [0] = 8080, 8081 }", "in this one the key 0 is no place\n"},
        {"listen = { 8080, [2^40] = 8081 }", "in this one the key 1099511627776 is no place\n"},
        {"listen = 8080, upstreams = { a = { '127.0.0.1:1', nil, '127.0.0.1:2' } }",
         "upstreams.a: must be an address such as \"127.0.0.1:9000\", or a list of them; in this "
         "one place 2 is empty\n"},
        {"listen = 8080, upstreams = { a = { [2] = '127.0.0.1:1' } }",
         "in this one place 1 is empty\n"},
        {"listen = 8080, upstreams = { a = { '127.0.0.1:1', balance = 'least' } }",
         "in this one the key \"balance\" is no place\n"},
        {"listen = 8080, upstreams = { a = { addresses = { '127.0.0.1:1', [3] = 'x' } } }",
         "upstreams.a.addresses: must be"},
    };
    struct scene *s = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char source[400];
        snprintf(source, sizeof source, "return { upstream = '127.0.0.1:9000', %s }", cases[i][0]);
        assert_false(scene_read(s, source));
        if (strstr(scene_errors(s), cases[i][1]) == NULL)
            fail_msg("%s\n%s", cases[i][0], s->text);
    }
}

static void trusted_networks_have_a_bound(void **state)
{
    static const char form[] = HEAD "trusted_proxies = (function() local t = {} for i = 1, %d do "
                                    "t[i] = '10.0.0.1' end return t end)() }";
    struct scene *s = *state;
    char source[300], expected[100];
    snprintf(source, sizeof source, form, SETTINGS_NETWORKS);
    assert_taken(s, source);
    assert_int_equal(s->settings.trusted_count, SETTINGS_NETWORKS);
    snprintf(source, sizeof source, form, SETTINGS_NETWORKS + 1);
    snprintf(expected, sizeof expected, "policy.lua: trusted_proxies[%d]: more than %d networks\n",
             SETTINGS_NETWORKS + 1, SETTINGS_NETWORKS);
    assert_refused(s, source, expected);
}

static void the_default_upstream_is_a_name_an_address_or_the_only_one(void **state)
{
    struct scene *s = *state;
    assert_taken(s, "return { listen = 8080, upstreams = { only = '127.0.0.1:1' } }");
    assert_int_equal(s->settings.upstream, 0);
    assert_refused(s,
                   "return { listen = 8080, upstreams = { app = '127.0.0.1:1' }, upstream = "
                   "'ap' }",
                   "policy.lua: upstream: no upstream is named \"ap\", and it is no address, since "
                   "it has no port; did you mean \"app\"?\n");
    assert_refused(s,
                   "return { listen = 8080, upstreams = { a = '127.0.0.1:1', b = '127.0.0.1:2' } "
                   "}",
                   "policy.lua: upstream: missing; say which of the upstreams is the default, or "
                   "choose one in a request hook\n");
    assert_taken(s, "return { listen = 8080, upstreams = { a = '127.0.0.1:1', b = '127.0.0.1:2' "
                    "}, request = function(req) req.upstream = 'a' end }");
    assert_int_equal(s->settings.upstream, -1);
}

static void what_is_missing_is_told_with_an_example(void **state)
{
    struct scene *s = *state;
    assert_refused(s, "return {}",
                   "policy.lua: listen: missing; say where clients connect, for example listen = "
                   "\"127.0.0.1:8080\"\n"
                   "policy.lua: upstream: missing; say where requests go, for example upstream = "
                   "\"127.0.0.1:9000\"\n");
    assert_refused(s, "local x = 1",
                   "policy.lua: must return a table, not nothing: end it with return { listen = "
                   "..., upstream = ... }\n");
    assert_refused(s, "return 5",
                   "policy.lua: must return a table, not number: end it with return { listen = "
                   "..., upstream = ... }\n");
}

static void errors_of_lua_come_with_their_line(void **state)
{
    struct scene *s = *state;
    assert_refused(s, "local x =\n= 5", "policy.lua:2: unexpected symbol near '='\n");
    assert_refused(s, "\n\nerror('boom')", "policy.lua:3: boom\n");
    assert_refused(s, "error({})", "policy.lua: the policy raised a table value as an error\n");
    assert_refused(s, "error('no place', 0)", "policy.lua: no place\n");
    assert_refused(s, "error('two\\nlines')", "policy.lua:1: two lines\n");
    assert_refused(s, "error('at 12:34:56', 0)", "policy.lua: at 12:34:56\n");
    assert_refused(s, "error('12:34:56', 0)", "policy.lua: 12:34:56\n");
    assert_refused(s, "error('\\27[2J\\r\\127', 0)", "policy.lua:  [2J  \n");
    assert_refused(s, "\x1bLJ\x02 not text", "policy.lua: attempt to load chunk with wrong mode\n");
}

static void a_file_that_is_not_there_is_told(void **state)
{
    struct scene *s = *state;
    settings_default(&s->settings);
    assert_false(policy_engine.read("none.lua", &s->settings, &s->bundle, &s->errors));
    assert_string_equal(scene_errors(s), "none.lua: cannot be read: No such file or directory\n");
    buf_clear(&s->errors);
    assert_false(policy_engine.read(".", &s->settings, &s->bundle, &s->errors));
    assert_string_equal(scene_errors(s), ".: cannot be read: it is not a file\n");
}

static void loading_has_a_budget(void **state)
{
    struct scene *s = *state;
    assert_refused(s, "\nwhile true do end",
                   "policy.lua:2: more than 2000 ms on the CPU at a stretch (the most that loading "
                   "may take)\n");
    assert_refused(s, "local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1e5) .. i end",
                   "policy.lua: loading needs more than 256 MiB of memory (the most that loading "
                   "may take)\n");
    /* An error that was caught, and a function of the sandbox's own in which the time ended. */
    assert_refused(s,
                   "local ok, why = pcall(function()\n local t = {}\n"
                   "for i = 1, 1e9 do t[i] = ('x'):rep(1e5) .. i end end)\nerror(why, 0)",
                   "policy.lua: loading needs more than 256 MiB of memory (the most that loading "
                   "may take)\n");
    assert_false(scene_read(s, "local t = {}\nfor i = 1, 1e6 do t[i] = -i end\n"
                               "while true do\ntable.sort(t)\nend"));
    assert_memory_equal(scene_errors(s), "policy.lua:4: more than 2000 ms", 31);
}

/* What is in it is known only afterwards, so it cannot hold while the policy is loaded. */
static void a_policy_may_have_more_memory_than_by_default(void **state)
{
    struct scene *s = *state;
    static const char policy[] =
        HEAD "limits = { policy_memory = '%s' }, log = (function() local keep = {}\n"
             "for i = 1, 800 do keep[i] = ('x'):rep(1e5) .. i end\n"
             "return function() return #keep end end)() }";
    char source[400];
    snprintf(source, sizeof source, policy, "200m");
    assert_taken(s, source);
    scene_load(s);
    snprintf(source, sizeof source, policy, "64m");
    assert_false(scene_read(s, source));
    assert_non_null(strstr(scene_errors(s), "limits.policy_memory: the policy needs 8"));
}

static void a_policy_must_fit_its_own_limit(void **state)
{
    static const char expected[] = "policy.lua: limits.policy_memory: the policy needs 2";
    struct scene *s = *state;
    assert_false(scene_read(s, HEAD "limits = { policy_memory = '1m' }, "
                                    "log = function(k) return k end, "
                                    "error = (function() local keep = ('x'):rep(2e6) "
                                    "return function() return keep end end)() }"));
    assert_memory_equal(scene_errors(s), expected, sizeof expected - 1);
}

static void a_damaged_bundle_is_refused(void **state)
{
    struct scene *s = *state;
    assert_taken(s, HEAD "}");
    struct slice whole = buf_slice(&s->bundle);
    for (size_t n = 0; n < whole.len; n++) {
        buf_clear(&s->errors);
        struct policy *p =
            policy_engine.load(slice_of(whole.at, n), &s->settings, s->loop, &s->errors);
        assert_null(p);
        assert_true(buf_len(&s->errors) > 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_set_up, scene_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_shortest_policy_has_the_defaults),
        TEST(every_field_is_read),
        TEST(what_is_the_default_may_be_said),
        TEST(switches_that_are_false_switch_off),
        TEST(names_beyond_all_bounds_are_told_at_once),
        TEST(an_unknown_key_is_told_with_its_path_and_the_nearest_known_one),
        TEST(an_error_is_one_line_whatever_the_key),
        TEST(a_known_word_with_bytes_behind_a_nul_is_unknown),
        TEST(all_errors_are_told_at_once),
        TEST(wrong_types_and_impossible_values_are_refused),
        TEST(addresses_are_checked_where_they_stand),
        TEST(a_list_is_read_whole_or_not_at_all),
        TEST(trusted_networks_have_a_bound),
        TEST(the_default_upstream_is_a_name_an_address_or_the_only_one),
        TEST(what_is_missing_is_told_with_an_example),
        TEST(errors_of_lua_come_with_their_line),
        TEST(a_file_that_is_not_there_is_told),
        TEST(loading_has_a_budget),
        TEST(a_policy_may_have_more_memory_than_by_default),
        TEST(a_policy_must_fit_its_own_limit),
        TEST(a_damaged_bundle_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
