// CREATE with the contexts that make an open survive: durable requests, reconnects, replays and
// application instances.
#include <algorithm>

#include "base/log.hpp"
#include "handlers/channel.hpp"
#include "handlers/close.hpp"
#include "handlers/create/making.hpp"
#include "handlers/durable/passport.hpp"
#include "handlers/engine_call.hpp"
#include "handlers/file_call.hpp"

namespace flotilla::handlers {

namespace {

using coherence::DurableKind;

/// What of the open's caching makes it durable. [MS-SMB2] 3.3.5.9.6: a batch oplock, or H.
bool asks_handle(const CreateAsks& asks) {
  return asks.cache.kind != coherence::CacheKind::None &&
         (asks.cache.rights & coherence::kCacheHandle) != 0;
}

bool asks_persistent(const Request& request, const Making& making) {
  return making.asks.durable_v2 &&
         (making.asks.durable_v2->flags & wire::durable_handle_flags::kPersistent) != 0 &&
         making.share->config.continuous_availability &&
         (request.channel->facts().server_capabilities & wire::capability::kPersistentHandles) != 0;
}

std::chrono::milliseconds timeout_of(Request& request, const Making& making) {
  const ports::ServerConfig& config = request.server.config();
  if (!making.asks.durable_v2 || making.asks.durable_v2->timeout_ms == 0) {
    return config.durable_timeout;
  }
  return std::min(std::chrono::milliseconds(making.asks.durable_v2->timeout_ms),
                  config.durable_timeout_max);
}

}  // namespace

coherence::Durability durability_asked(Request& request, const Making& making) {
  coherence::Durability durability;
  const CreateAsks& asks = making.asks;
  durability.app_instance = asks.app_instance;
  if (!asks.app_instance.is_zero()) {
    durability.app_version_high = asks.app_version.app_instance_version_high;
    durability.app_version_low = asks.app_version.app_instance_version_low;
  }
  if (asks.durable_v2) durability.create_guid = asks.durable_v2->create_guid;
  if (!making.directory()) {
    if (asks_persistent(request, making)) {
      durability.kind = DurableKind::Persistent;
    } else if ((asks.durable_v1 || asks.durable_v2) && asks_handle(asks)) {
      durability.kind = DurableKind::Durable;
    }
  }
  if (durability == coherence::Durability{}) return durability;
  durability.timeout = timeout_of(request, making);
  Passport passport;
  passport.share = making.share->config.name;
  passport.owner = user_of(*request.session);
  passport.create_options = making.body.create_options;
  passport.create_action = action_of(making);
  passport.cache_asked = asks.cache;
  durability.passport = encode(passport);
  return durability;
}

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
  if (open.directory || (!asks.durable_v1 && !asks.durable_v2)) return;
  durable.persistent = asks_persistent(request, making);
  const bool handle = (open.cache_rights & coherence::kCacheHandle) != 0;
  durable.durable = !durable.persistent && handle;  // a batch oplock, or a lease with H
  if (durable.durable || durable.persistent) durable.timeout = timeout_of(request, making);
}

runtime::Task<std::optional<NtStatus>> replay(Request& request, Making& making) {
  const bool is_replay = (request.header.flags & wire::header_flags::kReplayOperation) != 0;
  const ClientGuid& client = request.channel->facts().client_guid;
  const auto earlier = request.server.durable().claim_guid(
      client, making.asks.durable_v2->create_guid, making.guid_claim);
  if (earlier.pending) {
    co_return is_replay ? NtStatus::FileNotAvailable : NtStatus::DuplicateObjectid;
  }
  if (!earlier.open) {
    if (!is_replay) co_return std::nullopt;
    co_return co_await replay_elsewhere(request, making);
  }
  if (!is_replay) co_return NtStatus::DuplicateObjectid;
  const std::shared_ptr<session::Open> open = earlier.open;
  const auto own = request.session->opens.find(open->id.volatile_id);
  if (own == request.session->opens.end() || own->second != open) {
    // Another session has it; or none, and the client does not know that its CREATE succeeded.
    if (!state_of(*open).events->home().detached) co_return NtStatus::DuplicateObjectid;
    co_return co_await replay_detached(request, making, open->open_id);
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

namespace {

/// [MS-SMB2] 3.3.5.9.15: an instance does not displace one of its own version or of a later one.
bool is_later_version(std::uint64_t high, std::uint64_t low, const CreateAsks& asks) {
  const std::pair theirs(high, low);
  const std::pair ours(asks.app_version.app_instance_version_high,
                       asks.app_version.app_instance_version_low);
  const std::pair<std::uint64_t, std::uint64_t> none(0, 0);
  return theirs != none && ours != none && theirs >= ours;
}

/// Opens of the instance that other nodes have, or that wait for their client since before a
/// restart.
runtime::Task<NtStatus> displace_elsewhere(Request& request, Making& making) {
  Server& server = request.server;
  coherence::KeptQuery query;
  query.app_instance = making.asks.app_instance;
  const std::vector<coherence::KeptFound> found = co_await engine_find(request, query);
  for (const coherence::KeptFound& there : found) {
    const coherence::Open& open = there.what.open;
    if (there.what.holder == server.node() || open.client == request.channel->facts().client_guid) {
      continue;
    }
    const auto passport = decode_passport(open.durability.passport);
    if (!passport || !same_name(passport->share, making.share->config.name) ||
        !same_name(open.path, making.name.path)) {
      continue;
    }
    if (is_later_version(open.durability.app_version_high, open.durability.app_version_low,
                         making.asks)) {
      co_return NtStatus::FileForcedClosed;
    }
    ports::Credentials who = making.who;
    co_await give_back(server, request.executor(), *making.share, std::move(who), there.key,
                       open.open, false);
  }
  co_return NtStatus::Success;
}

}  // namespace

runtime::Task<NtStatus> displace_instance(Request& request, Making& making) {
  const ClientGuid client = request.channel->facts().client_guid;
  for (const auto& link : request.server.durable().of_instance(making.asks.app_instance)) {
    const OpenLink::Home home = link->home();
    if (!home.open || home.open->closing || home.open->client_guid == client) continue;
    const OpenState& state = state_of(*home.open);
    if (state.share != making.share || !state.open_file ||
        !same_name(state.open_file->path(), making.name.path)) {
      continue;
    }
    if (is_later_version(state.durable.app_version_high, state.durable.app_version_low,
                         making.asks)) {
      co_return NtStatus::FileForcedClosed;
    }
    co_await request.server.durable().close_anywhere(link, request.executor());
  }
  co_return co_await displace_elsewhere(request, making);
}

}  // namespace flotilla::handlers
