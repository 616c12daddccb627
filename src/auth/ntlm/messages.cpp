#include "auth/ntlm/messages.hpp"

#include <algorithm>
#include <utility>

#include "auth/text.hpp"

namespace flotilla::auth::ntlm {

namespace {

constexpr std::uint8_t kSignature[8] = {'N', 'T', 'L', 'M', 'S', 'S', 'P', 0};
constexpr std::uint32_t kTypeNegotiate = 1;
constexpr std::uint32_t kTypeChallenge = 2;
constexpr std::uint32_t kTypeAuthenticate = 3;

struct Field {
  std::size_t size_bytes = 0;
  std::size_t offset = 0;
};

Field take_field(ByteReader& reader) {
  Field field;
  field.size_bytes = reader.u16();
  reader.skip(2);
  field.offset = reader.u32();
  return field;
}

/// The field's bytes; nothing where they do not lie inside the message.
std::optional<ByteView> payload(ByteView message, const Field& field) {
  if (field.size_bytes == 0) return ByteView{};
  if (field.offset > message.size() || message.size() - field.offset < field.size_bytes) {
    return std::nullopt;
  }
  return message.subspan(field.offset, field.size_bytes);
}

std::optional<ByteReader> open_message(ByteView message, std::uint32_t type) {
  if (!has_ntlm_signature(message)) return std::nullopt;
  ByteReader reader(message);
  reader.skip(sizeof kSignature);
  if (reader.u32() != type || !reader.ok()) return std::nullopt;
  return reader;
}

/// A string in the character set that the flags name; OEM bytes are taken as Latin-1.
std::optional<std::u16string> text_of(ByteView bytes, std::uint32_t flags) {
  if ((flags & kUnicode) == 0) return std::u16string(bytes.begin(), bytes.end());
  auto text = wire::utf16_of_bytes(bytes);
  if (!text) return std::nullopt;
  return std::move(*text);
}

}  // namespace

bool has_ntlm_signature(ByteView message) noexcept {
  return message.size() >= sizeof kSignature &&
         std::equal(std::begin(kSignature), std::end(kSignature), message.begin());
}

std::optional<NegotiateMessage> decode_negotiate(ByteView message) {
  auto reader = open_message(message, kTypeNegotiate);
  if (!reader) return std::nullopt;
  NegotiateMessage out;
  out.flags = reader->u32();
  if (!reader->ok()) return std::nullopt;
  return out;
}

Bytes encode(const ChallengeMessage& message) {
  constexpr std::uint32_t kPayloadAt = 56;
  const ByteView name = bytes_of(message.target_name);
  Bytes out;
  ByteWriter writer(out);
  writer.bytes(kSignature);
  writer.u32(kTypeChallenge);
  writer.u16(static_cast<std::uint16_t>(name.size()));
  writer.u16(static_cast<std::uint16_t>(name.size()));
  writer.u32(kPayloadAt);
  writer.u32(message.flags);
  writer.bytes(message.server_challenge);
  writer.zeros(8);
  writer.u16(static_cast<std::uint16_t>(message.target_info.size()));
  writer.u16(static_cast<std::uint16_t>(message.target_info.size()));
  writer.u32(static_cast<std::uint32_t>(kPayloadAt + name.size()));
  // VERSION, [MS-NLMP] 2.2.2.10: informative; 10.0 with NTLMSSP_REVISION_W2K3, as clients expect
  // it.
  if ((message.flags & kVersion) != 0) {
    writer.u8(10);
    writer.u8(0);
    writer.u16(0);
    writer.zeros(3);
    writer.u8(0x0F);
  } else {
    writer.zeros(8);
  }
  writer.bytes(name);
  writer.bytes(message.target_info);
  return out;
}

std::optional<ChallengeMessage> decode_challenge(ByteView message) {
  auto reader = open_message(message, kTypeChallenge);
  if (!reader) return std::nullopt;
  ChallengeMessage out;
  const Field name = take_field(*reader);
  out.flags = reader->u32();
  out.server_challenge = reader->array<8>();
  reader->skip(8);
  const Field info = take_field(*reader);
  const auto name_bytes = payload(message, name);
  const auto info_bytes = payload(message, info);
  if (!reader->ok() || !name_bytes || !info_bytes) return std::nullopt;
  auto name_text = text_of(*name_bytes, out.flags);
  if (!name_text) return std::nullopt;
  out.target_name = std::move(*name_text);
  out.target_info.assign(info_bytes->begin(), info_bytes->end());
  return out;
}

void put_av_pair(Bytes& target_info, AvId id, ByteView value) {
  ByteWriter writer(target_info);
  writer.u16(static_cast<std::uint16_t>(id));
  writer.u16(static_cast<std::uint16_t>(value.size()));
  writer.bytes(value);
}

std::optional<ByteView> find_av_pair(ByteView target_info, AvId id) {
  ByteReader reader(target_info);
  while (true) {
    const auto found = static_cast<AvId>(reader.u16());
    const ByteView value = reader.view(reader.u16());
    if (!reader.ok() || found == AvId::Eol) return std::nullopt;
    if (found == id) return value;
  }
}

bool av_pairs_end(ByteView target_info) {
  ByteReader reader(target_info);
  while (reader.ok()) {
    const auto id = static_cast<AvId>(reader.u16());
    (void)reader.view(reader.u16());
    if (reader.ok() && id == AvId::Eol) return true;
  }
  return false;
}

std::optional<AuthenticateMessage> decode_authenticate(ByteView message) {
  auto reader = open_message(message, kTypeAuthenticate);
  if (!reader) return std::nullopt;
  const Field lm = take_field(*reader);
  const Field nt = take_field(*reader);
  const Field domain = take_field(*reader);
  const Field user = take_field(*reader);
  const Field workstation = take_field(*reader);
  const Field session_key = take_field(*reader);
  AuthenticateMessage out;
  out.flags = reader->u32();
  if (!reader->ok()) return std::nullopt;
  const auto lm_bytes = payload(message, lm);
  const auto nt_bytes = payload(message, nt);
  const auto domain_bytes = payload(message, domain);
  const auto user_bytes = payload(message, user);
  const auto workstation_bytes = payload(message, workstation);
  const auto key_bytes = payload(message, session_key);
  if (!lm_bytes || !nt_bytes || !domain_bytes || !user_bytes || !workstation_bytes || !key_bytes) {
    return std::nullopt;
  }
  out.lm_response = *lm_bytes;
  out.nt_response = *nt_bytes;
  auto domain_text = text_of(*domain_bytes, out.flags);
  auto user_text = text_of(*user_bytes, out.flags);
  auto workstation_text = text_of(*workstation_bytes, out.flags);
  if (!domain_text || !user_text || !workstation_text) return std::nullopt;
  out.domain = std::move(*domain_text);
  out.user = std::move(*user_text);
  out.workstation = std::move(*workstation_text);
  out.encrypted_session_key = *key_bytes;
  std::size_t payload_at = message.size();
  for (const Field& field : {lm, nt, domain, user, workstation, session_key}) {
    if (field.size_bytes != 0) payload_at = std::min(payload_at, field.offset);
  }
  constexpr std::size_t kVersionBytes = 8;
  if (payload_at >= kMicAt + sizeof(Mic)) {
    out.mic_at = kMicAt;
  } else if (payload_at >= kMicAt - kVersionBytes + sizeof(Mic)) {
    out.mic_at = kMicAt - kVersionBytes;
  }
  return out;
}

std::optional<NtlmV2Response> decode_ntlm_v2_response(ByteView nt_response) {
  // Proof 16, then RespType, HiRespType, 6 reserved, time 8, client challenge 8, 4 reserved.
  constexpr std::size_t kFixedBytes = 28;
  if (nt_response.size() < 16 + kFixedBytes) return std::nullopt;
  NtlmV2Response out;
  out.proof = nt_response.first(16);
  out.temp = nt_response.subspan(16);
  out.target_info = out.temp.subspan(kFixedBytes);
  if (out.temp[0] != 1 || out.temp[1] != 1) return std::nullopt;
  return out;
}

}  // namespace flotilla::auth::ntlm
