// DCE/RPC, connection-oriented PDUs ([C706] chapter 12, [MS-RPCE] 2.2.2). Little-endian drep only;
// authentication verifiers are carried as bytes and not interpreted (ncacn_np has SMB's).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "wire/codec.hpp"

namespace flotilla::wire {

inline constexpr std::size_t kRpcHeaderSize = 16;

enum class RpcPacketType : std::uint8_t {
  Request = 0,
  Response = 2,
  Fault = 3,
  Bind = 11,
  BindAck = 12,
  BindNak = 13,
  AlterContext = 14,
  AlterContextResponse = 15,
  Auth3 = 16,
  Shutdown = 17,
  CoCancel = 18,
  Orphaned = 19,
};
namespace rpc_flags {  // PFC_*
inline constexpr std::uint8_t kFirstFrag = 0x01;
inline constexpr std::uint8_t kLastFrag = 0x02;
inline constexpr std::uint8_t kPendingCancel = 0x04;
inline constexpr std::uint8_t kConcMpx = 0x10;
inline constexpr std::uint8_t kDidNotExecute = 0x20;
inline constexpr std::uint8_t kMaybe = 0x40;
inline constexpr std::uint8_t kObjectUuid = 0x80;
}  // namespace rpc_flags

/// The 16 bytes in front of every PDU.
/// Errors  Truncated; BadValue: rpc_vers is not 5, or drep is not little-endian ASCII;
///         LengthOutOfRange: frag_length < 16 or auth_length that does not fit into it.
struct RpcHeader {
  RpcPacketType ptype{};
  std::uint8_t pfc_flags = rpc_flags::kFirstFrag | rpc_flags::kLastFrag;
  std::uint16_t frag_length = 0;  ///< header included
  std::uint16_t auth_length = 0;
  std::uint32_t call_id = 0;
  [[nodiscard]] static Wire<RpcHeader> decode(ByteView pdu) noexcept;
  void encode(Bytes& out) const;
  friend bool operator==(const RpcHeader&, const RpcHeader&) = default;
};

/// GUIDs are in wire order (first three fields little-endian).
using Uuid = std::array<std::uint8_t, 16>;
/// "4b324fc8-1670-01d3-1278-5a47bf6ee188" -> wire order; zeros where the text is no UUID.
[[nodiscard]] Uuid uuid_of(std::string_view text) noexcept;
[[nodiscard]] std::string to_string(const Uuid& uuid);

struct RpcSyntaxId {
  Uuid if_uuid{};
  std::uint16_t if_version_major = 0;
  std::uint16_t if_version_minor = 0;
  friend bool operator==(const RpcSyntaxId&, const RpcSyntaxId&) = default;
};
[[nodiscard]] RpcSyntaxId ndr20_syntax() noexcept;  ///< 8a885d04-1ceb-11c9-9fe8-08002b104860 v2.0
[[nodiscard]] RpcSyntaxId ndr64_syntax() noexcept;  ///< 71710533-beba-4937-8319-b5dbef9ccc36 v1.0
/// 6cb71c2c-9812-4540-xxxx: bind-time feature negotiation, [MS-RPCE] 3.3.1.5.3. The features are
/// bytes 8-15 of the UUID.
[[nodiscard]] bool is_bind_time_features(const RpcSyntaxId& syntax) noexcept;

struct RpcPresentationContext {
  std::uint16_t context_id = 0;
  RpcSyntaxId abstract_syntax;
  std::vector<RpcSyntaxId> transfer_syntaxes;
  friend bool operator==(const RpcPresentationContext&, const RpcPresentationContext&) = default;
};
/// bind and alter_context. decode<> and encode: bytes behind the RpcHeader, auth verifier excluded.
struct RpcBind {
  std::uint16_t max_xmit_frag = 4280;
  std::uint16_t max_recv_frag = 4280;
  std::uint32_t assoc_group_id = 0;
  std::vector<RpcPresentationContext> contexts;
  friend bool operator==(const RpcBind&, const RpcBind&) = default;
};
enum class RpcBindResult : std::uint16_t {
  Acceptance = 0,
  UserRejection = 1,
  ProviderRejection = 2,
  NegotiateAck = 3,  ///< answers bind-time feature negotiation; `reason` is then the feature bits
};
enum class RpcBindReason : std::uint16_t {
  NotSpecified = 0,
  AbstractSyntaxNotSupported = 1,
  ProposedTransferSyntaxesNotSupported = 2,
  LocalLimitExceeded = 3,
};
struct RpcBindContextResult {
  RpcBindResult result{};
  std::uint16_t reason = 0;  ///< RpcBindReason, or feature bits
  RpcSyntaxId transfer_syntax;
  friend bool operator==(const RpcBindContextResult&, const RpcBindContextResult&) = default;
};
/// bind_ack and alter_context_response.
struct RpcBindAck {
  std::uint16_t max_xmit_frag = 4280;
  std::uint16_t max_recv_frag = 4280;
  std::uint32_t assoc_group_id = 0;
  std::string secondary_address;  ///< "\\PIPE\\srvsvc"; without its NUL; empty in alter_context
  std::vector<RpcBindContextResult> results;
  friend bool operator==(const RpcBindAck&, const RpcBindAck&) = default;
};
struct RpcBindNak {
  std::uint16_t provider_reject_reason = 0;
  friend bool operator==(const RpcBindNak&, const RpcBindNak&) = default;
};
struct RpcRequest {
  std::uint32_t alloc_hint = 0;
  std::uint16_t context_id = 0;
  std::uint16_t opnum = 0;
  ByteView stub;  ///< everything behind; where pfc_flags has kObjectUuid, skip its first 16 bytes
};
struct RpcResponse {
  std::uint32_t alloc_hint = 0;
  std::uint16_t context_id = 0;
  std::uint8_t cancel_count = 0;
  ByteView stub;
};
struct RpcFault {
  std::uint32_t alloc_hint = 0;
  std::uint16_t context_id = 0;
  std::uint8_t cancel_count = 0;
  std::uint32_t status = 0;
  friend bool operator==(const RpcFault&, const RpcFault&) = default;
};
namespace rpc_fault {  // [C706] appendix E, [MS-RPCE] 2.2.2.1
inline constexpr std::uint32_t kOpRangeError = 0x1C010002;
inline constexpr std::uint32_t kUnknownInterface = 0x1C010003;
inline constexpr std::uint32_t kProtocolError = 0x1C01000B;
inline constexpr std::uint32_t kContextMismatch = 0x1C00001A;
inline constexpr std::uint32_t kAccessDenied = 0x00000005;
inline constexpr std::uint32_t kBadStubData = 0x000006F7;
}  // namespace rpc_fault

/// The PDU's body: behind the header, in front of padding and verifier.
/// Input   a whole fragment (frag_length bytes at least)
[[nodiscard]] Wire<ByteView> rpc_body(const RpcHeader& header, ByteView pdu) noexcept;

/// Header + body as one PDU with frag_length filled in.
template <class T>
void encode_rpc_pdu(RpcHeader header, const T& body, Bytes& out) {
  const std::size_t at = out.size();
  header.encode(out);
  encode(body, out);
  store_le(out.data() + at + 8, static_cast<std::uint16_t>(out.size() - at));
}
/// A stub as one or more response PDUs, none longer than `max_frag` bytes.
void encode_rpc_response(std::uint32_t call_id, std::uint16_t context_id, ByteView stub,
                         std::size_t max_frag, Bytes& out);
void encode_rpc_fault(std::uint32_t call_id, std::uint16_t context_id, std::uint32_t status,
                      Bytes& out);

}  // namespace flotilla::wire
