// SMB2 FLUSH. Spec [MS-SMB2] 3.3.5.11 Receiving an SMB2 FLUSH Request; [MS-FSA] 2.1.5.7
#include "handlers/file_call.hpp"
#include "wire/create.hpp"
#include "wire/smb2.hpp"

namespace flotilla::handlers {

HandlerTask handle_flush(Request& request) {
  const auto flush = wire::decode<wire::FlushRequest>(request.message);
  if (!flush) co_return wire::status_of(flush.error());
  auto found = request.find_open(flush->file_id);
  if (!found) co_return found.error();
  if (!(*found)->pipe) {
    const auto target = file_of(request, *found);
    if (!target) co_return target.error();
    // FILE_ADD_FILE and FILE_ADD_SUBDIRECTORY are the same bits on a directory.
    if (!target->allows(wire::access::kWriteData | wire::access::kAppendData)) {
      co_return NtStatus::AccessDenied;
    }
    auto ticket = target->gate->admit(target->open->open_id, 0, 0, ports::IoGate::Access::Write);
    if (!ticket) co_return ticket.error();
    auto call = [file = target->file] { return file->flush(); };
    const Status done =
        co_await offload(request.server, request.executor(), false, std::move(call));
    if (!done) co_return done.error();
    if (still_open(*target->open)) show_write_time(*target);
  }
  wire::encode(wire::FlushResponse{}, request.out);
  co_return NtStatus::Success;
}

}  // namespace flotilla::handlers
