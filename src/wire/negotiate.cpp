#include "wire/negotiate.hpp"

#include <algorithm>

#include "wire/fields.hpp"

namespace flotilla::wire {

template <>
struct Fields<NegotiateContext> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    Slot data;
    v.field("context_type", s.context_type);
    v.length16(data);
    v.reserved(4);
    v.tail("data", data, s.data);
  }
};

template <>
struct Fields<NegotiateRequest> : PaddedMessageLayout {
  static void visit(auto& v, auto& s) {
    Slot dialects;
    Slot contexts;
    v.struct_size(36);
    v.length16(dialects);
    v.field("security_mode", s.security_mode);
    v.reserved(2);
    v.field("capabilities", s.capabilities);
    v.field("client_guid", s.client_guid);
    v.offset32(contexts);  // with the next two: ClientStartTime before 3.1.1
    v.length16(contexts);
    v.reserved(2);
    v.scalars("dialects", dialects, s.dialects);
    if (std::ranges::find(s.dialects, Dialect::Smb311) != s.dialects.end()) {
      v.elements_at("negotiate_contexts", contexts, s.negotiate_contexts, 8, 8);
    }
  }
};

template <>
struct Fields<NegotiateResponse> : MessageLayout {
  static void visit(auto& v, auto& s) {
    Slot security;
    Slot contexts;
    v.struct_size(65);
    v.field("security_mode", s.security_mode);
    v.field("dialect_revision", s.dialect_revision);
    v.length16(contexts);
    v.field("server_guid", s.server_guid);
    v.field("capabilities", s.capabilities);
    v.field("max_transact_size", s.max_transact_size);
    v.field("max_read_size", s.max_read_size);
    v.field("max_write_size", s.max_write_size);
    v.field("system_time", s.system_time);
    v.field("server_start_time", s.server_start_time);
    v.offset16(security);
    v.length16(security);
    v.offset32(contexts);
    v.data("security_buffer", security, s.security_buffer);
    if (s.dialect_revision == Dialect::Smb311) {
      v.elements_at("negotiate_contexts", contexts, s.negotiate_contexts, 8, 8);
    }
  }
};

template <>
struct Fields<PreauthIntegrityCapabilities> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    Slot algorithms;
    Slot salt;
    v.length16(algorithms);
    v.length16(salt);
    v.scalars("hash_algorithms", algorithms, s.hash_algorithms);
    v.tail("salt", salt, s.salt);
  }
};

template <>
struct Fields<EncryptionCapabilities> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    Slot ciphers;
    v.length16(ciphers);
    v.scalars("ciphers", ciphers, s.ciphers);
  }
};

template <>
struct Fields<CompressionCapabilities> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    Slot algorithms;
    v.length16(algorithms);
    v.reserved(2);
    v.field("flags", s.flags);
    v.scalars("compression_algorithms", algorithms, s.compression_algorithms);
  }
};

template <>
struct Fields<NetnameNegotiateContextId> : PayloadLayout {
  static void visit(auto& v, auto& s) { v.rest("net_name", s.net_name); }
};

template <>
struct Fields<TransportCapabilities> : PayloadLayout {
  static void visit(auto& v, auto& s) { v.field("flags", s.flags); }
};

template <>
struct Fields<SigningCapabilities> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    Slot algorithms;
    v.length16(algorithms);
    v.scalars("signing_algorithms", algorithms, s.signing_algorithms);
  }
};

FLOTILLA_WIRE_INSTANTIATE(NegotiateRequest);
FLOTILLA_WIRE_INSTANTIATE(NegotiateResponse);
FLOTILLA_WIRE_INSTANTIATE(PreauthIntegrityCapabilities);
FLOTILLA_WIRE_INSTANTIATE(EncryptionCapabilities);
FLOTILLA_WIRE_INSTANTIATE(CompressionCapabilities);
FLOTILLA_WIRE_INSTANTIATE(NetnameNegotiateContextId);
FLOTILLA_WIRE_INSTANTIATE(TransportCapabilities);
FLOTILLA_WIRE_INSTANTIATE(SigningCapabilities);

const NegotiateContext* find_context(const std::vector<NegotiateContext>& contexts,
                                     NegotiateContextType type) noexcept {
  for (const NegotiateContext& context : contexts) {
    if (context.context_type == type) return &context;
  }
  return nullptr;
}
std::size_t count_contexts(const std::vector<NegotiateContext>& contexts,
                           NegotiateContextType type) noexcept {
  std::size_t count = 0;
  for (const NegotiateContext& context : contexts) count += context.context_type == type ? 1 : 0;
  return count;
}

}  // namespace flotilla::wire
