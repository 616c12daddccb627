// What can be asked of a file's state, and what comes back. Every struct here is replicated or sent
// between nodes: coherence/codec.hpp encodes it; a change of meaning is a new kCommandVersion.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "base/time.hpp"
#include "coherence/types.hpp"

namespace flotilla::coherence {

inline constexpr std::uint16_t kCommandVersion = 1;

/// A client opens the file. Waits while caching rights that conflict are being broken.
/// Answer  Opened, or SharingViolation, DeletePending, InvalidParameter (lease key misuse),
/// Cancelled Spec    [MS-SMB2] 3.3.5.9; [MS-FSA] 2.1.5.1.2 Open of an Existing File, 2.1.4.12
/// (oplock breaks) `path`             share-relative, '/'-separated, UTF-8; kept up to date by
/// Renamed `overwrites`       disposition is supersede, overwrite or overwrite-if and the file
/// existed:
///                    conflicts as if it wrote; read caching of others is broken to none
/// `created`          this open has just made the file
/// `delete_on_close`  FILE_DELETE_ON_CLOSE: the last close of this open makes the file
/// delete-pending `stat_only`        derived: access is within READ/WRITE_ATTRIBUTES|SYNCHRONIZE
/// (|READ_CONTROL): no
///                    share-mode check and no break ([MS-FSA] 2.1.5.1.2.2)
struct Open {
  OpenId open;
  ClientGuid client;
  SessionId session;
  std::string path;
  AccessMask access = 0;
  ShareAccess share = 0;
  CacheRequest cache;
  bool directory = false;
  bool overwrites = false;
  bool created = false;
  bool delete_on_close = false;
  friend bool operator==(const Open&, const Open&) = default;
};

/// Ends an open; its locks and, with the last open of a lease, the lease go with it.
/// Answer  Closed. An unknown open is FileClosed.
struct Close {
  OpenId open;
  friend bool operator==(const Close&, const Close&) = default;
};

/// The name was removed from the file system after Closed said so (`ok`), or could not be.
struct Unlinked {
  OpenId open;  ///< the one whose Closed said so
  bool ok = true;
  friend bool operator==(const Unlinked&, const Unlinked&) = default;
};

/// Takes byte-range locks, all or none; or waits for the one element of a waiting request.
/// Answer  Success; LockNotGranted (fail_immediately); Cancelled; RangeNotLocked (unlock)
/// Spec    [MS-SMB2] 3.3.5.14; the handler has checked the flags' combinations
/// Answered to the submitter only when every node with an open on the file knows the new locks.
struct Lock {
  OpenId open;
  std::vector<LockRange> ranges;
  bool unlock = false;  ///< all elements unlock; on an error the earlier ones stay unlocked
  bool fail_immediately = false;  ///< false: one element that may wait
  friend bool operator==(const Lock&, const Lock&) = default;
};

/// Ends a wait of `request` (an Open or Lock of the same node); it is answered Cancelled.
/// No effect, and Success, where it is no longer waiting.
struct Cancel {
  RequestId request;
  friend bool operator==(const Cancel&, const Cancel&) = default;
};

/// The client's answer to a break of an oplock (`key` zero, `open` given) or of a lease.
/// Answer  BreakAcknowledged with what is held now; errors of [MS-SMB2] 3.3.5.22.1 and .2
struct AcknowledgeBreak {
  OpenId open;  ///< for a lease: any open of it, as the break named it
  ClientGuid client;
  LeaseKey key;
  CacheRights kept = 0;
  friend bool operator==(const AcknowledgeBreak&, const AcknowledgeBreak&) = default;
};

/// FileDispositionInformation through `open`.
struct SetDeletePending {
  OpenId open;
  bool pending = true;
  friend bool operator==(const SetDeletePending&, const SetDeletePending&) = default;
};

/// Asks leave to rename or hard-link over the name of this file, or to replace it: waits for handle
/// caching of others to be broken, then SharingViolation/AccessDenied if an open stands in the way.
/// `open`      the open through which the file is renamed; zero where the file is the target that
///             is to be replaced (then any open that is left refuses: AccessDenied)
struct BeginRename {
  OpenId open;
  ClientGuid client;
  LeaseKey key;  ///< the lease of `open`, which is not broken by its own rename
  friend bool operator==(const BeginRename&, const BeginRename&) = default;
};

/// The name has changed: every open of the file learns it.
struct Renamed {
  OpenId open;
  std::string path;
  friend bool operator==(const Renamed&, const Renamed&) = default;
};

/// Data is about to change through `open`: read caching of everybody else (not of its own lease) is
/// broken to none. Answered when the breaks are on their way; nobody waits for acknowledgments of
/// R.
struct Modify {
  OpenId open;
  friend bool operator==(const Modify&, const Modify&) = default;
};

/// A node confirms that it knows and enforces restrictions up to `version`, and that all I/O which
/// it admitted before (also through opens revoked since) has ended.
struct RestrictionsKnown {
  std::uint64_t version = 0;
  friend bool operator==(const RestrictionsKnown&, const RestrictionsKnown&) = default;
};

/// Recovery: a holder tells a new owner all of one open, as it last heard it.
struct AssertOpen {
  Open open;
  CacheRights held = 0;
  std::uint16_t lease_epoch = 0;
  bool delete_pending = false;
  std::vector<LockRange> locks;
  friend bool operator==(const AssertOpen&, const AssertOpen&) = default;
};

/// Time passes: breaks past their deadline revoke their holders, then resume the waiters.
/// Answer  as NodeGone's, for an open that was revoked with its deletion
struct Tick {
  friend bool operator==(const Tick&, const Tick&) = default;
};

/// Everything of `node` on this file goes: opens, locks, leases, waits, outstanding confirmations.
/// Answer  Success; Closed with `unlink` where a delete-pending file lost its last open with the
///         node: the submitter removes `path` and sends Unlinked. Where `request` is zero nobody
///         would, so the deletion is given up and the file stays.
struct NodeGone {
  NodeId node;
  friend bool operator==(const NodeGone&, const NodeGone&) = default;
};

using Body =
    std::variant<Open, Close, Unlinked, Lock, Cancel, AcknowledgeBreak, SetDeletePending,
                 BeginRename, Renamed, Modify, RestrictionsKnown, AssertOpen, Tick, NodeGone>;

/// `from`     the node that asks: replies, breaks and revocations about its opens go there
/// `request`  names the command among those of `from`; zero where no answer is wanted
/// `now`      the owner's monotonic time, for break deadlines
struct Command {
  FileKey key;
  NodeId from;
  RequestId request;
  MonoTime now;
  Body body;
  friend bool operator==(const Command&, const Command&) = default;
};

struct Opened {
  CacheKind kind = CacheKind::None;
  CacheRights rights = 0;         ///< granted
  std::uint16_t lease_epoch = 0;  ///< version 2 leases
  bool break_in_progress = false;
  Restrictions restrictions;  ///< the submitter's node enforces these before it answers its client
  std::uint8_t lease_version = 0;  ///< of the lease, which its first open chose; 0 for no lease
  friend bool operator==(const Opened&, const Opened&) = default;
};

/// `unlink`: this was the last close of a delete-pending file; the submitter removes `path`, then
/// sends Unlinked. Until then opens are refused with DeletePending.
struct Closed {
  bool unlink = false;
  std::string path;
  friend bool operator==(const Closed&, const Closed&) = default;
};

struct BreakAcknowledged {
  CacheRights rights = 0;
  friend bool operator==(const BreakAcknowledged&, const BreakAcknowledged&) = default;
};

using Answer = std::variant<std::monostate, Opened, Closed, BreakAcknowledged>;

struct Outcome {
  NtStatus status = NtStatus::Success;
  Answer answer;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

/// A caching right is taken back. [MS-SMB2] 2.2.23.1 and 2.2.23.2 say how it looks to the client.
/// `open`          the open to notify through (one of the lease's)
/// `key`           zero for an oplock
/// `ack_required`  false where only read caching was held and goes
/// `new_epoch`     version 2 leases; 0 else
struct Break {
  OpenId open;
  CacheKind kind = CacheKind::Oplock;
  LeaseKey key;
  CacheRights from = 0;
  CacheRights to = 0;
  bool ack_required = false;
  std::uint16_t new_epoch = 0;
  friend bool operator==(const Break&, const Break&) = default;
};

/// What `apply` sends out. Order of delivery: revocations, breaks, restrictions, pendings, replies;
/// within a field the order of the vector.
struct Outbox {
  struct Revocation {
    NodeId to;
    OpenId open;
    RevokeReason reason;
  };
  struct BreakTo {
    NodeId to;
    Break what;
  };
  struct RestrictionsTo {
    NodeId to;
    Restrictions what;  ///< to be confirmed by RestrictionsKnown, even where no open is left here:
                        ///< the answers of others wait for it, and it is the fence of a revocation
  };
  struct PendingAt {
    NodeId to;
    RequestId request;  ///< waits for a break or a lock: the client may be told STATUS_PENDING
  };
  struct ReplyTo {
    NodeId to;
    RequestId request;
    Outcome outcome;
  };
  FileKey key;
  std::vector<Revocation> revocations;
  std::vector<BreakTo> breaks;
  std::vector<RestrictionsTo> restrictions;
  std::vector<PendingAt> pendings;
  std::vector<ReplyTo> replies;
};

}  // namespace flotilla::coherence
