// The little of DER that GSS tokens need: tags of one byte, definite lengths. Internal to auth/.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.hpp"

namespace flotilla::auth::der {

enum Tag : std::uint8_t {
  kBitString = 0x03,
  kOctetString = 0x04,
  kOid = 0x06,
  kEnumerated = 0x0A,
  kGeneralString = 0x1B,
  kSequence = 0x30,
  kApplication0 = 0x60,
};
[[nodiscard]] constexpr std::uint8_t context(unsigned number) noexcept {
  return static_cast<std::uint8_t>(0xA0U + number);
}

struct Element {
  std::uint8_t tag = 0;
  ByteView value;
  ByteView whole;  ///< with tag and length
};

/// Reads elements one after the other. After the first that does not fit, `next` gives nothing.
class Reader {
 public:
  explicit Reader(ByteView bytes) noexcept : rest_(bytes) {}
  [[nodiscard]] bool at_end() const noexcept { return rest_.empty(); }
  [[nodiscard]] std::optional<Element> next() noexcept;
  /// The next element if it has this tag; nothing (and the reader is spoilt) otherwise.
  [[nodiscard]] std::optional<ByteView> next(std::uint8_t tag) noexcept;

 private:
  ByteView rest_;
};

/// The value of one element that has this tag and fills `bytes`, bytes after it apart: some clients
/// pad their tokens.
[[nodiscard]] std::optional<ByteView> unwrap(ByteView bytes, std::uint8_t tag) noexcept;

/// Tag, length, `value`.
[[nodiscard]] Bytes wrap(std::uint8_t tag, ByteView value);
void append(Bytes& out, ByteView bytes);

}  // namespace flotilla::auth::der
