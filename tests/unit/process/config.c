/*
 * The configuration's memory file: what goes in comes out, and nobody changes it on the way.
 */
#include "process/config.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static struct settings settings;
static char why[256];

static int written(void)
{
    int fd = config_create();
    assert_true(fd >= 0);
    settings_default(&settings);
    settings.workers = 3;
    assert_true(settings_add_listener(&settings, SLICE("127.0.0.1:80"), why, sizeof why));
    assert_true(config_write(fd, &settings, true, SLICE("return {}"), 5));
    return fd;
}

static void what_is_written_is_read(void **state)
{
    struct config config;
    int fd = written();
    (void)state;
    assert_true(config_seal(fd));
    assert_true(config_open(&config, fd, why, sizeof why));
    assert_int_equal(config_settings(&config)->listener_count, 1);
    assert_true(addr_equals(&config_settings(&config)->listeners[0], &settings.listeners[0]));
    assert_int_equal(config_settings(&config)->workers, 3);
    assert_int_equal(config_hooks(&config), 5);
    assert_true(config_has_policy(&config));
    assert_true(slice_equals(config_bundle(&config), SLICE("return {}")));
    config_close(&config);
    assert_int_equal(config.fd, -1);
    assert_true(fcntl(fd, F_GETFD) < 0);
}

static void a_mapping_outlives_its_descriptor(void **state)
{
    struct config config;
    (void)state;
    assert_true(config_open(&config, written(), why, sizeof why));
    config_close_fd(&config);
    assert_true(slice_equals(config_bundle(&config), SLICE("return {}")));
    config_close(&config);
}

static void a_sealed_file_cannot_change(void **state)
{
    int fd = written();
    (void)state;
    assert_true(config_seal(fd));
    assert_true(write(fd, "x", 1) < 0);
    assert_int_equal(errno, EPERM);
    assert_true(ftruncate(fd, 0) < 0);
    void *at = mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_equal(at, MAP_FAILED);
    assert_true(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) < 0);
    close(fd);
}

static void a_file_cut_short_is_refused(void **state)
{
    struct config config;
    int fd = written();
    (void)state;
    off_t size = lseek(fd, 0, SEEK_END);
    assert_int_equal(ftruncate(fd, size - 1), 0);
    assert_false(config_open(&config, fd, why, sizeof why));
    assert_string_equal(why, "the loaded configuration is damaged");
    assert_int_equal(ftruncate(fd, 10), 0);
    assert_false(config_open(&config, fd, why, sizeof why));
    assert_string_equal(why, "the loaded configuration is cut short");
    close(fd);
}

/* A worker is given it by a parent that it trusts, but not to be without faults. */
static void a_file_with_more_than_there_can_be_is_refused(void **state)
{
    static struct settings wrong[6];
    struct config config;
    (void)state;
    close(written());
    settings.workers = 1;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        wrong[i] = settings;
    wrong[0].listener_count = SETTINGS_LISTENERS + 1;
    wrong[1].upstream_count = SETTINGS_UPSTREAMS + 1;
    wrong[2].address_count = SETTINGS_ADDRESSES + 1;
    wrong[3].trusted_count = SETTINGS_NETWORKS + 1;
    wrong[4].workers = SETTINGS_WORKERS + 1;
    memset(wrong[5].user, 'u', sizeof wrong[5].user);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        int fd = config_create();
        assert_true(config_write(fd, &wrong[i], false, SLICE(""), 0));
        assert_false(config_open(&config, fd, why, sizeof why));
        assert_string_equal(why, "the loaded configuration is damaged");
        close(fd);
    }
}

static void what_cannot_be_written_or_mapped_is_told(void **state)
{
    struct config config;
    int fd = written();
    (void)state;
    assert_true(config_seal(fd));
    assert_false(config_write(fd, &settings, false, SLICE(""), 0));
    close(fd);
    assert_false(config_open(&config, fd, why, sizeof why));
    assert_string_equal(why, "the loaded configuration is cut short");
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_false(config_open(&config, ends[0], why, sizeof why));
    close(ends[0]);
    close(ends[1]);
}

static void without_a_number_there_is_a_worker_for_each_cpu(void **state)
{
    (void)state;
    settings_default(&settings);
    config_settle(&settings);
    assert_in_range(settings.workers, 1, (unsigned long)sysconf(_SC_NPROCESSORS_CONF));
    settings.workers = 3;
    config_settle(&settings);
    assert_int_equal(settings.workers, 3);
}

static void addresses_become_settings(void **state)
{
    struct cli cli = {.listen = {"127.0.0.1:80", "[::1]:80"},
                      .listen_count = 2,
                      .upstream = {"127.0.0.1:1", "unix:/x"},
                      .upstream_count = 2,
                      .workers = 4};
    (void)state;
    assert_true(config_from_cli(&settings, &cli, why, sizeof why));
    assert_int_equal(settings.listener_count, 2);
    assert_int_equal(settings.upstream_count, 1);
    assert_int_equal(settings.upstream, 0);
    assert_int_equal(settings.upstreams[0].count, 2);
    assert_int_equal(settings.workers, 4);
}

static void a_wrong_address_is_named(void **state)
{
    struct cli cli = {.listen = {"nonsense"},
                      .listen_count = 1,
                      .upstream = {"127.0.0.1:1"},
                      .upstream_count = 1};
    (void)state;
    assert_false(config_from_cli(&settings, &cli, why, sizeof why));
    assert_non_null(strstr(why, "nonsense"));
    cli.listen[0] = "127.0.0.1:80";
    cli.upstream[0] = "127.0.0.1:99999";
    assert_false(config_from_cli(&settings, &cli, why, sizeof why));
    assert_non_null(strstr(why, "127.0.0.1:99999"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(a_mapping_outlives_its_descriptor),
        cmocka_unit_test(a_sealed_file_cannot_change),
        cmocka_unit_test(a_file_cut_short_is_refused),
        cmocka_unit_test(a_file_with_more_than_there_can_be_is_refused),
        cmocka_unit_test(what_cannot_be_written_or_mapped_is_told),
        cmocka_unit_test(without_a_number_there_is_a_worker_for_each_cpu),
        cmocka_unit_test(addresses_become_settings),
        cmocka_unit_test(a_wrong_address_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
