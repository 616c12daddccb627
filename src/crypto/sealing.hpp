// Encryption of SMB 3.x messages in place. Knows the layout of the TRANSFORM header's protected
// part; must not know sessions, nor choose nonces.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "base/bytes.hpp"

namespace flotilla::crypto {

/// [MS-SMB2] 2.2.3.1.2 SMB2_ENCRYPTION_CAPABILITIES: CipherId.
enum class Cipher : std::uint16_t {
  None = 0,
  Aes128Ccm = 1,
  Aes128Gcm = 2,
  Aes256Ccm = 3,
  Aes256Gcm = 4,
};

[[nodiscard]] constexpr std::size_t key_bytes_of(Cipher cipher) noexcept {
  switch (cipher) {
    case Cipher::Aes128Ccm:
    case Cipher::Aes128Gcm:
      return 16;
    case Cipher::Aes256Ccm:
    case Cipher::Aes256Gcm:
      return 32;
    case Cipher::None:
      break;
  }
  return 0;
}

/// How much of the 16-byte Nonce field a cipher uses; the rest is zero ([MS-SMB2] 2.2.41).
[[nodiscard]] constexpr std::size_t nonce_bytes_of(Cipher cipher) noexcept {
  switch (cipher) {
    case Cipher::Aes128Ccm:
    case Cipher::Aes256Ccm:
      return 11;
    case Cipher::Aes128Gcm:
    case Cipher::Aes256Gcm:
      return 12;
    case Cipher::None:
      break;
  }
  return 0;
}

inline constexpr std::size_t kTransformHeaderBytes = 52;
using TransformHeaderBytes = std::span<std::uint8_t, kTransformHeaderBytes>;
using TransformHeaderView = std::span<const std::uint8_t, kTransformHeaderBytes>;

/// One key of one direction with its contexts. Movable; one thread at a time; allocates nothing per
/// message.
/// Spec    [MS-SMB2] 2.2.41 SMB2 TRANSFORM_HEADER, 3.1.4.3 Encrypting the Message, 3.1.5.2
/// Input   `header` is the complete TRANSFORM header: ProtocolId 0..3, Signature 4..19,
/// Nonce 20..35,
///         OriginalMessageSize 36..39, Reserved, Flags, SessionId 44..51. Bytes 20..51 are
///         authenticated. A nonce must never be used twice with one key: the caller counts.
class Sealer {
 public:
  /// `key` has key_bytes_of(cipher) bytes; `cipher` is not None.
  Sealer(Cipher cipher, ByteView key);
  ~Sealer();
  Sealer(Sealer&&) noexcept;
  Sealer& operator=(Sealer&&) noexcept;

  [[nodiscard]] Cipher cipher() const noexcept;

  /// Encrypts the segments in place, in their order, and writes the header's Signature.
  void seal(TransformHeaderBytes header, std::span<const MutableBytes> segments) const noexcept;
  void seal(TransformHeaderBytes header, MutableBytes body) const noexcept;

  /// Decrypts in place. False when the signature does not fit: `body` then holds zeros.
  [[nodiscard]] bool open(TransformHeaderView header, MutableBytes body) const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace flotilla::crypto
