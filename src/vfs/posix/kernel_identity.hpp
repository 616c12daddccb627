// Whose credentials the kernel sees while a thread works for a user: fsuid, fsgid and groups of
// this thread only (raw system calls; glibc's wrappers would change every thread). Must not know
// what is done with them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ports/backend.hpp"

namespace flotilla::vfs {

/// Whether this process can switch at all, and to what it returns.
struct SwitchAbility {
  bool can_switch = false;
  /// Set where the process is root but the switch is forbidden: serving would be unsafe.
  std::string problem;
};

/// Tries a switch and switches back. Once at start.
[[nodiscard]] SwitchAbility probe_switch_ability();

/// Gives up CAP_SYS_RESOURCE, which setfsuid(2) leaves to a thread that acts as a user: with it no
/// write meets a quota, and users fill the blocks that are reserved for root. Of the calling thread
/// and those that it starts.
void obey_limits_of_users() noexcept;

/// Acts as somebody from construction to destruction, then as before. Nests. Costs no system call
/// where the thread already is that somebody.
/// Calls   one thread, as a local variable only; never across a co_await
class ActAs {
 public:
  /// `enabled` false: does nothing and is ok.
  ActAs(bool enabled, std::uint32_t uid, std::uint32_t gid,
        const std::vector<std::uint32_t>& groups) noexcept;
  /// As the daemon itself.
  explicit ActAs(bool enabled) noexcept;
  ~ActAs();
  ActAs(const ActAs&) = delete;
  ActAs& operator=(const ActAs&) = delete;

  /// False: the kernel refused the identity (an impossible uid or gid); answer AccessDenied.
  [[nodiscard]] bool ok() const noexcept { return ok_; }

 private:
  bool switched_ = false;
  bool ok_ = true;
  std::uint32_t uid_before_ = 0;
  std::uint32_t gid_before_ = 0;
  std::vector<std::uint32_t> groups_before_;
  bool groups_switched_ = false;
};

}  // namespace flotilla::vfs
