/* Trouble for a program that is run with it as LD_PRELOAD: disks that fail, and clocks that jump.
 *
 *   TROUBLE_BELOW=/folder   calls that concern files below it are counted
 *   TROUBLE_CALL=NAME       which: write, rename, sync, open, or any
 *   TROUBLE_AT=K            the K-th of them (from 1) fails, and TROUBLE_COUNT in all (default 1)
 *   TROUBLE_ERROR=ENOSPC    or EIO: what it fails with
 *   TROUBLE_CLOCK=/file     holds seconds, read at each look at the clock, that the time of day is moved by
 *
 * Build: cc -shared -fPIC -O2 -o trouble.so trouble.c
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static const char *below, *call, *clock_file;
static long at, count = 1;
static int error;
static atomic_long seen;

__attribute__((constructor)) static void begin(void) {
    below = getenv("TROUBLE_BELOW");
    call = getenv("TROUBLE_CALL");
    clock_file = getenv("TROUBLE_CLOCK");
    const char *text = getenv("TROUBLE_AT");
    if (text) at = atol(text);
    if ((text = getenv("TROUBLE_COUNT"))) count = atol(text);
    text = getenv("TROUBLE_ERROR");
    error = text && !strcmp(text, "EIO") ? EIO : ENOSPC;
}

/* Whether this call is the one that fails. */
static int fails(const char *name, const char *path) {
    if (!below || !at || (call && strcmp(call, "any") && strcmp(call, name))) return 0;
    size_t length = strlen(below);
    if (strncmp(path, below, length) || (path[length] != '/' && path[length])) return 0;
    long number = atomic_fetch_add(&seen, 1) + 1;
    if (number < at || number >= at + count) return 0;
    errno = error;
    return 1;
}

static int fails_on(const char *name, int file) {
    if (!below || !at) return 0;
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return fails(name, path);
}

#define REAL(type, name, ...)                                          \
    static type (*real)(__VA_ARGS__);                                  \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name);

ssize_t write(int file, const void *bytes, size_t size) {
    REAL(ssize_t, write, int, const void *, size_t)
    return fails_on("write", file) ? -1 : real(file, bytes, size);
}

ssize_t pwrite64(int file, const void *bytes, size_t size, off64_t offset) {
    REAL(ssize_t, pwrite64, int, const void *, size_t, off64_t)
    return fails_on("write", file) ? -1 : real(file, bytes, size, offset);
}

ssize_t pwrite(int file, const void *bytes, size_t size, off_t offset) {
    REAL(ssize_t, pwrite, int, const void *, size_t, off_t)
    return fails_on("write", file) ? -1 : real(file, bytes, size, offset);
}

int fsync(int file) {
    REAL(int, fsync, int)
    return fails_on("sync", file) ? -1 : real(file);
}

int fdatasync(int file) {
    REAL(int, fdatasync, int)
    return fails_on("sync", file) ? -1 : real(file);
}

int rename(const char *from, const char *to) {
    REAL(int, rename, const char *, const char *)
    return fails("rename", to) ? -1 : real(from, to);
}

/* Opened for writing alone: what cannot be read is another kind of trouble. */
static int opens(const char *path, int flags) { return flags & O_ACCMODE && fails("open", path); }

int open(const char *path, int flags, ...) {
    REAL(int, open, const char *, int, ...)
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return opens(path, flags) ? -1 : real(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    REAL(int, open64, const char *, int, ...)
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return opens(path, flags) ? -1 : real(path, flags, mode);
}

/* Seconds that the time of day is moved by. */
static long moved(void) {
    if (!clock_file) return 0;
    int kept = errno;
    int file = syscall(SYS_openat, AT_FDCWD, clock_file, O_RDONLY | O_CLOEXEC);
    char text[32] = {0};
    ssize_t length = file < 0 ? 0 : syscall(SYS_read, file, text, sizeof text - 1);
    if (file >= 0) syscall(SYS_close, file);
    errno = kept;
    return length > 0 ? atol(text) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    int status = syscall(SYS_clock_gettime, clock, time);
    if (!status && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) time->tv_sec += moved();
    return status;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    int status = syscall(SYS_gettimeofday, time, zone);
    if (!status) time->tv_sec += moved();
    return status;
}

time_t time(time_t *result) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (result) *result = now.tv_sec;
    return now.tv_sec;
}
