// Key derivation of SMB 3.x. Must not know how the session key came about.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "base/bytes.hpp"
#include "crypto/sealing.hpp"
#include "crypto/signing.hpp"

namespace flotilla::crypto {

/// Which labels and contexts apply; one per family of dialects.
enum class KeySchedule : std::uint8_t {
  Smb2,    ///< 2.0.2 and 2.1: the session key signs; nothing is derived
  Smb30,   ///< 3.0 and 3.0.2: constant contexts
  Smb311,  ///< 3.1.1: the context is Session.PreauthIntegrityHashValue
};

/// The keys of one session. Only the first `cipher_key_bytes` of the cipher keys count.
struct SessionKeys {
  Key16 signing_key{};
  Key16 application_key{};
  std::array<std::uint8_t, 32> server_in_key{};   ///< client to server: opens what arrives
  std::array<std::uint8_t, 32> server_out_key{};  ///< server to client: seals what leaves
  std::size_t cipher_key_bytes = 0;               ///< 0, 16 or 32

  [[nodiscard]] ByteView server_in() const noexcept {
    return ByteView(server_in_key).first(cipher_key_bytes);
  }
  [[nodiscard]] ByteView server_out() const noexcept {
    return ByteView(server_out_key).first(cipher_key_bytes);
  }
};

/// SP800-108 in counter mode with HMAC-SHA256, 32-bit counter, one iteration.
/// Spec    [MS-SMB2] 3.1.4.2 Generating Cryptographic Keys
/// Input   `label` and `context` with their terminating zero byte where the specification has one;
///         `out` is 16 or 32 bytes and its size is the L of the formula.
void kdf_counter_hmac_sha256(ByteView key, ByteView label, ByteView context,
                             MutableBytes out) noexcept;

/// Session.SessionKey: the first 16 bytes of what GSS gave, padded on the right with zeros.
/// Spec    [MS-SMB2] 3.3.5.5.3 Handling GSS-API Authentication
[[nodiscard]] Key16 session_key_of(ByteView full_session_key) noexcept;

/// All keys of a session that just became valid.
/// Spec    [MS-SMB2] 3.3.5.5.3 Handling GSS-API Authentication, 3.1.4.2
/// Input   `full_session_key`  what GSS gave, untruncated (AES-256 ciphers use all of it)
///         `preauth_hash`      for Smb311: Session.PreauthIntegrityHashValue; else ignored
///         `cipher`            Connection.CipherId; None derives no cipher keys
[[nodiscard]] SessionKeys derive_session_keys(KeySchedule schedule, ByteView full_session_key,
                                              std::span<const std::uint8_t, 64> preauth_hash,
                                              Cipher cipher) noexcept;

/// Channel.SigningKey of a further channel that was bound to the session.
/// Input   `session_key` is what the binding exchange gave (each channel has its own); so is
///         `preauth_hash`. Spec [MS-SMB2] 3.3.5.5.3
[[nodiscard]] Key16 derive_signing_key(KeySchedule schedule, const Key16& session_key,
                                       std::span<const std::uint8_t, 64> preauth_hash) noexcept;

}  // namespace flotilla::crypto
