// LZ77+Huffman: blocks of 64 KiB, each behind its table of code lengths. Spec [MS-XCA] 2.1
// LZ77+Huffman Compression Algorithm Details, 2.2 LZ77+Huffman Decompression Algorithm Details
#include <algorithm>
#include <array>
#include <bit>
#include <vector>

#include "crypto/compression/codec.hpp"
#include "crypto/compression/huffman_lengths.hpp"
#include "crypto/compression/match_finder.hpp"

namespace flotilla::crypto {

namespace {

constexpr std::size_t kBlockBytes = 65536;
constexpr std::size_t kTableBytes = kHuffmanSymbols / 2;  // two lengths of four bits to a byte
constexpr std::size_t kEnd = 256;                         // the symbol after the last one
constexpr std::size_t kDistanceMax = 65535;

// --- decoding ---------------------------------------------------------------------------------

/// What 15 bits begin with: the symbol, and how many of them are its code.
struct Entry {
  std::uint16_t symbol = 0;
  std::uint8_t bits = 0;
};
using DecodeTable = std::vector<Entry>;
constexpr std::size_t kDecodeEntries = std::size_t{1} << kHuffmanBitsMax;

/// [MS-XCA] 2.2.4 Processing. False where the lengths are too many for a code. What no code begins
/// with stays without bits: a block of one symbol alone has such a table.
bool fill_table(ByteView lengths, DecodeTable& table) noexcept {
  std::size_t next = 0;
  for (std::uint8_t bits = 1; bits <= kHuffmanBitsMax; ++bits) {
    const std::size_t span = kDecodeEntries >> bits;
    for (std::size_t symbol = 0; symbol < kHuffmanSymbols; ++symbol) {
      const unsigned mine = lengths[symbol / 2] >> (symbol % 2 * 4) & 15U;
      if (mine != bits) continue;
      if (span > kDecodeEntries - next) return false;
      std::fill_n(table.begin() + static_cast<std::ptrdiff_t>(next), span,
                  Entry{static_cast<std::uint16_t>(symbol), bits});
      next += span;
    }
  }
  std::fill(table.begin() + static_cast<std::ptrdiff_t>(next), table.end(), Entry{});
  return next != 0;
}

/// The bits come in words of 16, the highest first, and are fetched two words ahead; bytes of long
/// lengths lie between the words.
class BitReader {
 public:
  explicit BitReader(ByteReader& in) : in_(in) {
    const std::uint32_t first = in.u16();
    bits_ = first << 16 | in.u16();
  }
  [[nodiscard]] std::uint32_t peek(unsigned count) const noexcept {
    return count == 0 ? 0 : bits_ >> (32 - count);
  }
  void drop(unsigned count) noexcept {
    bits_ <<= count;
    extra_ -= static_cast<int>(count);
    if (extra_ >= 0) return;
    bits_ |= std::uint32_t{in_.u16()} << -extra_;
    extra_ += 16;
  }

 private:
  ByteReader& in_;
  std::uint32_t bits_ = 0;
  int extra_ = 16;
};

bool decode_block(ByteReader& in, const DecodeTable& table, MutableBytes out,
                  std::size_t& at) noexcept {
  BitReader bits(in);
  const std::size_t end = std::min(out.size(), at + kBlockBytes);
  while (at < end) {
    const Entry entry = table[bits.peek(kHuffmanBitsMax)];
    if (entry.bits == 0) return false;
    bits.drop(entry.bits);
    if (entry.symbol < 256) {
      if (!in.ok()) return false;
      out[at++] = static_cast<std::uint8_t>(entry.symbol);
      continue;
    }
    // The end comes when `out` is full; before that, its symbol is a match like others.
    std::size_t length = entry.symbol & 15U;
    const unsigned distance_bits = (entry.symbol - 256U) >> 4;
    if (length == 15) {
      length = in.u8();
      if (length == 255) {
        length = in.u16();
        if (length == 0) length = in.u32();
        if (length < 15) return false;
        length -= 15;
      }
      length += 15;
    }
    const std::size_t distance = (std::size_t{1} << distance_bits) + bits.peek(distance_bits);
    bits.drop(distance_bits);
    if (!in.ok() || !copy_match(out, at, distance, length + kMatchBytesMin)) return false;
  }
  return true;
}

// --- encoding ---------------------------------------------------------------------------------

/// A literal (distance 0, its byte in `length`) or a match.
struct Token {
  std::uint32_t length = 0;
  std::uint32_t distance = 0;
};

std::size_t symbol_of(const Token& token) noexcept {
  if (token.distance == 0) return token.length;
  const auto distance_bits = static_cast<std::size_t>(std::bit_width(token.distance) - 1);
  return 256 + 16 * distance_bits + std::min<std::size_t>(token.length - kMatchBytesMin, 15);
}

class BitWriter {
 public:
  explicit BitWriter(Bytes& out) : out_(out), first_(out.size()), second_(out.size() + 2) {
    ByteWriter(out).u32(0);
  }
  void put(unsigned count, std::uint32_t bits) {
    if (free_ >= count) {
      free_ -= count;
      word_ = word_ << count | bits;
      return;
    }
    const unsigned later = count - free_;
    ByteWriter writer(out_);
    writer.patch(first_, static_cast<std::uint16_t>(word_ << free_ | bits >> later));
    first_ = second_;
    second_ = out_.size();
    writer.u16(0);
    free_ = 16 - later;
    word_ = bits & ((1U << later) - 1);
  }
  void finish() {
    ByteWriter(out_).patch(first_, static_cast<std::uint16_t>(word_ << free_));
    ByteWriter(out_).patch(second_, std::uint16_t{0});
  }

 private:
  Bytes& out_;
  std::size_t first_;   ///< where the word that is being filled goes
  std::size_t second_;  ///< and the one after it
  std::uint32_t word_ = 0;
  unsigned free_ = 16;
};

void put_token(const Token& token, const HuffmanLengths& lengths, const HuffmanCodes& codes,
               BitWriter& bits, Bytes& out) {
  const std::size_t symbol = symbol_of(token);
  bits.put(lengths[symbol], codes[symbol]);
  if (token.distance == 0) return;
  const std::size_t length = token.length - kMatchBytesMin;
  if (length >= 15) {
    ByteWriter writer(out);
    if (length < 15 + 255) {
      writer.u8(static_cast<std::uint8_t>(length - 15));
    } else {
      writer.u8(255);
      writer.u16(static_cast<std::uint16_t>(length));  // a match ends with its block
    }
  }
  const auto distance_bits = static_cast<unsigned>(std::bit_width(token.distance) - 1);
  bits.put(distance_bits, token.distance & ((1U << distance_bits) - 1));
}

void find_tokens(ByteView in, std::size_t begin, std::size_t end, MatchFinder& finder,
                 std::vector<Token>& tokens) {
  tokens.clear();
  for (std::size_t at = begin; at < end;) {
    const std::size_t from = at > kDistanceMax ? at - kDistanceMax : 0;
    const Match match = finder.find(at, from, end - at);
    if (match.length == 0) {
      tokens.push_back({in[at++], 0});
      continue;
    }
    tokens.push_back(
        {static_cast<std::uint32_t>(match.length), static_cast<std::uint32_t>(match.distance)});
    const std::size_t noted = at + std::min<std::size_t>(match.length, 32);
    for (std::size_t inner = at + 1; inner < noted; ++inner) finder.note(inner);
    at += match.length;
  }
}

void encode_block(const std::vector<Token>& tokens, bool last, Bytes& out) {
  HuffmanCounts counts{};
  for (const Token& token : tokens) ++counts[symbol_of(token)];
  if (last) ++counts[kEnd];
  const HuffmanLengths lengths = huffman_lengths(counts);
  const HuffmanCodes codes = huffman_codes(lengths);
  for (std::size_t symbol = 0; symbol < kHuffmanSymbols; symbol += 2) {
    out.push_back(static_cast<std::uint8_t>(lengths[symbol] | lengths[symbol + 1] << 4));
  }
  BitWriter bits(out);
  for (const Token& token : tokens) put_token(token, lengths, codes, bits, out);
  if (last) bits.put(lengths[kEnd], codes[kEnd]);
  bits.finish();
}

}  // namespace

bool lz77_huffman_encode(ByteView in, std::size_t bytes_max, Bytes& out) {
  const std::size_t end_max = out.size() + bytes_max;
  MatchFinder finder(in);
  std::vector<Token> tokens;
  for (std::size_t begin = 0; begin < in.size(); begin += kBlockBytes) {
    const std::size_t end = std::min(begin + kBlockBytes, in.size());
    find_tokens(in, begin, end, finder, tokens);
    encode_block(tokens, end == in.size(), out);
    if (out.size() > end_max) return false;
  }
  return true;
}

bool lz77_huffman_decode(ByteView in, MutableBytes out) {
  ByteReader reader(in);
  DecodeTable table(kDecodeEntries);
  for (std::size_t at = 0; at < out.size();) {
    const ByteView lengths = reader.view(kTableBytes);
    if (!reader.ok() || !fill_table(lengths, table)) return false;
    if (!decode_block(reader, table, out, at)) return false;
  }
  return true;
}

}  // namespace flotilla::crypto
