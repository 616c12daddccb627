// The one table from errno to NtStatus. Must not know which file or client is concerned.
#pragma once

#include "base/result.hpp"

namespace flotilla::vfs {

/// What was being done when the kernel said no; some errnos mean different things in each.
/// `Name`    the last component of a path was looked up
/// `Path`    an earlier component of a path was looked up
/// `Change`  a name was made, moved or removed
/// `Data`    bytes were read, written or reserved
/// `Ea`      an extended attribute was read or written
/// `Other`   everything else: times, statistics, opening for data
enum class During { Name, Path, Change, Data, Ea, Other };

/// The status that answers for `error` (a positive errno value).
/// Spec    [MS-ERREF] 2.3.1; where Windows has no equal, what Samba's users are used to
/// Errors  an errno that is not in the table gives Unsuccessful
[[nodiscard]] NtStatus nt_status_of(int error, During during) noexcept;

/// fail(nt_status_of(errno, during)).
[[nodiscard]] std::unexpected<NtStatus> fail_errno(During during) noexcept;

}  // namespace flotilla::vfs
