/* Counts the file-system calls on paths below a folder, logs them, and strikes at the n-th.

   Loaded with LD_PRELOAD, so that it sees the calls of Python and those of SQLite alike; what is
   written through mmap (SQLite's shared memory, which is no part of the data) cannot be seen.
   Built and used by tests/faults/disk.py. Strikes before the call: SIGKILL, an error in place of
   the call (once, or from then on), or half of a write and then SIGKILL. */

#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { KILL = -1, HALF = -2 };          /* in place of an errno */
enum { MAX_FILES = 65536 };

static char folder[PATH_MAX];
static size_t folder_length;            /* 0: not armed */
static const char *kinds = "";          /* letters of the calls that count */
static long strike_at, calls;
static int strike_with, for_ever;
static int log_to = -1, data_to = -1;
static char watched[MAX_FILES];

#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

/* From Python, after the fork: strike at call number *at* (0: only count and log) of those kinds. */
void strike_arm(const char *below, const char *which, long at, int with, int ever, int log, int data)
{
    static char letters[32];
    snprintf(letters, sizeof letters, "%s", which);
    kinds = letters;
    strike_at = at, strike_with = with, for_ever = ever, log_to = log, data_to = data;
    calls = 0;
    folder_length = (size_t)snprintf(folder, sizeof folder, "%s", below);
}

static long real_write(int fd, const void *data, size_t size)
{
    REAL(write);
    return real(fd, data, size);
}

static int look(const char *path, struct stat *found)
{
    return (int)syscall(SYS_newfstatat, AT_FDCWD, path, found, AT_SYMLINK_NOFOLLOW);
}

/* One line for each call: kind, outcome, inode, offset, size, place of the data, paths. */
static void note(char kind, char outcome, int fd, long offset, size_t size, const void *data,
                 const char *path, const char *other)
{
    struct stat found = {0};
    long at = -1;
    char line[3 * PATH_MAX];
    if (log_to < 0) return;
    if (fd >= 0) fstat(fd, &found);
    else if (path && outcome == '.') look(other && *other ? other : path, &found);
    if (data && data_to >= 0) {
        at = lseek(data_to, 0, SEEK_END);
        for (size_t done = 0; done < size;) {
            long more = real_write(data_to, (const char *)data + done, size - done);
            if (more <= 0) break;
            done += (size_t)more;
        }
    }
    int length = snprintf(line, sizeof line, "%c%c\t%lu\t%ld\t%zu\t%ld\t%s\t%s\n", kind, outcome,
                          (unsigned long)found.st_ino, offset, size, at, path, other ? other : "");
    real_write(log_to, line, (size_t)length);
}

static int is_below(const char *path)
{
    return folder_length && !strncmp(path, folder, folder_length)
           && (path[folder_length] == '/' || !path[folder_length]);
}

/* Write the absolute form of *path* to *full*; return whether it is watched. */
static int resolve(int at, const char *path, char *full)
{
    char base[PATH_MAX] = "";
    if (!folder_length || !path) return 0;
    if (path[0] == '/') {
        snprintf(full, PATH_MAX, "%s", path);
    } else {
        char link[64];
        if (at == AT_FDCWD) {
            if (!getcwd(base, sizeof base)) return 0;
        } else {
            snprintf(link, sizeof link, "/proc/self/fd/%d", at);
            ssize_t length = readlink(link, base, sizeof base - 1);
            if (length < 0) return 0;
            base[length] = 0;
        }
        if (strlen(base) + strlen(path) + 2 > PATH_MAX) return 0;
        stpcpy(stpcpy(stpcpy(full, base), "/"), path);
    }
    return is_below(full);
}

static int is_watched(int fd) { return folder_length && fd >= 0 && fd < MAX_FILES && watched[fd]; }

static void name_of(int fd, char *full)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, full, PATH_MAX - 1);
    full[length < 0 ? 0 : length] = 0;
}

/* Return 0 to go on, or what to strike with; dies here where that is SIGKILL. */
static int meet(char kind, const char *path, const char *other)
{
    const char *end = strrchr(path, '-');
    if (!strchr(kinds, end && !strcmp(end, "-shm") ? 'H' : kind)) return 0;
    calls++;
    if (!strike_at || calls < strike_at || (calls > strike_at && !for_ever)) return 0;
    note(kind, '!', -1, 0, 0, 0, path, other);
    if (strike_with == KILL || (strike_with == HALF && kind != 'W')) kill(getpid(), SIGKILL);
    return strike_with;
}

static int fail(int error) { errno = error; return -1; }

/* Opening */

static int opened(int fd, char kind, int existed, const char *full)
{
    if (fd < 0) return fd;
    if (fd < MAX_FILES) watched[fd] = 1;
    int saved = errno;
    note(kind, '.', fd, existed, 0, 0, full, 0);
    errno = saved;
    return fd;
}

static int open_any(int (*real)(int, const char *, int, ...), int at, const char *path, int flags,
                    mode_t mode)
{
    char full[PATH_MAX];
    struct stat found;
    if (!resolve(at, path, full)) return real(at, path, flags, mode);
    int existed = !look(full, &found);
    char kind = ((flags & O_CREAT) && !existed) || (flags & O_TRUNC) ? 'C' : 'O';
    int error = meet(kind, full, 0);
    if (error > 0) return fail(error);
    return opened(real(at, path, flags, mode), kind, flags & O_TRUNC ? -1 : existed, full);
}

#define MODE \
    mode_t mode = 0; \
    if (flags & (O_CREAT | O_TMPFILE)) { \
        va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); \
    }
#define OPEN(name, target) \
    int name(const char *path, int flags, ...) { MODE \
        static int (*real)(int, const char *, int, ...); \
        if (!real) real = dlsym(RTLD_NEXT, #target); \
        return open_any(real, AT_FDCWD, path, flags, mode); }
#define OPENAT(name) \
    int name(int at, const char *path, int flags, ...) { MODE \
        static int (*real)(int, const char *, int, ...); \
        if (!real) real = dlsym(RTLD_NEXT, #name); \
        return open_any(real, at, path, flags, mode); }
OPEN(open, openat)
OPEN(open64, openat64)
OPENAT(openat)
OPENAT(openat64)

/* On an open file */

#define ON_FILE(kind, call, offset, size) \
    char full[PATH_MAX]; \
    if (!is_watched(fd)) return call; \
    name_of(fd, full); \
    int error = meet(kind, full, 0); \
    if (error > 0) return fail(error); \
    __typeof__(call) result = call; \
    int saved = errno; \
    if (result >= 0) note(kind, '.', fd, offset, size, 0, full, 0); \
    errno = saved; \
    return result

static ssize_t write_any(int fd, const void *data, size_t size, off64_t from, int placed)
{
    REAL(pwrite64);
    char full[PATH_MAX];
    if (!is_watched(fd)) return placed ? real(fd, data, size, from) : real_write(fd, data, size);
    name_of(fd, full);
    if (!placed) from = lseek(fd, 0, fcntl(fd, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR);
    int error = meet('W', full, 0);
    if (error > 0) return fail(error);
    if (error == HALF) size /= 2;
    ssize_t done = placed ? real(fd, data, size, from) : real_write(fd, data, size);
    if (error == HALF) kill(getpid(), SIGKILL);
    int saved = errno;
    if (done > 0) note('W', '.', fd, from, (size_t)done, data, full, 0);
    errno = saved;
    return done;
}

ssize_t write(int fd, const void *data, size_t size) { return write_any(fd, data, size, 0, 0); }
ssize_t pwrite(int fd, const void *data, size_t size, off_t from)
{ return write_any(fd, data, size, from, 1); }
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t from)
{ return write_any(fd, data, size, from, 1); }

ssize_t read(int fd, void *data, size_t size)
{ REAL(read); ON_FILE('R', real(fd, data, size), 0, size); }
ssize_t pread(int fd, void *data, size_t size, off_t from)
{ REAL(pread); ON_FILE('R', real(fd, data, size, from), from, size); }
ssize_t pread64(int fd, void *data, size_t size, off64_t from)
{ REAL(pread64); ON_FILE('R', real(fd, data, size, from), from, size); }
int fsync(int fd) { REAL(fsync); ON_FILE('S', real(fd), 0, 0); }
int fdatasync(int fd) { REAL(fdatasync); ON_FILE('S', real(fd), 0, 0); }
int ftruncate(int fd, off_t size) { REAL(ftruncate); ON_FILE('T', real(fd, size), size, 0); }
int ftruncate64(int fd, off64_t size) { REAL(ftruncate64); ON_FILE('T', real(fd, size), size, 0); }
int fchmod(int fd, mode_t mode) { REAL(fchmod); ON_FILE('P', real(fd, mode), 0, 0); }

int close(int fd)
{
    REAL(close);
    char full[PATH_MAX];
    if (!is_watched(fd)) return real(fd);
    name_of(fd, full);
    int error = meet('L', full, 0);
    watched[fd] = 0;
    int result = real(fd);  /* whatever close reports, the descriptor is gone */
    return error > 0 ? fail(error) : result;
}

/* On names */

#define ON_NAME(kind, at, path, call) \
    char full[PATH_MAX]; \
    if (!resolve(at, path, full)) return call; \
    int error = meet(kind, full, 0); \
    if (error > 0) return fail(error); \
    int result = call; \
    int saved = errno; \
    if (!result) note(kind, '.', -1, 0, 0, 0, full, 0); \
    errno = saved; \
    return result

#define ON_NAMES(kind, at, path, to, target, call) \
    char full[PATH_MAX], other[PATH_MAX]; \
    if (!resolve(at, path, full) | !resolve(to, target, other)) return call; \
    int error = meet(kind, full, other); \
    if (error > 0) return fail(error); \
    int result = call; \
    int saved = errno; \
    if (!result) note(kind, '.', -1, 0, 0, 0, full, other); \
    errno = saved; \
    return result

int unlink(const char *path) { REAL(unlink); ON_NAME('U', AT_FDCWD, path, real(path)); }
int unlinkat(int at, const char *path, int flags)
{ REAL(unlinkat); ON_NAME('U', at, path, real(at, path, flags)); }
int rmdir(const char *path) { REAL(rmdir); ON_NAME('U', AT_FDCWD, path, real(path)); }
int mkdir(const char *path, mode_t mode) { REAL(mkdir); ON_NAME('M', AT_FDCWD, path, real(path, mode)); }
int mkdirat(int at, const char *path, mode_t mode)
{ REAL(mkdirat); ON_NAME('M', at, path, real(at, path, mode)); }
int chmod(const char *path, mode_t mode) { REAL(chmod); ON_NAME('P', AT_FDCWD, path, real(path, mode)); }
int rename(const char *path, const char *target)
{ REAL(rename); ON_NAMES('N', AT_FDCWD, path, AT_FDCWD, target, real(path, target)); }
int renameat(int at, const char *path, int to, const char *target)
{ REAL(renameat); ON_NAMES('N', at, path, to, target, real(at, path, to, target)); }
int renameat2(int at, const char *path, int to, const char *target, unsigned flags)
{ REAL(renameat2); ON_NAMES('N', at, path, to, target, real(at, path, to, target, flags)); }
int link(const char *path, const char *target)
{ REAL(link); ON_NAMES('K', AT_FDCWD, path, AT_FDCWD, target, real(path, target)); }
int linkat(int at, const char *path, int to, const char *target, int flags)
{ REAL(linkat); ON_NAMES('K', at, path, to, target, real(at, path, to, target, flags)); }

/* Looking */

#define LOOK(name, type) \
    int name(const char *path, struct type *found) \
    { REAL(name); ON_LOOK(AT_FDCWD, path, real(path, found)); }
#define ON_LOOK(at, path, call) \
    char full[PATH_MAX]; \
    if (!resolve(at, path, full)) return call; \
    int error = meet('A', full, 0); \
    return error > 0 ? fail(error) : call
LOOK(stat, stat)
LOOK(stat64, stat64)
LOOK(lstat, stat)
LOOK(lstat64, stat64)
int fstatat64(int at, const char *path, struct stat64 *found, int flags)
{ REAL(fstatat64); ON_LOOK(at, path, real(at, path, found, flags)); }
int access(const char *path, int mode) { REAL(access); ON_LOOK(AT_FDCWD, path, real(path, mode)); }
DIR *opendir(const char *path)
{
    REAL(opendir);
    char full[PATH_MAX];
    if (!resolve(AT_FDCWD, path, full)) return real(path);
    int error = meet('D', full, 0);
    if (error > 0) { errno = error; return NULL; }
    return real(path);
}
