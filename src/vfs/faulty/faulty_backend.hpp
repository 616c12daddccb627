// FaultyBackend: another backend behind a plan of faults. For tests and the simulator: errors, full
// disks and stalls at chosen calls.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ports/backend.hpp"

namespace flotilla::vfs {

enum class BackendCall : std::uint8_t {
  Locate,
  Create,
  Remove,
  Rename,
  Link,
  GrantedAccess,
  Volume,
  Facts,
  Activate,
  Read,
  TryRead,
  Write,
  Flush,
  SetSize,
  SetAllocation,
  SetBasic,
  Eas,
  SetEas,
  StoredSecurity,
  List,
  EmptyDirectory,
  Next
};

/// One fault. Without a status and a stall it only counts.
/// `path`    the share-relative path that it concerns, compared without case; "" is every path
/// `skip`    so many matching calls go through first
/// `times`   then so many are hit; the rest go through again
/// `status`  the answer instead of the call
/// `stall`   runs before the answer or the call, on the caller's thread and without a lock: a test
///           blocks here for as long as it likes
struct Fault {
  BackendCall call = BackendCall::Locate;
  std::string path;
  std::uint64_t skip = 0;
  std::uint64_t times = ~std::uint64_t{0};
  std::optional<NtStatus> status;
  std::function<void()> stall;
};

/// Shared by the test and the backend; thread-safe. The first matching fault that is due acts.
class FaultPlan {
 public:
  void add(Fault fault);
  void clear();
  /// Calls of this kind so far, hit or not.
  [[nodiscard]] std::uint64_t count(BackendCall call) const;
  /// Notes a call, stalls it where the plan says so, and gives its fate.
  [[nodiscard]] Status pass(BackendCall call, std::string_view path);

 private:
  struct Armed {
    Fault fault;
    std::uint64_t seen = 0;
  };
  mutable std::mutex mutex_;
  std::vector<Armed> armed_;
  std::vector<std::uint64_t> counts_ = std::vector<std::uint64_t>(32);
};

/// `disk_bytes`  where given, the bytes that writes may still add in all before DiskFull
[[nodiscard]] std::unique_ptr<ports::Backend> make_faulty_backend(
    std::unique_ptr<ports::Backend> inner, std::shared_ptr<FaultPlan> plan,
    std::optional<std::uint64_t> disk_bytes = std::nullopt);

}  // namespace flotilla::vfs
