// NTSTATUS values that only RPC interfaces answer ([MS-ERREF] 2.3).
#pragma once

#include "base/nt_status.hpp"

namespace flotilla::rpc::nt_code {

inline constexpr NtStatus kNoSuchPrivilege{0xC0000060};
inline constexpr NtStatus kNoSuchGroup{0xC0000066};
inline constexpr NtStatus kNoSuchAlias{0xC0000151};
inline constexpr NtStatus kNoSuchMember{0xC000017A};

}  // namespace flotilla::rpc::nt_code
