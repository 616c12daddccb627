// Server-side copy: FSCTL_SRV_REQUEST_RESUME_KEY, FSCTL_SRV_COPYCHUNK and _WRITE.
#pragma once

#include <array>

#include "handlers/file_call.hpp"
#include "wire/fsctl.hpp"

namespace flotilla::handlers {

/// The 24 bytes that name an open as the source of a copy, within its session.
[[nodiscard]] std::array<std::uint8_t, 24> resume_key_of(const FileId& id) noexcept;

/// `reply`  what the IOCTL response carries; with InvalidParameter the server's limits, where the
///          request went past them
struct CopychunkResult {
  NtStatus status = NtStatus::Success;
  std::optional<wire::SrvCopychunkResponse> reply;
};

/// Spec    [MS-SMB2] 3.3.5.15.6 Handling a Server-Side Data Copy Request
/// Errors  ObjectNameNotFound  no open of this session has the key
///         AccessDenied        the source cannot be read, or the target cannot be written (nor, for
///                             SRV_COPYCHUNK, read)
///         InvalidViewSize     a chunk reaches past the source's end
///         FileLockConflict    a byte-range lock on either side
/// `write_only` FSCTL_SRV_COPYCHUNK_WRITE: the target need not be readable
runtime::Task<CopychunkResult> copy_chunks(Request& request, std::shared_ptr<session::Open> target,
                                           wire::SrvCopychunkCopy copy, bool write_only);

}  // namespace flotilla::handlers
