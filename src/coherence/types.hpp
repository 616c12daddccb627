// The words of the file state machine: access, sharing, caching rights, locks. Not the wire's: what
// is replicated outlives a dialect.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/nt_status.hpp"
#include "coherence/lock_set.hpp"

namespace flotilla::coherence {

/// Access rights as [MS-DTYP] 2.4.3 ACCESS_MASK numbers them, generic rights already mapped.
using AccessMask = std::uint32_t;
inline constexpr AccessMask kReadData = 0x00000001;
inline constexpr AccessMask kWriteData = 0x00000002;
inline constexpr AccessMask kAppendData = 0x00000004;
inline constexpr AccessMask kExecute = 0x00000020;
inline constexpr AccessMask kDelete = 0x00010000;

/// FILE_SHARE_READ, _WRITE, _DELETE.
using ShareAccess = std::uint32_t;
inline constexpr ShareAccess kShareRead = 1;
inline constexpr ShareAccess kShareWrite = 2;
inline constexpr ShareAccess kShareDelete = 4;

/// Caching rights, the bits of SMB2_LEASE_*: a level II oplock is R, exclusive RW, batch RWH.
using CacheRights = std::uint8_t;
inline constexpr CacheRights kCacheRead = 1;
inline constexpr CacheRights kCacheHandle = 2;
inline constexpr CacheRights kCacheWrite = 4;

enum class CacheKind : std::uint8_t { None, Oplock, Lease };

/// What an open asks for beside access.
/// `rights`      for an oplock: R level II, RW exclusive, RWH batch; for a lease any valid set
/// `key`         the lease's key; leases of one client with one key are one lease
/// `version`     1 or 2 for leases; 2 has epochs and a parent key
/// `epoch`       the client's epoch in the request, for version 2
struct CacheRequest {
  CacheKind kind = CacheKind::None;
  CacheRights rights = 0;
  LeaseKey key;
  std::uint8_t version = 0;
  std::uint16_t epoch = 0;
  bool has_parent = false;
  LeaseKey parent_key;
  friend bool operator==(const CacheRequest&, const CacheRequest&) = default;
};

/// Somebody who caches what it read: a write by anybody else must break it first.
/// `open` is one of the lease's opens, or the oplock's open; `key` is zero for an oplock.
struct Cacher {
  OpenId open;
  ClientGuid client;
  LeaseKey key;
  friend bool operator==(const Cacher&, const Cacher&) = default;
};

/// What every node that has an open on the file must know to check I/O alone. `version` grows with
/// every change of the file's restrictions under one owner and epoch; a smaller one is stale.
struct Restrictions {
  std::uint64_t version = 0;
  LockSet locks;
  std::vector<Cacher> cachers;
  friend bool operator==(const Restrictions&, const Restrictions&) = default;
};

/// What keeps an open when its client is lost. [MS-SMB2] 3.3.1.10 IsDurable, IsResilient,
/// IsPersistent. Durable ones only while their batch oplock, or their lease's H, is held.
enum class DurableKind : std::uint8_t { None, Durable, Resilient, Persistent };

/// By what an open can be named again, and for how long it waits for that. All of it zero for an
/// open that nobody will ask for.
/// `timeout`       how long it stays without a client
/// `create_guid`   zero where the client named none (version 1)
/// `passport`      the handler's own: all it needs to make the session's open anew on another node.
///                 Never looked into here.
struct Durability {
  DurableKind kind = DurableKind::None;
  std::chrono::milliseconds timeout{0};
  CreateGuid create_guid;
  AppInstanceId app_instance;
  std::uint64_t app_version_high = 0;
  std::uint64_t app_version_low = 0;
  Bytes passport;
  friend bool operator==(const Durability&, const Durability&) = default;
};

/// One bucket of Open.LockSequenceArray that is valid. [MS-SMB2] 3.3.1.10, 3.3.5.14
/// `index` 1 to 64; 0: none.
struct LockSequence {
  std::uint8_t index = 0;
  std::uint8_t number = 0;
  friend auto operator<=>(const LockSequence&, const LockSequence&) = default;
};

/// Why an open has lost its rights.
/// `Moved`      its client has reclaimed it through another node
/// `Expired`    its client was away, and its time was over or somebody else wanted the file
/// `Displaced`  closed through another node (another instance of its application took over)
enum class RevokeReason : std::uint8_t {
  BreakTimedOut,
  NodeGone,
  ViewLost,
  Administrator,
  Moved,
  Expired,
  Displaced
};

}  // namespace flotilla::coherence
