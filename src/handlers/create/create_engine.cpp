// The steps of CREATE that the coherence engine decides: leases' keys, the open of a stream's file,
// the open itself.
#include <algorithm>
#include <chrono>
#include <utility>

#include "handlers/channel.hpp"
#include "handlers/close.hpp"
#include "handlers/create/making.hpp"
#include "handlers/directory_change.hpp"
#include "handlers/engine_call.hpp"
#include "handlers/lease_index.hpp"
#include "handlers/open_link.hpp"
#include "handlers/open_state.hpp"
#include "handlers/pool_lookup.hpp"

namespace flotilla::handlers {

runtime::Task<bool> key_is_taken(Request& request, const Making& making) {
  Server& server = request.server;
  const ClientGuid client = request.channel->facts().client_guid;
  if (making.asks.cache.kind != coherence::CacheKind::Lease) co_return false;
  if (making.share->config.varies) co_return false;  // the open gets no lease then
  if (server.leases().find(client, making.asks.cache.key)) co_return true;
  if (!client_elsewhere(server, client)) co_return false;
  const std::vector<LeasePlace> places =
      co_await lease_elsewhere(server, request.executor(), client, making.asks.cache.key);
  co_return !places.empty();
}

runtime::Task<NtStatus> hold_base(Request& request, Making& making) {
  Server& server = request.server;
  const FileKey key = making.file->base_key();
  coherence::Open command;
  const OpenId id = server.engine().next_open_id();
  command.open = id;
  command.client = request.channel->facts().client_guid;
  command.session = request.session->id;
  command.path = making.path.substr(0, making.path.rfind(':'));
  command.access = wire::access::kReadAttributes;
  command.share = 7;
  // Who may delete a file may delete its streams too: those must be willing to share that.
  command.denies_delete = (making.body.share_access & coherence::kShareDelete) == 0;
  auto link = std::make_shared<OpenLink>(request.channel);
  std::shared_ptr<OpenLink> events = link;
  const std::string path = command.path;
  const ports::OpenOutcome outcome =
      co_await engine_open(request, key, std::move(command), std::move(events));
  if (outcome.outcome.status != NtStatus::Success) co_return outcome.outcome.status;
  auto hold = std::make_shared<StreamHold>();
  hold->key = key;
  hold->open = id;
  hold->events = std::move(link);
  hold->entry = server.open_files().hold(key, making.share, path);
  making.stream_hold = std::move(hold);
  co_return NtStatus::Success;
}

runtime::Task<void> release_base(Request& request, Making& making) {
  const std::shared_ptr<StreamHold> hold = std::exchange(making.stream_hold, nullptr);
  if (!hold) co_return;
  ports::Credentials who = making.who;
  co_await give_back(request.server, request.executor(), *making.share, std::move(who), hold->key,
                     hold->open, false);
}

void unclaim(Request& request, Making& making) {
  if (!std::exchange(making.lease_claimed, false)) return;
  request.server.leases().release(request.channel->facts().client_guid, making.asks.cache.key,
                                  making.open_id);
  if (making.directory()) {
    request.server.marks().release({Mark::Kind::Listing, making.file->key()}, making.open_id.raw());
  }
}

namespace {

/// An open that took longer looks whether its name still leads to its file.
constexpr std::chrono::milliseconds kNamesLast{2};

/// Asks the engine for the file itself.
runtime::Task<NtStatus> ask_for_file(Request& request, Making& making) {
  Server& server = request.server;
  const ports::ConnectionFacts& facts = request.channel->facts();
  coherence::Open command;
  making.open_id = server.engine().next_open_id();
  command.open = making.open_id;
  command.client = facts.client_guid;
  command.session = request.session->id;
  command.path = making.path;
  command.access = making.granted;
  command.share = making.body.share_access;
  command.directory = making.directory();
  command.overwrites = making.overwriting();
  command.created = making.created;
  command.delete_on_close =
      (making.body.create_options & wire::create_options::kDeleteOnClose) != 0;
  if (!making.directory() || making.asks.cache.version == 2) command.cache = making.asks.cache;
  command.durability = durability_asked(request, making);
  if (making.directory() && making.asks.cache.kind == coherence::CacheKind::Lease) {
    // Even where it is not granted, the key must not be another file's.
    const auto place = server.leases().find(facts.client_guid, making.asks.cache.key);
    if (place && place->file != making.file->key()) co_return NtStatus::InvalidParameter;
  }
  making.lease_claimed = making.lease_refused = false;
  const std::uint64_t losses = server.marks().losses();
  const bool listing = command.directory && command.cache.kind == coherence::CacheKind::Lease &&
                       command.cache.rights != 0 &&
                       (facts.server_capabilities & wire::capability::kDirectoryLeasing) != 0;
  if (command.directory && !listing) command.cache = {};
  if (listing &&
      !co_await claim_listing(server, request.executor(), making.file->key(), making.open_id)) {
    server.marks().release({Mark::Kind::Listing, making.file->key()}, making.open_id.raw());
    command.cache = {};
  }
  making.link = std::make_shared<OpenLink>(request.channel);
  const LeaseKey lease_key = command.cache.key;
  if (command.cache.kind == coherence::CacheKind::Lease) {
    making.lease_claimed = true;
    if (!server.leases().claim(facts.client_guid, lease_key, making.file->key(), making.open_id,
                               making.link)) {
      unclaim(request, making);
      if (!making.share->config.varies) co_return NtStatus::InvalidParameter;
      // To the client it is one file: what it has cached of the other is not this one's.
      command.cache = {};
      making.lease_refused = true;
      if (const auto other = server.leases().spoil(facts.client_guid, lease_key)) {
        coherence::Body changed = coherence::ChildChanged{};
        co_await engine_submit(server, request.executor(), *other, std::move(changed));
      }
    } else if (making.share->config.varies &&
               server.leases().is_spoiled(facts.client_guid, lease_key)) {
      unclaim(request, making);
      command.cache = {};
      making.lease_refused = true;
    } else if (client_elsewhere(server, facts.client_guid)) {
      const std::vector<LeasePlace> places =
          co_await lease_elsewhere(server, request.executor(), facts.client_guid, lease_key);
      const FileKey& mine = making.file->key();
      if (std::ranges::any_of(places, [&](const LeasePlace& at) { return at.file != mine; })) {
        unclaim(request, making);
        co_return NtStatus::InvalidParameter;
      }
    }
  }
  const FileKey key = making.file->key();
  std::shared_ptr<OpenLink> events = making.link;
  const MonoTime asked = server.clock().mono();
  ports::OpenOutcome outcome =
      co_await engine_open(request, key, std::move(command), std::move(events));
  making.late = server.clock().mono() - asked > kNamesLast;
  auto* const opened = std::get_if<coherence::Opened>(&outcome.outcome.answer);
  if (outcome.outcome.status != NtStatus::Success || opened == nullptr) {
    unclaim(request, making);
    co_return outcome.outcome.status == NtStatus::Success ? NtStatus::InternalError
                                                          : outcome.outcome.status;
  }
  making.opened = *opened;
  making.gate = std::move(outcome.gate);
  if (making.lease_refused) making.opened.lease_version = making.asks.cache.version;
  if (making.opened.kind != coherence::CacheKind::Lease) unclaim(request, making);
  if (listing && losses != server.marks().losses()) {
    // A node went meanwhile: what it changed last was told to the leases that there were. The break
    // follows the response.
    coherence::Body changed = coherence::ChildChanged{};
    co_await engine_submit(server, request.executor(), key, std::move(changed));
  }
  co_return NtStatus::Success;
}

}  // namespace

runtime::Task<NtStatus> ask_engine(Request& request, Making& making) {
  if (!making.file->stream().empty()) {
    const NtStatus held = co_await hold_base(request, making);
    if (held != NtStatus::Success) co_return held;
  }
  const NtStatus granted = co_await ask_for_file(request, making);
  if (granted != NtStatus::Success) co_await release_base(request, making);
  co_return granted;
}

}  // namespace flotilla::handlers
