// SHA256_Init and its like are called "deprecated" since 3.0; see HmacSha256 for why they are here.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto/signing.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/modes.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "base/check.hpp"
#include "crypto/aes_chain.hpp"
#include "crypto/hash.hpp"

namespace flotilla::crypto {

namespace {

constexpr std::size_t kCommandAt = 12;
constexpr std::size_t kFlagsAt = 16;
constexpr std::size_t kMessageIdAt = 24;
constexpr std::size_t kSignatureAt = 48;
constexpr std::uint16_t kCommandCancel = 0x000C;
constexpr std::uint32_t kFlagsServerToRedir = 0x00000001;
constexpr Signature kZeroSignature{};
constexpr std::size_t kCopiedBytesMax = 512;

/// HMAC-SHA256 (RFC 2104) for a 16-byte key. The state after either pad is computed once.
/// OpenSSL 3.0's EVP digests and MACs allocate for each message; its plain SHA-256 does not.
class HmacSha256 {
 public:
  explicit HmacSha256(const Key16& key) noexcept {
    std::array<std::uint8_t, 64> pad{};
    const auto begin = [&](SHA256_CTX& state, std::uint8_t filler) {
      pad.fill(filler);
      for (std::size_t i = 0; i < key.size(); ++i) pad[i] ^= key[i];
      FLOTILLA_CHECK(SHA256_Init(&state) == 1);
      FLOTILLA_CHECK(SHA256_Update(&state, pad.data(), pad.size()) == 1);
    };
    begin(inner_, 0x36);
    begin(outer_, 0x5C);
    wipe(pad);
    state_ = inner_;
  }
  ~HmacSha256() {
    OPENSSL_cleanse(&inner_, sizeof inner_);
    OPENSSL_cleanse(&outer_, sizeof outer_);
  }
  HmacSha256(const HmacSha256&) = delete;
  HmacSha256& operator=(const HmacSha256&) = delete;

  void reset() noexcept { state_ = inner_; }
  void absorb(ByteView bytes) noexcept {
    FLOTILLA_CHECK(SHA256_Update(&state_, bytes.data(), bytes.size()) == 1);
  }
  [[nodiscard]] std::array<std::uint8_t, 32> finish() noexcept {
    std::array<std::uint8_t, 32> digest{};
    FLOTILLA_CHECK(SHA256_Final(digest.data(), &state_) == 1);
    state_ = outer_;
    absorb(digest);
    FLOTILLA_CHECK(SHA256_Final(digest.data(), &state_) == 1);
    return digest;
  }

 private:
  SHA256_CTX inner_{};
  SHA256_CTX outer_{};
  SHA256_CTX state_{};
};

/// GMAC (NIST SP 800-38D): GCM with nothing to encrypt, for nonces of 12 bytes. OpenSSL 3.0's EVP
/// asks its provider by name for the nonce's length with each message, which takes longer than the
/// MAC of a short one; its plain GCM does not.
class Gmac {
 public:
  explicit Gmac(const Key16& key)
      : aes_(detail::make_cipher_ctx(EVP_aes_128_ecb(), key, true)),
        gcm_(CRYPTO_gcm128_new(aes_.get(), &encrypt_block)) {
    FLOTILLA_CHECK(gcm_ != nullptr);
  }
  void reset(const std::array<std::uint8_t, 12>& nonce) noexcept {
    CRYPTO_gcm128_setiv(gcm_.get(), nonce.data(), nonce.size());
  }
  void absorb(ByteView bytes) noexcept {
    FLOTILLA_CHECK(CRYPTO_gcm128_aad(gcm_.get(), bytes.data(), bytes.size()) == 0);
  }
  [[nodiscard]] Signature finish() noexcept {
    Signature signature{};
    CRYPTO_gcm128_tag(gcm_.get(), signature.data(), signature.size());
    return signature;
  }

 private:
  struct Free {
    void operator()(GCM128_CONTEXT* gcm) const noexcept { CRYPTO_gcm128_release(gcm); }
  };
  static void encrypt_block(const unsigned char in[16], unsigned char out[16], const void* aes) {
    auto* const ctx = static_cast<EVP_CIPHER_CTX*>(const_cast<void*>(aes));
    int written = 0;
    FLOTILLA_CHECK(EVP_EncryptUpdate(ctx, out, &written, in, 16) == 1 && written == 16);
  }

  detail::CipherCtx aes_;
  std::unique_ptr<GCM128_CONTEXT, Free> gcm_;
};

}  // namespace

struct Signer::State {
  SigningAlgorithm algorithm;
  Key16 key;
  std::optional<HmacSha256> hmac;
  std::optional<detail::AesChain> cmac;
  std::optional<Gmac> gmac;

  ~State() { wipe(key); }

  void start(const std::uint8_t* header) noexcept {
    switch (algorithm) {
      case SigningAlgorithm::HmacSha256:
        hmac->reset();
        return;
      case SigningAlgorithm::AesCmac:
        cmac->reset();
        return;
      case SigningAlgorithm::AesGmac:
        break;
    }
    // [MS-SMB2] 3.1.4.1: 8 bytes MessageId; bit 0 of the next is the sender's role (server), bit 1
    // says that it is a CANCEL request.
    std::array<std::uint8_t, 12> nonce{};
    std::memcpy(nonce.data(), header + kMessageIdAt, 8);
    std::uint8_t role = 0;
    if ((load_le<std::uint32_t>(header + kFlagsAt) & kFlagsServerToRedir) != 0) role |= 1;
    if (load_le<std::uint16_t>(header + kCommandAt) == kCommandCancel) role |= 2;
    nonce[8] = role;
    gmac->reset(nonce);
  }

  void absorb(ByteView bytes) noexcept {
    if (bytes.empty()) return;
    switch (algorithm) {
      case SigningAlgorithm::HmacSha256:
        hmac->absorb(bytes);
        return;
      case SigningAlgorithm::AesCmac:
        cmac->absorb(bytes);
        return;
      case SigningAlgorithm::AesGmac:
        break;
    }
    gmac->absorb(bytes);
  }

  Signature finish() noexcept {
    switch (algorithm) {
      case SigningAlgorithm::HmacSha256: {
        const std::array<std::uint8_t, 32> mac = hmac->finish();
        Signature signature{};
        std::copy_n(mac.begin(), signature.size(), signature.begin());
        return signature;
      }
      case SigningAlgorithm::AesCmac:
        return cmac->finish_cmac();
      case SigningAlgorithm::AesGmac:
        break;
    }
    return gmac->finish();
  }

  Signature of(ByteView first, std::span<const ByteView> rest) noexcept {
    if (first.size() < kSmb2HeaderBytes) return kZeroSignature;
    start(first.data());
    // A call costs more than a copy of what most messages are.
    std::array<std::uint8_t, kCopiedBytesMax> copy;
    if (rest.empty() && first.size() <= copy.size()) {
      std::memcpy(copy.data(), first.data(), first.size());
      std::memcpy(copy.data() + kSignatureAt, kZeroSignature.data(), kZeroSignature.size());
      absorb(ByteView(copy).first(first.size()));
      return finish();
    }
    absorb(first.first(kSignatureAt));
    absorb(kZeroSignature);
    absorb(first.subspan(kSmb2HeaderBytes));
    for (const ByteView segment : rest) absorb(segment);
    return finish();
  }
};

Signer::Signer(SigningAlgorithm algorithm, const Key16& key) : state_(std::make_unique<State>()) {
  state_->algorithm = algorithm;
  state_->key = key;
  switch (algorithm) {
    case SigningAlgorithm::HmacSha256:
      state_->hmac.emplace(key);
      return;
    case SigningAlgorithm::AesCmac:
      state_->cmac.emplace(ByteView(key));
      return;
    case SigningAlgorithm::AesGmac:
      break;
  }
  state_->algorithm = SigningAlgorithm::AesGmac;
  state_->gmac.emplace(key);
}

Signer::~Signer() = default;
Signer::Signer(Signer&&) noexcept = default;
Signer& Signer::operator=(Signer&&) noexcept = default;

SigningAlgorithm Signer::algorithm() const noexcept { return state_->algorithm; }

Signature Signer::compute(std::span<const ByteView> segments) const noexcept {
  if (segments.empty()) return kZeroSignature;
  return state_->of(segments.front(), segments.subspan(1));
}

Signature Signer::compute(ByteView message) const noexcept { return state_->of(message, {}); }

void Signer::sign(MutableBytes message) const noexcept { sign(message, {}); }

void Signer::sign(MutableBytes header, std::span<const ByteView> rest) const noexcept {
  if (header.size() < kSmb2HeaderBytes) return;
  const Signature signature = state_->of(header, rest);
  std::memcpy(header.data() + kSignatureAt, signature.data(), signature.size());
}

bool Signer::verify(ByteView message) const noexcept {
  if (message.size() < kSmb2HeaderBytes) return false;
  const Signature expected = state_->of(message, {});
  return equal_constant_time(expected, message.subspan(kSignatureAt, expected.size()));
}

}  // namespace flotilla::crypto
