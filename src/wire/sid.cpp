#include "wire/sid.hpp"

#include <charconv>

#include "base/ids.hpp"

namespace flotilla::wire {
namespace {
constexpr std::uint8_t kRevision = 1;
constexpr std::size_t kHeadSize = 8;
}  // namespace

std::optional<Sid> Sid::with_rid(std::uint32_t rid) const noexcept {
  if (count_ == kSubAuthoritiesMax) return std::nullopt;
  Sid sid = *this;
  sid.subs_[sid.count_++] = rid;
  return sid;
}

Sid Sid::domain() const noexcept {
  Sid sid = *this;
  if (sid.count_ != 0) sid.subs_[--sid.count_] = 0;
  return sid;
}

bool Sid::is_in(const Sid& domain) const noexcept {
  return count_ == domain.count_ + 1 && this->domain() == domain;
}

std::string Sid::to_string() const {
  std::string text = "S-1-";
  if (authority_ < 0x100000000ULL) {
    text += std::to_string(authority_);
  } else {
    char digits[16];
    const auto end = std::to_chars(digits, digits + sizeof digits, authority_, 16).ptr;
    const auto used = static_cast<std::size_t>(end - digits);
    text += "0x" + std::string(12 - used, '0') + std::string(digits, used);
  }
  for (const std::uint32_t sub : sub_authorities()) text += '-' + std::to_string(sub);
  return text;
}

std::optional<Sid> Sid::parse(std::string_view text) noexcept {
  if (text.size() < 4 || (text[0] != 'S' && text[0] != 's') || text.substr(1, 3) != "-1-") {
    return std::nullopt;
  }
  const char* at = text.data() + 4;
  const char* const end = text.data() + text.size();
  Sid sid;
  const bool hex = end - at > 2 && at[0] == '0' && (at[1] == 'x' || at[1] == 'X');
  if (hex) at += 2;
  auto got = std::from_chars(at, end, sid.authority_, hex ? 16 : 10);
  if (got.ec != std::errc{} || sid.authority_ > 0xFFFFFFFFFFFFULL) return std::nullopt;
  while (got.ptr != end) {
    if (*got.ptr != '-' || sid.count_ == kSubAuthoritiesMax) return std::nullopt;
    got = std::from_chars(got.ptr + 1, end, sid.subs_[sid.count_], 10);
    if (got.ec != std::errc{}) return std::nullopt;
    ++sid.count_;
  }
  return sid;
}

void Sid::encode(Bytes& out) const {
  ByteWriter w(out);
  w.u8(kRevision);
  w.u8(count_);
  for (int shift = 40; shift >= 0; shift -= 8) {
    w.u8(static_cast<std::uint8_t>(authority_ >> shift));
  }
  for (const std::uint32_t sub : sub_authorities()) w.u32(sub);
}

Wire<Sid> Sid::decode(ByteView bytes) noexcept {
  if (bytes.size() < kHeadSize) {
    return std::unexpected(WireError{WireFault::Truncated, bytes.size(), "sid"});
  }
  if (bytes[0] != kRevision) {
    return std::unexpected(WireError{WireFault::BadValue, 0, "sid revision"});
  }
  const std::size_t count = bytes[1];
  if (count > kSubAuthoritiesMax) {
    return std::unexpected(WireError{WireFault::CountOutOfRange, 1, "sub_authority_count"});
  }
  if (bytes.size() < kHeadSize + 4 * count) {
    return std::unexpected(WireError{WireFault::Truncated, bytes.size(), "sub_authority"});
  }
  Sid sid;
  for (std::size_t i = 2; i < kHeadSize; ++i) sid.authority_ = (sid.authority_ << 8) | bytes[i];
  sid.count_ = static_cast<std::uint8_t>(count);
  for (std::size_t i = 0; i < count; ++i) {
    sid.subs_[i] = load_le<std::uint32_t>(bytes.data() + kHeadSize + 4 * i);
  }
  return sid;
}

}  // namespace flotilla::wire

std::size_t std::hash<flotilla::wire::Sid>::operator()(
    const flotilla::wire::Sid& sid) const noexcept {
  std::uint64_t h = flotilla::mix64(sid.identifier_authority() + 1);
  for (const std::uint32_t sub : sid.sub_authorities()) h = flotilla::mix64(h + sub + 1);
  return static_cast<std::size_t>(h);
}
