// What starting a process needs of glibc (2.34 and later) and Swift's Glibc module hides, since it is built without
// _GNU_SOURCE.
#ifndef DUBMILL_CSPAWN_SHIM_H
#define DUBMILL_CSPAWN_SHIM_H

#include <spawn.h>

extern int pipe2(int ends[2], int flags);
extern int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from);
extern int posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *actions, const char *path);

#endif
