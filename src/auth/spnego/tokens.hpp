// SPNEGO's tokens: bytes <-> structs. Decoding never judges meaning.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/bytes.hpp"

namespace flotilla::auth::spnego {

/// Mechanisms by the value of their object identifier (DER, without tag and length).
namespace oid {
inline constexpr std::uint8_t kSpnego[] = {0x2B, 0x06, 0x01, 0x05, 0x05, 0x02};
inline constexpr std::uint8_t kKerberos[] = {0x2A, 0x86, 0x48, 0x86, 0xF7, 0x12, 0x01, 0x02, 0x02};
/// What Windows 2000 sent by mistake and everybody understands since.
inline constexpr std::uint8_t kMsKerberos[] = {0x2A, 0x86, 0x48, 0x82, 0xF7,
                                               0x12, 0x01, 0x02, 0x02};
inline constexpr std::uint8_t kNtlm[] = {0x2B, 0x06, 0x01, 0x04, 0x01,
                                         0x82, 0x37, 0x02, 0x02, 0x0A};
}  // namespace oid

/// RFC 4178 4.2.2 negState.
enum class NegState : std::uint8_t {
  AcceptCompleted = 0,
  AcceptIncomplete = 1,
  Reject = 2,
  RequestMic = 3,
};

/// RFC 4178 4.2.1. Views are into the token.
struct NegTokenInit {
  std::vector<ByteView> mech_types;
  ByteView mech_type_list;  ///< the SEQUENCE with its tag: what mechListMIC signs
  std::optional<ByteView> mech_token;
  std::optional<ByteView> mech_list_mic;
};

struct NegTokenResp {
  std::optional<NegState> neg_state;
  std::optional<ByteView> supported_mech;
  std::optional<ByteView> response_token;
  std::optional<ByteView> mech_list_mic;
};

/// The mechanism of an InitialContextToken (RFC 2743 3.1): 0x60 length OID ...; nothing otherwise.
struct InitialContextToken {
  ByteView mechanism;
  ByteView inner;
};
[[nodiscard]] std::optional<InitialContextToken> decode_initial(ByteView token);

/// `inner` of an InitialContextToken of SPNEGO: [0] NegTokenInit.
[[nodiscard]] std::optional<NegTokenInit> decode_init(ByteView inner);
/// A later token: [1] NegTokenResp.
[[nodiscard]] std::optional<NegTokenResp> decode_response(ByteView token);

/// What a server sends unasked, [MS-SPNG] 2.2.1 NegTokenInit2 with its hint.
[[nodiscard]] Bytes encode_init2(std::span<const ByteView> mech_types);
/// What a client begins with.
[[nodiscard]] Bytes encode_init(std::span<const ByteView> mech_types,
                                std::optional<ByteView> mech_token);
[[nodiscard]] Bytes encode(const NegTokenResp& token);

}  // namespace flotilla::auth::spnego
