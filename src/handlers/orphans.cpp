#include "handlers/orphans.hpp"

#include "base/log.hpp"
#include "coherence/path_names.hpp"
#include "handlers/directory_change.hpp"
#include "handlers/notify_hub.hpp"
#include "handlers/server.hpp"
#include "wire/smb2_constants.hpp"

namespace flotilla::handlers {
namespace {

Status remove_name(ports::Backend& backend, const std::string& path, const FileKey& key,
                   bool& directory) {
  ports::Credentials owner;
  owner.use_share_owner = true;
  directory = false;
  Status done = backend.remove(owner, path, key, false);
  if (!done && done.error() == NtStatus::FileIsADirectory) {
    directory = true;
    done = backend.remove(owner, path, key, true);
  }
  return done;
}

/// A path is relative to the share that it was opened through, and several shares may lie on one
/// volume: the key decides, since a backend removes only a name that is still this file's.
bool remove_from_its_share(Server& server, const FileKey& key, const std::string& path) {
  std::vector<const Share*> shares = server.user_shares().all();
  for (const Share& share : server.shares()) shares.push_back(&share);
  for (const Share* const share : shares) {
    if (!share->backend || share->backend->volume_id() != key.volume) continue;
    // Asked as late as possible: after a hang the name may be somebody else's file.
    if (!server.engine().serving()) return false;
    bool directory = false;
    if (!remove_name(*share->backend, path, key, directory)) continue;
    server.notify().report(
        share, path, wire::NotifyAction::Removed,
        directory ? wire::notify_filter::kDirName : wire::notify_filter::kFileName);
    tell_parent_now(server, *share, path);
    return true;
  }
  log::info("\"{}\" was to be deleted when its last open was lost, but no share has it any more",
            path);
  return false;
}

}  // namespace

void remove_orphans(Server& server) {
  server.engine().set_orphan_handler(
      [&server](const FileKey& key, OpenId open, const std::string& path) {
        server.blocking().run([&server, key, open, path] {
          bool removed = false;
          for (const std::string_view name : coherence::names_of(path)) {
            removed = removed || remove_from_its_share(server, key, std::string(name));
          }
          const bool later = !removed && !server.engine().serving();
          server.engine().submit(key, coherence::Unlinked{open, removed, later}, {});
        });
      });
}

}  // namespace flotilla::handlers
