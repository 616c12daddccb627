#include "handlers/reply.hpp"

#include <utility>

#include "handlers/request.hpp"

namespace flotilla::handlers {

namespace {
constexpr std::size_t kNextCommandOffset = 20;  // [MS-SMB2] 2.2.1
}

void ReplyFrame::sign_last() {
  // The last response of several is padded too, as Windows does it.
  if (last_at_ > kFramePrefixBytes) ByteWriter(frame_).align(8, kFramePrefixBytes);
  if (last_signer_) last_signer_->sign(MutableBytes(frame_).subspan(last_at_));
  last_signer_.reset();
}

void ReplyFrame::append(Bytes out, std::shared_ptr<const crypto::Signer> signer) {
  if (frame_.empty()) {
    frame_ = std::move(out);
    last_at_ = kFramePrefixBytes;
  } else {
    ByteWriter writer(frame_);
    writer.align(8, kFramePrefixBytes);
    writer.patch(last_at_ + kNextCommandOffset,
                 static_cast<std::uint32_t>(frame_.size() - last_at_));
    sign_last();
    last_at_ = frame_.size();
    writer.bytes(ByteView(out).subspan(kFramePrefixBytes));
  }
  last_signer_ = std::move(signer);
}

void ReplyFrame::compress(const crypto::CompressionTerms& terms) {
  sign_last();
  const ByteView message = ByteView(frame_).subspan(kFramePrefixBytes);
  Bytes small =
      crypto::compress_message(message, std::exchange(plain_bytes_, 0), terms, kFramePrefixBytes);
  if (!small.empty()) frame_ = std::move(small);
}

Bytes ReplyFrame::take() {
  sign_last();
  Bytes frame = std::exchange(frame_, {});
  return sealing_ ? sealing_->seal(std::move(frame)) : frame;
}

}  // namespace flotilla::handlers
