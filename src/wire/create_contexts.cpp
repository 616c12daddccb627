#include "wire/create_contexts.hpp"

#include "wire/fields.hpp"

namespace flotilla::wire {

template <>
struct Fields<DurableHandleRequest> : PayloadLayout {
  static void visit(auto& v, auto&) { v.reserved(16); }
};
template <>
struct Fields<DurableHandleResponse> : PayloadLayout {
  static void visit(auto& v, auto&) { v.reserved(8); }
};
template <>
struct Fields<DurableHandleReconnect> : PayloadLayout {
  static void visit(auto& v, auto& s) { v.field("data", s.data); }
};
template <>
struct Fields<DurableHandleRequestV2> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.field("timeout_ms", s.timeout_ms);
    v.field("flags", s.flags);
    v.reserved(8);
    v.field("create_guid", s.create_guid);
  }
};
template <>
struct Fields<DurableHandleResponseV2> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.field("timeout_ms", s.timeout_ms);
    v.field("flags", s.flags);
  }
};
template <>
struct Fields<DurableHandleReconnectV2> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.field("file_id", s.file_id);
    v.field("create_guid", s.create_guid);
    v.field("flags", s.flags);
  }
};
template <>
struct Fields<AllocationSize> : PayloadLayout {
  static void visit(auto& v, auto& s) { v.field("allocation_size", s.allocation_size); }
};
template <>
struct Fields<QueryMaximalAccessRequest> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    if (v.present(s.timestamp.ticks != 0)) v.field("timestamp", s.timestamp);
  }
};
template <>
struct Fields<QueryMaximalAccessResponse> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.field("query_status", s.query_status);
    v.field("maximal_access", s.maximal_access);
  }
};
template <>
struct Fields<TimewarpToken> : PayloadLayout {
  static void visit(auto& v, auto& s) { v.field("timestamp", s.timestamp); }
};
template <>
struct Fields<QueryOnDiskIdResponse> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.field("disk_file_id", s.disk_file_id);
    v.field("volume_id", s.volume_id);
    v.reserved(16);
  }
};
template <>
struct Fields<LeaseContext> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.field("lease_key", s.lease_key);
    v.field("lease_state", s.lease_state);
    v.field("lease_flags", s.lease_flags);
    v.reserved(8);  // LeaseDuration
  }
};
template <>
struct Fields<LeaseContextV2> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.field("lease_key", s.lease_key);
    v.field("lease_state", s.lease_state);
    v.field("lease_flags", s.lease_flags);
    v.reserved(8);  // LeaseDuration
    v.field("parent_lease_key", s.parent_lease_key);
    v.field("epoch", s.epoch);
    v.reserved(2);
  }
};
template <>
struct Fields<AppInstanceIdContext> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.struct_size(20);
    v.reserved(2);
    v.field("app_instance_id", s.app_instance_id);
  }
};
template <>
struct Fields<AppInstanceVersion> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.struct_size(24);
    v.reserved(6);
    v.field("app_instance_version_high", s.app_instance_version_high);
    v.field("app_instance_version_low", s.app_instance_version_low);
  }
};

FLOTILLA_WIRE_INSTANTIATE(DurableHandleRequest);
FLOTILLA_WIRE_INSTANTIATE(DurableHandleResponse);
FLOTILLA_WIRE_INSTANTIATE(DurableHandleReconnect);
FLOTILLA_WIRE_INSTANTIATE(DurableHandleRequestV2);
FLOTILLA_WIRE_INSTANTIATE(DurableHandleResponseV2);
FLOTILLA_WIRE_INSTANTIATE(DurableHandleReconnectV2);
FLOTILLA_WIRE_INSTANTIATE(AllocationSize);
FLOTILLA_WIRE_INSTANTIATE(QueryMaximalAccessRequest);
FLOTILLA_WIRE_INSTANTIATE(QueryMaximalAccessResponse);
FLOTILLA_WIRE_INSTANTIATE(TimewarpToken);
FLOTILLA_WIRE_INSTANTIATE(QueryOnDiskIdResponse);
FLOTILLA_WIRE_INSTANTIATE(LeaseContext);
FLOTILLA_WIRE_INSTANTIATE(LeaseContextV2);
FLOTILLA_WIRE_INSTANTIATE(AppInstanceIdContext);
FLOTILLA_WIRE_INSTANTIATE(AppInstanceVersion);

}  // namespace flotilla::wire
