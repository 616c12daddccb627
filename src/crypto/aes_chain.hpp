// AES-CBC used as a chain for MACs (CMAC, CCM). Internal to crypto/. OpenSSL's own CMAC goes block
// by block through a virtual call; feeding CBC in runs of some KiB is several times faster.
#pragma once

#include <openssl/evp.h>

#include <array>
#include <memory>

#include "base/bytes.hpp"

namespace flotilla::crypto::detail {

struct CipherCtxFree {
  void operator()(EVP_CIPHER_CTX* ctx) const noexcept { EVP_CIPHER_CTX_free(ctx); }
};
using CipherCtx = std::unique_ptr<EVP_CIPHER_CTX, CipherCtxFree>;
using Block = std::array<std::uint8_t, 16>;

/// A context with a key set for encryption (or decryption), no padding.
[[nodiscard]] CipherCtx make_cipher_ctx(const EVP_CIPHER* cipher, ByteView key, bool encrypt);

/// Absorbs bytes in pieces of any size; the last block is held back until `finish`, which may treat
/// it in its own way.
class AesChain {
 public:
  explicit AesChain(ByteView key);  ///< 16 or 32 bytes

  void reset() noexcept;
  void absorb(ByteView bytes) noexcept;
  /// CBC-MAC: the last block filled up with zeros. With nothing absorbed: zeros.
  [[nodiscard]] Block finish_zero_padded() noexcept;
  /// Fills up to a block boundary with zeros, and goes on.
  void pad() noexcept;
  /// CMAC: RFC 4493 2.4.
  [[nodiscard]] Block finish_cmac() noexcept;

 private:
  void encrypt(const std::uint8_t* blocks, std::size_t size_bytes, Block& last) noexcept;

  CipherCtx ctx_;
  Block k1_{};
  Block k2_{};
  Block held_{};
  std::size_t held_bytes_ = 0;
};

}  // namespace flotilla::crypto::detail
