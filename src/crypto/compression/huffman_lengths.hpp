// Code lengths and codes for LZ77+Huffman's 512 symbols. Must not know what a symbol means.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace flotilla::crypto {

inline constexpr std::size_t kHuffmanSymbols = 512;
inline constexpr std::uint8_t kHuffmanBitsMax = 15;

using HuffmanCounts = std::array<std::uint32_t, kHuffmanSymbols>;
using HuffmanLengths = std::array<std::uint8_t, kHuffmanSymbols>;
using HuffmanCodes = std::array<std::uint16_t, kHuffmanSymbols>;

/// A prefix code of at most kHuffmanBitsMax bits, complete; 0 for symbols that do not occur.
/// Spec    [MS-XCA] 2.1.4.2 Huffman Code Construction Phase
/// Input   counts whose sum is below 2^31. Where one symbol occurs alone, another gets a code too.
[[nodiscard]] HuffmanLengths huffman_lengths(HuffmanCounts counts);

/// The canonical codes: ordered by length, then by symbol.
[[nodiscard]] HuffmanCodes huffman_codes(const HuffmanLengths& lengths) noexcept;

}  // namespace flotilla::crypto
