// SMB2 WRITE. Spec [MS-SMB2] 3.3.5.13 Receiving an SMB2 WRITE Request; [MS-FSA] 2.1.5.4
#include "handlers/file_call.hpp"
#include "handlers/pipe.hpp"
#include "wire/read_write.hpp"

namespace flotilla::handlers {

namespace {

/// What the page cache takes while the shard waits; more goes to the blocking pool.
constexpr std::size_t kInlineBytesMax = 128 * 1024;

NtStatus answer(Request& request, std::size_t count) {
  wire::WriteResponse response;
  response.count = static_cast<std::uint32_t>(count);
  wire::encode(response, request.out);
  return NtStatus::Success;
}

/// An open that may only append must not touch what is there.
/// Spec    [MS-SMB2] 3.3.5.13: within the file's size FILE_WRITE_DATA is needed
NtStatus check_access(const FileOpen& target, std::uint64_t offset) {
  if (target.allows(wire::access::kWriteData)) return NtStatus::Success;
  if (!target.allows(wire::access::kAppendData)) return NtStatus::AccessDenied;
  const auto facts = target.file->facts();
  if (!facts) return facts.error();
  return offset >= facts->size_bytes ? NtStatus::Success : NtStatus::AccessDenied;
}

}  // namespace

HandlerTask handle_write(Request& request) {
  const auto write = wire::decode<wire::WriteRequest>(request.message);
  if (!write) co_return wire::status_of(write.error());
  auto found = request.find_open(write->file_id);
  if (!found) co_return found.error();
  if (write->data.size() > max_transaction_bytes(request)) co_return NtStatus::InvalidParameter;
  if (wants_rdma(request, write->channel)) co_return NtStatus::InvalidParameter;
  if ((*found)->pipe) {
    if (!state_of(**found).pipe) co_return NtStatus::InvalidDeviceRequest;
    const Status done = state_of(**found).pipe->write(write->data);
    co_return done ? answer(request, write->data.size()) : done.error();
  }
  if ((*found)->directory) co_return NtStatus::InvalidDeviceRequest;
  const auto target = file_of(request, *found);
  if (!target) co_return target.error();
  // Offset -1 ("at the end", a local file system's convention) is a negative offset here.
  const std::uint64_t most = write->data.empty() ? std::uint64_t{INT64_MAX} : kFileBytesMax;
  if (write->offset > most || write->data.size() > most - write->offset) {
    co_return NtStatus::InvalidParameter;
  }
  if (const NtStatus access = check_access(*target, write->offset); is_error(access)) {
    co_return access;
  }
  if (write->data.empty()) co_return answer(request, 0);

  auto ticket = co_await admit_change(request, *target, write->offset, write->data.size());
  if (!ticket) co_return ticket.error();
  const bool through =
      (request.session->dialect >= 0x0210 && (write->flags & wire::write_flags::kWriteThrough)) ||
      (target->open->create_options & wire::create_options::kWriteThrough) != 0 ||
      target->state().durable.persistent;  // what is acknowledged survives the node
  // `write->data` borrows from the request, which lives as long as this coroutine.
  // The credentials are copied only where a time is to be put back.
  const std::optional<NtTime> set_time = target->state().user_set_write_time;
  delay_write_time(*target, request.server.clock().wall());
  auto call = [file = target->file, offset = write->offset, data = write->data, through, set_time,
               who = set_time ? credentials_of(*request.session, target->state())
                              : ports::Credentials{}]() -> Status {
    if (const Status done = file->write(offset, data, through); !done) return done;
    return keep_write_time(*file, who, set_time);
  };
  const bool in_place = target->local && !through && write->data.size() <= kInlineBytesMax;
  const Status done =
      co_await offload(request.server, request.executor(), in_place, std::move(call));
  ticket->release();
  if (!done) co_return done.error();
  target->state().changed_data = true;
  target->open->position = write->offset + write->data.size();
  request.server.written_bytes += write->data.size();
  report_change(request, *target->open,
                wire::notify_filter::kLastWrite | wire::notify_filter::kSize);
  co_return answer(request, write->data.size());
}

}  // namespace flotilla::handlers
