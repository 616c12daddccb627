// Result: a value, or the NtStatus that answers instead of it.
#pragma once

#include <expected>

#include "base/nt_status.hpp"

namespace flotilla {

template <class T>
using Result = std::expected<T, NtStatus>;

using Status = std::expected<void, NtStatus>;

[[nodiscard]] inline std::unexpected<NtStatus> fail(NtStatus status) {
  return std::unexpected(status);
}

}  // namespace flotilla
