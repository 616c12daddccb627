// SMB2 IOCTL. Payloads by control code are in fsctl.hpp.
#pragma once

#include "base/ids.hpp"
#include "wire/codec.hpp"
#include "wire/smb2_constants.hpp"

namespace flotilla::wire {

/// [MS-SMB2] 2.2.31 SMB2 IOCTL Request.
struct IoctlRequest {
  std::uint32_t ctl_code = 0;  ///< fsctl
  FileId file_id;
  std::uint32_t max_input_response = 0;
  std::uint32_t max_output_response = 0;
  std::uint32_t flags = ioctl_flags::kIsFsctl;
  ByteView input;
  ByteView output;  ///< must be empty in a request of a current client
};
/// [MS-SMB2] 2.2.32 SMB2 IOCTL Response.
struct IoctlResponse {
  std::uint32_t ctl_code = 0;
  FileId file_id;
  std::uint32_t flags = 0;
  ByteView input;
  ByteView output;
};

}  // namespace flotilla::wire
