#include "handlers/file_call.hpp"

#include <algorithm>
#include <utility>

#include "handlers/notify_hub.hpp"

namespace flotilla::handlers {

Result<FileOpen> file_of(Request& request, std::shared_ptr<session::Open> open) {
  FileOpen target;
  OpenState& state = state_of(*open);
  if (open->pipe || !state.file) return fail(NtStatus::InvalidDeviceRequest);
  target.file = state.file;
  target.gate = state.gate;
  target.share = &share_of(*request.tree);
  target.local = !target.share->backend || target.share->backend->local();
  target.open = std::move(open);
  return target;
}

Status still_open(const session::Open& open) noexcept {
  if (open.closing || open.revoked) return fail(NtStatus::FileClosed);
  return {};
}

const std::string& refresh_path(session::Open& open) {
  const OpenState& state = state_of(open);
  if (state.open_file) open.path = state.open_file->path();
  return open.path;
}

std::uint32_t max_transaction_bytes(const Request& request) noexcept {
  constexpr std::uint32_t kDialect202Bytes = 65536;
  const std::uint32_t configured = request.server.config().transaction_bytes_max;
  return request.session && request.session->dialect == 0x0202
             ? std::min(kDialect202Bytes, configured)
             : configured;
}

bool wants_rdma(const Request& request, std::uint32_t channel) noexcept {
  return request.session->dialect >= 0x0300 && channel >= wire::channel::kRdmaV1 &&
         channel <= wire::channel::kRdmaTransform;
}

runtime::Task<Result<ports::IoGate::Ticket>> admit_change(Request& request, FileOpen target,
                                                          std::uint64_t offset,
                                                          std::uint64_t length_bytes) {
  // Each round breaks the caches that were there; a new one can only come through a new open.
  constexpr int kRoundsMax = 16;
  for (int round = 0;; ++round) {
    auto ticket = target.gate->admit(target.open->open_id, offset, length_bytes,
                                     ports::IoGate::Access::Write);
    if (!ticket) co_return fail(ticket.error());
    if (round == kRoundsMax ||
        !target.gate->must_break_readers(target.open->open_id, target.open->client_guid,
                                         target.open->lease_key)) {
      co_return std::move(*ticket);
    }
    ticket->release();
    coherence::Body modify = coherence::Modify{target.open->open_id};
    const coherence::Outcome outcome = co_await engine_submit(request.server, request.executor(),
                                                              target.open->key, std::move(modify));
    if (is_error(outcome.status)) co_return fail(outcome.status);
    if (const Status open = still_open(*target.open); !open) co_return fail(open.error());
  }
}

Status keep_write_time(ports::BackendFile& file, const ports::Credentials& who,
                       std::optional<NtTime> set_time) {
  if (!set_time) return {};
  ports::BasicChange change;
  change.written = *set_time;
  return file.set_basic(who, change);
}

void delay_write_time(const FileOpen& target, NtTime now) {
  constexpr std::uint64_t kDelayTicks = 20'000'000;  // 2 s
  OpenState& state = target.state();
  if (!state.open_file || state.user_set_write_time) return;
  OpenFiles::Entry& entry = *state.open_file;
  state.wrote = true;
  const bool first = !std::exchange(state.write_time_triggered, true);
  const std::uint64_t shown = entry.shown_write_ticks;
  const std::uint64_t until = entry.shown_until_ticks;
  const bool holds = shown != 0 && (until == 0 || now.ticks < until);
  if (!first && !(holds && until != 0)) state.wrote_again = true;
  if (holds && !(first && until == 0)) return;
  const NtTime show_until{first ? now.ticks + kDelayTicks : 0};
  if (holds) {
    entry.hold_write_time(NtTime{shown}, show_until);
  } else if (const auto facts = target.file->facts()) {
    entry.hold_write_time(facts->written, show_until);
  }
}

void show_write_time(const FileOpen& target) {
  OpenState& state = target.state();
  state.write_time_triggered = true;
  state.wrote = false;
  state.wrote_again = false;
  if (state.open_file) state.open_file->show_write_time();
}

void report_change(Request& request, session::Open& open, std::uint32_t filter) {
  request.server.notify().report(&share_of(*request.tree), refresh_path(open),
                                 wire::NotifyAction::Modified, filter);
}

}  // namespace flotilla::handlers
