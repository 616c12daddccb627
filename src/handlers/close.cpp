#include "handlers/close.hpp"

#include <utility>

#include "base/log.hpp"
#include "coherence/path_names.hpp"
#include "handlers/directory_change.hpp"
#include "handlers/durable/durable_opens.hpp"
#include "handlers/engine_call.hpp"
#include "handlers/lease_index.hpp"
#include "handlers/open_state.hpp"
#include "handlers/pipe.hpp"
#include "handlers/pool_lookup.hpp"
#include "handlers/request.hpp"
#include "wire/smb2.hpp"

namespace flotilla::handlers {

namespace {

/// As whom the file system is asked at the end of an open of a file.
ports::Credentials closer_of(const session::Session& session, session::Open& open) {
  return credentials_of(session, state_of(open));
}

}  // namespace

void release_open(Server& server, session::Open& open) {
  open.closing = true;
  server.opens_count.fetch_sub(1, std::memory_order_relaxed);
  if (open.cache_kind == coherence::CacheKind::Lease) {
    server.leases().release(open.client_guid, open.lease_key, open.open_id);
    if (open.directory) {
      server.marks().release({Mark::Kind::Listing, open.key}, open.open_id.raw());
    }
  }
  OpenState& state = state_of(open);
  server.locks_count.fetch_sub(std::exchange(state.locks_held, 0), std::memory_order_relaxed);
  if (state.watch) server.notify().remove(state.watch);
  state.watch.reset();
  if (state.wrote && state.open_file) state.open_file->show_write_time();
  if (!state.durable.create_guid.is_zero()) {
    server.durable().forget_guid(open.client_guid, state.durable.create_guid, &open);
  }
  state.pipe.reset();
  state.enumeration.reset();
}

void drop_open(Server& server, session::Session& session,
               const std::shared_ptr<session::Open>& open) {
  if (open->closing) return;
  session.opens.erase(open->id.volatile_id);
  release_open(server, *open);
}

runtime::Task<void> end_open(Server& server, runtime::Executor& executor,
                             std::shared_ptr<session::Session> session,
                             std::shared_ptr<session::Open> open) {
  if (!survives_disconnect(*open)) {
    co_await close_open(server, executor, session, open);
    co_return;
  }
  session->opens.erase(open->id.volatile_id);
  OpenState& state = state_of(*open);
  if (state.watch) server.notify().remove(state.watch);
  state.watch.reset();
  if (state.wrote && state.open_file) state.open_file->show_write_time();
  state.enumeration.reset();
  if (std::exchange(state.changed_data, false) && listings_cached(server)) {
    // Whoever closes it, here or on another node, does not know of it.
    EntryChange change{state.share, open->path, closer_of(*session, *open), open->client_guid,
                       parent_key_of(state.cache_asked)};
    co_await tell_parent(server, executor, std::move(change));
  }
  co_await server.durable().detach(open, closer_of(*session, *open), executor);
}

runtime::Task<NtStatus> give_back(Server& server, runtime::Executor& executor, const Share& share,
                                  ports::Credentials who, FileKey key, OpenId open, bool directory,
                                  Deleter deleter, bool keeps_name) {
  coherence::Body close = coherence::Close{open, keeps_name};
  coherence::Outcome outcome = co_await engine_submit(server, executor, key, std::move(close));
  co_return co_await finish_close(server, executor, share, std::move(who), key, open, directory,
                                  std::move(outcome), deleter);
}

namespace {

/// Takes the name away with the daemon's rights where the user's do not suffice: whoever asked for
/// the deletion was allowed to; the last one to close need not be. Blocks.
Status remove_name(Server& server, ports::Backend& backend, const ports::Credentials& who,
                   const std::string& path, const FileKey& key, bool directory) {
  // Asked as late as possible: after a hang the name may be somebody else's file.
  if (!server.engine().serving()) return fail(NtStatus::DeviceNotReady);
  const Status done = backend.remove(who, path, key, directory);
  if (done || done.error() != NtStatus::AccessDenied) return done;
  ports::Credentials owner;
  owner.use_share_owner = true;
  return backend.remove(owner, path, key, directory);
}

/// Who watches the directory, and who caches it, hears that a name went.
runtime::Task<void> tell_removed(Server& server, runtime::Executor& executor, const Share& share,
                                 ports::Credentials who, std::string path, bool directory,
                                 Deleter deleter) {
  if (directory) server.notify().report_delete_pending(&share, path);
  server.notify().report(
      &share, path, wire::NotifyAction::Removed,
      directory ? wire::notify_filter::kDirName : wire::notify_filter::kFileName);
  EntryChange change{&share, path, who, deleter.client, deleter.parent_key};
  co_await tell_parent(server, executor, std::move(change));
}

/// FILE_DISPOSITION_POSIX_SEMANTICS: the name goes with this open; others keep the file.
/// Spec    [MS-FSA] 2.1.5.5 Server Requests Closing an Open; [MS-FSCC] 2.4.12
/// A name that FILE_DELETE_ON_CLOSE would take goes later where the file has others: until then the
/// engine lets nobody open it by those.
runtime::Task<void> take_name(Server& server, runtime::Executor& executor,
                              std::shared_ptr<session::Open> open, ports::Credentials who,
                              Deleter deleter) {
  const Share& share = *state_of(*open).share;
  const std::string path = refresh_path(*open);
  const bool asked = state_of(*open).asked_deletion;
  auto call = [&server, backend = share.backend, file = state_of(*open).file, who, path, asked,
               key = open->key, directory = open->directory]() -> Status {
    const auto facts = file->facts();
    if (!facts) return fail(facts.error());
    if (!asked && !directory && facts->links != 1) return fail(NtStatus::DeletePending);
    return remove_name(server, *backend, who, path, key, directory);
  };
  const Status removed =
      co_await offload(server, executor, share.backend->local(), std::move(call));
  if (!removed) co_return;  // the last close tries again
  if (asked) {
    coherence::Body done = coherence::SetDeletePending{open->open_id, false};
    co_await engine_submit(server, executor, open->key, std::move(done));
  }
  co_await tell_removed(server, executor, share, std::move(who), path, open->directory, deleter);
}

}  // namespace

runtime::Task<NtStatus> finish_close(Server& server, runtime::Executor& executor,
                                     const Share& share, ports::Credentials who, FileKey key,
                                     OpenId open, bool directory, coherence::Outcome outcome,
                                     Deleter deleter) {
  const auto* const closed = std::get_if<coherence::Closed>(&outcome.answer);
  // Whether it will be deleted with the node that is taken for lost, nobody can say here.
  if (outcome.status == NtStatus::DeviceNotReady) co_return outcome.status;
  if (outcome.status != NtStatus::Success || closed == nullptr || !closed->unlink) {
    if (deleter.on_close) co_await tell_delete_pending(server, executor, key, true);
    co_return NtStatus::Success;
  }
  ports::Backend* const backend = share.backend.get();
  const std::string paths = closed->path;
  auto call = [&server, backend, who, paths, key, directory]() -> Result<std::string> {
    Status done = fail(NtStatus::ObjectNameNotFound);
    for (const std::string_view name : coherence::names_of(paths)) {
      std::string path{name};
      done = remove_name(server, *backend, who, path, key, directory);
      if (done) return path;
      if (done.error() == NtStatus::DeviceNotReady) break;
    }
    return fail(done.error());
  };
  const Result<std::string> removed =
      co_await offload(server, executor, backend->local(), std::move(call));
  if (!removed && removed.error() != NtStatus::ObjectNameNotFound) {
    log::info("share {}: \"{}\" was to be deleted with its last close, but: {}", share.config.name,
              coherence::names_of(paths).front(), name_of(removed.error()));
  }
  const bool later = !removed && removed.error() == NtStatus::DeviceNotReady;
  coherence::Body unlinked = coherence::Unlinked{open, removed.has_value(), later};
  co_await engine_submit(server, executor, key, std::move(unlinked));
  if (!removed) {
    // A name that is gone, or is another file's by now, is what was asked for.
    co_return removed.error() == NtStatus::ObjectNameNotFound ? NtStatus::Success : removed.error();
  }
  co_await tell_removed(server, executor, share, std::move(who), *removed, directory, deleter);
  co_return NtStatus::Success;
}

runtime::Task<NtStatus> close_open(Server& server, runtime::Executor& executor,
                                   std::shared_ptr<session::Session> session,
                                   std::shared_ptr<session::Open> open) {
  NtStatus status = NtStatus::Success;
  if (open->closing) co_return status;
  // Windows' order: what is written shows in the listing, and breaks its leases, with the close.
  const bool shows = state_of(*open).changed_data || state_of(*open).wrote;
  drop_open(server, *session, open);
  if (open->pipe) co_return status;
  const LeaseKey parent_key = parent_key_of(state_of(*open).cache_asked);
  const std::shared_ptr<StreamHold> hold = std::exchange(state_of(*open).stream_hold, nullptr);
  if (!open->revoked) {
    // Who knows that the file is to go has asked for it; whoever else closes last is as any other.
    Deleter deleter;
    if (open->delete_on_close || state_of(*open).asked_deletion) {
      deleter = {open->client_guid, parent_key};
    }
    // FILE_DELETE_ON_CLOSE means nothing to a directory with entries, and says nothing, as on
    // Windows. It takes effect with this close, though others may still have the directory open.
    bool keeps_name = false;
    if (open->delete_on_close && open->directory) {
      auto look = [file = state_of(*open).file] { return file->empty_directory(); };
      const Result<bool> empty = co_await offload(
          server, executor, state_of(*open).share->backend->local(), std::move(look));
      keeps_name = empty && !*empty;
    }
    if (open->delete_on_close && !keeps_name) {
      deleter.on_close = true;
      if (const auto& entry = state_of(*open).open_file) entry->delete_pending = true;
    }
    if (state_of(*open).name_goes_at_close && !hold && !keeps_name) {
      co_await take_name(server, executor, open, closer_of(*session, *open), deleter);
    }
    status =
        co_await give_back(server, executor, *state_of(*open).share, closer_of(*session, *open),
                           open->key, open->open_id, open->directory, deleter, keeps_name);
    // A node that serves nothing has lost the open too, one way or the other.
    const bool deletes = open->delete_on_close || state_of(*open).asked_deletion;
    if (status == NtStatus::DeviceNotReady && !deletes) status = NtStatus::Success;
    if (shows && listings_cached(server)) {
      EntryChange change{state_of(*open).share, open->path, closer_of(*session, *open),
                         open->client_guid, parent_key};
      co_await tell_parent(server, executor, std::move(change));
    }
    if (open->delete_on_close && open->directory && !keeps_name) {
      server.notify().report_delete_pending(state_of(*open).share, open->path);
    }
  }
  if (hold) {
    co_await give_back(server, executor, *state_of(*open).share, closer_of(*session, *open),
                       hold->key, hold->open, false);
  }
  co_return status;
}

/// [MS-SMB2] 3.3.5.10 Receiving an SMB2 CLOSE Request.
/// Deviation: as Samba, who deletes a file by closing it is told where that did not come about.
HandlerTask handle_close(Request& request) {
  const auto body = wire::decode<wire::CloseRequest>(request.message);
  if (!body) co_return wire::status_of(body.error());
  auto found = request.find_open(body->file_id);
  if (!found) co_return found.error();
  const std::shared_ptr<session::Open>& open = *found;
  wire::CloseResponse response;
  const bool wants_facts = (body->flags & wire::close_flags::kPostqueryAttrib) != 0;
  // Later writes were not shown one by one: [MS-FSA] 2.1.5.5 sets the time when the open ends.
  const bool stamps = !open->pipe && std::exchange(state_of(*open).wrote_again, false);
  if ((wants_facts || stamps) && !open->pipe) {
    const std::shared_ptr<ports::BackendFile> file = state_of(*open).file;
    const bool local = state_of(*open).share->backend->local();
    ports::BasicChange change;
    if (stamps) change.written = request.server.clock().wall();
    auto call = [file, change, who = closer_of(*request.session, *open)] {
      if (change.written.ticks != 0) (void)file->set_basic(who, change);
      return file->facts();
    };
    Result<ports::FileFacts> facts =
        co_await offload(request.server, request.executor(), local, std::move(call));
    if (facts && wants_facts) {
      if (state_of(*open).wrote && !open->closing) state_of(*open).open_file->show_write_time();
      request.server.open_files().show_times(*facts, request.server.clock().wall());
      response.flags = wire::close_flags::kPostqueryAttrib;
      response.creation_time = facts->created;
      response.last_access_time = facts->accessed;
      response.last_write_time = facts->written;
      response.change_time = facts->changed;
      response.file_attributes = facts->attributes;
      if (!open->directory) {
        response.allocation_size = facts->allocation_bytes;
        response.end_of_file = facts->size_bytes;
      }
    }
    if (open->closing) co_return NtStatus::FileClosed;  // somebody else was faster
  }
  const NtStatus closed =
      co_await close_open(request.server, request.executor(), request.session, open);
  if (is_error(closed)) co_return closed;
  wire::encode(response, request.out);
  // The descriptor and all else goes when the client has its answer.
  request.executor().post([gone = *std::move(found)] {});
  co_return NtStatus::Success;
}

}  // namespace flotilla::handlers
