// project DIRECTORY ID BLOCKS: makes the directory one of a project that may have so many KiB (ext4, prjquota).
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/quota.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const int fd = open(argv[1], O_RDONLY | O_DIRECTORY);
  struct fsxattr traits;
  if (fd < 0 || ioctl(fd, FS_IOC_FSGETXATTR, &traits) != 0) return perror(argv[1]), 1;
  traits.fsx_projid = (unsigned)atoi(argv[2]);
  traits.fsx_xflags |= FS_XFLAG_PROJINHERIT;
  if (ioctl(fd, FS_IOC_FSSETXATTR, &traits) != 0) return perror("FS_IOC_FSSETXATTR"), 1;
  struct if_dqblk limits = {0};
  limits.dqb_bhardlimit = strtoull(argv[3], NULL, 10);
  limits.dqb_valid = QIF_BLIMITS;
  const unsigned command = ((unsigned)Q_SETQUOTA << SUBCMDSHIFT) | PRJQUOTA;
  if (syscall(443, fd, command, traits.fsx_projid, &limits) != 0) return perror("quotactl_fd"), 1;
  return 0;
}
