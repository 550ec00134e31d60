/* Stands between a process and what it does to the disk: records it, fails it, or kills the process over it.
 *
 * Loaded with LD_PRELOAD. A side effect is a call that creates a file, writes, syncs, truncates, renames, unlinks
 * or makes a folder. Those below one of the folders in FAULTS_UNDER ("a:b") are recorded, and counted from 1 in each
 * process; only processes whose command line holds FAULTS_ONLY are killed or failed. Memory maps are not seen, nor is
 * SQLite's -shm: it is built anew from the log.
 *
 *   FAULTS_JOURNAL=FILE        append every side effect that succeeded, with its data, in the order they happened
 *   FAULTS_KILL=N:before       SIGKILL in place of side effect N, or N:after, right after it
 *   FAULTS_FAIL=KINDS:ERRNO    fail side effects of these kinds ("write,sync"); with :FROM-TO only those among them
 *   FAULTS_WHILE=FILE          … only while this file exists
 *   FAULTS_CLOCK=SECONDS       every reading of the wall clock is off by so much, now ahead, now behind
 */
#define _GNU_SOURCE
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
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum kind { CREATE, WRITE, SYNC, TRUNCATE, RENAME, UNLINK, MKDIR, KINDS };
static const char *const NAMES[KINDS] = {"create", "write", "sync", "truncate", "rename", "unlink", "mkdir"};

struct record {
    uint32_t kind, path, other, data; /* lengths of what follows */
    int64_t offset;
};

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static const char *under, *guard;
static int journal = -1, fail_kinds, fail_errno, kill_after;
static long clock_off, counted, matched, kill_at, fail_from = 1, fail_to = LONG_MAX;

static int errno_of(const char *name) {
    static const struct { const char *name; int number; } known[] = {
        {"EIO", EIO}, {"ENOSPC", ENOSPC}, {"EROFS", EROFS}, {"EACCES", EACCES}, {"EDQUOT", EDQUOT}, {"EMFILE", EMFILE}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(name, known[i].name)) return known[i].number;
    abort();
}

static int is_meant(void) {
    const char *only = getenv("FAULTS_ONLY");
    char line[4096] = "";
    int fd = syscall(SYS_openat, AT_FDCWD, "/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, line, sizeof line - 1);
    if (fd >= 0) close(fd);
    for (ssize_t i = 0; i < length; i++)
        if (!line[i]) line[i] = ' ';
    return !only || strstr(line, only);
}

__attribute__((constructor)) static void begin(void) {
    const char *text;
    if (!getenv("FAULTS_UNDER")) return;
    if ((text = getenv("FAULTS_JOURNAL")))
        journal = syscall(SYS_openat, AT_FDCWD, text, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (journal >= 0 || is_meant()) under = getenv("FAULTS_UNDER");
    if (!is_meant()) return;
    if ((text = getenv("FAULTS_CLOCK"))) clock_off = atol(text);
    guard = getenv("FAULTS_WHILE");
    if ((text = getenv("FAULTS_KILL"))) {
        kill_at = atol(text);
        kill_after = strstr(text, ":after") != NULL;
    }
    if ((text = getenv("FAULTS_FAIL"))) {
        char *copy = strdup(text), *rest = copy, *kinds = strsep(&rest, ":"), *name = strsep(&rest, ":"), *kind;
        while ((kind = strsep(&kinds, ",")))
            for (int i = 0; i < KINDS; i++)
                if (!strcmp(kind, NAMES[i])) fail_kinds |= 1 << i;
        fail_errno = errno_of(name);
        if (rest) sscanf(rest, "%ld-%ld", &fail_from, &fail_to);
        free(copy);
    }
}

/* --- names ---------------------------------------------------------------------------------------------- */

static int of_fd(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
    path[length < 0 ? 0 : length] = 0;
    return length > 0;
}

static void at(int folder, const char *name, char *path) {
    char base[PATH_MAX] = "";
    if (name[0] == '/') {
        snprintf(path, PATH_MAX, "%s", name);
        return;
    }
    if (folder == AT_FDCWD) {
        if (!getcwd(base, sizeof base)) base[0] = 0;
    } else
        of_fd(folder, base);
    if (snprintf(path, PATH_MAX, "%s/%s", base, name) >= PATH_MAX) path[0] = 0;
}

static int watched(const char *path) {
    if (strstr(path, "-shm") || strstr(path, ".lock") || strstr(path, ".sock")) return 0;
    for (const char *folder = under; folder && *folder;) {
        size_t length = strcspn(folder, ":");
        if (!strncmp(path, folder, length) && (path[length] == '/' || !path[length])) return 1;
        folder += length + (folder[length] == ':');
    }
    return 0;
}

/* --- what happens at a side effect ------------------------------------------------------------------------ */

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

/* Called with the turn taken. 0: go on; otherwise the call fails with errno set. */
static int before(enum kind kind) {
    if (++counted == kill_at && !kill_after) die();
    if (!(fail_kinds & 1 << kind)) return 0;
    if (guard && syscall(SYS_faccessat, AT_FDCWD, guard, F_OK) != 0) return 0;
    if (++matched < fail_from || matched > fail_to) return 0;
    errno = fail_errno;
    return -1;
}

static void put(const void *data, size_t length) {
    const char *from = data;
    while (length) {
        ssize_t done = syscall(SYS_write, journal, from, length);
        if (done <= 0) abort();
        from += done, length -= done;
    }
}

static void after(enum kind kind, const char *path, const char *other, int64_t offset, const void *data, size_t length) {
    if (journal >= 0) {
        struct record head = {kind, strlen(path), strlen(other), length, offset};
        put(&head, sizeof head);
        put(path, head.path);
        put(other, head.other);
        put(data, length);
    }
    if (counted == kill_at && kill_after) die();
}

#define SIDE_EFFECT(kind, path, other, offset, data, length, call)                                                     \
    do {                                                                                                               \
        pthread_mutex_lock(&turn);                                                                                     \
        long result = before(kind);                                                                                    \
        if (result == 0) {                                                                                             \
            int64_t where = offset;                                                                                    \
            (void)where;                                                                                               \
            result = call;                                                                                             \
            int kept = errno;                                                                                          \
            if (result >= 0) after(kind, path, other, where, data, length);                                            \
            errno = kept;                                                                                              \
        }                                                                                                              \
        pthread_mutex_unlock(&turn);                                                                                   \
        return result;                                                                                                 \
    } while (0)

/* --- the calls -------------------------------------------------------------------------------------------- */

static int exists(const char *path) {
    struct stat facts;
    return syscall(SYS_newfstatat, AT_FDCWD, path, &facts, AT_SYMLINK_NOFOLLOW) == 0;
}

static int opening(int folder, const char *name, int flags, mode_t mode) {
    char path[PATH_MAX];
    at(folder, name, path);
    int makes = (flags & O_CREAT) && !exists(path), empties = (flags & O_TRUNC) && (flags & O_ACCMODE) != O_RDONLY;
    if (!watched(path) || !(makes || empties)) return syscall(SYS_openat, folder, name, flags, mode);
    SIDE_EFFECT(makes ? CREATE : TRUNCATE, path, "", 0, "", 0, syscall(SYS_openat, folder, name, flags, mode));
}

#define MODE                                                                                                           \
    mode_t mode = 0;                                                                                                   \
    if (flags & O_CREAT) {                                                                                             \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        mode = va_arg(rest, mode_t);                                                                                   \
        va_end(rest);                                                                                                  \
    }

int open(const char *name, int flags, ...) { MODE return opening(AT_FDCWD, name, flags, mode); }
int open64(const char *name, int flags, ...) { MODE return opening(AT_FDCWD, name, flags, mode); }
int openat(int folder, const char *name, int flags, ...) { MODE return opening(folder, name, flags, mode); }
int openat64(int folder, const char *name, int flags, ...) { MODE return opening(folder, name, flags, mode); }

static off_t position(int fd) {
    struct stat facts;
    int flags = fcntl(fd, F_GETFL);
    return flags & O_APPEND && fstat(fd, &facts) == 0 ? facts.st_size : lseek(fd, 0, SEEK_CUR);
}

ssize_t write(int fd, const void *data, size_t length) {
    char path[PATH_MAX];
    if (!under || !of_fd(fd, path) || !watched(path)) return syscall(SYS_write, fd, data, length);
    SIDE_EFFECT(WRITE, path, "", position(fd), data, result, syscall(SYS_write, fd, data, length));
}

static ssize_t writing_at(int fd, const void *data, size_t length, off_t offset) {
    char path[PATH_MAX];
    if (!under || !of_fd(fd, path) || !watched(path)) return syscall(SYS_pwrite64, fd, data, length, offset);
    SIDE_EFFECT(WRITE, path, "", offset, data, result, syscall(SYS_pwrite64, fd, data, length, offset));
}

ssize_t pwrite(int fd, const void *data, size_t n, off_t offset) { return writing_at(fd, data, n, offset); }
ssize_t pwrite64(int fd, const void *data, size_t n, off64_t offset) { return writing_at(fd, data, n, offset); }

static int syncing(int fd, int number) {
    char path[PATH_MAX];
    if (!under || !of_fd(fd, path) || !watched(path)) return syscall(number, fd);
    SIDE_EFFECT(SYNC, path, "", 0, "", 0, syscall(number, fd));
}

int fsync(int fd) { return syncing(fd, SYS_fsync); }
int fdatasync(int fd) { return syncing(fd, SYS_fdatasync); }

static int truncating(int fd, off_t length) {
    char path[PATH_MAX];
    if (!under || !of_fd(fd, path) || !watched(path)) return syscall(SYS_ftruncate, fd, length);
    SIDE_EFFECT(TRUNCATE, path, "", length, "", 0, syscall(SYS_ftruncate, fd, length));
}

int ftruncate(int fd, off_t length) { return truncating(fd, length); }
int ftruncate64(int fd, off64_t length) { return truncating(fd, length); }

int renameat(int folder, const char *name, int to, const char *target) {
    char path[PATH_MAX], other[PATH_MAX];
    at(folder, name, path), at(to, target, other);
    if (!watched(path) && !watched(other)) return syscall(SYS_renameat2, folder, name, to, target, 0);
    SIDE_EFFECT(RENAME, path, other, 0, "", 0, syscall(SYS_renameat2, folder, name, to, target, 0));
}

int rename(const char *name, const char *target) { return renameat(AT_FDCWD, name, AT_FDCWD, target); }

int unlinkat(int folder, const char *name, int flags) {
    char path[PATH_MAX];
    at(folder, name, path);
    if (!watched(path)) return syscall(SYS_unlinkat, folder, name, flags);
    SIDE_EFFECT(UNLINK, path, "", 0, "", 0, syscall(SYS_unlinkat, folder, name, flags));
}

int unlink(const char *name) { return unlinkat(AT_FDCWD, name, 0); }

int mkdirat(int folder, const char *name, mode_t mode) {
    char path[PATH_MAX];
    at(folder, name, path);
    if (!watched(path)) return syscall(SYS_mkdirat, folder, name, mode);
    SIDE_EFFECT(MKDIR, path, "", 0, "", 0, syscall(SYS_mkdirat, folder, name, mode));
}

int mkdir(const char *name, mode_t mode) { return mkdirat(AT_FDCWD, name, mode); }

int clock_gettime(clockid_t clock, struct timespec *now) {
    static long readings;
    int result = syscall(SYS_clock_gettime, clock, now);
    if (clock == CLOCK_REALTIME && clock_off)
        now->tv_sec += __atomic_add_fetch(&readings, 1, __ATOMIC_RELAXED) % 2 ? clock_off : -clock_off;
    return result;
}
