#include "handlers/sealing.hpp"

#include "handlers/request.hpp"
#include "wire/smb2_header.hpp"

namespace flotilla::handlers {

namespace {
constexpr std::uint16_t kEncrypted = 1;  // [MS-SMB2] 2.2.41 Flags/EncryptionAlgorithm
}

SessionSealing::SessionSealing(SessionId session, crypto::Cipher cipher,
                               const crypto::SessionKeys& keys)
    : session_(session), opener_(cipher, keys.server_in()), sealer_(cipher, keys.server_out()) {}

std::expected<MutableBytes, std::string_view> SessionSealing::open(MutableBytes frame) const {
  const auto header = wire::TransformHeader::decode(frame);
  if (!header) return std::unexpected("a TRANSFORM header that is cut off");
  if (header->flags != kEncrypted) return std::unexpected("a TRANSFORM header without Encrypted");
  const MutableBytes body = frame.subspan(wire::kTransformHeaderSize);
  if (header->original_message_size != body.size()) {
    return std::unexpected("a sealed message of another size than its header says");
  }
  if (!opener_.open(crypto::TransformHeaderView(frame.data(), wire::kTransformHeaderSize), body)) {
    return std::unexpected("a sealed message that does not decrypt");
  }
  return body;
}

Bytes SessionSealing::seal(Bytes frame) {
  wire::TransformHeader header;
  store_le(header.nonce.data(), next_nonce_++);
  header.original_message_size = static_cast<std::uint32_t>(frame.size() - kFramePrefixBytes);
  header.flags = kEncrypted;
  header.session_id = session_;
  Bytes encoded;
  header.encode(encoded);
  frame.insert(frame.begin() + kFramePrefixBytes, encoded.begin(), encoded.end());
  const MutableBytes sealed = MutableBytes(frame).subspan(kFramePrefixBytes);
  sealer_.seal(crypto::TransformHeaderBytes(sealed.data(), wire::kTransformHeaderSize),
               sealed.subspan(wire::kTransformHeaderSize));
  return frame;
}

}  // namespace flotilla::handlers
