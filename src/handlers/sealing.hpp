// SessionSealing: a session's encryption keys at work on whole frames. Must not know what is
// sealed.
#pragma once

#include <cstdint>
#include <expected>
#include <string_view>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "crypto/kdf.hpp"
#include "crypto/sealing.hpp"

namespace flotilla::handlers {

/// The keys belong to the session, not to a channel: every channel of a session shares one object,
/// and with it the one counter of nonces. Thread: the session's home executor.
/// Spec    [MS-SMB2] 3.1.4.3 Encrypting the Message, 3.3.5.2.1.1 Decrypting the Message
class SessionSealing {
 public:
  /// `keys` were derived for `cipher`, which is not None.
  SessionSealing(SessionId session, crypto::Cipher cipher, const crypto::SessionKeys& keys);

  /// Opens a frame in place.
  /// Input   from its TRANSFORM header to its end, without the four bytes of the length
  /// Output  what was sealed: a part of `frame`
  /// Errors  a reason to disconnect; `frame` then holds nothing of use
  [[nodiscard]] std::expected<MutableBytes, std::string_view> open(MutableBytes frame) const;

  /// Seals a frame as FrameSink::send takes it: four bytes for the length, then SMB2 messages.
  /// Output  four bytes, a TRANSFORM header, the sealed messages
  [[nodiscard]] Bytes seal(Bytes frame);

  [[nodiscard]] crypto::Cipher cipher() const noexcept { return sealer_.cipher(); }

 private:
  SessionId session_;
  crypto::Sealer opener_;
  crypto::Sealer sealer_;
  std::uint64_t next_nonce_ = 1;
};

}  // namespace flotilla::handlers
