/*
 * descriptors: the limit of open files (RLIMIT_NOFILE), raised and reckoned with. Idle connections
 * to origins are not reckoned with: they make room where descriptors are out (net/pool).
 */
#include "process/descriptors.h"

#include "base/log.h"
#include "net/net.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

/* What a worker has open besides: the three of stdio, the loop's, the control socket, those that
 * come with a reload. */
#define OWN  16
#define MANY 1024

void descriptors_raise(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
            log_warning("cannot raise the limit of open files: %s; going on with the old one",
                        strerror(errno));
    }
}

static size_t limit_now(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return SIZE_MAX;
    return (size_t)limit.rlim_cur;
}

/* Listeners twice: old and new ones are open beside each other in a reload. Where descriptors are
 * scarce, there are no pipes. */
static size_t reserve(const struct settings *s)
{
    return OWN + 2 * s->listener_count + (limit_now() >= MANY ? 2 * NET_PIPES : 0);
}

size_t descriptors_pipes(void)
{
    return limit_now() >= MANY ? NET_PIPES : 0;
}

size_t descriptors_clients(const struct settings *s)
{
    size_t limit = limit_now();

    return limit > reserve(s) + 2 ? (limit - reserve(s)) / 2 : 1;
}

void descriptors_check(const struct settings *s)
{
    size_t share = settings_share(s, s->limits.connections);
    size_t room = descriptors_clients(s);

    if (share <= room)
        return;
    log_warning("limits.connections is %zu, which is %zu for each of %u workers and takes %zu open "
                "files, but the limit of open files is %zu: a worker takes %zu clients at a time, "
                "and more wait. Raise it (LimitNOFILE=, ulimit -n), or lower limits.connections",
                s->limits.connections, share, s->workers, 2 * share + reserve(s), limit_now(),
                room);
}
