#include "wire/create.hpp"

#include "wire/create_contexts.hpp"
#include "wire/fields.hpp"

namespace flotilla::wire {

template <>
struct Fields<CreateContext> : PayloadLayout {  // behind its Next field
  static constexpr std::size_t kAlignment = 8;
  static constexpr std::size_t kCountMax = 1024;
  static void visit(auto& v, auto& s) {
    Slot name;
    Slot data;
    v.offset16(name);
    v.length16(name);
    v.reserved(2);
    v.offset16(data);
    v.length32(data);
    v.data("name", name, s.name);
    v.data("data", data, s.data, 8, WhenEmpty::Zero);
  }
};

template <>
struct Fields<CreateRequest> : PaddedMessageLayout {
  static void visit(auto& v, auto& s) {
    Slot name;
    Slot contexts;
    v.struct_size(57);
    v.reserved(1);  // SecurityFlags
    v.field("requested_oplock_level", s.requested_oplock_level);
    v.field("impersonation_level", s.impersonation_level);
    v.reserved(8);  // SmbCreateFlags
    v.reserved(8);
    v.field("desired_access", s.desired_access);
    v.field("file_attributes", s.file_attributes);
    v.field("share_access", s.share_access);
    v.field("create_disposition", s.create_disposition);
    v.field("create_options", s.create_options);
    v.offset16(name);
    v.length16(name);
    v.offset32(contexts);
    v.length32(contexts);
    v.data("name", name, s.name);
    v.chain("create_contexts", contexts, s.create_contexts);
  }
};

template <>
struct Fields<CreateResponse> : MessageLayout {
  static void visit(auto& v, auto& s) {
    Slot contexts;
    v.struct_size(89);
    v.field("oplock_level", s.oplock_level);
    v.field("flags", s.flags);
    v.field("create_action", s.create_action);
    v.field("creation_time", s.creation_time);
    v.field("last_access_time", s.last_access_time);
    v.field("last_write_time", s.last_write_time);
    v.field("change_time", s.change_time);
    v.field("allocation_size", s.allocation_size);
    v.field("end_of_file", s.end_of_file);
    v.field("file_attributes", s.file_attributes);
    v.reserved(4);
    v.field("file_id", s.file_id);
    v.offset32(contexts);
    v.length32(contexts);
    v.chain("create_contexts", contexts, s.create_contexts);
  }
};

template <>
struct Fields<CloseRequest> : PaddedMessageLayout {
  static void visit(auto& v, auto& s) {
    v.struct_size(24);
    v.field("flags", s.flags);
    v.reserved(4);
    v.field("file_id", s.file_id);
  }
};

template <>
struct Fields<CloseResponse> : MessageLayout {
  static void visit(auto& v, auto& s) {
    v.struct_size(60);
    v.field("flags", s.flags);
    v.reserved(4);
    v.field("creation_time", s.creation_time);
    v.field("last_access_time", s.last_access_time);
    v.field("last_write_time", s.last_write_time);
    v.field("change_time", s.change_time);
    v.field("allocation_size", s.allocation_size);
    v.field("end_of_file", s.end_of_file);
    v.field("file_attributes", s.file_attributes);
  }
};

template <>
struct Fields<FlushRequest> : PaddedMessageLayout {
  static void visit(auto& v, auto& s) {
    v.struct_size(24);
    v.reserved(6);
    v.field("file_id", s.file_id);
  }
};

template <>
struct Fields<FlushResponse> : MessageLayout {
  static void visit(auto& v, auto&) {
    v.struct_size(4);
    v.reserved(2);
  }
};

FLOTILLA_WIRE_INSTANTIATE(CreateRequest);
FLOTILLA_WIRE_INSTANTIATE(CreateResponse);
FLOTILLA_WIRE_INSTANTIATE(CloseRequest);
FLOTILLA_WIRE_INSTANTIATE(CloseResponse);
FLOTILLA_WIRE_INSTANTIATE(FlushRequest);
FLOTILLA_WIRE_INSTANTIATE(FlushResponse);

const CreateContext* find_context(const std::vector<CreateContext>& contexts,
                                  std::string_view tag) noexcept {
  for (const CreateContext& context : contexts) {
    if (context.tag() == tag) return &context;
  }
  return nullptr;
}

std::vector<CreateContext> CreateContextList::list() const {
  std::vector<CreateContext> out;
  out.reserve(items_.size());
  for (const auto& [tag, data] : items_) out.push_back({as_bytes(tag), data});
  return out;
}

}  // namespace flotilla::wire
