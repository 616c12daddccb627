// Hashes that the rooms above use, the retired ones of NTLM included. MD4 and RC4 are our own:
// OpenSSL keeps them in its legacy provider, which a machine may lack or forbid.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/bytes.hpp"

namespace flotilla::crypto {

using Md16 = std::array<std::uint8_t, 16>;

[[nodiscard]] std::array<std::uint8_t, 32> sha256(ByteView bytes) noexcept;
[[nodiscard]] std::array<std::uint8_t, 32> hmac_sha256(ByteView key, ByteView bytes) noexcept;
[[nodiscard]] Md16 md4(ByteView bytes) noexcept;
[[nodiscard]] Md16 md5(std::span<const ByteView> parts) noexcept;
[[nodiscard]] Md16 hmac_md5(ByteView key, std::span<const ByteView> parts) noexcept;

/// NTOWFv1: MD4 of the password in UTF-16LE ([MS-NLMP] 3.3.1).
[[nodiscard]] Md16 nt_hash(std::u16string_view password) noexcept;

/// The RC4 stream as NTLM uses it ([MS-NLMP] 3.4). A value: a copy continues on its own.
class Rc4 {
 public:
  explicit Rc4(ByteView key) noexcept;
  void apply(MutableBytes in_place) noexcept;

 private:
  std::array<std::uint8_t, 256> s_{};
  std::uint8_t i_ = 0;
  std::uint8_t j_ = 0;
};

/// Compares in a time that depends on the sizes only.
[[nodiscard]] bool equal_constant_time(ByteView a, ByteView b) noexcept;

/// Overwrites in a way that the compiler keeps.
void wipe(MutableBytes secret) noexcept;

}  // namespace flotilla::crypto
