/* Preloaded into a broker: writes or syncs of files below a directory fail, on command and while it runs.
 *
 * STELE_CHAOS_ORDER names a file. While it is there it holds one order: OPERATION PREFIX, where the operation is
 *   write   writes and truncations fail with EIO
 *   short   a write stores its first half and then fails with EIO
 *   sync    fsync and fdatasync fail with EIO; what was written stays in the page cache
 *   lose    the same, and what was written since the last good sync of that file reads as zeros from then on, as after
 *           a write-back that failed: the pages are clean, and lost
 * Each failure appends a line to STELE_CHAOS_ORDER + ".done". */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;

/* From where on each file, by its inode, holds what was written since its last good sync; -1: nothing. */
enum { kFiles = 65536 };
static struct unsynced {
  ino_t inode;
  dev_t device;
  off_t from;
} unsynced[kFiles];

static struct unsynced* unsynced_of(int fd, struct stat* status) {
  if (fstat(fd, status) != 0 || !S_ISREG(status->st_mode)) return NULL;
  for (size_t i = 0; i < kFiles; ++i) {
    struct unsynced* slot = &unsynced[(status->st_ino + i) % kFiles];
    if (slot->inode == 0) {
      *slot = (struct unsynced){status->st_ino, status->st_dev, -1};
    }
    if (slot->inode == status->st_ino && slot->device == status->st_dev) return slot;
  }
  return NULL;
}

static void note_write(int fd, off_t from) {
  struct stat status;
  pthread_mutex_lock(&guard);
  struct unsynced* slot = unsynced_of(fd, &status);
  if (slot && (slot->from < 0 || from < slot->from)) slot->from = from;
  pthread_mutex_unlock(&guard);
}

/* Takes what a sync that begins now is about. */
static off_t take_unsynced(int fd) {
  struct stat status;
  pthread_mutex_lock(&guard);
  struct unsynced* slot = unsynced_of(fd, &status);
  const off_t from = slot ? slot->from : -1;
  if (slot) slot->from = -1;
  pthread_mutex_unlock(&guard);
  return from;
}

static void real_write(int fd, const void* from, size_t size) {
  static ssize_t (*real)(int, const void*, size_t);
  if (!real) real = dlsym(RTLD_NEXT, "write");
  if (real(fd, from, size) < 0) abort();
}

static int starts_with(const char* text, const char* prefix) { return strncmp(text, prefix, strlen(prefix)) == 0; }

/* Whether `operation` on fd has to fail; `found` gets the operation that was ordered. */
static int ordered(int fd, const char* one, const char* other, char found[16]) {
  const char* order = getenv("STELE_CHAOS_ORDER");
  if (!order) return 0;
  const int saved = errno;
  char prefix[PATH_MAX] = "", path[PATH_MAX] = "", link[64];
  int wanted = 0;
  FILE* file = fopen(order, "re");
  if (file) {
    wanted = fscanf(file, "%15s %4095s", found, prefix) == 2 && (strcmp(found, one) == 0 || strcmp(found, other) == 0);
    fclose(file);
  }
  if (wanted) {
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const ssize_t size = readlink(link, path, sizeof path - 1);
    wanted = size > 0 && starts_with(path, prefix);
  }
  if (wanted) {
    char done[PATH_MAX + 8], line[PATH_MAX + 32];
    snprintf(done, sizeof done, "%s.done", order);
    const int log = open(done, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (log < 0) abort();
    real_write(log, line, (size_t)snprintf(line, sizeof line, "%s %s\n", found, path));
    close(log);
  }
  errno = saved;
  return wanted;
}

static int fail(void) {
  errno = EIO;
  return -1;
}

static int sync_or_fail(int fd, int (*real)(int)) {
  char found[16] = "";
  struct stat status;
  const off_t from = take_unsynced(fd);
  if (!ordered(fd, "sync", "lose", found)) {
    const int result = real(fd);
    if (result != 0 && from >= 0) note_write(fd, from);
    return result;
  }
  if (strcmp(found, "lose") == 0) {
    if (from >= 0 && fstat(fd, &status) == 0 && from < status.st_size) {
      if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, from, status.st_size - from) != 0) abort();
    }
  } else if (from >= 0) {
    note_write(fd, from);
  }
  return fail();
}

int fsync(int fd) {
  static int (*real)(int);
  if (!real) real = dlsym(RTLD_NEXT, "fsync");
  return sync_or_fail(fd, real);
}

int fdatasync(int fd) {
  static int (*real)(int);
  if (!real) real = dlsym(RTLD_NEXT, "fdatasync");
  return sync_or_fail(fd, real);
}

int ftruncate(int fd, off_t size) {
  static int (*real)(int, off_t);
  if (!real) real = dlsym(RTLD_NEXT, "ftruncate");
  char found[16] = "";
  if (ordered(fd, "write", "write", found)) return fail();
  return real(fd, size);
}

ssize_t pwritev(int fd, const struct iovec* parts, int count, off_t offset) {
  static ssize_t (*real)(int, const struct iovec*, int, off_t);
  static ssize_t (*real_one)(int, const void*, size_t, off_t);
  if (!real) real = dlsym(RTLD_NEXT, "pwritev");
  if (!real_one) real_one = dlsym(RTLD_NEXT, "pwrite");
  char found[16] = "";
  note_write(fd, offset);
  if (!ordered(fd, "write", "short", found)) return real(fd, parts, count, offset);
  if (strcmp(found, "short") == 0 && count > 0) {
    /* The half of the first part reaches the file. That the call fails nevertheless is what happens when a write-back
     * or a later page of the same request fails. */
    if (real_one(fd, parts[0].iov_base, parts[0].iov_len / 2, offset) < 0) return -1;
  }
  return fail();
}
