#include "flotilla/descriptors.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <fstream>

namespace flotilla::app {

namespace {
/// Logs, shards' queues, sockets between nodes, corosync, what reads directories.
constexpr std::uint64_t kOwnDescriptors = 128;
}  // namespace

std::uint64_t raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  rlim_t most = 0;
  if (std::ifstream("/proc/sys/fs/nr_open") >> most && most > limit.rlim_max) {
    const rlimit all{most, most};
    if (setrlimit(RLIMIT_NOFILE, &all) == 0) return most;
  }
  const rlimit raised{limit.rlim_max, limit.rlim_max};
  return setrlimit(RLIMIT_NOFILE, &raised) == 0 ? raised.rlim_cur : limit.rlim_cur;
}

std::uint32_t opens_within(std::uint64_t limit, std::uint32_t opens_max,
                           std::uint32_t connections_max) {
  const std::uint64_t reserved =
      kOwnDescriptors + std::min<std::uint64_t>(connections_max, limit / 8);
  const std::uint64_t left = limit > reserved ? limit - reserved : 1;
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(opens_max, left));
}

}  // namespace flotilla::app
