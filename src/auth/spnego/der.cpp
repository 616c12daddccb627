#include "auth/spnego/der.hpp"

namespace flotilla::auth::der {

std::optional<Element> Reader::next() noexcept {
  const ByteView at = rest_;
  rest_ = {};
  if (at.size() < 2 || (at[0] & 0x1F) == 0x1F) return std::nullopt;
  std::size_t length = at[1];
  std::size_t header = 2;
  if (length >= 0x80) {
    const std::size_t more = length & 0x7F;
    if (more == 0 || more > 4 || at.size() < 2 + more) return std::nullopt;
    length = 0;
    for (std::size_t i = 0; i < more; ++i) length = length << 8 | at[2 + i];
    header += more;
  }
  if (at.size() - header < length) return std::nullopt;
  rest_ = at.subspan(header + length);
  return Element{at[0], at.subspan(header, length), at.first(header + length)};
}

std::optional<ByteView> Reader::next(std::uint8_t tag) noexcept {
  const auto element = next();
  if (element && element->tag == tag) return element->value;
  rest_ = {};
  return std::nullopt;
}

std::optional<ByteView> unwrap(ByteView bytes, std::uint8_t tag) noexcept {
  return Reader(bytes).next(tag);
}

Bytes wrap(std::uint8_t tag, ByteView value) {
  Bytes out;
  out.reserve(value.size() + 6);
  out.push_back(tag);
  const std::size_t length = value.size();
  if (length < 0x80) {
    out.push_back(static_cast<std::uint8_t>(length));
  } else {
    unsigned bytes = 1;
    while (length >> (8 * bytes) != 0) ++bytes;
    out.push_back(static_cast<std::uint8_t>(0x80U | bytes));
    while (bytes-- > 0) out.push_back(static_cast<std::uint8_t>(length >> (8 * bytes)));
  }
  append(out, value);
  return out;
}

void append(Bytes& out, ByteView bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }

}  // namespace flotilla::auth::der
