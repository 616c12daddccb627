#include "crypto/sealing.hpp"

#include <openssl/evp.h>

#include <array>
#include <cstring>
#include <optional>

#include "base/check.hpp"
#include "crypto/aes_chain.hpp"
#include "crypto/hash.hpp"

namespace flotilla::crypto {

namespace {

constexpr std::size_t kSignatureAt = 4;
constexpr std::size_t kNonceAt = 20;
constexpr std::size_t kTagBytes = 16;
using detail::Block;

bool is_ccm(Cipher cipher) noexcept {
  return cipher == Cipher::Aes128Ccm || cipher == Cipher::Aes256Ccm;
}

ByteView protected_part(TransformHeaderView header) noexcept {
  return ByteView(header).subspan(kNonceAt);
}

void run(EVP_CIPHER_CTX* ctx, MutableBytes in_place) noexcept {
  if (in_place.empty()) return;
  int written = 0;
  FLOTILLA_CHECK(EVP_CipherUpdate(ctx, in_place.data(), &written, in_place.data(),
                                  static_cast<int>(in_place.size())) == 1);
}

}  // namespace

struct Sealer::State {
  Cipher cipher = Cipher::None;
  detail::CipherCtx gcm_seal;
  detail::CipherCtx gcm_open;
  // CCM is put together from CBC and CTR here: OpenSSL's needs the whole message in one piece.
  std::optional<detail::AesChain> ccm_mac;
  detail::CipherCtx ccm_ctr;

  void start_gcm(EVP_CIPHER_CTX* ctx, TransformHeaderView header) noexcept {
    FLOTILLA_CHECK(
        EVP_CipherInit_ex(ctx, nullptr, nullptr, nullptr, header.data() + kNonceAt, -1) == 1);
    const ByteView aad = protected_part(header);
    int written = 0;
    FLOTILLA_CHECK(
        EVP_CipherUpdate(ctx, nullptr, &written, aad.data(), static_cast<int>(aad.size())) == 1);
  }

  /// RFC 3610 with M = 16, L = 4: absorbs B0 and the associated data, and starts the key stream.
  /// Returns S0, which hides the MAC.
  Block start_ccm(TransformHeaderView header, std::size_t body_bytes) noexcept {
    Block b0{};
    b0[0] = 0x40 | (((16 - 2) / 2) << 3) | (4 - 1);
    std::memcpy(b0.data() + 1, header.data() + kNonceAt, 11);
    for (std::size_t i = 0; i < 4; ++i)
      b0[15 - i] = static_cast<std::uint8_t>(body_bytes >> (8 * i));
    ccm_mac->reset();
    ccm_mac->absorb(b0);
    const ByteView aad = protected_part(header);
    const std::array<std::uint8_t, 2> aad_size{0, static_cast<std::uint8_t>(aad.size())};
    ccm_mac->absorb(aad_size);
    ccm_mac->absorb(aad);
    ccm_mac->pad();
    Block counter{};
    counter[0] = 4 - 1;
    std::memcpy(counter.data() + 1, header.data() + kNonceAt, 11);
    FLOTILLA_CHECK(EVP_EncryptInit_ex(ccm_ctr.get(), nullptr, nullptr, nullptr, counter.data()) ==
                   1);
    Block s0{};
    run(ccm_ctr.get(), s0);
    return s0;
  }

  Block finish_ccm(const Block& s0) noexcept {
    Block tag = ccm_mac->finish_zero_padded();
    for (std::size_t i = 0; i < tag.size(); ++i) tag[i] ^= s0[i];
    return tag;
  }
};

Sealer::Sealer(Cipher cipher, ByteView key) : state_(std::make_unique<State>()) {
  FLOTILLA_CHECK(cipher != Cipher::None && key.size() == key_bytes_of(cipher));
  state_->cipher = cipher;
  if (is_ccm(cipher)) {
    state_->ccm_mac.emplace(key);
    state_->ccm_ctr = detail::make_cipher_ctx(
        key.size() == 32 ? EVP_aes_256_ctr() : EVP_aes_128_ctr(), key, true);
  } else {
    const EVP_CIPHER* gcm = key.size() == 32 ? EVP_aes_256_gcm() : EVP_aes_128_gcm();
    state_->gcm_seal = detail::make_cipher_ctx(gcm, key, true);
    state_->gcm_open = detail::make_cipher_ctx(gcm, key, false);
  }
}

Sealer::~Sealer() = default;
Sealer::Sealer(Sealer&&) noexcept = default;
Sealer& Sealer::operator=(Sealer&&) noexcept = default;

Cipher Sealer::cipher() const noexcept { return state_->cipher; }

void Sealer::seal(TransformHeaderBytes header, MutableBytes body) const noexcept {
  seal(header, std::span<const MutableBytes>(&body, 1));
}

void Sealer::seal(TransformHeaderBytes header,
                  std::span<const MutableBytes> segments) const noexcept {
  std::uint8_t* signature = header.data() + kSignatureAt;
  if (is_ccm(state_->cipher)) {
    std::size_t body_bytes = 0;
    for (const MutableBytes segment : segments) body_bytes += segment.size();
    const Block s0 = state_->start_ccm(header, body_bytes);
    for (const MutableBytes segment : segments) {
      state_->ccm_mac->absorb(segment);
      run(state_->ccm_ctr.get(), segment);
    }
    const Block tag = state_->finish_ccm(s0);
    std::memcpy(signature, tag.data(), tag.size());
    return;
  }
  EVP_CIPHER_CTX* ctx = state_->gcm_seal.get();
  state_->start_gcm(ctx, header);
  for (const MutableBytes segment : segments) run(ctx, segment);
  std::uint8_t nothing[16];
  int written = 0;
  FLOTILLA_CHECK(EVP_EncryptFinal_ex(ctx, nothing, &written) == 1);
  FLOTILLA_CHECK(
      EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, static_cast<int>(kTagBytes), signature) == 1);
}

bool Sealer::open(TransformHeaderView header, MutableBytes body) const noexcept {
  bool genuine = false;
  if (is_ccm(state_->cipher)) {
    const Block s0 = state_->start_ccm(header, body.size());
    run(state_->ccm_ctr.get(), body);
    state_->ccm_mac->absorb(body);
    const Block tag = state_->finish_ccm(s0);
    genuine = equal_constant_time(tag, ByteView(header).subspan(kSignatureAt, kTagBytes));
  } else {
    EVP_CIPHER_CTX* ctx = state_->gcm_open.get();
    std::array<std::uint8_t, kTagBytes> tag;
    std::memcpy(tag.data(), header.data() + kSignatureAt, tag.size());
    state_->start_gcm(ctx, header);
    run(ctx, body);
    FLOTILLA_CHECK(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, static_cast<int>(tag.size()),
                                       tag.data()) == 1);
    std::uint8_t nothing[16];
    int written = 0;
    genuine = EVP_DecryptFinal_ex(ctx, nothing, &written) == 1;
  }
  if (!genuine) wipe(body);
  return genuine;
}

}  // namespace flotilla::crypto
