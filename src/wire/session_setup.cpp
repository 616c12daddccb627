#include "wire/session_setup.hpp"

#include "wire/fields.hpp"

namespace flotilla::wire {

template <>
struct Fields<SessionSetupRequest> : PaddedMessageLayout {
  static void visit(auto& v, auto& s) {
    Slot security;
    v.struct_size(25);
    v.field("flags", s.flags);
    v.field("security_mode", s.security_mode);
    v.field("capabilities", s.capabilities);
    v.field("channel", s.channel);
    v.offset16(security);
    v.length16(security);
    v.field("previous_session_id", s.previous_session_id);
    v.data("security_buffer", security, s.security_buffer);
  }
};

template <>
struct Fields<SessionSetupResponse> : MessageLayout {
  static void visit(auto& v, auto& s) {
    Slot security;
    v.struct_size(9);
    v.field("session_flags", s.session_flags);
    v.offset16(security);
    v.length16(security);
    v.data("security_buffer", security, s.security_buffer);
  }
};

template <>
struct Fields<TreeConnectContext> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    Slot data;
    v.field("context_type", s.context_type);
    v.length16(data);
    v.reserved(4);
    v.tail("data", data, s.data);
  }
};

template <>
struct Fields<TreeConnectRequest> : PaddedMessageLayout {
  static void visit(auto& v, auto& s) {
    Slot path;
    Slot contexts;
    v.struct_size(9);
    v.field("flags", s.flags);
    v.offset16(path);
    v.length16(path);
    const bool extended = (s.flags & tree_connect_flags::kExtensionPresent) != 0;
    if (extended) {
      v.offset32(contexts);
      v.length16(contexts);
      v.reserved(10);
    }
    v.data("path", path, s.path);
    // TreeConnectContextOffset counts from the request, not from its header.
    if (extended) v.elements_at("contexts", contexts, s.tree_connect_contexts, 8, 8, kOrigin);
  }
};

template <>
struct Fields<TreeConnectResponse> : MessageLayout {
  static void visit(auto& v, auto& s) {
    v.struct_size(16);
    v.field("share_type", s.share_type);
    v.reserved(1);
    v.field("share_flags", s.share_flags);
    v.field("capabilities", s.capabilities);
    v.field("maximal_access", s.maximal_access);
  }
};

/// StructureSize 4 and two reserved bytes: the messages that say nothing.
struct EmptyMessage : MessageLayout {
  static void visit(auto& v, auto&) {
    v.struct_size(4);
    v.reserved(2);
  }
};
template <>
struct Fields<LogoffRequest> : EmptyMessage {};
template <>
struct Fields<LogoffResponse> : EmptyMessage {};
template <>
struct Fields<TreeDisconnectRequest> : EmptyMessage {};
template <>
struct Fields<TreeDisconnectResponse> : EmptyMessage {};
template <>
struct Fields<EchoRequest> : EmptyMessage {};
template <>
struct Fields<EchoResponse> : EmptyMessage {};
template <>
struct Fields<CancelRequest> : EmptyMessage {};

FLOTILLA_WIRE_INSTANTIATE(SessionSetupRequest);
FLOTILLA_WIRE_INSTANTIATE(SessionSetupResponse);
FLOTILLA_WIRE_INSTANTIATE(TreeConnectRequest);
FLOTILLA_WIRE_INSTANTIATE(TreeConnectResponse);
FLOTILLA_WIRE_INSTANTIATE(LogoffRequest);
FLOTILLA_WIRE_INSTANTIATE(LogoffResponse);
FLOTILLA_WIRE_INSTANTIATE(TreeDisconnectRequest);
FLOTILLA_WIRE_INSTANTIATE(TreeDisconnectResponse);
FLOTILLA_WIRE_INSTANTIATE(EchoRequest);
FLOTILLA_WIRE_INSTANTIATE(EchoResponse);
FLOTILLA_WIRE_INSTANTIATE(CancelRequest);

}  // namespace flotilla::wire
