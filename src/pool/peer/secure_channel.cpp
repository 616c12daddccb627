#include "pool/peer/secure_channel.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "base/check.hpp"

namespace flotilla::pool {

namespace {

constexpr std::uint32_t kMagic = 0x504C4C46;  // "FLLP"
constexpr std::uint16_t kHandshakeVersion = 1;
constexpr std::size_t kTagBytes = 16;

using Key = std::array<std::uint8_t, 32>;

/// HKDF-SHA256 ([RFC 5869]) with the hellos as salt.
Key derive(const PoolKey& key, ByteView salt, std::string_view label) {
  Key out{};
  EVP_PKEY_CTX* context = EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, nullptr);
  std::size_t size_bytes = out.size();
  const bool ok =
      context != nullptr && EVP_PKEY_derive_init(context) > 0 &&
      EVP_PKEY_CTX_set_hkdf_md(context, EVP_sha256()) > 0 &&
      EVP_PKEY_CTX_set1_hkdf_salt(context, salt.data(), static_cast<int>(salt.size())) > 0 &&
      EVP_PKEY_CTX_set1_hkdf_key(context, key.data(), static_cast<int>(key.size())) > 0 &&
      EVP_PKEY_CTX_add1_hkdf_info(context, reinterpret_cast<const std::uint8_t*>(label.data()),
                                  static_cast<int>(label.size())) > 0 &&
      EVP_PKEY_derive(context, out.data(), &size_bytes) > 0;
  EVP_PKEY_CTX_free(context);
  FLOTILLA_CHECK(ok);
  return out;
}

Bytes hmac(const Key& key, std::string_view who, ByteView transcript) {
  Bytes message(who.begin(), who.end());
  message.insert(message.end(), transcript.begin(), transcript.end());
  Bytes out(kPeerProofBytes);
  unsigned int size_bytes = 0;
  const std::uint8_t* made = HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
                                  message.data(), message.size(), out.data(), &size_bytes);
  FLOTILLA_CHECK(made != nullptr && size_bytes == out.size());
  return out;
}

std::array<std::uint8_t, 12> nonce_of(std::uint64_t count) {
  std::array<std::uint8_t, 12> nonce{};
  store_le(nonce.data() + 4, count);
  return nonce;
}

/// One direction: a key and a count that is never used twice.
struct Direction {
  Direction(const Key& key, bool seals) : context(EVP_CIPHER_CTX_new()) {
    const int ok =
        seals ? EVP_EncryptInit_ex2(context, EVP_aes_256_gcm(), key.data(), nullptr, nullptr)
              : EVP_DecryptInit_ex2(context, EVP_aes_256_gcm(), key.data(), nullptr, nullptr);
    FLOTILLA_CHECK(ok == 1);
  }
  ~Direction() { EVP_CIPHER_CTX_free(context); }
  Direction(const Direction&) = delete;
  Direction& operator=(const Direction&) = delete;

  EVP_CIPHER_CTX* context;
  std::uint64_t count = 0;
};

}  // namespace

std::expected<PoolKey, std::string> load_pool_key(const std::string& path) {
  const auto refuse = [&](std::string_view why) {
    return std::unexpected(fmt::format(
        "pool key {}: {}; make one with: (umask 077; head -c 32 /dev/urandom > {}) and copy it to "
        "every node",
        path, why, path));
  };
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return refuse(std::strerror(errno));
  struct stat about{};
  PoolKey key{};
  const bool read_ok = ::fstat(fd, &about) == 0 && about.st_size == 32 &&
                       ::read(fd, key.data(), key.size()) == static_cast<ssize_t>(key.size());
  ::close(fd);
  if (!read_ok) return refuse("is not exactly 32 bytes");
  if ((about.st_mode & 077U) != 0) return refuse("others than its owner may use it (chmod 600)");
  return key;
}

Bytes encode_peer_hello(const PeerHello& hello) {
  Bytes out;
  ByteWriter to(out);
  to.u32(kMagic);
  to.u16(kHandshakeVersion);
  to.u32(hello.from.node.raw());
  to.u64(hello.from.incarnation);
  to.u32(hello.to.node.raw());
  to.u64(hello.to.incarnation);
  to.bytes(hello.nonce);
  return out;
}

std::optional<PeerHello> decode_peer_hello(ByteView bytes) {
  ByteReader in(bytes);
  if (in.u32() != kMagic || in.u16() != kHandshakeVersion) return std::nullopt;
  PeerHello hello;
  hello.from.node = NodeId{in.u32()};
  hello.from.incarnation = in.u64();
  hello.to.node = NodeId{in.u32()};
  hello.to.incarnation = in.u64();
  hello.nonce = in.array<32>();
  if (!in.ok() || in.remaining() != 0) return std::nullopt;
  return hello;
}

struct SecureChannel::Impl {
  Impl(const PoolKey& key, Bytes transcript_in, bool is_caller_in)
      : is_caller(is_caller_in),
        transcript(std::move(transcript_in)),
        auth(derive(key, transcript, "flotilla peer auth")),
        out(derive(key, transcript, is_caller ? "flotilla peer caller" : "flotilla peer callee"),
            true),
        in(derive(key, transcript, is_caller ? "flotilla peer callee" : "flotilla peer caller"),
           false) {}
  bool is_caller;
  Bytes transcript;
  Key auth;
  Direction out;
  Direction in;
};

SecureChannel::SecureChannel(const PoolKey& key, ByteView caller, ByteView callee, bool is_caller) {
  Bytes transcript(caller.begin(), caller.end());
  transcript.insert(transcript.end(), callee.begin(), callee.end());
  impl_ = std::make_unique<Impl>(key, std::move(transcript), is_caller);
}

SecureChannel::~SecureChannel() = default;

Bytes SecureChannel::proof() const {
  return hmac(impl_->auth, impl_->is_caller ? "caller" : "callee", impl_->transcript);
}

bool SecureChannel::proves(ByteView other) const {
  const Bytes expected =
      hmac(impl_->auth, impl_->is_caller ? "callee" : "caller", impl_->transcript);
  return other.size() == expected.size() &&
         CRYPTO_memcmp(other.data(), expected.data(), expected.size()) == 0;
}

Bytes SecureChannel::seal(ByteView plain) {
  Bytes frame(4 + plain.size() + kTagBytes);
  store_le(frame.data(), static_cast<std::uint32_t>(plain.size() + kTagBytes));
  const auto nonce = nonce_of(impl_->out.count++);
  EVP_CIPHER_CTX* context = impl_->out.context;
  int size_bytes = 0;
  const bool ok = EVP_EncryptInit_ex2(context, nullptr, nullptr, nonce.data(), nullptr) == 1 &&
                  EVP_EncryptUpdate(context, nullptr, &size_bytes, frame.data(), 4) == 1 &&
                  EVP_EncryptUpdate(context, frame.data() + 4, &size_bytes, plain.data(),
                                    static_cast<int>(plain.size())) == 1 &&
                  EVP_EncryptFinal_ex(context, frame.data() + 4 + plain.size(), &size_bytes) == 1 &&
                  EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, kTagBytes,
                                      frame.data() + 4 + plain.size()) == 1;
  return ok ? frame : Bytes{};
}

std::optional<Bytes> SecureChannel::open(ByteView frame) {
  if (frame.size() < kTagBytes) return std::nullopt;
  const std::size_t size = frame.size() - kTagBytes;
  Bytes plain(size);
  std::array<std::uint8_t, 4> length{};
  store_le(length.data(), static_cast<std::uint32_t>(frame.size()));
  std::array<std::uint8_t, kTagBytes> tag{};
  std::memcpy(tag.data(), frame.data() + size, kTagBytes);
  const auto nonce = nonce_of(impl_->in.count++);
  EVP_CIPHER_CTX* context = impl_->in.context;
  int done = 0;
  std::uint8_t none = 0;
  const bool ok = EVP_DecryptInit_ex2(context, nullptr, nullptr, nonce.data(), nullptr) == 1 &&
                  EVP_DecryptUpdate(context, nullptr, &done, length.data(), 4) == 1 &&
                  EVP_DecryptUpdate(context, size == 0 ? &none : plain.data(), &done, frame.data(),
                                    static_cast<int>(size)) == 1 &&
                  EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, kTagBytes, tag.data()) == 1 &&
                  EVP_DecryptFinal_ex(context, &none, &done) == 1;
  if (!ok) return std::nullopt;
  return plain;
}

}  // namespace flotilla::pool
