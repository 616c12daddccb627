// NTLMv2's keys and message signatures. Must not know messages' layouts.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "auth/ntlm/messages.hpp"
#include "base/bytes.hpp"
#include "crypto/hash.hpp"

namespace flotilla::auth::ntlm {

using crypto::Md16;

/// NTOWFv2, [MS-NLMP] 3.3.2. `user` is folded to upper case here, `domain` counts as it stands.
[[nodiscard]] Md16 ntowf_v2(const Md16& nt_hash, std::u16string_view user,
                            std::u16string_view domain);

/// NTProofStr: HMAC-MD5 over the server's challenge and the client's `temp`.
[[nodiscard]] Md16 nt_proof(const Md16& response_key, const Challenge& server_challenge,
                            ByteView temp);

/// SessionBaseKey, which is NTLMv2's KeyExchangeKey too ([MS-NLMP] 3.4.5.1).
[[nodiscard]] Md16 session_base_key(const Md16& response_key, ByteView proof);

/// RC4K(key, data): the exchange of the exported session key, either way.
[[nodiscard]] Md16 exchange_key(const Md16& key, ByteView sixteen_bytes);

/// MIC of an AUTHENTICATE_MESSAGE, which is read with zeros in the MIC field at `mic_at`. Zeros for
/// a message that has no such field.
[[nodiscard]] Md16 authenticate_mic(const Md16& exported_session_key, ByteView negotiate,
                                    ByteView challenge, ByteView authenticate,
                                    std::size_t mic_at = kMicAt);

enum class Direction : std::uint8_t { ClientToServer, ServerToClient };

/// Signatures of one direction with extended session security, numbered from 0.
/// Spec    [MS-NLMP] 3.4.4.2 With Extended Session Security, 3.4.5.2 SIGNKEY, 3.4.5.3 SEALKEY
class MessageSigner {
 public:
  MessageSigner(const Md16& exported_session_key, std::uint32_t flags, Direction direction);

  [[nodiscard]] Md16 sign(ByteView message);
  /// Counts the message whether or not the signature fits.
  [[nodiscard]] bool verify(ByteView message, ByteView signature);

 private:
  Md16 signing_key_;
  crypto::Rc4 seal_;
  bool key_exchange_;
  std::uint32_t sequence_ = 0;
};

}  // namespace flotilla::auth::ntlm
