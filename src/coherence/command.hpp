// What can be asked of a file's state, and what comes back. Every struct here is replicated or sent
// between nodes: coherence/codec.hpp encodes it; a change of meaning is a new kCommandVersion.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/time.hpp"
#include "coherence/types.hpp"

namespace flotilla::coherence {

inline constexpr std::uint16_t kCommandVersion = 5;

/// A client opens the file. Waits while caching rights that conflict are being broken.
/// Spec    [MS-SMB2] 3.3.5.9; [MS-FSA] 2.1.5.1.2 Open of an Existing File, 2.1.4.12 (breaks)
/// Answer  Opened, or SharingViolation, DeletePending, InvalidParameter (lease key misuse),
///         Cancelled
/// `path`             share-relative, '/'-separated, UTF-8; kept up to date by Renamed
/// `overwrites`       disposition is supersede, overwrite or overwrite-if and the file existed:
///                    conflicts as if it wrote; read caching of others is broken to none
/// `created`          this open has just made the file
/// `delete_on_close`  FILE_DELETE_ON_CLOSE: the last close of this open makes the file
///                    delete-pending
/// `stat_only`        derived: access is within READ/WRITE_ATTRIBUTES|SYNCHRONIZE
///                    (|READ_CONTROL): no share-mode check and no break ([MS-FSA] 2.1.5.1.2.2)
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
  bool denies_delete =
      false;              ///< for a stream that does not share deletion, of which this is the file
  Durability durability;  ///< as asked; Durable becomes None where H is not granted
  friend bool operator==(const Open&, const Open&) = default;
};

/// An open that survives its client, whole.
/// `open`    as it is now: `path` is the file's, `cache` what it holds (of a lease that is being
///           broken: what the break leaves), without the client's epoch
/// `holder`  the node that has it for its client; zero while it waits for one
struct KeptOpen {
  Open open;
  NodeId holder;
  std::uint16_t lease_epoch = 0;
  std::vector<LockRange> locks;         ///< in the order of their grants
  std::vector<LockSequence> sequences;  ///< ascending by index
  friend bool operator==(const KeptOpen&, const KeptOpen&) = default;
};

/// All that must survive of a file. Without opens: nothing, a copy may be dropped.
/// `version`  grows with every change, under one owner and (by Restore) beyond
struct KeptFile {
  FileKey key;
  std::uint64_t version = 0;
  std::string path;
  bool delete_pending = false;
  std::vector<KeptOpen> opens;  ///< ascending by OpenId
  friend bool operator==(const KeptFile&, const KeptFile&) = default;
};

/// Which opens somebody asks for: one of the three, the others zero. The second is the pair of
/// `client` and `create_guid`.
struct KeptQuery {
  OpenId open;
  ClientGuid client;
  CreateGuid create_guid;
  AppInstanceId app_instance;
  friend bool operator==(const KeptQuery&, const KeptQuery&) = default;
};
/// An open that answers to a KeptQuery. Also one that would not survive, as long as it is there.
struct KeptFound {
  FileKey key;
  KeptOpen what;
  friend bool operator==(const KeptFound&, const KeptFound&) = default;
};

/// Ends an open; its locks and, with the last open of a lease, the lease go with it.
/// Answer  Closed. An unknown open is FileClosed.
/// `keeps_name`  its delete_on_close means nothing any more: a directory that has entries
struct Close {
  OpenId open;
  bool keeps_name = false;
  friend bool operator==(const Close&, const Close&) = default;
};

/// The name was removed from the file system after Closed said so (`ok`), or could not be.
/// `later`  not `ok`, because the node may not touch the disk now: whoever decides about the file
///          removes the name, and it stays marked until then
struct Unlinked {
  OpenId open;  ///< the one whose Closed said so
  bool ok = true;
  bool later = false;
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
  LockSequence sequence;          ///< written down with success where the open is a kept one
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

enum class RenameStage : std::uint8_t { Done, Begins, Failed, Seen };

/// The name has changed, is about to, or was to and has not: every node with an open of the file
/// learns it, before whoever has told it is answered. From Begins on the file's path is both names
/// (path_names.hpp), so that neither is forgotten with the node that changes it. Seen: nobody
/// renames now, but whoever was granted an open late has found the file under this name.
/// `path`  the new name
/// Answer  Success; FileClosed where nobody has the file open
struct Renamed {
  OpenId open;
  std::string path;
  RenameStage stage = RenameStage::Done;
  friend bool operator==(const Renamed&, const Renamed&) = default;
};

/// Data is about to change through `open`: read caching of everybody else (not of its own lease) is
/// broken to none. Answered when the breaks are on their way; nobody waits for acknowledgments of
/// R.
struct Modify {
  OpenId open;
  friend bool operator==(const Modify&, const Modify&) = default;
};

/// Names, attributes, sizes or times of what lies in this directory have changed: read caching of
/// the directory is broken to none, but for the lease that `parent_key` names, whose client made
/// the change itself. Answered when the breaks are on their way; nobody waits for acknowledgments.
/// Answer  Success, also where nobody has the directory open
/// Spec    [MS-FSA] 2.1.4.12 (PARENT_OBJECT), 2.1.4.12.2; [MS-SMB2] 3.3.5.9.11 (ParentLeaseKey)
/// `client`, `parent_key`  zero where nobody is spared
struct ChildChanged {
  ClientGuid client;
  LeaseKey parent_key;
  friend bool operator==(const ChildChanged&, const ChildChanged&) = default;
};

/// Asks whether a file may get a new name in this directory: not while somebody has the directory
/// open for DELETE, or without sharing writes.
/// Answer  Success, also where nobody has it open; SharingViolation
/// Spec    [MS-FSA] 2.1.5.15.11 FileRenameInformation (the target's directory)
struct ProbeNames {
  friend bool operator==(const ProbeNames&, const ProbeNames&) = default;
};

/// A node confirms that it knows and enforces restrictions up to `version`, and that all I/O which
/// it admitted before (also through opens revoked since) has ended.
struct RestrictionsKnown {
  std::uint64_t version = 0;
  friend bool operator==(const RestrictionsKnown&, const RestrictionsKnown&) = default;
};

/// Recovery: a holder tells a new owner all of one open, as it last heard it.
/// `breaking`     a break of its cache has not ended: the client was told to keep `breaking_to`.
///                Where that is `held`, it has acknowledged, and no owner has answered. Somebody
///                may have written meanwhile, who has not waited for R: where W was not held, all
///                goes.
struct AssertOpen {
  Open open;
  CacheRights held = 0;
  bool breaking = false;
  CacheRights breaking_to = 0;
  std::uint16_t lease_epoch = 0;
  bool delete_pending = false;
  std::vector<LockRange> locks;
  std::vector<LockSequence> sequences;
  friend bool operator==(const AssertOpen&, const AssertOpen&) = default;
};

/// The client of an open of `from` is lost: the open stays, with its locks and caching rights,
/// belongs to no node, and waits for Reclaim until its time-out. Where nothing keeps it
/// (DurableKind None, or H is gone or being broken) it is closed.
/// Answer  Success where it stays; Closed where it does not; FileClosed where `from` has it not
/// Spec    [MS-SMB2] 3.3.7.1 Handling Loss of a Connection
struct Detach {
  OpenId open;
  friend bool operator==(const Detach&, const Detach&) = default;
};

/// The client of a detached open has come back, through `from`: from now on the open is there.
/// Answer  Reclaimed; ObjectNameNotFound where it is unknown, another node's, or the lease of
///         another client. The caller has checked who asks.
/// `former`  the session that had it; an open that has not been detached yet is handed over from
///           this one (the client says that it is gone). Zero: detached ones only.
/// Effect    a node that still has the open is told to let it go (Revocation Moved), and the answer
///           waits until its I/O has ended.
/// Spec    [MS-SMB2] 3.3.5.9.7, 3.3.5.9.12
struct Reclaim {
  OpenId open;
  ClientGuid client;
  SessionId session;
  SessionId former;
  friend bool operator==(const Reclaim&, const Reclaim&) = default;
};

/// What keeps an open of `from`, or its passport, has changed.
/// Answer  Success, FileClosed
struct UpdateKept {
  OpenId open;
  Durability durability;
  friend bool operator==(const UpdateKept&, const UpdateKept&) = default;
};

/// Recovery: every holder has asserted what it has, and this owner begins to decide. What a cache
/// may have been asked for by the former owner is asked for again.
/// Answer  Success
struct AllAsserted {
  friend bool operator==(const AllAsserted&, const AllAsserted&) = default;
};

/// Takes in what was kept of the file, as opens that wait for their clients from now on. An open
/// that the file has already, or that conflicts with one, is left out.
/// Answer  Success; InvalidParameter where it is another file's
struct Restore {
  KeptFile file;
  friend bool operator==(const Restore&, const Restore&) = default;
};

/// Time passes: breaks past their deadline revoke their holders, then resume the waiters; detached
/// opens past theirs are closed.
/// Answer  as NodeGone's, for an open that was revoked with its deletion
struct Tick {
  friend bool operator==(const Tick&, const Tick&) = default;
};

/// Everything of `node` on this file goes: opens, locks, leases, waits, outstanding confirmations;
/// opens that survive their client are detached.
/// Answer  Success; Closed with `unlink` where a delete-pending file lost its last open with the
///         node: the submitter removes `path` and sends Unlinked. Where `request` is zero nobody
///         would, so the deletion is given up and the file stays.
struct NodeGone {
  NodeId node;
  friend bool operator==(const NodeGone&, const NodeGone&) = default;
};

using Body =
    std::variant<Open, Close, Unlinked, Lock, Cancel, AcknowledgeBreak, SetDeletePending,
                 BeginRename, Renamed, Modify, RestrictionsKnown, AssertOpen, Tick, NodeGone,
                 Detach, Reclaim, UpdateKept, Restore, ChildChanged, ProbeNames, AllAsserted>;

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

/// `path`  the file's, as path_names.hpp reads it, where that is not the one that was asked by;
///         else empty
struct Opened {
  CacheKind kind = CacheKind::None;
  CacheRights rights = 0;         ///< granted
  std::uint16_t lease_epoch = 0;  ///< version 2 leases
  bool break_in_progress = false;
  CacheRights breaking_to = 0;  ///< what a break that is in progress leaves of `rights`
  Restrictions restrictions;  ///< the submitter's node enforces these before it answers its client
  std::uint8_t lease_version = 0;  ///< of the lease, which its first open chose; 0 for no lease
  std::string path;
  friend bool operator==(const Opened&, const Opened&) = default;
};

/// `path`    as path_names.hpp reads it
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

/// `what`         holder is the one who asked; its Durability has the passport
/// `owed`         a break that is under way. Where `owes_break` its client has not been told: who
///                asked does it after its own answer. It must be acknowledged like any other.
struct Reclaimed {
  KeptOpen what;
  bool delete_pending = false;
  Restrictions restrictions;  ///< as in Opened
  bool owes_break = false;
  struct Break {
    CacheRights from = 0;
    CacheRights to = 0;
    friend bool operator==(const Break&, const Break&) = default;
  } owed;
  friend bool operator==(const Reclaimed&, const Reclaimed&) = default;
};

using Answer = std::variant<std::monostate, Opened, Closed, BreakAcknowledged, Reclaimed>;

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
/// `elsewhere`     the client hears of it through another node's open of the lease, or has caused
/// it
///                 itself through one: this node only learns what its opens have now, and that
///                 before the client does
struct Break {
  OpenId open;
  CacheKind kind = CacheKind::Oplock;
  LeaseKey key;
  CacheRights from = 0;
  CacheRights to = 0;
  bool ack_required = false;
  std::uint16_t new_epoch = 0;
  bool elsewhere = false;
  friend bool operator==(const Break&, const Break&) = default;
};

/// What `apply` sends out. `keep` is made safe before anything else leaves. Order of delivery:
/// revocations, breaks, restrictions, pendings, replies, owed; within a field the order of the
/// vector.
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
    OpenId opened = {};  ///< of an Opened; FileTable::refresh where it leaves later than this turn
  };
  FileKey key;
  std::optional<KeptFile> keep;  ///< the kept part of the file, where this command changed it
  std::vector<Revocation> revocations;
  std::vector<BreakTo> breaks;
  std::vector<RestrictionsTo> restrictions;
  std::vector<PendingAt> pendings;
  std::vector<ReplyTo> replies;
  /// Breaks that found no client to be told, of leases that an open among `replies` has joined.
  std::vector<BreakTo> owed;
};

}  // namespace flotilla::coherence
