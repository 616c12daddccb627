// Whole SMB2 messages in and out of their compressed form. Pure; must not know connections: what
// was negotiated is told to it.
#pragma once

#include <cstdint>
#include <expected>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"

namespace flotilla::crypto {

/// What NEGOTIATE settled. Spec [MS-SMB2] 3.3.1.7: Connection.CompressionIds,
/// Connection.SupportsChainedCompression
struct CompressionTerms {
  const std::vector<std::uint16_t>& algorithms;  ///< best first; empty: nothing is compressed
  bool chained = false;
};

/// Spec    [MS-SMB2] 3.3.5.2.1.2 Decompressing the Message, 3.1.5.3 Decompressing the Chained
///         Message
/// Input   `packet` from its COMPRESSION_TRANSFORM header to its end; `bytes_max` that the message
///         may have: more than that is refused before memory is taken
/// Output  `prefix_bytes` zero bytes, then the message
/// Errors  a reason to disconnect
[[nodiscard]] std::expected<Bytes, std::string_view> decompress_message(
    ByteView packet, const CompressionTerms& terms, std::size_t bytes_max,
    std::size_t prefix_bytes = 0);

/// Spec    [MS-SMB2] 3.1.4.4 Compressing the Message, 3.1.4.4.1 Algorithm for Scanning Data
///         Patterns
/// Input   `packet`: `plain_bytes` that stay as they are (headers), then data
/// Output  what replaces it, behind `prefix_bytes` zero bytes; empty where it would not be smaller
[[nodiscard]] Bytes compress_message(ByteView packet, std::size_t plain_bytes,
                                     const CompressionTerms& terms, std::size_t prefix_bytes = 0);

}  // namespace flotilla::crypto
