// Times, attributes, sizes and extended attributes.
#include <limits>

#include "handlers/directory_change.hpp"
#include "handlers/set_info/set_info.hpp"
#include "wire/fscc.hpp"

namespace flotilla::handlers {

namespace {

constexpr std::uint64_t kTicksStop = ~std::uint64_t{0};        // -1
constexpr std::uint64_t kTicksResume = ~std::uint64_t{0} - 1;  // -2

/// Spec    [MS-FSCC] 2.4.7: 0 keeps, -1 stops and -2 resumes automatic updates, other negative
///         values are InvalidParameter
/// Deviation: only the write time can be held still (see hold_write_time); -1 and -2 for the other
/// times change nothing.
Result<NtTime> time_to_set(NtTime asked) {
  if (asked.ticks == kTicksStop || asked.ticks == kTicksResume) return NtTime{};
  if (asked.ticks > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    return fail(NtStatus::InvalidParameter);
  }
  return asked;
}

Result<std::optional<std::uint32_t>> attributes_to_set(std::uint32_t asked, bool directory) {
  namespace attribute = wire::file_attribute;
  constexpr std::uint32_t kSettable =
      attribute::kReadonly | attribute::kHidden | attribute::kSystem | attribute::kArchive |
      attribute::kTemporary | attribute::kOffline | attribute::kNotContentIndexed;
  if (asked == 0) return std::optional<std::uint32_t>();
  if ((asked & attribute::kDirectory) && !directory) return fail(NtStatus::InvalidParameter);
  if ((asked & attribute::kTemporary) && directory) return fail(NtStatus::InvalidParameter);
  std::uint32_t attributes = asked & kSettable;
  if (directory) attributes |= attribute::kDirectory;
  if (attributes == 0) attributes = attribute::kNormal;
  return std::optional(attributes);
}

/// A write time that was set through an open stays: later writes through it put it back.
/// Spec    [MS-FSA] 2.1.5.15.2: UserSetModificationTime; -2 ends it
void hold_write_time(OpenState& state, NtTime asked, NtTime present) {
  if (asked.ticks == 0) return;
  if (asked.ticks == kTicksResume) {
    state.user_set_write_time.reset();
  } else {
    state.user_set_write_time = asked.ticks == kTicksStop ? present : asked;
  }
}

}  // namespace

SetInfoTask set_basic(Request& request, FileOpen target, ByteView buffer) {
  namespace filter = wire::notify_filter;
  if (buffer.size() < 40) co_return NtStatus::InfoLengthMismatch;
  if (!target.allows(wire::access::kWriteAttributes)) co_return NtStatus::AccessDenied;
  const auto info = wire::decode<wire::FileBasicInformation>(buffer);
  if (!info) co_return wire::status_of(info.error());
  const auto created = time_to_set(info->creation_time);
  const auto accessed = time_to_set(info->last_access_time);
  const auto written = time_to_set(info->last_write_time);
  const auto changed = time_to_set(info->change_time);
  const auto attributes = attributes_to_set(info->file_attributes, target.open->directory);
  if (!created || !accessed || !written || !changed || !attributes) {
    co_return NtStatus::InvalidParameter;
  }
  ports::BasicChange change;
  change.created = *created;
  change.accessed = *accessed;
  change.written = *written;
  change.changed = *changed;
  change.attributes = *attributes;
  auto ticket = target.gate->admit(target.open->open_id, 0, 0, ports::IoGate::Access::Write);
  if (!ticket) co_return ticket.error();
  auto call = [file = target.file, who = credentials_of(*request.session, target.state()),
               change]() -> Result<NtTime> {
    if (const Status done = file->set_basic(who, change); !done) return fail(done.error());
    const auto facts = file->facts();
    if (!facts) return fail(facts.error());
    return facts->written;
  };
  const auto written_now =
      co_await offload(request.server, request.executor(), target.local, std::move(call));
  if (!written_now) co_return written_now.error();
  if (still_open(*target.open)) {
    show_write_time(target);
    hold_write_time(target.state(), info->last_write_time, *written_now);
  }
  if (change.attributes) target.open->file_attributes = *change.attributes;
  std::uint32_t what = 0;
  if (change.attributes) what |= filter::kAttributes;
  if (change.created.ticks) what |= filter::kCreation;
  if (change.accessed.ticks) what |= filter::kLastAccess;
  if (change.written.ticks) what |= filter::kLastWrite;
  if (what) {
    report_change(request, *target.open, what);
    if (listings_cached(request.server)) co_await tell_parent_of(request, target.open);
  }
  co_return NtStatus::Success;
}

SetInfoTask set_size(Request& request, FileOpen target, ByteView buffer, bool allocation) {
  if (buffer.size() < 8) co_return NtStatus::InfoLengthMismatch;
  if (target.open->directory) co_return NtStatus::InvalidParameter;
  if (!target.allows(wire::access::kWriteData)) co_return NtStatus::AccessDenied;
  std::uint64_t size_bytes = 0;
  if (allocation) {
    const auto info = wire::decode<wire::FileAllocationInformation>(buffer);
    if (!info) co_return wire::status_of(info.error());
    size_bytes = info->allocation_size;
  } else {
    const auto info = wire::decode<wire::FileEndOfFileInformation>(buffer);
    if (!info) co_return wire::status_of(info.error());
    size_bytes = info->end_of_file;
  }
  if (size_bytes > kFileBytesMax) co_return NtStatus::InvalidParameter;
  auto ticket = co_await admit_change(request, target, 0, 0);
  if (!ticket) co_return ticket.error();
  auto call = [file = target.file, size_bytes, allocation,
               set_time = target.state().user_set_write_time,
               who = credentials_of(*request.session, target.state())]() -> Status {
    const Status done = allocation ? file->set_allocation(size_bytes) : file->set_size(size_bytes);
    if (!done) return done;
    return keep_write_time(*file, who, set_time);
  };
  const Status done =
      co_await offload(request.server, request.executor(), target.local, std::move(call));
  ticket->release();
  if (!done) co_return done.error();
  if (still_open(*target.open)) show_write_time(target);
  report_change(request, *target.open, wire::notify_filter::kSize);
  if (listings_cached(request.server)) co_await tell_parent_of(request, target.open);
  co_return NtStatus::Success;
}

SetInfoTask set_full_ea(Request& request, FileOpen target, ByteView buffer) {
  if (!target.allows(wire::access::kWriteEa)) co_return NtStatus::AccessDenied;
  const auto list = wire::decode_full_ea_list(buffer);
  if (!list) co_return wire::status_of(list.error());
  std::vector<ports::ExtendedAttribute> eas;
  for (const wire::FileFullEaEntry& entry : *list) {
    eas.push_back({entry.ea_name, entry.ea_value, entry.flags});
  }
  auto ticket = target.gate->admit(target.open->open_id, 0, 0, ports::IoGate::Access::Write);
  if (!ticket) co_return ticket.error();
  auto call = [file = target.file, who = credentials_of(*request.session, target.state()),
               eas = std::move(eas)] { return file->set_eas(who, eas); };
  const Status done =
      co_await offload(request.server, request.executor(), target.local, std::move(call));
  if (!done) co_return done.error();
  report_change(request, *target.open, wire::notify_filter::kEa);
  if (listings_cached(request.server)) co_await tell_parent_of(request, target.open);
  co_return NtStatus::Success;
}

}  // namespace flotilla::handlers
