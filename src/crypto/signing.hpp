// Signing of SMB2 messages. Knows where Flags, Command, MessageId and Signature lie in the SMB2
// header and nothing else about a message; must not know sessions or dialects.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "base/bytes.hpp"

namespace flotilla::crypto {

/// [MS-SMB2] 2.2.3.1.7 SMB2_SIGNING_CAPABILITIES: SigningAlgorithmId.
enum class SigningAlgorithm : std::uint16_t { HmacSha256 = 0, AesCmac = 1, AesGmac = 2 };

using Key16 = std::array<std::uint8_t, 16>;
using Signature = std::array<std::uint8_t, 16>;

inline constexpr std::size_t kSmb2HeaderBytes = 64;

/// One key with its contexts; signing a message allocates nothing of ours and keeps no state
/// between messages. Movable, not copyable; one thread at a time.
/// Spec    [MS-SMB2] 3.1.4.1 Signing An Outgoing Message, 3.1.5.1 Verifying An Incoming Message
/// Input   a "message" is one element of a compound: from the first byte of its SMB2 header to the
///         byte before the next header, padding included; at least 64 bytes. With segments the
///         first one holds the whole 64-byte header. Whatever the Signature field (bytes 48..63)
///         holds is read as zero, so a received message need not be changed. The AES-GMAC nonce
///         comes from the header: MessageId, Flags.SERVER_TO_REDIR, Command CANCEL.
class Signer {
 public:
  Signer(SigningAlgorithm algorithm, const Key16& key);
  ~Signer();
  Signer(Signer&&) noexcept;
  Signer& operator=(Signer&&) noexcept;

  [[nodiscard]] SigningAlgorithm algorithm() const noexcept;

  /// The signature of a message; a message shorter than a header gives zeros.
  [[nodiscard]] Signature compute(std::span<const ByteView> segments) const noexcept;
  [[nodiscard]] Signature compute(ByteView message) const noexcept;

  /// Writes bytes 48..63 of `message`. The caller has set SMB2_FLAGS_SIGNED (it is signed too).
  void sign(MutableBytes message) const noexcept;
  /// The same where the body lies elsewhere: `header` is exactly the first segment.
  void sign(MutableBytes header, std::span<const ByteView> rest) const noexcept;

  /// True when bytes 48..63 are the message's signature; compares in constant time. False for a
  /// message shorter than a header.
  [[nodiscard]] bool verify(ByteView message) const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace flotilla::crypto
