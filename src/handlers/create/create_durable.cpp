// CREATE with the contexts that make an open survive: durable requests, reconnects, replays and
// application instances.
#include <algorithm>

#include "base/log.hpp"
#include "handlers/channel.hpp"
#include "handlers/create/making.hpp"
#include "handlers/file_call.hpp"
#include "handlers/share_path.hpp"
#include "handlers/wildcard.hpp"
#include "wire/utf16.hpp"

namespace flotilla::handlers {

namespace {

bool same_name(std::string_view a, std::string_view b) {
  return fold_case(wire_path(a)) == fold_case(wire_path(b));
}

const wire::Sid& user_of(const session::Session& session) {
  return static_cast<const SessionCredentials&>(*session.credentials).token->user_sid;
}

/// What of a lease or of its absence does not fit a detached open.
NtStatus check_lease(const session::Open& open, const CreateAsks& asks, const ClientGuid& client) {
  const bool leased = open.cache_kind == coherence::CacheKind::Lease;
  const bool asked = asks.cache.kind == coherence::CacheKind::Lease;
  if (leased != asked) return NtStatus::ObjectNameNotFound;
  if (!leased) return NtStatus::Success;
  if (open.client_guid != client || open.lease_key != asks.cache.key ||
      open.lease_version != asks.cache.version) {
    return NtStatus::ObjectNameNotFound;
  }
  return NtStatus::Success;
}

/// Every refusal of 3.3.5.9.7 and 3.3.5.9.12 beside the look-up.
NtStatus check_reconnect(session::Open& open, const Request& request, const Making& making) {
  const DurableTraits& durable = state_of(open).durable;
  if (!durable.durable && !durable.resilient) return NtStatus::ObjectNameNotFound;
  // Version 1 names no guid, and may reclaim what version 2 has made; version 2 with a guid of zero
  // reclaims what version 1 has made.
  if (making.asks.reconnect_v2 && durable.create_guid != making.asks.reconnect_v2->create_guid) {
    return NtStatus::ObjectNameNotFound;
  }
  const ClientGuid& client = request.channel->facts().client_guid;
  if (const NtStatus lease = check_lease(open, making.asks, client); lease != NtStatus::Success) {
    return lease;
  }
  if (state_of(open).share != making.share) return NtStatus::ObjectNameNotFound;
  if (open.cache_kind == coherence::CacheKind::Lease &&
      !same_name(refresh_path(open), making.name.path)) {
    return NtStatus::InvalidParameter;
  }
  if (durable.owner != user_of(*request.session)) return NtStatus::AccessDenied;
  return NtStatus::Success;
}

/// What the answer needs of an open that was made by an earlier CREATE.
void take_over(Making& making, session::Open& open) {
  const OpenState& state = state_of(open);
  making.file = state.file;
  making.path = open.path;
  making.granted = open.granted_access;
  making.rights.maximal = open.granted_access;
  making.open_id = open.open_id;
  making.opened.kind = open.cache_kind;
  making.opened.rights = open.cache_rights;
  making.opened.lease_version = open.lease_version;
  making.opened.lease_epoch = state.lease_epoch;
  making.asks.cache = state.cache_asked;
}

runtime::Task<Result<ports::FileFacts>> facts_of(Request& request,
                                                 std::shared_ptr<ports::BackendFile> file,
                                                 bool local) {
  auto call = [file]() -> Result<ports::FileFacts> { return file->facts(); };
  co_return co_await offload(request.server, request.executor(), local, std::move(call));
}

}  // namespace

void grant_durability(Request& request, Making& making, session::Open& open) {
  DurableTraits& durable = state_of(open).durable;
  const CreateAsks& asks = making.asks;
  durable.owner = user_of(*request.session);
  if (asks.durable_v2) {
    durable.create_guid = asks.durable_v2->create_guid;
    state_of(open).facts_answered = std::make_unique<ports::FileFacts>(making.facts);
  }
  if (!asks.app_instance.is_zero()) {
    durable.app_instance = asks.app_instance;
    durable.app_version_high = asks.app_version.app_instance_version_high;
    durable.app_version_low = asks.app_version.app_instance_version_low;
    request.server.durable().add_instance(asks.app_instance, making.link);
  }
  if (!asks.durable_v1 && !asks.durable_v2) return;
  const bool handle = (open.cache_rights & coherence::kCacheHandle) != 0;
  if (open.directory || !handle) return;  // a batch oplock, or a lease with H
  durable.durable = true;
  const ports::ServerConfig& config = request.server.config();
  durable.timeout = config.durable_timeout;
  if (asks.durable_v2 && asks.durable_v2->timeout_ms != 0) {
    durable.timeout = std::min(std::chrono::milliseconds(asks.durable_v2->timeout_ms),
                               config.durable_timeout_max);
  }
}

runtime::Task<NtStatus> reconnect(Request& request, Making& making) {
  const FileId asked =
      making.asks.reconnect_v2 ? making.asks.reconnect_v2->file_id : *making.asks.reconnect_v1;
  auto kept = request.server.durable().reclaim(
      OpenId{asked.persistent_id},
      [&](session::Open& open) { return check_reconnect(open, request, making); });
  if (!kept) {
    log::debug("reconnect of open {} by {}: {}", asked.persistent_id, request.session->user_name,
               name_of(kept.error()));
    co_return kept.error();
  }
  const std::shared_ptr<session::Open> open = *std::move(kept);
  session::Session& session = *request.session;
  open->id.volatile_id = session.next_volatile++;
  open->session = session.id;
  open->tree = request.tree->id;
  open->channel_sequence = request.header.channel_sequence();
  session.opens.emplace(open->id.volatile_id, open);
  request.chain.file = open->id;
  state_of(*open).create_action = wire::CreateAction::Opened;
  take_over(making, *open);
  making.tells_durable = false;
  // Breaks that waited for the client leave after this answer.
  const std::shared_ptr<OpenLink> link = state_of(*open).events;
  const auto facts = co_await facts_of(request, making.file, making.backend->local());
  if (!request.alive()) co_return NtStatus::UserSessionDeleted;  // and it is detached again
  if (facts) making.facts = *facts;
  append_response(request, making, *open);
  link->attach(open, request.session, request.channel);
  co_return NtStatus::Success;
}

runtime::Task<std::optional<NtStatus>> replay(Request& request, Making& making) {
  const bool is_replay = (request.header.flags & wire::header_flags::kReplayOperation) != 0;
  const ClientGuid& client = request.channel->facts().client_guid;
  const auto earlier = request.server.durable().claim_guid(
      client, making.asks.durable_v2->create_guid, making.guid_claim);
  if (earlier.pending) {
    co_return is_replay ? NtStatus::FileNotAvailable : NtStatus::DuplicateObjectid;
  }
  if (!earlier.open) co_return std::nullopt;
  if (!is_replay) co_return NtStatus::DuplicateObjectid;
  const std::shared_ptr<session::Open> open = earlier.open;
  const auto own = request.session->opens.find(open->id.volatile_id);
  if (own == request.session->opens.end() || own->second != open) {
    co_return NtStatus::DuplicateObjectid;  // another session has it, or none
  }
  if (state_of(*open).durable.owner != user_of(*request.session)) co_return NtStatus::AccessDenied;
  const bool leased = open->cache_kind == coherence::CacheKind::Lease;
  const bool asks_lease = making.asks.cache.kind == coherence::CacheKind::Lease;
  if (leased != asks_lease || (leased && open->lease_key != making.asks.cache.key)) {
    co_return NtStatus::AccessDenied;
  }
  if (!same_name(refresh_path(*open), making.name.path)) co_return NtStatus::InvalidParameter;
  const coherence::CacheRights asked = making.asks.cache.rights;
  take_over(making, *open);
  // The client learns no more than it asks for this time; what it holds stays.
  if (!leased) making.opened.rights = making.opened.rights & asked;
  if (!leased && making.opened.rights == 0) making.opened.kind = coherence::CacheKind::None;
  if (const auto& facts = state_of(*open).facts_answered) making.facts = *facts;
  request.chain.file = open->id;
  append_response(request, making, *open);
  co_return NtStatus::Success;
}

runtime::Task<NtStatus> displace_instance(Request& request, Making& making) {
  const ClientGuid client = request.channel->facts().client_guid;
  const auto version_of = [](std::uint64_t high, std::uint64_t low) {
    return std::pair(high, low);
  };
  for (const auto& link : request.server.durable().of_instance(making.asks.app_instance)) {
    const OpenLink::Home home = link->home();
    if (!home.open || home.open->closing || home.open->client_guid == client) continue;
    const OpenState& state = state_of(*home.open);
    if (state.share != making.share || !state.open_file ||
        !same_name(state.open_file->path(), making.name.path)) {
      continue;
    }
    const auto theirs = version_of(state.durable.app_version_high, state.durable.app_version_low);
    const auto ours = version_of(making.asks.app_version.app_instance_version_high,
                                 making.asks.app_version.app_instance_version_low);
    if (theirs != version_of(0, 0) && ours != version_of(0, 0) && theirs >= ours) {
      co_return NtStatus::FileForcedClosed;
    }
    co_await request.server.durable().close_anywhere(link, request.executor());
  }
  co_return NtStatus::Success;
}

}  // namespace flotilla::handlers
