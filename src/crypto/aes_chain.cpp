#include "crypto/aes_chain.hpp"

#include <algorithm>
#include <cstring>

#include "base/check.hpp"

namespace flotilla::crypto::detail {

namespace {

constexpr std::size_t kRunBytes = 4096;

/// Multiplication by x in GF(2^128), RFC 4493 2.3.
Block doubled(const Block& in) noexcept {
  Block out{};
  unsigned carry = 0;
  for (std::size_t i = in.size(); i-- > 0;) {
    out[i] = static_cast<std::uint8_t>((in[i] << 1) | carry);
    carry = in[i] >> 7;
  }
  if (carry != 0) out[15] ^= 0x87;
  return out;
}

}  // namespace

CipherCtx make_cipher_ctx(const EVP_CIPHER* cipher, ByteView key, bool encrypt) {
  CipherCtx ctx(EVP_CIPHER_CTX_new());
  FLOTILLA_CHECK(ctx != nullptr);
  FLOTILLA_CHECK(key.size() == static_cast<std::size_t>(EVP_CIPHER_get_key_length(cipher)));
  FLOTILLA_CHECK(
      EVP_CipherInit_ex(ctx.get(), cipher, nullptr, key.data(), nullptr, encrypt ? 1 : 0) == 1);
  // OpenSSL 3.0 would say so to the cipher again with each new IV; GCM never pads.
  if (EVP_CIPHER_get_mode(cipher) != EVP_CIPH_GCM_MODE) EVP_CIPHER_CTX_set_padding(ctx.get(), 0);
  return ctx;
}

AesChain::AesChain(ByteView key)
    : ctx_(make_cipher_ctx(key.size() == 32 ? EVP_aes_256_cbc() : EVP_aes_128_cbc(), key, true)) {
  reset();
  Block zero_encrypted{};
  const Block zero{};
  encrypt(zero.data(), zero.size(), zero_encrypted);
  k1_ = doubled(zero_encrypted);
  k2_ = doubled(k1_);
  reset();
}

void AesChain::reset() noexcept {
  static constexpr Block kZeroIv{};
  FLOTILLA_CHECK(EVP_EncryptInit_ex(ctx_.get(), nullptr, nullptr, nullptr, kZeroIv.data()) == 1);
  held_bytes_ = 0;
}

void AesChain::encrypt(const std::uint8_t* blocks, std::size_t size_bytes, Block& last) noexcept {
  std::uint8_t scratch[kRunBytes];
  while (size_bytes > 0) {
    const std::size_t run = std::min(size_bytes, kRunBytes);
    int written = 0;
    FLOTILLA_CHECK(
        EVP_EncryptUpdate(ctx_.get(), scratch, &written, blocks, static_cast<int>(run)) == 1);
    FLOTILLA_CHECK(static_cast<std::size_t>(written) == run);
    blocks += run;
    size_bytes -= run;
    if (size_bytes == 0) std::memcpy(last.data(), scratch + run - last.size(), last.size());
  }
}

void AesChain::absorb(ByteView bytes) noexcept {
  Block ignored;
  if (bytes.empty()) return;
  if (held_bytes_ > 0 || bytes.size() <= held_.size()) {
    const std::size_t part = std::min(bytes.size(), held_.size() - held_bytes_);
    std::memcpy(held_.data() + held_bytes_, bytes.data(), part);
    held_bytes_ += part;
    bytes = bytes.subspan(part);
    if (bytes.empty()) return;
    encrypt(held_.data(), held_.size(), ignored);
    held_bytes_ = 0;
  }
  const std::size_t run = (bytes.size() - 1) / 16 * 16;
  if (run > 0) encrypt(bytes.data(), run, ignored);
  held_bytes_ = bytes.size() - run;
  std::memcpy(held_.data(), bytes.data() + run, held_bytes_);
}

void AesChain::pad() noexcept {
  if (held_bytes_ == 0) return;
  std::memset(held_.data() + held_bytes_, 0, held_.size() - held_bytes_);
  held_bytes_ = held_.size();
}

Block AesChain::finish_zero_padded() noexcept {
  Block mac{};
  if (held_bytes_ == 0) return mac;
  pad();
  encrypt(held_.data(), held_.size(), mac);
  return mac;
}

Block AesChain::finish_cmac() noexcept {
  const bool whole = held_bytes_ == held_.size();
  if (!whole) {
    held_[held_bytes_] = 0x80;
    std::memset(held_.data() + held_bytes_ + 1, 0, held_.size() - held_bytes_ - 1);
  }
  const Block& subkey = whole ? k1_ : k2_;
  for (std::size_t i = 0; i < held_.size(); ++i) held_[i] ^= subkey[i];
  Block mac{};
  encrypt(held_.data(), held_.size(), mac);
  return mac;
}

}  // namespace flotilla::crypto::detail
