// What is known about one file. Ordered containers only: two nodes that hold the same state encode
// the same bytes. The rules are in share.hpp, caching.hpp, locks.hpp, deletion.hpp and turn.hpp.
#pragma once

#include <algorithm>
#include <compare>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "coherence/command.hpp"

namespace flotilla::coherence {

/// Names one oplock (`open` set, the rest zero) or one lease (`open` zero).
struct CacheId {
  OpenId open;
  ClientGuid client;
  LeaseKey key;
  friend auto operator<=>(const CacheId&, const CacheId&) = default;
};

/// One oplock or lease. Its life is drawn in docs/coherence.md.
/// `rights`    held by the client until it acknowledges, whatever has been offered
/// `breaking`  a break is out that must be acknowledged; then `offered` is what the client may keep
///             of it and `required` (a subset) what the conflict leaves it in the end
/// `opens`     ascending; one for an oplock
/// `told`      of a break: the node through which its client was told last
/// `untold`    of a break: no client was there to be told; who reclaims an open of it owes it that
/// `doubtful`  was being broken when its owner was lost (AssertOpen): until AllAsserted
struct Cache {
  CacheKind kind = CacheKind::Oplock;
  std::uint8_t version = 0;
  std::uint16_t epoch = 0;
  CacheRights rights = 0;
  CacheRights offered = 0;
  CacheRights required = 0;
  bool breaking = false;
  NodeId told;
  bool untold = false;
  bool doubtful = false;
  bool has_parent = false;
  LeaseKey parent_key;
  MonoTime deadline;
  std::vector<OpenId> opens;
  friend bool operator==(const Cache&, const Cache&) = default;
};

/// `node`      zero: detached; it has no client now
/// `answered`  Opened has left for the node; before that its client knows nothing of it
struct OpenState {
  NodeId node;
  ClientGuid client;
  SessionId session;
  AccessMask access = 0;
  ShareAccess share = 0;
  bool directory = false;
  bool delete_on_close = false;
  bool denies_delete = false;
  bool answered = false;
  bool cached = false;
  CacheId cache;  ///< where `cached`
  LockSet locks;  ///< its part of FileState::locks. Derived, so not among the canonical bytes
  friend bool operator==(const OpenState&, const OpenState&) = default;
};

/// What can be asked for again of an open, and what is kept beside it. docs/coherence.md, "Durable
/// opens".
/// `deadline`   of a detached open
/// `last_node`  of a detached open: where it was, and may still be held for its client; zero else
struct Kept {
  Durability durability;
  std::vector<LockSequence> sequences;  ///< ascending by index
  MonoTime deadline;
  NodeId last_node;
  friend bool operator==(const Kept&, const Kept&) = default;
};

/// A command that waits for a client's acknowledgment, for a lock to go, or for another rename.
struct Waiter {
  NodeId from;
  RequestId request;
  std::variant<Open, Lock, BeginRename, SetDeletePending, Renamed> what;
  friend bool operator==(const Waiter&, const Waiter&) = default;
};

/// A node that has yet to confirm restrictions `version`.
struct Awaited {
  NodeId node;
  std::uint64_t version = 0;
  friend auto operator<=>(const Awaited&, const Awaited&) = default;
};

/// An answer that waits for the confirmations in `missing` (ascending, one for a node).
/// `open`      not zero: an Opened, which is made out when it leaves, but for its path
/// `reclaims`  a Reclaimed instead: the client knows the open already
struct HeldReply {
  NodeId to;
  RequestId request;
  OpenId open;
  Outcome outcome;
  std::vector<Awaited> missing;
  bool reclaims = false;
  friend bool operator==(const HeldReply&, const HeldReply&) = default;
};

/// What a node was told and has confirmed. `fence` is the version whose confirmation shows that
/// revoked opens of the node do no more I/O; every Opened waits for it.
struct NodeKnowledge {
  std::uint64_t sent = 0;
  std::uint64_t known = 0;
  std::uint64_t fence = 0;
  friend bool operator==(const NodeKnowledge&, const NodeKnowledge&) = default;
};

/// How many of the opens do, and deny, what share modes are about: [MS-FSA] 2.1.5.1.2.2 without
/// looking at each of them. share.hpp counts. Derived, so not among the canonical bytes.
struct ShareCounts {
  std::uint32_t reads = 0;
  std::uint32_t writes = 0;
  std::uint32_t deletes = 0;
  std::uint32_t denies_read = 0;
  std::uint32_t denies_write = 0;
  std::uint32_t denies_delete = 0;
  friend bool operator==(const ShareCounts&, const ShareCounts&) = default;
};

/// Answered opens of a node that have their clients there, and how many of them may write.
struct ActingOpens {
  std::uint32_t all = 0;
  std::uint32_t writers = 0;
  friend bool operator==(const ActingOpens&, const ActingOpens&) = default;
};

struct FileState {
  std::string path;
  std::map<OpenId, OpenState> opens;
  ShareCounts shares;                    ///< of `opens`
  std::map<NodeId, ActingOpens> acting;  ///< of `opens`; turn.hpp counts. Derived, as `shares`
  std::map<OpenId, Kept> kept;           ///< those of `opens` with a Durability; mostly none
  std::map<CacheId, Cache> caches;
  LockSet locks;
  std::vector<Waiter> waiters;  ///< first come, first looked at
  std::vector<HeldReply> held;
  std::map<NodeId, NodeKnowledge> nodes;
  std::uint64_t version = 0;          ///< of the restrictions
  std::uint64_t cachers_version = 0;  ///< at which who caches reads has changed last
  bool delete_pending = false;
  bool unlinking = false;  ///< the name is being removed by `unlink_node` for `unlink_open`
  NodeId unlink_node;
  OpenId unlink_open;
  OpenId renaming;  ///< through which `renaming_node` changes the name; others wait
  NodeId renaming_node;

  /// Whether a node's revoked opens may still do I/O: who is granted something waits for that.
  [[nodiscard]] bool fencing() const noexcept {
    return std::ranges::any_of(nodes,
                               [](const auto& it) { return it.second.known < it.second.fence; });
  }
  [[nodiscard]] bool empty() const noexcept {
    return opens.empty() && waiters.empty() && held.empty() && !unlinking && !fencing();
  }
  friend bool operator==(const FileState&, const FileState&) = default;
};

/// Canonical bytes of a file's state; equal bytes, equal state.
void encode_state(const FileState& file, Bytes& out);
/// The state that gives these bytes. Nothing where they are none, or where the parts of the state
/// do not know each other (a lease of an open that is not there): the state machine could not work
/// on that.
[[nodiscard]] std::optional<FileState> decode_state(ByteReader& in);

/// A file's state on its way from one table to another: FileTable::take and put.
/// `state`         its deadlines are what was left of them
/// `counter`       no version that the former table has given is larger
/// `kept_version`  of the last Outbox::keep; zero where there is nothing kept
struct HandedFile {
  FileState state;
  std::uint64_t counter = 0;
  std::uint64_t kept_version = 0;
  friend bool operator==(const HandedFile&, const HandedFile&) = default;
};
void encode(const HandedFile& file, Bytes& out);
/// As decode_state.
[[nodiscard]] std::optional<HandedFile> decode_handed_file(ByteReader& in);

}  // namespace flotilla::coherence
