// SMB2 ERROR Response and what it can carry.
#pragma once

#include <string>
#include <vector>

#include "wire/codec.hpp"
#include "wire/smb2_constants.hpp"

namespace flotilla::wire {

/// [MS-SMB2] 2.2.2 SMB2 ERROR Response. For 3.1.1 `error_data` is a list of contexts:
/// encode_error_contexts, with `error_context_count` set.
struct ErrorResponse {
  std::uint8_t error_context_count = 0;
  ByteView error_data;
};

/// [MS-SMB2] 2.2.2.1 SMB2 ERROR Context Response.
struct ErrorContext {
  static constexpr std::uint32_t kDefault = 0;
  static constexpr std::uint32_t kShareRedirect = 0x72645253;
  std::uint32_t error_id = kDefault;
  ByteView error_context_data;
};
void encode_error_contexts(const std::vector<ErrorContext>& contexts, Bytes& out);
[[nodiscard]] Wire<std::vector<ErrorContext>> decode_error_contexts(ByteView bytes,
                                                                    std::size_t count);

/// [MS-SMB2] 2.2.2.2.1 Symbolic Link Error Response (STATUS_STOPPED_ON_SYMLINK).
struct SymbolicLinkErrorResponse {
  std::uint16_t unparsed_path_length = 0;  ///< bytes of the path behind the link
  std::uint32_t flags = 0;                 ///< 1: substitute_name is relative
  std::u16string substitute_name;
  std::u16string print_name;
};

/// STATUS_BUFFER_TOO_SMALL for 3.x: the number of bytes that would have sufficed (u32).
struct BufferTooSmallErrorData {
  std::uint32_t required_buffer_length = 0;
};

}  // namespace flotilla::wire
