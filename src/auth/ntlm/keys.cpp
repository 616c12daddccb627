#include "auth/ntlm/keys.hpp"

#include <algorithm>

#include "auth/text.hpp"
#include "auth/user_db.hpp"

namespace flotilla::auth::ntlm {

namespace {

using namespace std::string_view_literals;

constexpr std::string_view kSignMagic[] = {
    "session key to client-to-server signing key magic constant\0"sv,
    "session key to server-to-client signing key magic constant\0"sv};
constexpr std::string_view kSealMagic[] = {
    "session key to client-to-server sealing key magic constant\0"sv,
    "session key to server-to-client sealing key magic constant\0"sv};

Md16 keyed(ByteView key, std::string_view magic) {
  const ByteView parts[] = {key, as_bytes(magic)};
  return crypto::md5(parts);
}

/// SEALKEY cuts the session key to the strength that was negotiated.
Md16 sealing_key(const Md16& exported, std::uint32_t flags, Direction direction) {
  const std::size_t strong = (flags & k128) != 0 ? 16 : (flags & k56) != 0 ? 7 : 5;
  return keyed(ByteView(exported).first(strong), kSealMagic[static_cast<std::size_t>(direction)]);
}

}  // namespace

Md16 ntowf_v2(const Md16& nt_hash, std::u16string_view user, std::u16string_view domain) {
  const std::u16string folded = fold_user_name(user);
  const ByteView parts[] = {bytes_of(folded), bytes_of(domain)};
  return crypto::hmac_md5(nt_hash, parts);
}

Md16 nt_proof(const Md16& response_key, const Challenge& server_challenge, ByteView temp) {
  const ByteView parts[] = {server_challenge, temp};
  return crypto::hmac_md5(response_key, parts);
}

Md16 session_base_key(const Md16& response_key, ByteView proof) {
  const ByteView parts[] = {proof};
  return crypto::hmac_md5(response_key, parts);
}

Md16 exchange_key(const Md16& key, ByteView sixteen_bytes) {
  Md16 out{};
  std::copy_n(sixteen_bytes.begin(), std::min(sixteen_bytes.size(), out.size()), out.begin());
  crypto::Rc4(key).apply(out);
  return out;
}

Md16 authenticate_mic(const Md16& exported_session_key, ByteView negotiate, ByteView challenge,
                      ByteView authenticate, std::size_t mic_at) {
  static constexpr Mic kZeros{};
  if (authenticate.size() < mic_at + kZeros.size()) return {};
  const ByteView parts[] = {negotiate, challenge, authenticate.first(mic_at), kZeros,
                            authenticate.subspan(mic_at + kZeros.size())};
  return crypto::hmac_md5(exported_session_key, parts);
}

MessageSigner::MessageSigner(const Md16& exported_session_key, std::uint32_t flags,
                             Direction direction)
    : signing_key_(keyed(exported_session_key, kSignMagic[static_cast<std::size_t>(direction)])),
      seal_(sealing_key(exported_session_key, flags, direction)),
      key_exchange_((flags & kKeyExch) != 0) {}

Md16 MessageSigner::sign(ByteView message) {
  std::array<std::uint8_t, 4> sequence{};
  store_le(sequence.data(), sequence_++);
  const ByteView parts[] = {sequence, message};
  Md16 checksum = crypto::hmac_md5(signing_key_, parts);
  const MutableBytes half = MutableBytes(checksum).first(8);
  if (key_exchange_) seal_.apply(half);
  Md16 signature{};
  store_le(signature.data(), std::uint32_t{1});
  std::copy(half.begin(), half.end(), signature.begin() + 4);
  std::copy(sequence.begin(), sequence.end(), signature.begin() + 12);
  return signature;
}

bool MessageSigner::verify(ByteView message, ByteView signature) {
  return crypto::equal_constant_time(sign(message), signature);
}

}  // namespace flotilla::auth::ntlm
