// CHANGE_NOTIFY: [MS-SMB2] 3.3.5.19.
#include <algorithm>

#include "handlers/channel.hpp"
#include "handlers/open_state.hpp"
#include "handlers/request.hpp"
#include "wire/smb2.hpp"

namespace flotilla::handlers {

namespace {
/// What gathers between two requests of one open before it is an overflow.
constexpr std::size_t kBufferBytesMin = 4096;
/// Requests of one connection that may wait at a time.
constexpr std::size_t kWaitingMax = 4096;
}  // namespace

HandlerTask handle_change_notify(Request& request) {
  const auto body = wire::decode<wire::ChangeNotifyRequest>(request.message);
  if (!body) co_return wire::status_of(body.error());
  if (!request.server.config().change_notify) co_return NtStatus::NotImplemented;
  const auto found = request.find_open(body->file_id);
  if (!found) co_return found.error();
  const std::shared_ptr<session::Open>& open = *found;
  if (body->output_buffer_length > request.server.config().transaction_bytes_max) {
    co_return NtStatus::InvalidParameter;
  }
  if (open->pipe || !open->directory) co_return NtStatus::InvalidParameter;
  if ((open->granted_access & wire::access::kListDirectory) == 0) {
    co_return NtStatus::AccessDenied;
  }
  if (request.channel->async_count() >= kWaitingMax) co_return NtStatus::InsufficientResources;
  OpenState& state = state_of(*open);
  // As those are told who watch when that is asked for: nothing comes of this directory any more.
  if (state.open_file && state.open_file->delete_pending) co_return NtStatus::DeletePending;
  NotifyHub& hub = request.server.notify();
  if (!state.watch) {
    // The first request decides what this open watches, as on Windows.
    state.watch =
        hub.add(state.share, open->path, (body->flags & wire::notify_flags::kWatchTree) != 0,
                body->completion_filter,
                std::max<std::size_t>(kBufferBytesMin, body->output_buffer_length));
  }
  const std::size_t limit = body->output_buffer_length;
  auto shot = runtime::OneShot<NotifyResult>::make();
  const std::shared_ptr<NotifyWatch> watch = state.watch;
  const std::uint64_t waiter =
      hub.wait(watch, limit, [shot](NotifyResult result) { shot->set(std::move(result)); });
  if (!shot->is_set() && !request.last_in_compound) {
    // Only the last one of a compound may wait for something that may never come.
    hub.cancel(watch, waiter);
    co_return NtStatus::InternalError;
  }
  if (!shot->is_set()) {
    request.go_async([&hub, watch, waiter] { hub.cancel(watch, waiter); });
  }
  NotifyResult result = co_await runtime::OneShot<NotifyResult>::wait(shot, request.executor());
  if (result.status == NtStatus::Cancelled && (open->closing || !request.alive())) {
    result.status = NtStatus::NotifyCleanup;  // the open went with its tree or session
  }
  if (result.status != NtStatus::Success) {
    if (is_error(result.status)) co_return result.status;
    wire::encode(wire::ChangeNotifyResponse{}, request.out);
    co_return result.status;
  }
  Bytes entries;
  wire::ChangeNotifyResponse response;
  NtStatus status = NtStatus::Success;
  if (wire::encode_notify(result.entries, limit, entries)) {
    response.output_buffer = entries;
  } else {
    status = NtStatus::NotifyEnumDir;
  }
  wire::encode(response, request.out);
  co_return status;
}

}  // namespace flotilla::handlers
