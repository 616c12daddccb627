/* User quotas for tests on kernels that have none: preloaded into a server, it answers quotactl(2) and quotactl_fd(2)
 * for USRQUOTA from the file that QUOTA_SHIM names, 64 records of {uid, used, soft, hard} in bytes; 0 at uid + 1 ends. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/dqblk_xfs.h>
#include <linux/quota.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

struct record { uint64_t uid_plus_one, used, soft, hard; };
enum { kRecords = 64, kQuotactlFd = 443 };

static struct record *records(void) {
  static struct record *table;
  if (!table) {
    const char *name = getenv("QUOTA_SHIM");
    int fd = name ? open(name, O_RDWR | O_CLOEXEC) : -1;
    void *at = fd < 0 ? MAP_FAILED : mmap(0, kRecords * sizeof *table, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) return 0;
    table = at;
  }
  return table;
}

static struct record *find(uint32_t uid, int at_least, int make) {
  struct record *best = 0, *r = records();
  for (int i = 0; r && i < kRecords; ++i) {
    if (!r[i].uid_plus_one) {
      if (make && !best) { r[i].uid_plus_one = (uint64_t)uid + 1; return &r[i]; }
      break;
    }
    uint32_t own = (uint32_t)(r[i].uid_plus_one - 1);
    if (own == uid) return &r[i];
    if (at_least && own > uid && (!best || own < best->uid_plus_one - 1)) best = &r[i];
  }
  return best;
}

static int answer(unsigned command, uint32_t uid, void *data) {
  struct if_dqblk *block = data;
  if (!records() || (command & SUBCMDMASK) != USRQUOTA) { errno = ESRCH; return -1; }
  switch (command >> SUBCMDSHIFT) {
    case Q_XGETQSTATV & 0xFFFFFF: {
      struct fs_quota_statv *state = data;
      memset(state, 0, sizeof *state);
      state->qs_flags = FS_QUOTA_UDQ_ACCT | FS_QUOTA_UDQ_ENFD;
      return 0;
    }
    case Q_GETNEXTQUOTA & 0xFFFFFF:
    case Q_GETQUOTA & 0xFFFFFF: {
      int next = (command >> SUBCMDSHIFT) == (Q_GETNEXTQUOTA & 0xFFFFFF);
      struct record *r = find(uid, next, 0);
      memset(block, 0, next ? sizeof(struct if_nextdqblk) : sizeof *block);
      if (!r) { if (!next) return 0; errno = ENOENT; return -1; }
      block->dqb_curspace = r->used;
      block->dqb_bsoftlimit = r->soft / QIF_DQBLKSIZE;
      block->dqb_bhardlimit = r->hard / QIF_DQBLKSIZE;
      block->dqb_valid = QIF_ALL;
      if (next) ((struct if_nextdqblk *)data)->dqb_id = (uint32_t)(r->uid_plus_one - 1);
      return 0;
    }
    case Q_SETQUOTA & 0xFFFFFF: {
      struct record *r = find(uid, 0, 1);
      if (!r) { errno = ENOSPC; return -1; }
      r->soft = block->dqb_bsoftlimit * QIF_DQBLKSIZE;
      r->hard = block->dqb_bhardlimit * QIF_DQBLKSIZE;
      return 0;
    }
    default:
      errno = EINVAL;
      return -1;
  }
}

int quotactl(int command, const char *special, int id, void *address) {
  (void)special;
  return answer((unsigned)command, (uint32_t)id, address);
}

long syscall(long number, ...) {
  va_list list;
  va_start(list, number);
  long a = va_arg(list, long), b = va_arg(list, long), c = va_arg(list, long), d = va_arg(list, long),
       e = va_arg(list, long), f = va_arg(list, long);
  va_end(list);
  if (number == kQuotactlFd) return answer((unsigned)b, (uint32_t)c, (void *)d);
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  if (result < 0 && result > -4096) { errno = (int)-result; return -1; }
  return result;
}
