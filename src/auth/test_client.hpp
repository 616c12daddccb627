// Tests only: the client's side of NTLMv2, written from [MS-NLMP] 3.1.5.1.2, and small helpers.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "auth/ntlm/keys.hpp"
#include "auth/ntlm/messages.hpp"
#include "auth/text.hpp"
#include "auth/user_db.hpp"
#include "base/bytes.hpp"

namespace flotilla::auth::testing_client {

inline Bytes unhex(std::string_view text) {
  Bytes out;
  const auto digit = [](char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; };
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    out.push_back(static_cast<std::uint8_t>(digit(text[i]) * 16 + digit(text[i + 1])));
  }
  return out;
}

inline std::string hex(ByteView bytes) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string text;
  for (const std::uint8_t byte : bytes) {
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 15]);
  }
  return text;
}

inline Bytes vector_of(ByteView bytes) { return {bytes.begin(), bytes.end()}; }

/// What a test's client does; the defaults are a well-behaved one.
struct NtlmClient {
  std::u16string user = u"tester";
  std::u16string domain = u"WORKGROUP";
  std::string password = "Secret123";
  std::uint32_t flags = ntlm::kUnicode | ntlm::kRequestTarget | ntlm::kSign | ntlm::kSeal |
                        ntlm::kNtlm | ntlm::kAlwaysSign | ntlm::kExtendedSessionSecurity |
                        ntlm::kVersion | ntlm::k128 | ntlm::kKeyExch | ntlm::k56;
  bool with_mic = true;
  bool version_field = true;  ///< some clients leave these 8 bytes away
  bool ntlm_v1 = false;
  bool anonymous = false;

  crypto::Md16 exported_key{};
  Bytes negotiate_bytes;

  [[nodiscard]] Bytes negotiate() {
    Bytes out;
    ByteWriter writer(out);
    writer.bytes(as_bytes(std::string_view("NTLMSSP\0", 8)));
    writer.u32(1);
    writer.u32(flags);
    writer.zeros(16);
    writer.zeros(8);
    negotiate_bytes = out;
    return out;
  }

  [[nodiscard]] Bytes authenticate(ByteView challenge_bytes) {
    const auto challenge = ntlm::decode_challenge(challenge_bytes);
    if (!challenge) return {};
    const auto nt_hash = *nt_hash_of_password(password);
    const auto key = ntlm::ntowf_v2(nt_hash, user, domain);
    Bytes temp;
    ByteWriter temp_writer(temp);
    temp_writer.u16(0x0101);
    temp_writer.zeros(6);
    temp_writer.u64(0);
    temp_writer.bytes(unhex("AAAAAAAAAAAAAAAA"));
    temp_writer.u32(0);
    Bytes info = challenge->target_info;
    if (with_mic && info.size() >= 4) {
      info.resize(info.size() - 4);
      const std::array<std::uint8_t, 4> av_flags{2, 0, 0, 0};
      ntlm::put_av_pair(info, ntlm::AvId::Flags, av_flags);
      ntlm::put_av_pair(info, ntlm::AvId::Eol, {});
    }
    temp_writer.bytes(info);
    temp_writer.u32(0);
    const auto proof = ntlm::nt_proof(key, challenge->server_challenge, temp);
    Bytes nt_response(proof.begin(), proof.end());
    nt_response.insert(nt_response.end(), temp.begin(), temp.end());
    crypto::Md16 base_key = ntlm::session_base_key(key, proof);
    Bytes lm_response(24);
    if (ntlm_v1) nt_response.resize(24);
    if (anonymous) {
      nt_response.clear();
      lm_response.assign(1, 0);
      base_key = {};
    }
    const std::uint32_t agreed = flags & challenge->flags;
    Bytes session_key;
    exported_key = base_key;
    if ((agreed & ntlm::kKeyExch) != 0) {
      exported_key.fill(0x55);
      const auto sent = ntlm::exchange_key(base_key, exported_key);
      session_key.assign(sent.begin(), sent.end());
    }
    const std::u16string user_text = anonymous ? u"" : user;
    const std::u16string domain_text = anonymous ? u"" : domain;

    Bytes out;
    ByteWriter writer(out);
    writer.bytes(as_bytes(std::string_view("NTLMSSP\0", 8)));
    writer.u32(3);
    Bytes payload;
    const std::size_t header_bytes = version_field ? 88 : 80;
    const auto field = [&](ByteView bytes) {
      writer.u16(static_cast<std::uint16_t>(bytes.size()));
      writer.u16(static_cast<std::uint16_t>(bytes.size()));
      writer.u32(static_cast<std::uint32_t>(header_bytes + payload.size()));
      payload.insert(payload.end(), bytes.begin(), bytes.end());
    };
    field(lm_response);
    field(nt_response);
    field(bytes_of(domain_text));
    field(bytes_of(user_text));
    field(bytes_of(u"CLIENT"));
    field(session_key);
    writer.u32(agreed);
    writer.zeros(header_bytes - 64);
    writer.bytes(payload);
    if (with_mic) {
      const auto mic = ntlm::authenticate_mic(exported_key, negotiate_bytes, challenge_bytes, out,
                                              header_bytes - 16);
      std::ranges::copy(mic, out.begin() + static_cast<std::ptrdiff_t>(header_bytes - 16));
    }
    return out;
  }
};

}  // namespace flotilla::auth::testing_client
