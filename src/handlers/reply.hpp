// ReplyFrame: the answers to one frame, put together into one frame again. Must not know what is
// answered.
#pragma once

#include <memory>

#include "base/bytes.hpp"
#include "crypto/compression/message.hpp"
#include "crypto/signing.hpp"
#include "handlers/sealing.hpp"

namespace flotilla::handlers {

/// Spec    [MS-SMB2] 3.3.4.1.3 Sending Compounded Responses, 3.3.4.1.1 Signing the Message
/// A response's padding and NextCommand are signed with it, so each is signed when the next one
/// follows or the frame leaves.
class ReplyFrame {
 public:
  /// Everything that leaves from now on is sealed: the request was. Not null.
  void seal_with(std::shared_ptr<SessionSealing> sealing) { sealing_ = std::move(sealing); }
  [[nodiscard]] const std::shared_ptr<SessionSealing>& sealing() const noexcept { return sealing_; }
  /// The frame that leaves next is compressed where that makes it smaller, but for its first
  /// `plain_bytes`. Spec [MS-SMB2] 3.3.4.1.5 Compressing the Message
  void compress_from(std::size_t plain_bytes) noexcept { plain_bytes_ = plain_bytes; }
  /// Whether take() will take long: worth another thread.
  [[nodiscard]] bool compresses() const noexcept { return plain_bytes_ != 0; }
  /// Compresses what is there, signed; take() does not do it again. Touches nothing but this.
  void compress(const crypto::CompressionTerms& terms);

  /// `out`: 4 bytes for the frame's length, a complete header, the body. `signer` null: unsigned.
  void append(Bytes out, std::shared_ptr<const crypto::Signer> signer);
  [[nodiscard]] bool empty() const noexcept { return frame_.empty(); }
  /// The frame as FrameSink::send wants it; this is empty again.
  [[nodiscard]] Bytes take();

 private:
  void sign_last();

  Bytes frame_;
  std::size_t last_at_ = 0;
  std::size_t plain_bytes_ = 0;
  std::shared_ptr<const crypto::Signer> last_signer_;
  std::shared_ptr<SessionSealing> sealing_;
};

}  // namespace flotilla::handlers
