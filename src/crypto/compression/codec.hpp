// The three general compression algorithms of SMB 3.1.1. Pure; must not know messages.
#pragma once

#include <cstdint>

#include "base/bytes.hpp"
#include "wire/smb2_constants.hpp"

namespace flotilla::crypto {

/// Spec    [MS-XCA] 2.4 Plain LZ77 Decompression Algorithm Details, 2.2 LZ77+Huffman
///         Decompression Algorithm Details, 2.5 LZNT1 Algorithm Details
/// Input   any bytes; `out` has exactly the size that the sender said, so that a compressed bomb
///         costs what its sender announced and no more
/// Output  true: `out` is full. Bytes of `in` that are left over are not looked at.
///         false: damaged, or it holds fewer bytes than `out`, or `algorithm` is none of the three
[[nodiscard]] bool decompress(wire::CompressionAlgorithm algorithm, ByteView in, MutableBytes out);

/// Appends `in` compressed. Input up to 1 GiB.
/// Output  false: it would not be smaller than `in`, or `algorithm` is none of the three; what was
///         appended is taken back
[[nodiscard]] bool compress(wire::CompressionAlgorithm algorithm, ByteView in, Bytes& out);

// One by one. The encoders append, and give up, false, once they have appended `bytes_max`.
[[nodiscard]] bool lz77_decode(ByteView in, MutableBytes out) noexcept;
[[nodiscard]] bool lz77_encode(ByteView in, std::size_t bytes_max, Bytes& out);
[[nodiscard]] bool lznt1_decode(ByteView in, MutableBytes out) noexcept;
[[nodiscard]] bool lznt1_encode(ByteView in, std::size_t bytes_max, Bytes& out);
[[nodiscard]] bool lz77_huffman_decode(ByteView in, MutableBytes out);
[[nodiscard]] bool lz77_huffman_encode(ByteView in, std::size_t bytes_max, Bytes& out);

}  // namespace flotilla::crypto
