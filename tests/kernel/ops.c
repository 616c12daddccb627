// What busybox has no command for: operations on a file through the kernel's cifs client. Built static for the guest.
// usage: ops VERB FILE [FILE]; exit status 0: as POSIX has it; 1: not, and why on stderr.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NEED(cond)                                                                      \
  do {                                                                                  \
    if (!(cond)) {                                                                      \
      fprintf(stderr, "ops.c:%d: %s (errno %d: %s)\n", __LINE__, #cond, errno, strerror(errno)); \
      exit(1);                                                                          \
    }                                                                                   \
  } while (0)

static int open_new(const char* path) {
  const int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
  NEED(fd >= 0);
  return fd;
}

static int lock_range(int fd, int kind, long from, long length) {
  struct flock range = {.l_type = (short)kind, .l_whence = SEEK_SET, .l_start = from, .l_len = length};
  return fcntl(fd, F_OFD_SETLK, &range);
}

// Two mounts of one share are two clients: the paths name one file through both.
static void locks(const char* mine, const char* theirs) {
  const int a = open_new(mine);
  NEED(ftruncate(a, 4096) == 0);
  const int b = open(theirs, O_RDWR);
  NEED(b >= 0);
  NEED(lock_range(a, F_WRLCK, 0, 100) == 0);
  NEED(lock_range(b, F_WRLCK, 50, 10) == -1 && (errno == EAGAIN || errno == EACCES));
  NEED(lock_range(b, F_RDLCK, 0, 1) == -1);
  NEED(lock_range(b, F_WRLCK, 100, 100) == 0);
  NEED(lock_range(a, F_WRLCK, 100, 1) == -1);
  char byte = 'x';
  NEED(pwrite(b, &byte, 1, 10) == -1 || fsync(b) == -1);  // mandatory: the server refuses it
  NEED(lock_range(a, F_UNLCK, 0, 100) == 0);
  NEED(lock_range(b, F_RDLCK, 0, 100) == 0);
  NEED(lock_range(a, F_RDLCK, 0, 100) == 0);  // shared with b's
  NEED(lock_range(a, F_WRLCK, 0, 100) == -1);
  close(a);
  NEED(lock_range(b, F_UNLCK, 0, 0) == 0);
  close(b);
}

static void maps(const char* path) {
  const size_t size = 1 << 20;
  const int fd = open_new(path);
  NEED(ftruncate(fd, (off_t)size) == 0);
  char* at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  NEED(at != MAP_FAILED);
  for (size_t i = 0; i < size; ++i) at[i] = (char)(i * 7 + i / 4096);
  NEED(msync(at, size, MS_SYNC) == 0);
  NEED(munmap(at, size) == 0);
  close(fd);
  const int again = open(path, O_RDONLY);
  NEED(again >= 0);
  at = mmap(NULL, size, PROT_READ, MAP_SHARED, again, 0);
  NEED(at != MAP_FAILED);
  for (size_t i = 0; i < size; ++i) NEED(at[i] == (char)(i * 7 + i / 4096));
  munmap(at, size);
  close(again);
}

static void unlinks(const char* path) {
  const int fd = open_new(path);
  NEED(write(fd, "still here", 10) == 10);
  NEED(unlink(path) == 0);
  char text[10];
  NEED(pread(fd, text, 10, 0) == 10 && memcmp(text, "still here", 10) == 0);
  NEED(close(fd) == 0);  // the name is the client's own affair until here
  // With a lease the client itself puts the close off by closetimeo (a second).
  for (int tries = 0; tries < 50 && access(path, F_OK) == 0; ++tries) usleep(100000);
  NEED(access(path, F_OK) == -1 && errno == ENOENT);
  const int fresh = open(path, O_RDWR | O_CREAT | O_EXCL, 0644);
  NEED(fresh >= 0);
  close(fresh);
  NEED(unlink(path) == 0);
}

// The name goes though another client has the file open, and that one keeps the file.
static void unlinks_held(const char* mine, const char* theirs) {
  const int fd = open_new(mine);
  NEED(write(fd, "still here", 10) == 10);
  NEED(close(fd) == 0);
  const int held = open(theirs, O_RDWR);
  NEED(held >= 0);
  NEED(unlink(mine) == 0);
  const int fresh = open(mine, O_RDWR | O_CREAT | O_EXCL, 0644);
  NEED(fresh >= 0);
  NEED(close(fresh) == 0);
  char text[10];
  NEED(pread(held, text, 10, 0) == 10 && memcmp(text, "still here", 10) == 0);
  NEED(close(held) == 0);
  NEED(access(mine, F_OK) == 0);
  NEED(unlink(mine) == 0);
}

// A file that somebody has open is not replaced ([MS-FSA] 2.1.5.15.11); closed, it is.
static void renames(const char* from, const char* to) {
  int fd = open_new(from);
  NEED(write(fd, "new", 3) == 3);
  close(fd);
  const int held = open_new(to);
  NEED(write(held, "old", 3) == 3);
  NEED(fsync(held) == 0);
  char text[3];
  const int replaced = rename(from, to) == 0;
  NEED(pread(held, text, 3, 0) == 3 && memcmp(text, "old", 3) == 0);
  close(held);
  NEED(replaced || rename(from, to) == 0);
  fd = open(to, O_RDONLY);
  NEED(fd >= 0);
  NEED(read(fd, text, 3) == 3 && memcmp(text, "new", 3) == 0);
  close(fd);
  NEED(access(from, F_OK) == -1);
}

static void sizes(const char* path) {
  const int fd = open_new(path);
  struct stat st;
  NEED(pwrite(fd, "end", 3, 1000000) == 3);
  NEED(fstat(fd, &st) == 0 && st.st_size == 1000003);
  char hole[16];
  NEED(pread(fd, hole, 16, 500000) == 16);
  for (int i = 0; i < 16; ++i) NEED(hole[i] == 0);
  NEED(ftruncate(fd, 10) == 0);
  NEED(fsync(fd) == 0);
  NEED(fstat(fd, &st) == 0 && st.st_size == 10);
  NEED(pread(fd, hole, 16, 0) == 10);
  NEED(fallocate(fd, 0, 0, 65536) == 0 || errno == EOPNOTSUPP);
  close(fd);
  const int app = open(path, O_WRONLY | O_APPEND);
  NEED(app >= 0);
  NEED(fstat(app, &st) == 0);
  NEED(write(app, "tail", 4) == 4);
  close(app);
  const off_t before = st.st_size;
  NEED(stat(path, &st) == 0 && st.st_size == before + 4);
  struct timespec times[2] = {{1500000000, 123456700}, {1400000000, 765432100}};
  NEED(utimensat(AT_FDCWD, path, times, 0) == 0);
  NEED(stat(path, &st) == 0);
  NEED(st.st_mtim.tv_sec == 1400000000 && st.st_mtim.tv_nsec == 765432100);
  NEED(st.st_atim.tv_sec == 1500000000);
}

// Readers and writers of one file through two mounts see each other's bytes: leases are broken in time.
static void coherent(const char* mine, const char* theirs) {
  const int a = open_new(mine);
  for (int round = 0; round < 20; ++round) {
    char text[32], seen[32] = {0};
    const int length = snprintf(text, sizeof text, "round %d\n", round);
    NEED(pwrite(a, text, (size_t)length, 0) == length);
    const int b = open(theirs, O_RDWR);
    NEED(b >= 0);
    NEED(pread(b, seen, (size_t)length, 0) == length);
    NEED(memcmp(text, seen, (size_t)length) == 0);
    seen[0] = 'R';
    NEED(pwrite(b, seen, (size_t)length, 0) == length);
    NEED(close(b) == 0);
    // A write does not wait for the read caches that it breaks; they must go all the same.
    for (int tries = 0; tries < 500; ++tries) {
      NEED(pread(a, text, (size_t)length, 0) == length);
      if (text[0] == 'R') break;
      usleep(10000);
    }
    NEED(text[0] == 'R');
  }
  close(a);
}

static void names(const char* directory, const char* count) {
  DIR* dir = opendir(directory);
  NEED(dir != NULL);
  int seen = 0;
  for (struct dirent* e; (e = readdir(dir)) != NULL;) seen += strncmp(e->d_name, "file-", 5) == 0;
  closedir(dir);
  if (seen != atoi(count)) fprintf(stderr, "%d of %s names\n", seen, count);
  NEED(seen == atoi(count));
}

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const char* verb = argv[1];
  const char* second = argc > 3 ? argv[3] : "";
  if (!strcmp(verb, "locks")) locks(argv[2], second);
  else if (!strcmp(verb, "maps")) maps(argv[2]);
  else if (!strcmp(verb, "unlinks")) unlinks(argv[2]);
  else if (!strcmp(verb, "unlinks_held")) unlinks_held(argv[2], second);
  else if (!strcmp(verb, "renames")) renames(argv[2], second);
  else if (!strcmp(verb, "sizes")) sizes(argv[2]);
  else if (!strcmp(verb, "coherent")) coherent(argv[2], second);
  else if (!strcmp(verb, "names")) names(argv[2], second);
  else return 2;
  return 0;
}
