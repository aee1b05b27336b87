/*
 * harden: drops privileges. Owns the order in which that is done and the proof that it was.
 */
#include "process/harden.h"

#include "base/log.h"
#include "process/child.h"
#include "process/filter.h"
#include "proxy/settings.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* The leak checker of a sanitizer build attaches to its own process as a tracer does. */
#ifdef __SANITIZE_ADDRESS__
#define HARDEN_DUMPABLE 1
#else
#define HARDEN_DUMPABLE 0
#endif

/* Newer than the headers of Debian 12. */
#ifndef PR_SET_MDWE
#define PR_SET_MDWE              65
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif

static const char *user_or_default(const char *user)
{
    return user[0] != '\0' ? user : "nobody";
}

static bool find_user(const char *user, uid_t *uid, gid_t *gid, char *why, size_t why_size)
{
    errno = 0;
    const struct passwd *entry = getpwnam(user);
    if (entry == NULL) {
        snprintf(why, why_size, "user: cannot find \"%s\": %s", user,
                 errno != 0 ? strerror(errno) : "no such user");
        return false;
    }
    *uid = entry->pw_uid;
    *gid = entry->pw_gid;
    return true;
}

static bool become(const char *user, char *why, size_t why_size)
{
    uid_t uid;
    gid_t gid;
    if (!find_user(user, &uid, &gid, why, why_size))
        return false;
    if (uid == 0) {
        log_warning("user is \"%s\": this worker keeps all of root's rights", user);
        return true;
    }
    if (setgroups(0, NULL) != 0 || setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0) {
        snprintf(why, why_size, "cannot become user \"%s\": %s", user, strerror(errno));
        return false;
    }
    uid_t r, e, s;
    gid_t rg, eg, sg;
    if (getresuid(&r, &e, &s) != 0 || r != uid || e != uid || s != uid ||
        getresgid(&rg, &eg, &sg) != 0 || rg != gid || eg != gid || sg != gid ||
        setresuid(0, 0, 0) == 0) {
        snprintf(why, why_size, "became user \"%s\" but could still go back to root", user);
        return false;
    }
    return true;
}

bool harden_check_user(const char *user, char *why, size_t why_size)
{
    uid_t uid;
    gid_t gid;
    return geteuid() != 0 || find_user(user_or_default(user), &uid, &gid, why, why_size);
}

bool harden_same_user(const char *one, const char *other)
{
    return geteuid() != 0 || strcmp(user_or_default(one), user_or_default(other)) == 0;
}

bool harden_worker(const struct settings *settings, char *why, size_t why_size)
{
    const struct rlimit none = {0, 0};
    if (geteuid() == 0 && !become(user_or_default(settings->user), why, why_size))
        return false;
    child_die_with_parent();
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_DUMPABLE, HARDEN_DUMPABLE, 0, 0, 0) != 0 ||
        setrlimit(RLIMIT_CORE, &none) != 0) {
        snprintf(why, why_size, "cannot give up privileges: %s", strerror(errno));
        return false;
    }
    if (settings->allow != 0)
        return true;
    if (!settings->jit)
        (void)!prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0);
    return !INTERIM_FILTER || filter_apply(settings->jit, why, why_size);
}

void harden_loader(void)
{
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}
