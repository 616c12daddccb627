#include "handlers/directory_change.hpp"

#include "handlers/access.hpp"

namespace flotilla::handlers {
namespace {

/// Blocks. Nothing where the directory cannot be found (any more).
std::optional<FileKey> key_of(ports::Backend& backend, const ports::Credentials& who,
                              std::string_view path) {
  const auto found = backend.locate(who, path);
  return found ? std::optional((*found)->key()) : std::nullopt;
}

runtime::Task<void> break_listing(Server& server, runtime::Executor& executor, FileKey directory,
                                  ClientGuid client, LeaseKey parent_key) {
  if (!server.marks().marked({Mark::Kind::Listing, directory})) co_return;
  coherence::Body changed = coherence::ChildChanged{client, parent_key};
  co_await engine_submit(server, executor, directory, std::move(changed));
}

}  // namespace

LeaseKey parent_key_of(const coherence::CacheRequest& asked) noexcept {
  return asked.kind == coherence::CacheKind::Lease && asked.has_parent ? asked.parent_key
                                                                       : LeaseKey{};
}

runtime::Task<void> tell_parent(Server& server, runtime::Executor& executor, EntryChange change) {
  if (!listings_cached(server) || change.path.empty()) co_return;
  std::shared_ptr<ports::Backend> backend = change.share->backend;
  const bool local = backend->local();
  auto call = [backend, who = std::move(change.who), parent = std::string(parent_of(change.path))] {
    return key_of(*backend, who, parent);
  };
  const std::optional<FileKey> directory =
      co_await offload(server, executor, local, std::move(call));
  if (!directory) co_return;
  co_await break_listing(server, executor, *directory, change.client, change.parent_key);
}

runtime::Task<void> tell_parent_of(Request& request, std::shared_ptr<session::Open> open) {
  Server& server = request.server;
  if (!listings_cached(server)) co_return;
  OpenState& state = state_of(*open);
  std::string path = refresh_path(*open);
  if (path.empty()) co_return;
  const std::string_view parent = parent_of(path);
  // A directory above an open file keeps its name, so what was found once holds.
  if (!state.parent || state.parent->path != parent) {
    std::shared_ptr<ports::Backend> backend = state.share->backend;
    const bool local = backend->local();
    auto call = [backend, who = kernel_credentials(*request.session, *state_of(*open).share),
                 parent = std::string(parent)] { return key_of(*backend, who, parent); };
    const std::optional<FileKey> directory =
        co_await offload(server, request.executor(), local, std::move(call));
    if (!directory) co_return;
    state.parent = std::make_unique<ParentPlace>(ParentPlace{std::string(parent), *directory});
  }
  co_await break_listing(server, request.executor(), state.parent->key, open->client_guid,
                         parent_key_of(state.cache_asked));
}

void tell_parent_now(Server& server, const Share& share, std::string_view path) {
  if (!listings_cached(server) || path.empty()) return;
  ports::Credentials owner;
  owner.use_share_owner = true;
  const auto directory = key_of(*share.backend, owner, parent_of(path));
  if (!directory || !server.marks().marked({Mark::Kind::Listing, *directory})) return;
  server.engine().submit(*directory, coherence::ChildChanged{}, {});
}

runtime::Task<bool> claim_listing(Server& server, runtime::Executor& executor, FileKey directory,
                                  OpenId open) {
  auto shot = runtime::OneShot<bool>::make();
  server.marks().claim({Mark::Kind::Listing, directory}, open.raw(),
                       [shot](bool granted) { shot->set(granted); });
  co_return co_await runtime::OneShot<bool>::wait(shot, executor);
}

}  // namespace flotilla::handlers
