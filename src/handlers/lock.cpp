// LOCK: [MS-SMB2] 3.3.5.14.
#include <algorithm>

#include "handlers/channel.hpp"
#include "handlers/engine_call.hpp"
#include "handlers/open_state.hpp"
#include "handlers/request.hpp"
#include "session/sequences.hpp"
#include "wire/smb2.hpp"

namespace flotilla::handlers {

namespace {

namespace f = wire::lock_flags;

constexpr std::size_t kElementsMax = 4096;

/// The request's elements as one command of the engine, or why they do not fit together.
Result<coherence::Lock> command_of(const wire::LockRequest& body) {
  coherence::Lock command;
  command.unlock = body.locks.front().flags == f::kUnlock;
  command.fail_immediately = true;
  for (const wire::LockElement& element : body.locks) {
    const std::uint32_t kind = element.flags & ~f::kFailImmediately;
    if (command.unlock) {
      // 3.3.5.14.1 lets a server ignore FAIL_IMMEDIATELY here; Windows refuses it.
      if (element.flags != f::kUnlock) {
        // 3.3.5.14.1: the unlocks before it are carried out and stay.
        if (command.ranges.empty()) return fail(NtStatus::InvalidParameter);
        break;
      }
    } else {
      if (kind != f::kSharedLock && kind != f::kExclusiveLock) {
        return fail(NtStatus::InvalidParameter);
      }
      if ((element.flags & f::kFailImmediately) == 0) {
        if (body.locks.size() > 1) return fail(NtStatus::InvalidParameter);
        command.fail_immediately = false;
      }
    }
    // [MS-FSA] 2.1.5.7: a range that wraps around.
    if (element.length != 0 && element.offset > ~std::uint64_t{0} - (element.length - 1)) {
      return fail(NtStatus::InvalidLockRange);
    }
    command.ranges.push_back({element.offset, element.length, kind == f::kExclusiveLock});
  }
  return command;
}

/// Of an array of unlocks that fails half way the first ones stay counted until the open goes.
void count_locks(Server& server, session::Open& open, std::uint32_t count, bool unlock) {
  if (open.closing) return;  // its locks are gone with it
  std::uint32_t& held = state_of(open).locks_held;
  const std::uint32_t change = unlock ? std::min(count, held) : count;
  if (unlock) {
    held -= change;
    server.locks_count.fetch_sub(change, std::memory_order_relaxed);
  } else {
    held += change;
    server.locks_count.fetch_add(change, std::memory_order_relaxed);
  }
}

}  // namespace

HandlerTask handle_lock(Request& request) {
  const auto body = wire::decode<wire::LockRequest>(request.message);
  if (!body) co_return wire::status_of(body.error());
  if (body->locks.empty() || body->locks.size() > kElementsMax) {
    co_return NtStatus::InvalidParameter;
  }
  const auto found = request.find_open(body->file_id);
  if (!found) co_return found.error();
  const std::shared_ptr<session::Open>& open = *found;
  if (open->pipe) co_return NtStatus::InvalidDeviceRequest;
  if (open->directory) co_return NtStatus::InvalidParameter;
  const std::uint32_t sequence =
      request.channel->facts().dialect == 0x0202 ? 0 : body->lock_sequence;
  if (session::LockSequences::replayed(open->lock_sequences, sequence)) {
    wire::encode(wire::LockResponse{}, request.out);
    co_return NtStatus::Success;
  }
  constexpr coherence::AccessMask kLocking = wire::access::kReadData | wire::access::kWriteData |
                                             wire::access::kAppendData | wire::access::kExecute;
  if ((open->granted_access & kLocking) == 0) co_return NtStatus::AccessDenied;
  auto command = command_of(*body);
  if (!command) co_return command.error();
  if (!command->unlock && request.session->state == session::SessionState::Expired) {
    co_return NtStatus::NetworkSessionExpired;  // [MS-SMB2] 3.3.5.2.9 lets only unlocks pass
  }
  command->open = open->open_id;
  const DurableTraits& durable = state_of(*open).durable;
  const bool sequenced =
      durable.durable || durable.resilient || durable.persistent ||
      (request.channel->facts().server_capabilities & wire::capability::kMultiChannel) != 0;
  if (sequenced) command->sequence = session::LockSequences::parts(sequence);
  const bool unlock = command->unlock;
  const auto count = static_cast<std::uint32_t>(command->ranges.size());
  Server& server = request.server;
  if (!unlock &&
      server.locks_count.load(std::memory_order_relaxed) + count > server.config().locks_max) {
    co_return NtStatus::InsufficientResources;
  }
  const bool cut_short = command->ranges.size() < body->locks.size();
  coherence::Body engine_body = *std::move(command);
  const coherence::Outcome outcome =
      co_await engine_submit(request, open->key, std::move(engine_body));
  if (outcome.status != NtStatus::Success) {
    // A lock that waited while its open, its tree or its session went.
    const bool gone =
        outcome.status == NtStatus::FileClosed || outcome.status == NtStatus::Cancelled;
    if (gone && (open->closing || !request.alive())) co_return NtStatus::RangeNotLocked;
    co_return outcome.status;
  }
  count_locks(server, *open, count, unlock);
  if (cut_short) co_return NtStatus::InvalidParameter;
  if (sequenced) {
    session::LockSequences::remember(open->lock_sequences, sequence);
  }
  wire::encode(wire::LockResponse{}, request.out);
  co_return NtStatus::Success;
}

}  // namespace flotilla::handlers
