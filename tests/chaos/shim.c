/* Preloaded into the gateway: a disk that is full, read-only or cannot flush, and a clock that was set.
 *
 * CHAOS_CONTROL names a file of 16 bytes: what is wrong with the disk, and how many milliseconds the clock is ahead.
 * CHAOS_DIR is the folder whose files are meant. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { WELL = 0, FULL = 1, READ_ONLY = 2, NO_FLUSH = 3 };

struct control {
  volatile int64_t disk;
  volatile int64_t ahead_ms;
};

static struct control none;
static struct control *control = &none;
static const char *folder;

#define REAL(type, name, ...)                        \
  static type (*real)(__VA_ARGS__);                  \
  if (!real) real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("CHAOS_CONTROL");
  folder = getenv("CHAOS_DIR");
  if (!path || !folder) return;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  void *at = mmap(NULL, sizeof(struct control), PROT_READ, MAP_SHARED, fd, 0);
  if (at != MAP_FAILED) control = at;
  close(fd);
}

static int inside(const char *path) { return folder && strncmp(path, folder, strlen(folder)) == 0; }

/* Whether the file behind `fd` is one of those that are meant. Looked up only while something is wrong. */
static int is_ours(int fd) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length <= 0) return 0;
  path[length] = 0;
  return inside(path);
}

/* What a write of `count` bytes may do: -1 with errno set, or how many bytes fit. */
static ssize_t fits(int fd, size_t count) {
  int64_t disk = control->disk;
  if ((disk != FULL && disk != READ_ONLY) || !is_ours(fd)) return (ssize_t)count;
  if (disk == READ_ONLY) {
    errno = EROFS;
    return -1;
  }
  /* The last block of a disk takes a part. */
  static unsigned nth;
  if (count > 1 && __atomic_fetch_add(&nth, 1, __ATOMIC_RELAXED) % 3 == 0) return (ssize_t)(count / 2);
  errno = ENOSPC;
  return -1;
}

ssize_t write(int fd, const void *from, size_t count) {
  REAL(ssize_t, "write", int, const void *, size_t);
  ssize_t room = fits(fd, count);
  return room < 0 ? -1 : real(fd, from, (size_t)room);
}

ssize_t pwrite(int fd, const void *from, size_t count, off_t at) {
  REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);
  ssize_t room = fits(fd, count);
  return room < 0 ? -1 : real(fd, from, (size_t)room, at);
}

ssize_t pwrite64(int fd, const void *from, size_t count, off64_t at) {
  REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
  ssize_t room = fits(fd, count);
  return room < 0 ? -1 : real(fd, from, (size_t)room, at);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  REAL(ssize_t, "writev", int, const struct iovec *, int);
  return fits(fd, 1) < 0 ? -1 : real(fd, parts, count);
}

int ftruncate(int fd, off_t length) {
  REAL(int, "ftruncate", int, off_t);
  return fits(fd, 1) < 0 ? -1 : real(fd, length);
}

int ftruncate64(int fd, off64_t length) {
  REAL(int, "ftruncate64", int, off64_t);
  return fits(fd, 1) < 0 ? -1 : real(fd, length);
}

int posix_fallocate(int fd, off_t at, off_t length) {
  REAL(int, "posix_fallocate", int, off_t, off_t);
  return fits(fd, 1) < 0 ? errno : real(fd, at, length);
}

static int cannot_flush(int fd) {
  if (control->disk != NO_FLUSH || !is_ours(fd)) return 0;
  errno = EIO;
  return 1;
}

int fsync(int fd) {
  REAL(int, "fsync", int);
  return cannot_flush(fd) ? -1 : real(fd);
}

int fdatasync(int fd) {
  REAL(int, "fdatasync", int);
  return cannot_flush(fd) ? -1 : real(fd);
}

/* Whether a file must not be opened so. */
static int refused(const char *path, int flags) {
  int64_t disk = control->disk;
  int writes = (flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT);
  if (!writes || (disk != FULL && disk != READ_ONLY) || !inside(path)) return 0;
  if (disk == FULL && !(flags & O_CREAT)) return 0;
  if (disk == FULL && access(path, F_OK) == 0) return 0;
  errno = disk == FULL ? ENOSPC : EROFS;
  return 1;
}

#define OPEN(name)                                                       \
  int name(const char *path, int flags, ...) {                           \
    REAL(int, #name, const char *, int, ...);                            \
    va_list rest;                                                        \
    va_start(rest, flags);                                               \
    mode_t mode = (flags & (O_CREAT | __O_TMPFILE)) ? va_arg(rest, mode_t) : 0; \
    va_end(rest);                                                        \
    return refused(path, flags) ? -1 : real(path, flags, mode);          \
  }

OPEN(open)
OPEN(open64)

static int changes(const char *path) {
  if (control->disk != READ_ONLY || !inside(path)) return 0;
  errno = EROFS;
  return 1;
}

int unlink(const char *path) {
  REAL(int, "unlink", const char *);
  return changes(path) ? -1 : real(path);
}

int rename(const char *from, const char *to) {
  REAL(int, "rename", const char *, const char *);
  return changes(from) ? -1 : real(from, to);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  REAL(int, "clock_gettime", clockid_t, struct timespec *);
  int failed = real(clock, now);
  int64_t ahead = control->ahead_ms;
  if (failed || ahead == 0 || clock != CLOCK_REALTIME) return failed;
  int64_t millis = (int64_t)now->tv_sec * 1000 + now->tv_nsec / 1000000 + ahead;
  now->tv_nsec = (millis % 1000) * 1000000 + now->tv_nsec % 1000000;
  now->tv_sec = millis / 1000;
  return 0;
}
