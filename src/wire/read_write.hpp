// SMB2 READ, WRITE, LOCK. READ and WRITE decode and encode without an allocation.
#pragma once

#include <span>
#include <vector>

#include "base/ids.hpp"
#include "wire/codec.hpp"
#include "wire/smb2_constants.hpp"

namespace flotilla::wire {

/// [MS-SMB2] 2.2.19 SMB2 READ Request.
struct ReadRequest {
  std::uint8_t padding = 0;
  std::uint8_t flags = 0;  ///< read_flags
  std::uint32_t length = 0;
  std::uint64_t offset = 0;
  FileId file_id;
  std::uint32_t minimum_count = 0;
  std::uint32_t channel = 0;
  std::uint32_t remaining_bytes = 0;
};

/// [MS-SMB2] 2.2.20 SMB2 READ Response.
/// A handler that wants no copy makes room for kDataOffset + length, preads to
/// `out.data() + header_at + kDataOffset`, cuts `out`, and calls encode_fixed_at with what it read.
struct ReadResponse {
  static constexpr std::size_t kFixedSize = 16;
  static constexpr std::size_t kDataOffset = 80;  ///< from the SMB2 header's first byte
  std::uint32_t data_remaining = 0;
  std::uint32_t flags = 0;
  ByteView data;
};
/// Writes the 16 fixed bytes in front of `data_length` bytes of data that the caller places.
void encode_read_response_at(std::span<std::uint8_t, ReadResponse::kFixedSize> out,
                             std::uint32_t data_length, std::uint32_t data_remaining = 0) noexcept;

/// [MS-SMB2] 2.2.21 SMB2 WRITE Request.
struct WriteRequest {
  static constexpr std::size_t kDataOffset = 112;  ///< where our encoder puts the data
  std::uint64_t offset = 0;
  FileId file_id;
  std::uint32_t channel = 0;
  std::uint32_t remaining_bytes = 0;
  std::uint32_t flags = 0;  ///< write_flags
  ByteView data;
};
/// [MS-SMB2] 2.2.22 SMB2 WRITE Response.
struct WriteResponse {
  std::uint32_t count = 0;
  std::uint32_t remaining = 0;
};

/// [MS-SMB2] 2.2.26.1 SMB2_LOCK_ELEMENT
struct LockElement {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  std::uint32_t flags = 0;  ///< lock_flags
};
/// [MS-SMB2] 2.2.26 SMB2 LOCK Request. `lock_sequence`: number in bits 0-3, index in bits 4-31.
struct LockRequest {
  std::uint32_t lock_sequence = 0;
  FileId file_id;
  std::vector<LockElement> locks;
};
/// [MS-SMB2] 2.2.27
struct LockResponse {};

}  // namespace flotilla::wire
