// What handlers hang on sessions, trees and opens.
#pragma once

#include <chrono>
#include <deque>
#include <map>
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

struct Requester;  // handlers/access.hpp: who asks, in both worlds

/// On session::Session::credentials.
struct SessionCredentials final : session::Attachment {
  std::shared_ptr<const ports::Token> token;
  ports::Credentials kernel;
  /// On shares that force a user or a group: made when they are first asked for.
  mutable std::map<const Share*, ports::Credentials> forced;
  /// See requester_for(); likewise.
  mutable std::map<const Share*, std::shared_ptr<const Requester>> requesters;
};

/// What kernel_credentials() says of a share that forces a user or a group.
[[nodiscard]] const ports::Credentials& forced_credentials(const SessionCredentials& own,
                                                           const Share& share);

/// On session::Tree::state.
struct TreeState final : session::Attachment {
  const Share* share = nullptr;  ///< lives as long as the Server
  bool macos_listings = false;   ///< its client asked for what handlers/macos.hpp adds to them
};

struct QuotaIndex;  // handlers/quota/quota.hpp
class Pipe;         // handlers/pipe.hpp: an open named pipe of IPC$
class OpenLink;     // handlers/open_link.hpp: what the engine tells the open

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
  FileKey key;
  OpenId open;
  std::shared_ptr<ports::OpenEvents> events;
  std::shared_ptr<OpenFiles::Entry> entry;
};

/// The directory of an open file, as found once: its path and what the pool calls it.
struct ParentPlace {
  std::string path;
  FileKey key;
};

/// On session::Open::state.
struct OpenState final : session::Attachment {
  ~OpenState() override;
  const Share* share = nullptr;  ///< that of its tree, which may go before the open does
  std::unique_ptr<ports::Credentials> acts_as;  ///< null: as the session does
  std::shared_ptr<ports::BackendFile> file;     ///< null for a pipe
  std::shared_ptr<ports::IoGate> gate;          ///< null for a pipe
  std::shared_ptr<OpenLink> events;             ///< null for a pipe
  std::shared_ptr<OpenFiles::Entry> open_file;  ///< name and delete-pending; null for a pipe
  std::unique_ptr<ParentPlace> parent;  ///< null until a change had to be told to its leases
  bool changed_data = false;            ///< its close shows in the directory's listing
  bool asked_deletion = false;          ///< this open is why the file is delete-pending
  bool name_goes_at_close = false;      ///< its own, whoever has the file open beside
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
  std::shared_ptr<QuotaIndex> quota;  ///< null but for the quota index
  DurableTraits durable;
  std::uint32_t locks_held = 0;  ///< in Server::locks_count
  // For the answer to a replay or a reconnect: what the CREATE was answered.
  coherence::CacheRequest cache_asked;
  std::uint16_t lease_epoch = 0;
  wire::CreateAction create_action = wire::CreateAction::Opened;
  std::unique_ptr<ports::FileFacts> facts_answered;  ///< null where no replay can ask
};

/// Whom the session acts as on `share`. Thread: the session's executor; the result lives as long as
/// the session is not authenticated anew.
[[nodiscard]] inline const ports::Credentials& kernel_credentials(const session::Session& session,
                                                                  const Share& share) {
  const auto& own = static_cast<const SessionCredentials&>(*session.credentials);
  if (!share.forced_user && !share.forced_group) return own.kernel;
  return forced_credentials(own, share);
}
[[nodiscard]] inline const Share& share_of(const session::Tree& tree) {
  return *static_cast<const TreeState&>(*tree.state).share;
}
[[nodiscard]] inline OpenState& state_of(session::Open& open) {
  return static_cast<OpenState&>(*open.state);
}
/// Whom the kernel sees where something is done through this open: the session's user, but for
/// opens that were granted by a privilege.
[[nodiscard]] inline const ports::Credentials& credentials_of(const session::Session& session,
                                                              const OpenState& state) {
  return state.acts_as ? *state.acts_as : kernel_credentials(session, *state.share);
}

}  // namespace flotilla::handlers
