// What handlers hang on sessions, trees and opens.
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "handlers/notify_hub.hpp"
#include "handlers/open_files.hpp"
#include "handlers/server.hpp"
#include "ports/backend.hpp"
#include "ports/identity.hpp"
#include "ports/io_gate.hpp"
#include "session/session.hpp"
#include "wire/sid.hpp"
#include "wire/smb2_constants.hpp"

namespace flotilla::handlers {

/// On session::Session::credentials.
struct SessionCredentials final : session::Attachment {
  std::shared_ptr<const ports::Token> token;
  ports::Credentials kernel;
};

/// On session::Tree::state.
struct TreeState final : session::Attachment {
  const Share* share = nullptr;  ///< lives as long as the Server
};

class Pipe;      // handlers/pipe.hpp: an open named pipe of IPC$
class OpenLink;  // handlers/open_link.hpp: what the engine tells the open

/// QUERY_DIRECTORY's place: [MS-SMB2] 3.3.1.10 EnumerationLocation and EnumerationSearchPattern.
struct Enumeration {
  std::unique_ptr<ports::DirectoryCursor> cursor;
  std::u16string pattern;
  std::uint8_t information_class = 0;
  bool delivered_any = false;
};

/// Whose turn it is to read the directory: requests of one open do it one after the other. The
/// coroutines hold it, so that a closed open wakes them all the same.
struct EnumerationTurn {
  bool busy = false;
  std::deque<std::shared_ptr<runtime::OneShot<bool>>> waiters;
};

/// What makes an open one that its client may name again: [MS-SMB2] 3.3.1.10 IsDurable,
/// IsResilient, IsPersistent, DurableOpenTimeout, DurableOwner, CreateGuid, AppInstanceId.
struct DurableTraits {
  bool durable = false;
  bool resilient = false;
  bool persistent = false;
  std::chrono::milliseconds timeout{0};
  wire::Sid owner;
  CreateGuid create_guid;  ///< zero where the client named none (version 1)
  AppInstanceId app_instance;
  std::uint64_t app_version_high = 0;
  std::uint64_t app_version_low = 0;
};

/// What the open of a stream keeps of its file: an open of its own in the engine, without any right
/// to data.
struct StreamHold {
  StreamHold() = default;
  StreamHold(const StreamHold&) = delete;
  StreamHold& operator=(const StreamHold&) = delete;
  ~StreamHold() {
    if (forbids_delete_) --entry->streams_not_sharing_delete;
  }
  /// The stream's open does not share deletion, so the file must not be deleted either.
  void forbid_delete() {
    forbids_delete_ = true;
    ++entry->streams_not_sharing_delete;
  }
  FileKey key;
  OpenId open;
  std::shared_ptr<ports::OpenEvents> events;
  std::shared_ptr<OpenFiles::Entry> entry;

 private:
  bool forbids_delete_ = false;
};

/// On session::Open::state.
struct OpenState final : session::Attachment {
  ~OpenState() override;
  const Share* share = nullptr;  ///< that of its tree, which may go before the open does
  std::shared_ptr<ports::BackendFile> file;     ///< null for a pipe
  std::shared_ptr<ports::IoGate> gate;          ///< null for a pipe
  std::shared_ptr<OpenLink> events;             ///< null for a pipe
  std::shared_ptr<OpenFiles::Entry> open_file;  ///< name and delete-pending; null for a pipe
  bool counted_as_deleter = false;              ///< in open_file->delete_openers
  /// The client set the write time (or froze it) through this open: its writes put it back.
  /// [MS-FSA] 2.1.1.6 Open.UserSetModificationTime
  std::optional<NtTime> user_set_write_time;
  bool write_time_triggered = false;  ///< a write came through this open: the next ones do not show
  bool wrote = false;                 ///< its close shows the file's own write time
  bool wrote_again = false;  ///< after its first write was shown: its close is the write time
  std::shared_ptr<StreamHold> stream_hold;  ///< null but for a named stream
  std::optional<Enumeration> enumeration;
  std::shared_ptr<EnumerationTurn> enumeration_turn;
  std::shared_ptr<NotifyWatch> watch;  ///< CHANGE_NOTIFY's; removed from the hub on close
  std::unique_ptr<Pipe> pipe;
  DurableTraits durable;
  std::uint32_t locks_held = 0;  ///< in Server::locks_count
  // For the answer to a replay or a reconnect: what the CREATE was answered.
  coherence::CacheRequest cache_asked;
  std::uint16_t lease_epoch = 0;
  wire::CreateAction create_action = wire::CreateAction::Opened;
  std::unique_ptr<ports::FileFacts> facts_answered;  ///< null where no replay can ask
};

[[nodiscard]] inline const ports::Credentials& kernel_credentials(const session::Session& session) {
  return static_cast<const SessionCredentials&>(*session.credentials).kernel;
}
[[nodiscard]] inline const Share& share_of(const session::Tree& tree) {
  return *static_cast<const TreeState&>(*tree.state).share;
}
[[nodiscard]] inline OpenState& state_of(session::Open& open) {
  return static_cast<OpenState&>(*open.state);
}

}  // namespace flotilla::handlers
