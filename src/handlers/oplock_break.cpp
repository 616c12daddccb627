// OPLOCK_BREAK from a client: the acknowledgment of an oplock's or a lease's break.
#include "handlers/channel.hpp"
#include "handlers/engine_call.hpp"
#include "handlers/lease_index.hpp"
#include "handlers/open_link.hpp"
#include "handlers/open_state.hpp"
#include "handlers/pool_lookup.hpp"
#include "handlers/request.hpp"
#include "wire/smb2.hpp"

namespace flotilla::handlers {

namespace {

void break_answered(session::Open& open) {
  if (auto* const link = static_cast<OpenLink*>(state_of(open).events.get())) link->acknowledged();
}

/// [MS-SMB2] 3.3.5.22.1 Processing an Oplock Acknowledgment.
HandlerTask acknowledge_oplock(Request& request) {
  const auto body = wire::decode<wire::OplockBreak>(request.message);
  if (!body) co_return wire::status_of(body.error());
  if (!request.tree) co_return NtStatus::NetworkNameDeleted;
  const auto found = request.find_open(body->file_id);
  if (!found) co_return found.error();
  const std::shared_ptr<session::Open>& open = *found;
  if (open->pipe || open->cache_kind != coherence::CacheKind::Oplock) {
    co_return NtStatus::InvalidOplockProtocol;
  }
  coherence::AcknowledgeBreak ack;
  ack.open = open->open_id;
  ack.client = open->client_guid;
  bool acceptable = true;
  switch (body->oplock_level) {
    case wire::OplockLevel::None:
      break;
    case wire::OplockLevel::LevelII:
      ack.kept = coherence::kCacheRead;
      break;
    default:
      acceptable = false;  // the break ends with nothing kept, and the client is told off
      break;
  }
  coherence::Body command = ack;
  const coherence::Outcome outcome =
      co_await engine_submit(request.server, request.executor(), open->key, std::move(command));
  if (outcome.status != NtStatus::Success) co_return outcome.status;
  break_answered(*open);
  if (const auto* const kept = std::get_if<coherence::BreakAcknowledged>(&outcome.answer)) {
    open->cache_rights = kept->rights;
  }
  if (!acceptable) co_return NtStatus::InvalidParameter;
  wire::OplockBreak response;
  response.oplock_level = static_cast<wire::OplockLevel>(oplock_level_of(open->cache_rights));
  response.file_id = open->id;
  wire::encode(response, request.out);
  co_return NtStatus::Success;
}

/// [MS-SMB2] 3.3.5.22.2 Processing a Lease Acknowledgment.
HandlerTask acknowledge_lease(Request& request) {
  const auto body = wire::decode<wire::LeaseBreak>(request.message);
  if (!body) co_return wire::status_of(body.error());
  const ClientGuid client = request.channel->facts().client_guid;
  auto place = request.server.leases().find(client, body->lease_key);
  if (!place && client_elsewhere(request.server, client)) {
    // One connection's sessions may live on several nodes, and share the lease.
    const std::vector<LeasePlace> places =
        co_await lease_elsewhere(request.server, request.executor(), client, body->lease_key);
    if (!places.empty()) place = LeaseIndex::Place{places.front().file, places.front().open};
  }
  if (!place) {
    co_return request.server.leases().has_timed_out(client, body->lease_key)
        ? NtStatus::Unsuccessful
        : NtStatus::ObjectNameNotFound;
  }
  if ((body->lease_state & ~7U) != 0) co_return NtStatus::InvalidParameter;
  coherence::AcknowledgeBreak ack;
  ack.open = place->open;
  ack.client = client;
  ack.key = body->lease_key;
  ack.kept = static_cast<coherence::CacheRights>(body->lease_state);
  coherence::Body command = ack;
  const coherence::Outcome outcome =
      co_await engine_submit(request.server, request.executor(), place->file, std::move(command));
  if (outcome.status != NtStatus::Success) co_return outcome.status;
  coherence::CacheRights rights = 0;
  if (const auto* const kept = std::get_if<coherence::BreakAcknowledged>(&outcome.answer)) {
    rights = kept->rights;
  }
  for (const auto& [id, open] : request.session->opens) {
    if (open->cache_kind == coherence::CacheKind::Lease && open->lease_key == ack.key) {
      open->cache_rights = rights;
      break_answered(*open);
    }
  }
  wire::LeaseBreak response;
  response.lease_key = ack.key;
  response.lease_state = rights;
  wire::encode(response, request.out);
  co_return NtStatus::Success;
}

}  // namespace

HandlerTask handle_oplock_break(Request& request) {
  const auto kind = wire::break_kind_of(request.message);
  if (!kind) co_return wire::status_of(kind.error());
  if (*kind == wire::BreakKind::Lease) co_return co_await acknowledge_lease(request);
  co_return co_await acknowledge_oplock(request);
}

}  // namespace flotilla::handlers
