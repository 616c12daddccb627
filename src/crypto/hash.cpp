#include "crypto/hash.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <bit>
#include <cstring>
#include <utility>

#include "base/check.hpp"

namespace flotilla::crypto {

namespace {

template <std::size_t N>
std::array<std::uint8_t, N> digest(const EVP_MD* md, ByteView bytes) noexcept {
  std::array<std::uint8_t, N> out{};
  unsigned size = 0;
  FLOTILLA_CHECK(EVP_Digest(bytes.data(), bytes.size(), out.data(), &size, md, nullptr) == 1);
  return out;
}

template <std::size_t N>
std::array<std::uint8_t, N> hmac(const EVP_MD* md, ByteView key, ByteView bytes) noexcept {
  std::array<std::uint8_t, N> out{};
  unsigned size = 0;
  FLOTILLA_CHECK(HMAC(md, key.data(), static_cast<int>(key.size()), bytes.data(), bytes.size(),
                      out.data(), &size) != nullptr);
  return out;
}

Bytes joined(std::span<const ByteView> parts) {
  Bytes all;
  for (const ByteView part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

/// One 64-byte block of MD4 (RFC 1320 3.4).
void md4_block(std::array<std::uint32_t, 4>& state, const std::uint8_t* block) noexcept {
  std::array<std::uint32_t, 16> x{};
  std::memcpy(x.data(), block, 64);
  auto [a, b, c, d] = state;
  const auto turn = [&](std::uint32_t f, std::uint32_t word, std::uint32_t constant, int shift) {
    const std::uint32_t next = std::rotl(a + f + word + constant, shift);
    a = d;
    d = c;
    c = b;
    b = next;
  };
  static constexpr int kShift1[] = {3, 7, 11, 19};
  static constexpr int kShift2[] = {3, 5, 9, 13};
  static constexpr int kShift3[] = {3, 9, 11, 15};
  static constexpr std::size_t kOrder3[] = {0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15};
  for (std::size_t i = 0; i < 16; ++i) turn((b & c) | (~b & d), x[i], 0, kShift1[i % 4]);
  for (std::size_t i = 0; i < 16; ++i) {
    turn((b & c) | (b & d) | (c & d), x[(i % 4) * 4 + i / 4], 0x5A827999U, kShift2[i % 4]);
  }
  for (std::size_t i = 0; i < 16; ++i) turn(b ^ c ^ d, x[kOrder3[i]], 0x6ED9EBA1U, kShift3[i % 4]);
  state[0] += a;
  state[1] += b;
  state[2] += c;
  state[3] += d;
}

}  // namespace

std::array<std::uint8_t, 32> sha256(ByteView bytes) noexcept {
  return digest<32>(EVP_sha256(), bytes);
}

std::array<std::uint8_t, 32> hmac_sha256(ByteView key, ByteView bytes) noexcept {
  return hmac<32>(EVP_sha256(), key, bytes);
}

Md16 md5(std::span<const ByteView> parts) noexcept { return digest<16>(EVP_md5(), joined(parts)); }

Md16 hmac_md5(ByteView key, std::span<const ByteView> parts) noexcept {
  return hmac<16>(EVP_md5(), key, joined(parts));
}

Md16 md4(ByteView bytes) noexcept {
  std::array<std::uint32_t, 4> state{0x67452301U, 0xEFCDAB89U, 0x98BADCFEU, 0x10325476U};
  const std::uint64_t bits = static_cast<std::uint64_t>(bytes.size()) * 8;
  while (bytes.size() >= 64) {
    md4_block(state, bytes.data());
    bytes = bytes.subspan(64);
  }
  std::array<std::uint8_t, 128> tail{};
  if (!bytes.empty()) std::memcpy(tail.data(), bytes.data(), bytes.size());
  tail[bytes.size()] = 0x80;
  const std::size_t tail_bytes = bytes.size() < 56 ? 64 : 128;
  store_le(tail.data() + tail_bytes - 8, bits);
  md4_block(state, tail.data());
  if (tail_bytes == 128) md4_block(state, tail.data() + 64);
  wipe(tail);
  Md16 out{};
  std::memcpy(out.data(), state.data(), out.size());
  return out;
}

Md16 nt_hash(std::u16string_view password) noexcept {
  return md4({reinterpret_cast<const std::uint8_t*>(password.data()), password.size() * 2});
}

Rc4::Rc4(ByteView key) noexcept {
  for (std::size_t i = 0; i < s_.size(); ++i) s_[i] = static_cast<std::uint8_t>(i);
  if (key.empty()) return;
  std::uint8_t j = 0;
  for (std::size_t i = 0; i < s_.size(); ++i) {
    j = static_cast<std::uint8_t>(j + s_[i] + key[i % key.size()]);
    std::swap(s_[i], s_[j]);
  }
}

void Rc4::apply(MutableBytes in_place) noexcept {
  for (std::uint8_t& byte : in_place) {
    i_ = static_cast<std::uint8_t>(i_ + 1);
    j_ = static_cast<std::uint8_t>(j_ + s_[i_]);
    std::swap(s_[i_], s_[j_]);
    byte ^= s_[static_cast<std::uint8_t>(s_[i_] + s_[j_])];
  }
}

bool equal_constant_time(ByteView a, ByteView b) noexcept {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

void wipe(MutableBytes secret) noexcept { OPENSSL_cleanse(secret.data(), secret.size()); }

}  // namespace flotilla::crypto
