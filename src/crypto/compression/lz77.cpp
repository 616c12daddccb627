// Plain LZ77. Spec [MS-XCA] 2.3 Plain LZ77 Compression Algorithm Details, 2.4 Plain LZ77
// Decompression Algorithm Details
#include <algorithm>
#include <limits>

#include "crypto/compression/codec.hpp"
#include "crypto/compression/match_finder.hpp"

namespace flotilla::crypto {

namespace {

constexpr std::size_t kWindowBytes = 8192;
constexpr std::size_t kFlagsPerWord = 32;
constexpr std::size_t kNoNibble = 0;  // a nibble is never at the start: the flags are

/// Writes the 32-bit words of flags between the symbols they speak of.
class FlaggedWriter {
 public:
  explicit FlaggedWriter(Bytes& out) : out_(out), writer_(out), flags_at_(out.size()) {
    writer_.u32(0);
  }
  void literal(std::uint8_t byte) {
    writer_.u8(byte);
    flag(0);
  }
  void match(Match match) {
    std::size_t length = match.length - kMatchBytesMin;
    const auto distance = static_cast<std::uint16_t>((match.distance - 1) << 3);
    if (length < 7) {
      writer_.u16(static_cast<std::uint16_t>(distance | length));
    } else {
      writer_.u16(static_cast<std::uint16_t>(distance | 7));
      long_length(length - 7);
    }
    flag(1);
  }
  /// The flags that stand for nothing are ones.
  void finish() {
    const std::size_t left = kFlagsPerWord - count_;
    const std::uint64_t ones = (std::uint64_t{1} << left) - 1;
    writer_.patch(flags_at_, static_cast<std::uint32_t>((std::uint64_t{flags_} << left) | ones));
  }

 private:
  void long_length(std::size_t length) {
    const auto nibble = static_cast<std::uint8_t>(std::min<std::size_t>(length, 15));
    if (nibble_at_ == kNoNibble) {
      nibble_at_ = out_.size();
      writer_.u8(nibble);
    } else {
      out_[nibble_at_] = static_cast<std::uint8_t>(out_[nibble_at_] | nibble << 4);
      nibble_at_ = kNoNibble;
    }
    if (nibble < 15) return;
    length -= 15;
    if (length < 255) {
      writer_.u8(static_cast<std::uint8_t>(length));
      return;
    }
    writer_.u8(255);
    length += 15 + 7;
    if (length <= 0xFFFF) {
      writer_.u16(static_cast<std::uint16_t>(length));
    } else {
      writer_.u16(0);
      writer_.u32(static_cast<std::uint32_t>(length));
    }
  }
  void flag(std::uint32_t bit) {
    flags_ = flags_ << 1 | bit;
    if (++count_ < kFlagsPerWord) return;
    writer_.patch(flags_at_, flags_);
    flags_at_ = out_.size();
    writer_.u32(0);
    flags_ = 0;
    count_ = 0;
  }

  Bytes& out_;
  ByteWriter writer_;
  std::size_t flags_at_;
  std::uint32_t flags_ = 0;
  std::size_t count_ = 0;
  std::size_t nibble_at_ = kNoNibble;
};

}  // namespace

bool lz77_encode(ByteView in, std::size_t bytes_max, Bytes& out) {
  const std::size_t end_max = out.size() + bytes_max;
  FlaggedWriter writer(out);
  MatchFinder finder(in);
  for (std::size_t at = 0; at < in.size();) {
    if (out.size() > end_max) return false;
    const std::size_t from = at > kWindowBytes ? at - kWindowBytes : 0;
    const Match match = finder.find(at, from, std::numeric_limits<std::size_t>::max());
    if (match.length == 0) {
      writer.literal(in[at++]);
      continue;
    }
    writer.match(match);
    // Only the first positions of a long match: a run of one byte would note a million.
    const std::size_t noted = at + std::min<std::size_t>(match.length, 32);
    for (std::size_t inner = at + 1; inner < noted; ++inner) finder.note(inner);
    at += match.length;
  }
  writer.finish();
  return out.size() <= end_max;
}

bool lz77_decode(ByteView in, MutableBytes out) noexcept {
  ByteReader reader(in);
  std::size_t at = 0;
  std::uint32_t flags = 0;
  std::size_t count = 0;
  std::size_t nibble_at = kNoNibble;
  while (at < out.size()) {
    if (count == 0) {
      flags = reader.u32();
      count = kFlagsPerWord;
    }
    --count;
    if ((flags >> count & 1) == 0) {
      out[at++] = reader.u8();
      if (!reader.ok()) return false;
      continue;
    }
    const std::uint16_t pair = reader.u16();
    std::size_t length = pair & 7U;
    const std::size_t distance = (pair >> 3) + 1U;
    if (length == 7) {
      if (nibble_at == kNoNibble) {
        nibble_at = reader.position();
        length = reader.u8() & 15U;
      } else {
        length = in[nibble_at] >> 4;
        nibble_at = kNoNibble;
      }
      if (length == 15) {
        length = reader.u8();
        if (length == 255) {
          length = reader.u16();
          if (length == 0) length = reader.u32();
          if (length < 15 + 7) return false;
          length -= 15 + 7;
        }
        length += 15;
      }
      length += 7;
    }
    if (!reader.ok() || !copy_match(out, at, distance, length + kMatchBytesMin)) return false;
  }
  return true;
}

}  // namespace flotilla::crypto
