/* Counts the storage calls of a process on the files whose path holds a given text, and goes wrong at one of them.
 *
 *     cc -O2 -shared -fPIC -o interposer.so interposer.c -ldl -lpthread
 *     CHORAGUS_CALLS_PATH=runs.db CHORAGUS_CALLS_AT=17:1 LD_PRELOAD=./interposer.so python program.py
 *
 * Counted are the calls by which SQLite and Python change files: open with O_CREAT or O_TRUNC, write, pwrite, fsync,
 * fdatasync, ftruncate, unlink, rename and link; and fsync of the folder that the files stand in. Not seen: what is
 * written through a mapping, which SQLite does to its -shm alone, a file that is made anew after a crash; and writev,
 * which neither uses.
 *
 * A process that was forked from a warm one with a single thread calls `calls_begin`, then `calls_arm` once or more, by ctypes.
 * Otherwise the environment says it: CHORAGUS_CALLS_PATH, _AT ("number:mode[:lasting],..."), _KINDS, _GRAVE, _LOG.
 */
#define _GNU_SOURCE
#undef _FILE_OFFSET_BITS
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { WRITE = 1, SYNC = 2, NAME = 4, SIZE = 8 };                       /* kinds, a bit each */
enum { KILL = 1, TORN, FAIL_EIO, FAIL_ENOSPC, FAIL_EDQUOT, SHORT, LIE }; /* modes */
enum { CREATED = 1, WRITTEN, FLUSHED, RESIZED, UNLINKED, RENAMED, LINKED, ACKNOWLEDGED, FAILED }; /* records of the log */
enum { SHOTS = 8 };

struct record { uint32_t what, name_bytes; uint64_t file, offset, bytes; };

static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER; /* orders the calls as the log has them */
static char filter[4096], grave[4096], folder[4096];
static int kinds = WRITE | SYNC | NAME | SIZE, log_to = -1, is_on, shots;
static long count;
static struct { long at, last; int mode; } shot[SHOTS];

static int matches(const char *path) { return filter[0] && strstr(path, filter) != NULL; }

static int is_ours(int descriptor) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return matches(path) || (folder[0] && strcmp(path, folder) == 0);
}

static void remember_folder(const char *path) {
    char whole[4096];
    if (path[0] != '/' || strlen(path) >= sizeof whole) return;
    strcpy(whole, path);
    *strrchr(whole, '/') = 0;
    strcpy(folder, whole);
}

static void put(uint32_t what, int descriptor, const char *name, uint64_t offset, uint64_t bytes, const void *data) {
    if (log_to < 0) return;
    struct stat found = {0};
    if (descriptor >= 0) fstat(descriptor, &found);
    uint32_t length = name ? strlen(name) : 0;
    struct record head = {what, length, found.st_ino, offset, bytes};
    syscall(SYS_write, log_to, &head, sizeof head);
    if (length) syscall(SYS_write, log_to, name, length);
    if (data) syscall(SYS_write, log_to, data, bytes);
}

static void dig(const char *call, int descriptor, const char *path, size_t bytes) {
    char line[8400], link[64], target[4096] = "";
    if (!grave[0]) return;
    if (!path) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
        ssize_t length = readlink(link, target, sizeof target - 1);
        target[length > 0 ? length : 0] = 0;
        path = target;
    }
    const char *base = strrchr(path, '/');
    int length = snprintf(line, sizeof line, "%ld %s %s %zu\n", count, call, base ? base + 1 : path, bytes);
    int to = syscall(SYS_openat, AT_FDCWD, grave, O_WRONLY | O_CREAT | O_APPEND, 0600);
    syscall(SYS_write, to, line, length);
    syscall(SYS_close, to);
}

static void die(void) {
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;) pause();
}

/* Count a call; gives what is to go wrong with it: 0 for nothing. */
static int counted(int kind, const char *call, int descriptor, const char *path, size_t bytes) {
    int mode = 0;
    if (!(kinds & kind)) return 0;
    count++;
    for (int i = 0; i < shots; i++)
        if (shot[i].at <= count && count <= shot[i].last) {
            mode = shot[i].mode;
            if (shot[i].at == count) dig(call, descriptor, path, bytes);
        }
    if (mode == KILL) die();
    errno = mode == FAIL_EIO ? EIO : mode == FAIL_ENOSPC ? ENOSPC : mode == FAIL_EDQUOT ? EDQUOT : errno;
    return mode;
}

static int fails(int mode) { return mode >= FAIL_EIO && mode <= FAIL_EDQUOT; }

void calls_begin(const char *path, const char *where, const char *log, int which) {
    snprintf(filter, sizeof filter, "%s", path);
    snprintf(grave, sizeof grave, "%s", where);
    kinds = which, count = 0, shots = 0, folder[0] = 0;
    if (log_to >= 0) syscall(SYS_close, log_to);
    log_to = log[0] ? syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    is_on = path[0] != 0;
}

/* For so many calls; 0: from then on. */
int calls_arm(long at, int mode, long lasting) {
    if (shots == SHOTS) return -1;
    shot[shots].at = at;
    shot[shots].last = lasting > 0 ? at + lasting - 1 : LONG_MAX;
    shot[shots++].mode = mode;
    return 0;
}

long calls_made(void) { return count; }
int calls_armed(void) { return shots; }

void calls_ack(uint64_t number) {
    pthread_mutex_lock(&one);
    put(ACKNOWLEDGED, -1, NULL, number, 0, NULL);
    pthread_mutex_unlock(&one);
}

__attribute__((constructor)) static void from_environment(void) {
    const char *path = getenv("CHORAGUS_CALLS_PATH"), *where = getenv("CHORAGUS_CALLS_GRAVE");
    const char *log = getenv("CHORAGUS_CALLS_LOG"), *which = getenv("CHORAGUS_CALLS_KINDS");
    const char *at = getenv("CHORAGUS_CALLS_AT");
    if (!path) return;
    calls_begin(path, where ? where : "", log ? log : "", which ? atoi(which) : WRITE | SYNC | NAME | SIZE);
    while (at && *at) {
        char *rest;
        long number = strtol(at, &rest, 10);
        int mode = *rest == ':' ? (int)strtol(rest + 1, &rest, 10) : KILL;
        calls_arm(number, mode, *rest == ':' ? strtol(rest + 1, &rest, 10) : 1);
        at = *rest == ',' ? rest + 1 : "";
    }
}

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)
#define ENTER pthread_mutex_lock(&one)
#define LEAVE(result) \
    do { int kept = errno; pthread_mutex_unlock(&one); errno = kept; return result; } while (0)

static ssize_t written(const char *call, int descriptor, const void *data, size_t bytes, off64_t offset) {
    ENTER;
    int mode = counted(WRITE, call, descriptor, NULL, bytes);
    if (fails(mode)) LEAVE(-1);
    size_t wanted = (mode == TORN || mode == SHORT) && bytes > 1 ? bytes / 2 : bytes;
    off64_t start = offset >= 0 ? offset : lseek64(descriptor, 0, SEEK_CUR);
    ssize_t done = offset >= 0 ? syscall(SYS_pwrite64, descriptor, data, wanted, offset)
                               : syscall(SYS_write, descriptor, data, wanted);
    if (done > 0) put(WRITTEN, descriptor, NULL, start, done, data);
    if (mode == TORN) die();
    LEAVE(done);
}

ssize_t write(int descriptor, const void *data, size_t bytes) {
    if (!is_on || !is_ours(descriptor)) return syscall(SYS_write, descriptor, data, bytes);
    return written("write", descriptor, data, bytes, -1);
}

ssize_t pwrite64(int descriptor, const void *data, size_t bytes, off64_t offset) {
    if (!is_on || !is_ours(descriptor)) return syscall(SYS_pwrite64, descriptor, data, bytes, offset);
    return written("pwrite", descriptor, data, bytes, offset);
}

ssize_t pwrite(int descriptor, const void *data, size_t bytes, off_t offset) {
    return pwrite64(descriptor, data, bytes, offset);
}

static int flushed(const char *call, int descriptor, long number) {
    if (!is_on || !is_ours(descriptor)) return syscall(number, descriptor);
    ENTER;
    int mode = counted(SYNC, call, descriptor, NULL, 0);
    if (fails(mode)) {
        int error = errno;
        put(FAILED, descriptor, NULL, 0, 0, NULL);
        errno = error;
        LEAVE(-1);
    }
    int result = mode == LIE ? 0 : syscall(number, descriptor);
    if (result == 0 && mode != LIE) put(FLUSHED, descriptor, NULL, 0, 0, NULL);
    if (mode == TORN) die();
    LEAVE(result);
}

int fsync(int descriptor) { return flushed("fsync", descriptor, SYS_fsync); }
int fdatasync(int descriptor) { return flushed("fdatasync", descriptor, SYS_fdatasync); }

int ftruncate64(int descriptor, off64_t size) {
    if (!is_on || !is_ours(descriptor)) return syscall(SYS_ftruncate, descriptor, size);
    ENTER;
    int mode = counted(SIZE, "ftruncate", descriptor, NULL, size);
    if (fails(mode)) LEAVE(-1);
    int result = syscall(SYS_ftruncate, descriptor, size);
    if (result == 0) put(RESIZED, descriptor, NULL, size, 0, NULL);
    if (mode == TORN) die();
    LEAVE(result);
}

int ftruncate(int descriptor, off_t size) { return ftruncate64(descriptor, size); }

int unlink(const char *path) {
    REAL(int, unlink, const char *);
    if (!is_on || !matches(path)) return real(path);
    ENTER;
    int mode = counted(NAME, "unlink", -1, path, 0);
    if (fails(mode)) LEAVE(-1);
    int result = real(path);
    if (result == 0) put(UNLINKED, -1, path, 0, 0, NULL);
    if (mode == TORN) die();
    LEAVE(result);
}

static int moved(const char *call, int what, int (*real)(const char *, const char *), const char *from, const char *to) {
    if (!is_on || !(matches(from) || matches(to))) return real(from, to);
    ENTER;
    int mode = counted(NAME, call, -1, to, 0);
    if (fails(mode)) LEAVE(-1);
    int result = real(from, to);
    if (result == 0) put(what, -1, from, strlen(to), strlen(to), to);
    if (mode == TORN) die();
    LEAVE(result);
}

int rename(const char *from, const char *to) {
    REAL(int, rename, const char *, const char *);
    return moved("rename", RENAMED, real, from, to);
}

int link(const char *from, const char *to) {
    REAL(int, link, const char *, const char *);
    return moved("link", LINKED, real, from, to);
}

static int opened(int at, const char *path, int flags, mode_t rights) {
    if (!is_on || !(flags & (O_CREAT | O_TRUNC)) || (flags & O_TMPFILE) == O_TMPFILE || !matches(path))
        return syscall(SYS_openat, at, path, flags, rights);
    ENTER;
    if (!folder[0]) remember_folder(path);
    int mode = counted(NAME, "open", -1, path, 0);
    if (fails(mode)) LEAVE(-1);
    int is_new = faccessat(at, path, F_OK, 0) != 0;
    int descriptor = syscall(SYS_openat, at, path, flags, rights);
    if (descriptor >= 0 && is_new) put(CREATED, descriptor, path, 0, 0, NULL);
    if (descriptor >= 0 && !is_new && flags & O_TRUNC) put(RESIZED, descriptor, NULL, 0, 0, NULL);
    if (mode == TORN) die();
    LEAVE(descriptor);
}

#define RIGHTS(flags) \
    mode_t rights = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, flags); rights = va_arg(rest, mode_t); va_end(rest); }

int open(const char *path, int flags, ...) { RIGHTS(flags) return opened(AT_FDCWD, path, flags, rights); }
int open64(const char *path, int flags, ...) { RIGHTS(flags) return opened(AT_FDCWD, path, flags, rights); }
int openat(int at, const char *path, int flags, ...) { RIGHTS(flags) return opened(at, path, flags, rights); }
int openat64(int at, const char *path, int flags, ...) { RIGHTS(flags) return opened(at, path, flags, rights); }
