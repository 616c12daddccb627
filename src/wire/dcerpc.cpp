#include "wire/dcerpc.hpp"

#include <algorithm>

#include "wire/fields.hpp"

namespace flotilla::wire {
namespace {

constexpr std::uint8_t kRpcVersion = 5;
constexpr std::uint32_t kLittleEndianAscii = 0x00000010;
constexpr std::size_t kResponseHeadSize = 24;  // header, alloc_hint, context_id, cancel_count

/// One transfer syntax and what they share.
void visit_syntax(auto& v, auto& s) {
  v.field("if_uuid", s.if_uuid);
  v.field("if_version_major", s.if_version_major);
  v.field("if_version_minor", s.if_version_minor);
}

std::unexpected<WireError> refuse(WireFault fault, std::size_t at, const char* what) {
  return std::unexpected(WireError{fault, at, what});
}

}  // namespace

template <>
struct Fields<RpcSyntaxId> : PayloadLayout {
  static void visit(auto& v, auto& s) { visit_syntax(v, s); }
};
template <>
struct Fields<RpcPresentationContext> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    Slot syntaxes;
    v.field("context_id", s.context_id);
    v.length8(syntaxes);
    v.reserved(1);
    v.nested("abstract_syntax", s.abstract_syntax);
    v.elements("transfer_syntaxes", syntaxes, s.transfer_syntaxes, 20);
  }
};
template <>
struct Fields<RpcBind> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    Slot contexts;
    v.field("max_xmit_frag", s.max_xmit_frag);
    v.field("max_recv_frag", s.max_recv_frag);
    v.field("assoc_group_id", s.assoc_group_id);
    v.length8(contexts);
    v.reserved(3);
    v.elements("contexts", contexts, s.contexts, 24);
  }
};
template <>
struct Fields<RpcBindContextResult> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.field("result", s.result);
    v.field("reason", s.reason);
    v.nested("transfer_syntax", s.transfer_syntax);
  }
};
template <>
struct Fields<RpcBindNak> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.field("provider_reject_reason", s.provider_reject_reason);
    v.reserved(3, 0x000501);  // one supported version: 5.0
  }
};
template <>
struct Fields<RpcRequest> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.field("alloc_hint", s.alloc_hint);
    v.field("context_id", s.context_id);
    v.field("opnum", s.opnum);
    v.rest("stub", s.stub);
  }
};
template <>
struct Fields<RpcResponse> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.field("alloc_hint", s.alloc_hint);
    v.field("context_id", s.context_id);
    v.field("cancel_count", s.cancel_count);
    v.reserved(1);
    v.rest("stub", s.stub);
  }
};
template <>
struct Fields<RpcFault> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.field("alloc_hint", s.alloc_hint);
    v.field("context_id", s.context_id);
    v.field("cancel_count", s.cancel_count);
    v.reserved(1);
    v.field("status", s.status);
    v.reserved(4);
  }
};
template <>
struct Fields<RpcBindAck> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    Slot results;
    v.field("max_xmit_frag", s.max_xmit_frag);
    v.field("max_recv_frag", s.max_recv_frag);
    v.field("assoc_group_id", s.assoc_group_id);
    v.counted_text("secondary_address", s.secondary_address);
    v.align_here(4);  // the body begins 4-aligned in its PDU
    v.length8(results);
    v.reserved(3);
    v.elements("results", results, s.results, 24);
  }
};

FLOTILLA_WIRE_INSTANTIATE(RpcBind);
FLOTILLA_WIRE_INSTANTIATE(RpcBindAck);
FLOTILLA_WIRE_INSTANTIATE(RpcBindNak);
FLOTILLA_WIRE_INSTANTIATE(RpcRequest);
FLOTILLA_WIRE_INSTANTIATE(RpcResponse);
FLOTILLA_WIRE_INSTANTIATE(RpcFault);

Wire<RpcHeader> RpcHeader::decode(ByteView pdu) noexcept {
  ByteReader r(pdu);
  RpcHeader h;
  const std::uint8_t major = r.u8();
  r.skip(1);  // rpc_vers_minor: 0 or 1
  h.ptype = static_cast<RpcPacketType>(r.u8());
  h.pfc_flags = r.u8();
  const std::uint32_t drep = r.u32();
  h.frag_length = r.u16();
  h.auth_length = r.u16();
  h.call_id = r.u32();
  if (!r.ok()) return refuse(WireFault::Truncated, pdu.size(), "rpc header");
  if (major != kRpcVersion) return refuse(WireFault::BadValue, 0, "rpc_vers");
  if ((drep & 0xFF) != kLittleEndianAscii) return refuse(WireFault::BadValue, 4, "drep");
  const std::size_t auth = h.auth_length != 0 ? 8U + h.auth_length : 0U;
  if (h.frag_length < kRpcHeaderSize + auth) {
    return refuse(WireFault::LengthOutOfRange, 8, "frag_length");
  }
  return h;
}

void RpcHeader::encode(Bytes& out) const {
  ByteWriter w(out);
  w.u8(kRpcVersion);
  w.u8(0);
  w.u8(static_cast<std::uint8_t>(ptype));
  w.u8(pfc_flags);
  w.u32(kLittleEndianAscii);
  w.u16(frag_length);
  w.u16(auth_length);
  w.u32(call_id);
}

Uuid uuid_of(std::string_view text) noexcept {
  Uuid raw{};
  std::size_t nibbles = 0;
  for (const char c : text) {
    if (c == '-') continue;
    int value = -1;
    if (c >= '0' && c <= '9') value = c - '0';
    if (c >= 'a' && c <= 'f') value = c - 'a' + 10;
    if (c >= 'A' && c <= 'F') value = c - 'A' + 10;
    if (value < 0 || nibbles == 32) return {};
    raw[nibbles / 2] = static_cast<std::uint8_t>((raw[nibbles / 2] << 4) | value);
    ++nibbles;
  }
  if (nibbles != 32) return {};
  std::reverse(raw.begin(), raw.begin() + 4);
  std::reverse(raw.begin() + 4, raw.begin() + 6);
  std::reverse(raw.begin() + 6, raw.begin() + 8);
  return raw;
}

std::string to_string(const Uuid& uuid) {
  static constexpr char kDigits[] = "0123456789abcdef";
  static constexpr std::uint8_t kOrder[] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
  std::string text;
  for (std::size_t i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text.push_back('-');
    text.push_back(kDigits[uuid[kOrder[i]] >> 4]);
    text.push_back(kDigits[uuid[kOrder[i]] & 15]);
  }
  return text;
}

RpcSyntaxId ndr20_syntax() noexcept {
  return {uuid_of("8a885d04-1ceb-11c9-9fe8-08002b104860"), 2, 0};
}
RpcSyntaxId ndr64_syntax() noexcept {
  return {uuid_of("71710533-beba-4937-8319-b5dbef9ccc36"), 1, 0};
}
bool is_bind_time_features(const RpcSyntaxId& syntax) noexcept {
  static const Uuid kPrefix = uuid_of("6cb71c2c-9812-4540-0000-000000000000");
  return syntax.if_version_major == 1 && syntax.if_version_minor == 0 &&
         std::equal(kPrefix.begin(), kPrefix.begin() + 8, syntax.if_uuid.begin());
}

Wire<ByteView> rpc_body(const RpcHeader& header, ByteView pdu) noexcept {
  if (pdu.size() < header.frag_length) {
    return refuse(WireFault::Truncated, pdu.size(), "fragment");
  }
  std::size_t end = header.frag_length;
  if (header.auth_length != 0) {
    // sec_trailer: auth_type, auth_level, auth_pad_length, reserved, auth_context_id
    const std::size_t trailer = end - header.auth_length - 8;
    const std::size_t padding = pdu[trailer + 2];
    if (padding > trailer - kRpcHeaderSize) {
      return refuse(WireFault::LengthOutOfRange, trailer + 2, "auth_pad_length");
    }
    end = trailer - padding;
  }
  return pdu.subspan(kRpcHeaderSize, end - kRpcHeaderSize);
}

void encode_rpc_response(std::uint32_t call_id, std::uint16_t context_id, ByteView stub,
                         std::size_t max_frag, Bytes& out) {
  max_frag = std::clamp<std::size_t>(max_frag, kResponseHeadSize + 8, 0xFFFF);
  const std::size_t room = (max_frag - kResponseHeadSize) & ~std::size_t{7};
  bool first = true;
  do {
    const ByteView part = stub.first(std::min(room, stub.size()));
    RpcHeader header;
    header.ptype = RpcPacketType::Response;
    header.call_id = call_id;
    header.pfc_flags =
        static_cast<std::uint8_t>((first ? rpc_flags::kFirstFrag : 0) |
                                  (part.size() == stub.size() ? rpc_flags::kLastFrag : 0));
    RpcResponse response;
    response.alloc_hint = static_cast<std::uint32_t>(stub.size());
    response.context_id = context_id;
    response.stub = part;
    encode_rpc_pdu(header, response, out);
    stub = stub.subspan(part.size());
    first = false;
  } while (!stub.empty());
}

void encode_rpc_fault(std::uint32_t call_id, std::uint16_t context_id, std::uint32_t status,
                      Bytes& out) {
  RpcHeader header;
  header.ptype = RpcPacketType::Fault;
  header.call_id = call_id;
  RpcFault fault;
  fault.alloc_hint = 32;
  fault.context_id = context_id;
  fault.status = status;
  encode_rpc_pdu(header, fault, out);
}

}  // namespace flotilla::wire
