// CREATE that names an open which lost its client: on this node, on another one, or from before a
// restart.
#include <algorithm>
#include <array>
#include <chrono>

#include "base/log.hpp"
#include "coherence/path_names.hpp"
#include "handlers/channel.hpp"
#include "handlers/close.hpp"
#include "handlers/create/making.hpp"
#include "handlers/durable/passport.hpp"
#include "handlers/engine_call.hpp"
#include "handlers/file_call.hpp"
#include "handlers/lease_index.hpp"
#include "handlers/pipe.hpp"
#include "handlers/share_path.hpp"
#include "handlers/wildcard.hpp"
#include "session/sequences.hpp"
#include "wire/utf16.hpp"

namespace flotilla::handlers {

bool same_name(std::string_view a, std::string_view b) {
  return fold_case(wire_path(a)) == fold_case(wire_path(b));
}

const wire::Sid& user_of(const session::Session& session) {
  return static_cast<const SessionCredentials&>(*session.credentials).token->user_sid;
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

namespace {

runtime::Task<Result<ports::FileFacts>> facts_of(Request& request,
                                                 std::shared_ptr<ports::BackendFile> file,
                                                 bool local) {
  auto call = [file]() -> Result<ports::FileFacts> { return file->facts(); };
  co_return co_await offload(request.server, request.executor(), local, std::move(call));
}

/// What a reconnect is checked against, wherever the open is.
struct Claimed {
  bool durable = false;  ///< in any way
  bool persistent = false;
  CreateGuid create_guid;
  coherence::CacheKind cache_kind = coherence::CacheKind::None;
  LeaseKey lease_key;
  std::uint8_t lease_version = 0;
  ClientGuid client;
  std::string path;
  std::string share;
  wire::Sid owner;
};

Claimed claimed(session::Open& open) {
  const DurableTraits& durable = state_of(open).durable;
  return {durable.durable || durable.resilient || durable.persistent,
          durable.persistent,
          durable.create_guid,
          open.cache_kind,
          open.lease_key,
          open.lease_version,
          open.client_guid,
          refresh_path(open),
          state_of(open).share->config.name,
          durable.owner};
}

Claimed claimed(const coherence::Open& open, const Passport& passport) {
  using coherence::DurableKind;
  return {open.durability.kind != DurableKind::None,
          open.durability.kind == DurableKind::Persistent,
          open.durability.create_guid,
          open.cache.kind,
          open.cache.key,
          open.cache.version,
          open.client,
          open.path,
          passport.share,
          passport.owner};
}

/// What of a lease or of its absence does not fit the open.
NtStatus check_lease(const Claimed& open, const CreateAsks& asks, const ClientGuid& client) {
  const bool leased = open.cache_kind == coherence::CacheKind::Lease;
  const bool asked = asks.cache.kind == coherence::CacheKind::Lease;
  if (leased != asked) return NtStatus::ObjectNameNotFound;
  if (!leased) return NtStatus::Success;
  if (open.client != client || open.lease_key != asks.cache.key ||
      open.lease_version != asks.cache.version) {
    return NtStatus::ObjectNameNotFound;
  }
  return NtStatus::Success;
}

/// Every refusal of 3.3.5.9.7 and 3.3.5.9.12 beside the look-up.
NtStatus check_reconnect(const Claimed& open, const Request& request, const Making& making) {
  if (!open.durable) return NtStatus::ObjectNameNotFound;
  if (const auto& asked = making.asks.reconnect_v2) {
    // Version 1 names no guid, and may reclaim what version 2 has made; version 2 with a guid of
    // zero reclaims what version 1 has made.
    if (open.create_guid != asked->create_guid) return NtStatus::ObjectNameNotFound;
    const bool persistent = (asked->flags & wire::durable_handle_flags::kPersistent) != 0;
    if (open.persistent && !persistent) return NtStatus::ObjectNameNotFound;
  }
  const ClientGuid& client = request.channel->facts().client_guid;
  if (const NtStatus lease = check_lease(open, making.asks, client); lease != NtStatus::Success) {
    return lease;
  }
  if (!same_name(open.share, making.share->config.name)) return NtStatus::ObjectNameNotFound;
  if (open.cache_kind == coherence::CacheKind::Lease && !same_name(open.path, making.name.path)) {
    return NtStatus::InvalidParameter;
  }
  if (open.owner != user_of(*request.session)) return NtStatus::AccessDenied;
  return NtStatus::Success;
}

/// What the engine has of the open, as it was granted here or elsewhere.
void take_record(session::Open& open, const coherence::KeptOpen& record) {
  open.cache_kind = record.open.cache.kind;
  open.cache_rights = record.open.cache.rights;
  open.client_guid = record.open.client;
  OpenState& state = state_of(open);
  state.lease_epoch = record.open.cache.version == 2 ? record.lease_epoch : std::uint16_t{0};
  for (const coherence::LockSequence sequence : record.sequences) {
    session::LockSequences::remember(open.lock_sequences,
                                     std::uint32_t{sequence.index} << 4 | sequence.number);
  }
}

/// Asks the engine; on success the open has its gate and its rights. `open` is in no session yet.
runtime::Task<Result<coherence::Reclaimed>> ask_back(Request& request,
                                                     std::shared_ptr<session::Open> open) {
  coherence::Reclaim command{open->open_id, request.channel->facts().client_guid,
                             request.session->id, request.session->previous};
  const std::shared_ptr<OpenLink> link = state_of(*open).events;
  std::shared_ptr<ports::OpenEvents> events = link;
  ports::OpenOutcome outcome =
      co_await engine_reclaim(request, open->key, command, std::move(events));
  auto* const back = std::get_if<coherence::Reclaimed>(&outcome.outcome.answer);
  if (outcome.outcome.status != NtStatus::Success || back == nullptr || link->revoked()) {
    co_return fail(NtStatus::ObjectNameNotFound);
  }
  OpenState& state = state_of(*open);
  state.gate = std::move(outcome.gate);
  take_record(*open, back->what);
  const auto locks = static_cast<std::uint32_t>(back->what.locks.size());
  request.server.locks_count.fetch_add(locks - state.locks_held, std::memory_order_relaxed);
  state.locks_held = locks;
  co_return std::move(*back);
}

/// The open is the client's again: it gets its place in the session, and the answer.
runtime::Task<NtStatus> come_back(Request& request, Making& making,
                                  std::shared_ptr<session::Open> open) {
  auto back = co_await ask_back(request, open);
  if (!back) {
    log::debug("reconnect of open {}: the engine has it no more", open->open_id.raw());
    ports::Credentials who = making.who;
    co_await request.server.durable().discard(open, std::move(who), request.executor());
    co_return NtStatus::ObjectNameNotFound;
  }
  if (!request.alive()) {
    ports::Credentials who = making.who;
    co_await request.server.durable().detach(open, std::move(who), request.executor());
    co_return NtStatus::UserSessionDeleted;
  }
  session::Session& session = *request.session;
  open->id.volatile_id = session.next_volatile++;
  open->session = session.id;
  open->tree = request.tree->id;
  open->channel_sequence = request.header.channel_sequence();
  session.opens.emplace(open->id.volatile_id, open);
  request.chain.file = open->id;
  // A replay is answered as the CREATE was.
  if (!making.tells_durable) state_of(*open).create_action = wire::CreateAction::Opened;
  take_over(making, *open);
  // Breaks that waited for the client leave after this answer.
  const std::shared_ptr<OpenLink> link = state_of(*open).events;
  const auto facts = co_await facts_of(request, making.file, making.backend->local());
  if (!request.alive()) co_return NtStatus::UserSessionDeleted;  // and it is detached again
  if (facts) making.facts = *facts;
  append_response(request, making, *open);
  link->attach(open, request.session, request.channel);
  if (back->owes_break) {
    coherence::Break owed{
        open->open_id, open->cache_kind,           open->lease_key, back->owed.from, back->owed.to,
        true,          state_of(*open).lease_epoch};
    if (open->cache_kind != coherence::CacheKind::Lease) owed.key = LeaseKey{};
    link->on_break(owed);
  }
  co_return NtStatus::Success;
}

/// The file of an open that was made elsewhere, with the access that it was granted then.
Result<std::shared_ptr<ports::BackendFile>> reopen_file(ports::Backend& backend,
                                                        const ports::Credentials& who,
                                                        const FileKey& key,
                                                        const coherence::Open& open) {
  const std::size_t name = open.path.rfind('/') == std::string::npos ? 0 : open.path.rfind('/');
  const std::size_t colon = open.path.find(':', name);
  auto found = backend.locate(who, open.path.substr(0, colon));
  if (!found) return fail(found.error());
  std::shared_ptr<ports::BackendFile> file = *std::move(found);
  if (colon != std::string::npos) {
    auto stream = file->open_stream(who, open.path.substr(colon + 1), false);
    if (!stream) return fail(stream.error());
    file = *std::move(stream);
  }
  if (file->key() != key) return fail(NtStatus::ObjectNameNotFound);
  using wire::access::kAppendData;
  using wire::access::kExecute;
  using wire::access::kReadData;
  using wire::access::kWriteData;
  const bool reads = (open.access & (kReadData | kExecute)) != 0;
  const bool writes = (open.access & (kWriteData | kAppendData)) != 0;
  if (!reads && !writes) return file;
  const auto access = reads ? (writes ? ports::DataAccess::ReadWrite : ports::DataAccess::Read)
                            : ports::DataAccess::Write;
  if (const Status good = file->activate(who, access); !good) return fail(good.error());
  return file;
}

Result<std::shared_ptr<ports::BackendFile>> reopen(ports::Backend& backend,
                                                   const ports::Credentials& who,
                                                   const FileKey& key,
                                                   const coherence::Open& open) {
  auto file = reopen_file(backend, who, key, open);
  if (file || file.error() != NtStatus::AccessDenied) return file;
  // An open keeps the access that it was granted, whatever its file's rights are by now.
  ports::Credentials owner;
  owner.use_share_owner = true;
  return reopen_file(backend, owner, key, open);
}

struct Reopened {
  std::shared_ptr<ports::BackendFile> file;
  std::string path;
};

Result<Reopened> reopen_by_any_name(ports::Backend& backend, const ports::Credentials& who,
                                    const FileKey& key, coherence::Open open) {
  const std::string paths = open.path;
  NtStatus first = NtStatus::Success;
  for (const std::string_view name : coherence::names_of(paths)) {
    open.path = std::string(name);
    auto file = reopen(backend, who, key, open);
    if (file) return Reopened{*std::move(file), std::move(open.path)};
    if (first == NtStatus::Success) first = file.error();
  }
  return fail(first);
}

/// The session's open as it was on the node that made it.
std::shared_ptr<session::Open> rebuild(Request& request, Making& making,
                                       const coherence::KeptFound& found,
                                       const Passport& passport) {
  const coherence::Open& record = found.what.open;
  namespace o = wire::create_options;
  auto open = std::make_shared<session::Open>();
  open->open_id = record.open;
  open->id = FileId{record.open.raw(), 0};
  open->key = found.key;
  open->path = record.path;
  open->granted_access = record.access;
  open->share_access = record.share;
  open->create_options = passport.create_options;
  open->mode = passport.create_options &
               (o::kWriteThrough | o::kSequentialOnly | o::kNoIntermediateBuffering |
                o::kSynchronousIoAlert | o::kSynchronousIoNonalert | o::kDeleteOnClose);
  open->position = passport.position;
  open->lease_key = record.cache.key;
  open->lease_version = record.cache.kind == coherence::CacheKind::Lease ? record.cache.version : 0;
  open->delete_on_close = record.delete_on_close;
  auto state = std::make_unique<OpenState>();
  state->share = making.share;
  state->file = making.file;
  state->events = making.link;
  state->cache_asked = passport.cache_asked;
  state->create_action = passport.create_action;
  state->open_file = request.server.open_files().hold(found.key, making.share, record.path);
  state->stream_hold = std::move(making.stream_hold);
  using coherence::DurableKind;
  DurableTraits& durable = state->durable;
  durable.durable = record.durability.kind == DurableKind::Durable;
  durable.resilient = record.durability.kind == DurableKind::Resilient;
  durable.persistent = record.durability.kind == DurableKind::Persistent;
  durable.timeout = record.durability.timeout;
  durable.owner = passport.owner;
  durable.create_guid = record.durability.create_guid;
  durable.app_instance = record.durability.app_instance;
  durable.app_version_high = record.durability.app_version_high;
  durable.app_version_low = record.durability.app_version_low;
  open->state = std::move(state);
  take_record(*open, found.what);
  return open;
}

/// No client has the open, or the one that has it says that its session is gone.
bool is_given_up(const Request& request, const coherence::KeptFound& found) {
  const NodeId holder = found.what.holder;
  if (holder == NodeId{}) return true;
  const SessionId previous = request.session->previous;
  return holder != request.server.node() && previous != SessionId{} &&
         found.what.open.session == previous;
}

/// Whether the open would be this client's, were its former connection gone.
bool may_be_given_up(const Request& request, const Making& making,
                     const coherence::KeptFound& found) {
  if (found.what.open.session == request.session->id) return false;
  const auto passport = decode_passport(found.what.open.durability.passport);
  return passport &&
         check_reconnect(claimed(found.what.open, *passport), request, making) == NtStatus::Success;
}

/// An open of another node, or of this one before it was restarted.
runtime::Task<NtStatus> revive(Request& request, Making& making, coherence::KeptFound found) {
  Server& server = request.server;
  const auto passport = decode_passport(found.what.open.durability.passport);
  if (!passport) co_return NtStatus::ObjectNameNotFound;
  if (!is_given_up(request, found)) co_return NtStatus::ObjectNameNotFound;
  const NtStatus fits = check_reconnect(claimed(found.what.open, *passport), request, making);
  if (fits != NtStatus::Success) co_return fits;
  auto call = [backend = making.backend, who = making.who, key = found.key,
               open = found.what.open] { return reopen_by_any_name(*backend, who, key, open); };
  auto again =
      co_await offload(server, request.executor(), making.backend->local(), std::move(call));
  if (!again) {
    log::warn("open {} of \"{}\" cannot be reclaimed: its file: {}", found.what.open.open.raw(),
              coherence::names_of(found.what.open.path).front(), name_of(again.error()));
    co_return NtStatus::ObjectNameNotFound;
  }
  if (!request.alive()) co_return NtStatus::UserSessionDeleted;
  making.file = std::move(again->file);
  found.what.open.path = std::move(again->path);
  making.path = found.what.open.path;
  making.link = std::make_shared<OpenLink>(request.channel);
  const coherence::Open& record = found.what.open;
  const bool lease = record.cache.kind == coherence::CacheKind::Lease;
  if (lease && !server.leases().claim(record.client, record.cache.key, found.key, record.open,
                                      making.link)) {
    co_return NtStatus::ObjectNameNotFound;
  }
  if (!making.file->stream().empty()) {
    making.body.share_access = record.share;
    const NtStatus held = co_await hold_base(request, making);
    if (held != NtStatus::Success) {
      if (lease) server.leases().release(record.client, record.cache.key, record.open);
      co_return NtStatus::ObjectNameNotFound;
    }
  }
  const std::shared_ptr<session::Open> open = rebuild(request, making, found, *passport);
  server.opens_count.fetch_add(1, std::memory_order_relaxed);
  log::info("open {} of \"{}\" is reclaimed by {}", record.open.raw(), record.path,
            request.session->user_name);
  const NtStatus status = co_await come_back(request, making, open);
  if (status == NtStatus::Success && !record.durability.app_instance.is_zero()) {
    server.durable().add_instance(record.durability.app_instance, making.link);
  }
  co_return status;
}

/// Who cuts its connection and comes back at once, on another one, may be faster than the news of
/// that: the open is still its former session's. So long it is waited for, looking ever less often.
/// Spec    [MS-SMB2] 3.3.5.9.7, 3.3.5.9.12: an open whose client is there is ObjectNameNotFound
constexpr std::array kNewsTravels = {std::chrono::milliseconds{4}, std::chrono::milliseconds{8},
                                     std::chrono::milliseconds{16}, std::chrono::milliseconds{32},
                                     std::chrono::milliseconds{64}};

runtime::Task<void> wait(Request& request, std::chrono::milliseconds time) {
  const auto over = runtime::OneShot<bool>::make();
  request.executor().schedule_after(time, [over] { over->set(true); });
  co_await runtime::OneShot<bool>::wait(over, request.executor());
}

/// Takes the open back where it is detached on this node. Output  nothing: it is not
runtime::Task<std::optional<NtStatus>> take_detached(Request& request, Making& making,
                                                     OpenId open) {
  auto kept = request.server.durable().take(
      open, [&](session::Open& there) { return check_reconnect(claimed(there), request, making); });
  if (!kept) co_return std::nullopt;
  if (!*kept) co_return kept->error();
  co_return co_await come_back(request, making, **std::move(kept));
}

/// Takes it back wherever it is. Output  nothing: nobody has an open of these names
runtime::Task<std::optional<NtStatus>> take_back(Request& request, Making& making,
                                                 coherence::KeptQuery query) {
  for (std::size_t tries = 0;; ++tries) {
    if (query.open.raw() != 0) {
      const auto taken = co_await take_detached(request, making, query.open);
      if (taken) co_return taken;
    }
    std::vector<coherence::KeptFound> found = co_await engine_find(request, query);
    if (!request.alive()) co_return NtStatus::UserSessionDeleted;
    if (found.empty()) co_return std::nullopt;
    if (query.open.raw() == 0) {
      const auto taken = co_await take_detached(request, making, found.front().what.open.open);
      if (taken) co_return taken;
    }
    const bool waits = !is_given_up(request, found.front()) && tries < kNewsTravels.size() &&
                       may_be_given_up(request, making, found.front());
    if (!waits) co_return co_await revive(request, making, std::move(found.front()));
    co_await wait(request, kNewsTravels.at(tries));
    if (!request.alive()) co_return NtStatus::UserSessionDeleted;
  }
}

/// [MS-SMB2] 3.3.5.9.12: where no open has the FileId, a persistent one is known by its CreateGuid.
bool asks_by_create_guid(const Request& request, const Making& making) {
  return making.asks.reconnect_v2 &&
         (making.asks.reconnect_v2->flags & wire::durable_handle_flags::kPersistent) != 0 &&
         making.share->config.continuous_availability &&
         (request.channel->facts().server_capabilities & wire::capability::kPersistentHandles) != 0;
}

runtime::Task<NtStatus> find_and_reclaim(Request& request, Making& making, OpenId open) {
  std::optional<NtStatus> status;
  coherence::KeptQuery query;
  if (open.raw() != 0) {
    query.open = open;
    status = co_await take_back(request, making, query);
  }
  if (!status && asks_by_create_guid(request, making)) {
    query.open = OpenId{};
    query.client = request.channel->facts().client_guid;
    query.create_guid = making.asks.reconnect_v2->create_guid;
    status = co_await take_back(request, making, query);
  }
  co_return status.value_or(NtStatus::ObjectNameNotFound);
}

}  // namespace

runtime::Task<NtStatus> reconnect(Request& request, Making& making) {
  const FileId asked =
      making.asks.reconnect_v2 ? making.asks.reconnect_v2->file_id : *making.asks.reconnect_v1;
  making.tells_durable = false;
  const NtStatus status = co_await find_and_reclaim(request, making, OpenId{asked.persistent_id});
  if (status != NtStatus::Success) {
    log::debug("reconnect of open {} by {}: {}", asked.persistent_id, request.session->user_name,
               name_of(status));
  }
  co_return status;
}

runtime::Task<NtStatus> replay_detached(Request& request, Making& making, OpenId open) {
  const auto status = co_await take_detached(request, making, open);
  co_return status.value_or(NtStatus::DuplicateObjectid);
}

runtime::Task<std::optional<NtStatus>> replay_elsewhere(Request& request, Making& making) {
  coherence::KeptQuery query;
  query.client = request.channel->facts().client_guid;
  query.create_guid = making.asks.durable_v2->create_guid;
  std::vector<coherence::KeptFound> found = co_await engine_find(request, query);
  if (!request.alive()) co_return NtStatus::UserSessionDeleted;
  if (found.empty()) co_return std::nullopt;
  // One that was used, or lost its H, is answered no more; whoever has it is not asked to share.
  const bool away = found.front().what.holder == NodeId{};
  const bool handed_over = request.session->previous != SessionId{} &&
                           found.front().what.open.session == request.session->previous;
  if (!away && !handed_over) {
    if (found.front().what.holder == request.server.node()) co_return std::nullopt;
    co_return NtStatus::DuplicateObjectid;
  }
  // It may wait on this node all the same: an open that was used is not found by its guid here.
  const auto taken = co_await take_detached(request, making, found.front().what.open.open);
  if (taken) co_return taken;
  co_return co_await revive(request, making, std::move(found.front()));
}

}  // namespace flotilla::handlers
