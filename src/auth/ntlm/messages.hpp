// NTLM's three messages: bytes <-> structs. Decoding never judges meaning.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"

namespace flotilla::auth::ntlm {

/// [MS-NLMP] 2.2.2.5 NEGOTIATE; names without NTLMSSP_NEGOTIATE_.
enum Flag : std::uint32_t {
  kUnicode = 0x00000001,
  kOem = 0x00000002,
  kRequestTarget = 0x00000004,
  kSign = 0x00000010,
  kSeal = 0x00000020,
  kNtlm = 0x00000200,
  kAnonymous = 0x00000800,
  kAlwaysSign = 0x00008000,
  kTargetTypeServer = 0x00020000,
  kExtendedSessionSecurity = 0x00080000,
  kTargetInfo = 0x00800000,
  kVersion = 0x02000000,
  k128 = 0x20000000,
  kKeyExch = 0x40000000,
  k56 = 0x80000000,
};

/// [MS-NLMP] 2.2.2.1 AV_PAIR.
enum class AvId : std::uint16_t {
  Eol = 0,
  NbComputerName = 1,
  NbDomainName = 2,
  DnsComputerName = 3,
  DnsDomainName = 4,
  DnsTreeName = 5,
  Flags = 6,
  Timestamp = 7,
  SingleHost = 8,
  TargetName = 9,
  ChannelBindings = 10,
};

/// In MsvAvFlags: the AUTHENTICATE_MESSAGE holds a MIC.
inline constexpr std::uint32_t kAvFlagMic = 0x00000002;

using Challenge = std::array<std::uint8_t, 8>;
using Mic = std::array<std::uint8_t, 16>;

/// True for "NTLMSSP\0".
[[nodiscard]] bool has_ntlm_signature(ByteView message) noexcept;

/// [MS-NLMP] 2.2.1.1. Domain and workstation are not looked at.
struct NegotiateMessage {
  std::uint32_t flags = 0;
};
[[nodiscard]] std::optional<NegotiateMessage> decode_negotiate(ByteView message);

/// [MS-NLMP] 2.2.1.2
struct ChallengeMessage {
  std::uint32_t flags = 0;
  Challenge server_challenge{};
  std::u16string target_name;
  Bytes target_info;  ///< AV_PAIRs with their MsvAvEOL
};
[[nodiscard]] Bytes encode(const ChallengeMessage& message);
[[nodiscard]] std::optional<ChallengeMessage> decode_challenge(ByteView message);

/// Appends one AV_PAIR.
void put_av_pair(Bytes& target_info, AvId id, ByteView value);
/// The value of the first pair of this id; nothing where it is missing or the list is broken.
[[nodiscard]] bool av_pairs_end(ByteView target_info);  ///< has its MsvAvEOL, as it must
[[nodiscard]] std::optional<ByteView> find_av_pair(ByteView target_info, AvId id);

/// [MS-NLMP] 2.2.1.3. Views are into the message.
struct AuthenticateMessage {
  std::uint32_t flags = 0;
  ByteView lm_response;
  ByteView nt_response;
  std::u16string domain;
  std::u16string user;
  std::u16string workstation;
  ByteView encrypted_session_key;
  /// Where 16 bytes for a MIC stand before the payload: after the VERSION, or in its place with
  /// clients that leave it out. Whether they mean a MIC say the AV_PAIRs. 0 where there is no room.
  std::size_t mic_at = 0;
};
inline constexpr std::size_t kMicAt = 72;  ///< where [MS-NLMP] has the MIC
[[nodiscard]] std::optional<AuthenticateMessage> decode_authenticate(ByteView message);

/// NTLMv2_RESPONSE, [MS-NLMP] 2.2.2.8: proof, then the client's challenge that it was made over.
struct NtlmV2Response {
  ByteView proof;        ///< 16 bytes
  ByteView temp;         ///< all that follows the proof
  ByteView target_info;  ///< AV_PAIRs inside `temp`
};
/// Nothing for a response too short for version 2 (24 bytes are version 1).
[[nodiscard]] std::optional<NtlmV2Response> decode_ntlm_v2_response(ByteView nt_response);

}  // namespace flotilla::auth::ntlm
