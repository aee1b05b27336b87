/*
 * config: writes, seals and maps the memory file that carries a generation from the loader to
 * every worker. Owns the file's layout. Promises that a mapped configuration is whole and can no
 * longer change.
 */
#include "process/config.h"

#include "base/sys.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONFIG_MAGIC 0x696e746572696d31u

struct config_image {
    uint64_t magic;
    uint64_t bundle_len;
    unsigned hooks;
    bool policy;
    struct settings settings; /* the bundle follows */
};

static bool write_all(int fd, const void *bytes, size_t n)
{
    const char *at = bytes;
    while (n > 0) {
        ssize_t wrote = write(fd, at, n);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return false;
        at += wrote;
        n -= (size_t)wrote;
    }
    return true;
}

static bool image_is_whole(const struct config_image *image, size_t size)
{
    const struct settings *s = &image->settings;
    return image->magic == CONFIG_MAGIC && image->bundle_len == size - sizeof *image &&
           s->listener_count <= SETTINGS_LISTENERS && s->upstream_count <= SETTINGS_UPSTREAMS &&
           s->address_count <= SETTINGS_ADDRESSES && s->trusted_count <= SETTINGS_NETWORKS &&
           s->workers >= 1 && s->workers <= SETTINGS_WORKERS &&
           memchr(s->user, '\0', sizeof s->user) != NULL;
}

int config_create(void)
{
    return memfd_create("interim-config", MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

bool config_write(int fd, const struct settings *settings, bool policy, struct slice bundle,
                  unsigned hooks)
{
    struct config_image *image = sys_calloc(1, sizeof *image);
    if (image == NULL)
        return false;
    image->magic = CONFIG_MAGIC;
    image->bundle_len = bundle.len;
    image->hooks = hooks;
    image->policy = policy;
    image->settings = *settings;
    bool ok = write_all(fd, image, sizeof *image) && write_all(fd, bundle.at, bundle.len);
    sys_free(image);
    return ok;
}

bool config_seal(int fd)
{
    return fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0;
}

bool config_open(struct config *out, int fd, char *why, size_t why_size)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || (size_t)st.st_size < sizeof(struct config_image)) {
        snprintf(why, why_size, "the loaded configuration is cut short");
        return false;
    }
    size_t size = (size_t)st.st_size;
    /* Private, because kernels before 6.7 refuse a shared mapping of a sealed file; the pages are
     * shared all the same as long as nobody writes. */
    void *at = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (at == MAP_FAILED) {
        snprintf(why, why_size, "cannot map the loaded configuration: %s", strerror(errno));
        return false;
    }
    if (!image_is_whole(at, size)) {
        snprintf(why, why_size, "the loaded configuration is damaged");
        munmap(at, size);
        return false;
    }
    *out = (struct config){.fd = fd, .image = at, .size = size};
    return true;
}

void config_close_fd(struct config *c)
{
    if (c->fd >= 0)
        sys_close(c->fd);
    c->fd = -1;
}

void config_close(struct config *c)
{
    config_close_fd(c);
    if (c->image != NULL)
        munmap((void *)(uintptr_t)c->image, c->size);
    *c = CONFIG_NONE;
}

const struct settings *config_settings(const struct config *c)
{
    assert(c->image != NULL);
    return &c->image->settings;
}

bool config_has_policy(const struct config *c)
{
    assert(c->image != NULL);
    return c->image->policy;
}

struct slice config_bundle(const struct config *c)
{
    assert(c->image != NULL);
    return slice_of((const char *)(c->image + 1), (size_t)c->image->bundle_len);
}

unsigned config_hooks(const struct config *c)
{
    assert(c->image != NULL);
    return c->image->hooks;
}

bool config_from_cli(struct settings *out, const struct cli *cli, char *why, size_t why_size)
{
    settings_default(out);
    out->workers = cli->workers;
    for (size_t i = 0; i < cli->listen_count; i++) {
        if (!settings_add_listener(out, slice_of_string(cli->listen[i]), why, why_size))
            return false;
    }
    out->upstream = settings_add_upstream(out, SLICE("default"), why, why_size);
    if (out->upstream < 0)
        return false;
    for (size_t i = 0; i < cli->upstream_count; i++) {
        if (!settings_add_address(out, slice_of_string(cli->upstream[i]), why, why_size))
            return false;
    }
    config_settle(out);
    return settings_check(out, why, why_size);
}

void config_settle(struct settings *settings)
{
    cpu_set_t cpus;

    if (settings->workers > 0)
        return;
    settings->workers = 1;
    /* The CPUs this process may run on, which in a container are often fewer than there are. */
    if (sched_getaffinity(0, sizeof cpus, &cpus) == 0 && CPU_COUNT(&cpus) > 1)
        settings->workers = (unsigned)CPU_COUNT(&cpus);
    if (settings->workers > SETTINGS_WORKERS)
        settings->workers = SETTINGS_WORKERS;
}
