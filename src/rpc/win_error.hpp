// Win32 error codes that RPC methods return in their last word ([MS-ERREF] 2.2).
#pragma once

#include <cstdint>

namespace flotilla::rpc {

enum class WinError : std::uint32_t {
  Success = 0,
  AccessDenied = 5,
  NotSupported = 50,
  InvalidParameter = 87,
  InvalidName = 123,
  InvalidLevel = 124,
  MoreData = 234,
  NetNameNotFound = 2310,     ///< NERR_NetNameNotFound
  DeviceNotShared = 2311,     ///< NERR_DeviceNotShared
  ClientNameNotFound = 2312,  ///< NERR_ClientNameNotFound
  FileIdNotFound = 2314,      ///< NERR_FileIdNotFound
};

}  // namespace flotilla::rpc
