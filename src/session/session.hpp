// Session, tree, open: SMB's vuid, tid and fid as objects with their rules. Pure: no I/O, no clock.
// What belongs to a room below (backend handles, gates, tokens) hangs on as opaque attachments, so
// that this room needs none of them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "coherence/types.hpp"

namespace flotilla::session {

class Session;
class Tree;

/// Rooms below derive from it to hang their state on an open, a tree or a session.
struct Attachment {
  virtual ~Attachment() = default;
};

/// [MS-SMB2] 3.3.1.10 Per Open. Thread: the session's home executor.
class Open {
 public:
  FileId id;
  OpenId open_id;  ///< raw value is id.persistent_id
  FileKey key;
  TreeId tree;
  SessionId session;
  std::string path;  ///< share-relative, '/'-separated, current after renames
  bool directory = false;
  bool pipe = false;  ///< or the quota index: there is no file behind it
  coherence::AccessMask granted_access = 0;
  coherence::ShareAccess share_access = 0;
  std::uint32_t create_options = 0;
  std::uint32_t file_attributes = 0;
  coherence::CacheKind cache_kind = coherence::CacheKind::None;
  coherence::CacheRights cache_rights = 0;
  LeaseKey lease_key;
  std::uint8_t lease_version = 0;
  ClientGuid client_guid;
  bool delete_on_close = false;
  bool closing = false;        ///< CLOSE is under way: find_open no longer finds it
  bool revoked = false;        ///< fenced by the engine
  std::uint64_t position = 0;  ///< FilePositionInformation
  std::uint32_t mode = 0;      ///< FileModeInformation
  std::uint16_t channel_sequence = 0;
  /// LockSequenceArray, [MS-SMB2] 3.3.1.10; index 0 unused; 0xFF is "not valid".
  std::vector<std::uint8_t> lock_sequences;
  /// QUERY_DIRECTORY's enumeration and pattern, CHANGE_NOTIFY's watch, the backend file, the gate,
  /// a pipe's state: see handlers/open_state.hpp.
  std::unique_ptr<Attachment> state;
};

/// [MS-SMB2] 3.3.1.9 Per Tree Connect.
class Tree {
 public:
  TreeId id;
  SessionId session;
  std::string share_name;
  bool ipc = false;
  coherence::AccessMask maximal_access = 0;
  bool read_only = false;
  NtTime created;
  std::unique_ptr<Attachment> state;  ///< handlers: which Share
};

enum class SessionState : std::uint8_t { InProgress, Valid, Expired };

/// [MS-SMB2] 3.3.1.8 Per Session.
class Session {
 public:
  SessionId id;
  SessionState state = SessionState::InProgress;
  SessionId
      previous;  ///< PreviousSessionId of its SESSION_SETUP: closed, and its opens may be asked for
  ClientGuid client_guid;
  std::uint16_t dialect = 0;
  bool guest = false;
  bool anonymous = false;
  bool signing_required = false;
  bool encrypt_data = false;      ///< the client was told to seal: Session.EncryptData
  bool encrypt_required = false;  ///< what is not sealed is refused
  std::string user_name;          ///< "DOMAIN\\user" for logs and status
  std::string peer_address;
  NtTime created;
  NtTime expires;     ///< 0: never
  Bytes session_key;  ///< 16 bytes (more with 256-bit ciphers); cleared on destruction
  Bytes application_key;
  std::unordered_map<TreeId, std::shared_ptr<Tree>> trees;
  std::unordered_map<std::uint64_t, std::shared_ptr<Open>> opens;  ///< by volatile id
  std::uint32_t next_tree = 1;
  std::uint64_t next_volatile = 1;
  std::unique_ptr<Attachment> credentials;  ///< handlers: token and kernel credentials
  std::unique_ptr<Attachment> channels;     ///< handlers: ChannelList and the shared keys

  /// A tree id that is not in use; never 0 nor 0xFFFFFFFF.
  [[nodiscard]] TreeId new_tree_id();
  /// The open, if `id` matches in both parts and it is not closing.
  [[nodiscard]] std::shared_ptr<Open> find_open(const FileId& id) const;
};

}  // namespace flotilla::session
