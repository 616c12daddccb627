// A frame's requests: where each starts, and how it relates to the one before it.
#pragma once

#include <cstddef>
#include <expected>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "wire/smb2_header.hpp"

namespace flotilla::session {

struct CompoundPart {
  wire::Smb2Header header;
  ByteView message;      ///< from its header to the byte before the next one, padding included
  bool related = false;  ///< SMB2_FLAGS_RELATED_OPERATIONS, and there is one before it
  /// The whole chain, or this part, breaks a rule that is answered, not disconnected:
  /// InvalidParameter.
  bool malformed = false;
};

inline constexpr std::size_t kCompoundPartsMax = 256;

/// Splits a frame.
/// Spec    [MS-SMB2] 3.3.5.2.7 Handling Compounded Requests, 3.3.5.2.6
/// Input   `frame` from its first SMB2 header; parts borrow from it
/// Errors  a reason to disconnect: shorter than a header, not SMB2, NextCommand that is misaligned,
///         smaller than a header or past the end, a response
/// Output  `malformed` on the first part when it is marked related, and on every related one that
///         follows it. Deviation: a chain of both styles is carried out, as Windows does.
[[nodiscard]] std::expected<std::vector<CompoundPart>, std::string_view> split_frame(
    ByteView frame);

}  // namespace flotilla::session
