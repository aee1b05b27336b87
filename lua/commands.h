/*
 * commands: the offline commands, as core/proxy/engine.h describes them.
 */
#ifndef INTERIM_LUA_COMMANDS_H
#define INTERIM_LUA_COMMANDS_H

int commands_try(int argc, char *const argv[]);
int commands_test(int argc, char *const argv[]);
int commands_types(int argc, char *const argv[]);

#endif
