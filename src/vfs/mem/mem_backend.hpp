// MemBackend: a share in memory, for handlers' unit tests and the simulator. Same contract as the
// posix backend, no kernel: time comes from a function, everybody may do everything unless the
// mode bits say otherwise.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "ports/backend.hpp"

namespace flotilla::vfs {

/// `now`             the wall clock; default: a counter that starts at 2020-01-01 and moves by one
///                   second a call, so tests repeat
/// `capacity_bytes`  data beyond this is DiskFull
/// `quotas`          users' files are counted and limited
struct MemOptions {
  std::uint64_t volume_id = 1;
  std::uint64_t capacity_bytes = std::uint64_t{1} << 30;
  std::function<NtTime()> now;
  bool local = true;
  bool quotas = false;
};

/// Thread-safe (one lock). Files keep living while a BackendFile holds them. Mode bits (0644 and
/// 0755) are enforced for users with uid other than 0 and other than the file's.
[[nodiscard]] std::unique_ptr<ports::Backend> make_mem_backend(MemOptions options = {});

}  // namespace flotilla::vfs
