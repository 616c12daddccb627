// Quotas over SMB2: the index that Windows' clients open to ask for them, and the records in it.
// Everybody may see its own record; administrators see and set all.
#pragma once

#include <string_view>

#include "handlers/request.hpp"
#include "ports/backend.hpp"
#include "wire/query_directory.hpp"

namespace flotilla::handlers {

struct Share;

/// How far an enumeration through one open of the index has come.
struct QuotaIndex {
  std::optional<std::uint32_t> next_uid = 0;  ///< nothing: past the last
};

/// "$Extend\$Quota:$Q:$INDEX_ALLOCATION", without case.
[[nodiscard]] bool names_quota_index(std::u16string_view name) noexcept;

/// The file system with what is left to `uid`: a volume with quotas is as large as the user's
/// limit. Blocks; one more system call.
/// Spec    [MS-FSCC] 2.5.4: the sizes are those of the calling user
void limit_to_quota(ports::Backend& backend, std::uint32_t uid, ports::VolumeFacts& volume);

/// Spec    [MS-SMB2] 3.3.5.20.4 Handling SMB2_0_INFO_QUOTA; [MS-FSA] 2.1.5.21
/// Errors  InvalidHandle     the open is not one of the index
///         NotSupported      the file system keeps no quotas
///         InvalidParameter  the query does not decode
///         BufferTooSmall    not even one record has room
///         AccessDenied      another user's record was asked for by name
///         NoMoreEntries     nothing is left of the enumeration
HandlerTask query_quota(Request& request, std::shared_ptr<session::Open> open,
                        wire::QueryInfoRequest query);

/// Spec    [MS-SMB2] 3.3.5.21.4 Handling SMB2_0_INFO_QUOTA; [MS-FSA] 2.1.5.23
/// Errors  InvalidHandle, NotSupported as above
///         AccessDenied  the user is no administrator
///         NoSuchUser    a SID that is no user with an id; records before it are set
HandlerTask set_quota(Request& request, std::shared_ptr<session::Open> open,
                      wire::SetInfoRequest set);

/// FileFsControlInformation: what quotas are kept at all. The machine's administrator decides that,
/// so only what is so already can be set.
/// Spec    [MS-FSCC] 2.5.2
/// Errors  AccessDenied, InfoLengthMismatch, NotSupported
HandlerTask set_quota_control(Request& request, const Share& share, ByteView buffer);

}  // namespace flotilla::handlers
