// The kernel's user quotas, as the daemon. Must not know who asks.
#pragma once

#include <optional>

#include "ports/backend.hpp"

namespace flotilla::vfs {

// `fd` is any descriptor on the file system, O_PATH too. NotSupported where the kernel or the file
// system keeps no user quotas.
[[nodiscard]] Result<ports::QuotaState> kernel_quota_state(int fd);
[[nodiscard]] Result<ports::UserQuota> kernel_quota_of(int fd, std::uint32_t uid);
[[nodiscard]] Result<std::optional<ports::UserQuota>> kernel_next_quota(int fd, std::uint32_t uid);
[[nodiscard]] Status set_kernel_quota(int fd, const ports::UserQuota& quota);

}  // namespace flotilla::vfs
