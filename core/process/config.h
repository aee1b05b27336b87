/*
 * config: one generation's settings and policy sources as a sealed memory file.
 *
 * Whoever reads a policy (the loader) writes the file once; the parent seals it; the parent and
 * every worker map it read-only. Nobody can change it afterwards, so all of them agree.
 */
#ifndef INTERIM_PROCESS_CONFIG_H
#define INTERIM_PROCESS_CONFIG_H

#include "process/cli.h"
#include "proxy/settings.h"

/* A mapped configuration. Plain data: after a fork the child's copy is the child's to close. */
struct config {
    int fd;                           /* of the memory file, or -1 */
    const struct config_image *image; /* NULL: none */
    size_t size;                      /* of the mapping, in bytes */
};

#define CONFIG_NONE ((struct config){.fd = -1})

/* An empty memory file to write to, or -1 with errno. The caller closes it. */
int config_create(void);

/* Writes settings, the bundle and which hooks it defines. `policy` false: there is no bundle. */
bool config_write(int fd, const struct settings *settings, bool policy, struct slice bundle,
                  unsigned hooks);

bool config_seal(int fd);

/*
 * Maps a written file. On success the fd belongs to *out. False with a message when it is no
 * whole configuration.
 */
bool config_open(struct config *out, int fd, char *why, size_t why_size);

void config_close_fd(struct config *c); /* the mapping stays */
void config_close(struct config *c);    /* CONFIG_NONE is fine */

/* All borrowed from the mapping. */
const struct settings *config_settings(const struct config *c);
bool config_has_policy(const struct config *c);
struct slice config_bundle(const struct config *c);
unsigned config_hooks(const struct config *c); /* bits as in struct policy */

/* Settings from --listen and --upstream. False with a message. */
bool config_from_cli(struct settings *out, const struct cli *cli, char *why, size_t why_size);

/* Works out how many workers "one per CPU" is on this machine: settings->workers is at least 1. */
void config_settle(struct settings *settings);

#endif
