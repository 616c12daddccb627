// LZNT1: chunks of 4 KiB that know nothing of each other. Spec [MS-XCA] 2.5 LZNT1 Algorithm Details
#include <algorithm>
#include <bit>

#include "crypto/compression/codec.hpp"
#include "crypto/compression/match_finder.hpp"

namespace flotilla::crypto {

namespace {

constexpr std::size_t kChunkBytes = 4096;
constexpr std::uint16_t kSignature = 3U << 12;
constexpr std::uint16_t kCompressed = 1U << 15;
constexpr std::uint16_t kSizeMask = 0x0FFF;  // of the chunk with its header, less three

/// How many of a pair's 16 bits are its length, `at` bytes into the chunk: [MS-XCA] 2.5.1.4.
unsigned length_bits(std::size_t at) noexcept {
  const auto distance_bits = static_cast<unsigned>(at == 0 ? 0 : std::bit_width(at - 1));
  return 16U - std::max(4U, distance_bits);
}

bool decode_chunk(ByteView chunk, MutableBytes out) noexcept {
  ByteReader reader(chunk);
  std::size_t at = 0;
  while (at < out.size()) {
    unsigned flags = reader.u8();
    for (int i = 0; i < 8 && at < out.size(); ++i, flags >>= 1) {
      if ((flags & 1) == 0) {
        out[at++] = reader.u8();
      } else {
        const unsigned bits = length_bits(at);
        const unsigned pair = reader.u16();
        const std::size_t length = (pair & ((1U << bits) - 1)) + kMatchBytesMin;
        if (!reader.ok() || !copy_match(out, at, (pair >> bits) + 1U, length)) return false;
      }
      if (!reader.ok()) return false;
    }
  }
  return true;
}

/// Appends what follows the chunk's header.
void encode_chunk(ByteView chunk, Bytes& out) {
  MatchFinder finder(chunk);
  std::size_t flags_at = 0;
  unsigned used = 8;
  for (std::size_t at = 0; at < chunk.size(); ++used) {
    if (used == 8) {
      flags_at = out.size();
      out.push_back(0);
      used = 0;
    }
    const unsigned bits = length_bits(at);
    const Match match = finder.find(at, 0, (std::size_t{1} << bits) - 1 + kMatchBytesMin);
    if (match.length == 0) {
      out.push_back(chunk[at++]);
      continue;
    }
    out[flags_at] = static_cast<std::uint8_t>(out[flags_at] | 1U << used);
    ByteWriter(out).u16(
        static_cast<std::uint16_t>((match.distance - 1) << bits | (match.length - kMatchBytesMin)));
    for (std::size_t inner = at + 1; inner < at + match.length; ++inner) finder.note(inner);
    at += match.length;
  }
}

}  // namespace

bool lznt1_encode(ByteView in, std::size_t bytes_max, Bytes& out) {
  const std::size_t end_max = out.size() + bytes_max;
  for (std::size_t at = 0; at < in.size(); at += kChunkBytes) {
    const ByteView chunk = in.subspan(at, std::min(kChunkBytes, in.size() - at));
    const std::size_t header_at = out.size();
    ByteWriter(out).u16(0);
    encode_chunk(chunk, out);
    std::uint16_t header = kSignature | kCompressed;
    if (out.size() - header_at - 2 >= chunk.size()) {  // it is stored as it is
      out.resize(header_at + 2);
      ByteWriter(out).bytes(chunk);
      header = kSignature;
    }
    ByteWriter(out).patch(header_at,
                          static_cast<std::uint16_t>(header | (out.size() - header_at - 3)));
    if (out.size() > end_max) return false;
  }
  return true;
}

bool lznt1_decode(ByteView in, MutableBytes out) noexcept {
  ByteReader reader(in);
  for (std::size_t at = 0; at < out.size();) {
    const std::uint16_t header = reader.u16();
    const ByteView chunk = reader.view((header & kSizeMask) + std::size_t{1});
    if (!reader.ok() || header == 0) return false;
    // Deviation: a chunk that is not the last and holds less than 4096 bytes is refused; nobody
    // writes one, and what is missing would have to be made up.
    const MutableBytes into = out.subspan(at, std::min(kChunkBytes, out.size() - at));
    if ((header & kCompressed) != 0) {
      if (!decode_chunk(chunk, into)) return false;
    } else {
      if (chunk.size() < into.size()) return false;
      std::copy_n(chunk.begin(), into.size(), into.begin());
    }
    at += into.size();
  }
  return true;
}

}  // namespace flotilla::crypto
