// Oplocks and leases: what may be granted, what a conflict takes back, what an acknowledgment
// means. An oplock is a lease of one open that knows only R (level II), RW and RWH.
#pragma once

#include "coherence/turn.hpp"

namespace flotilla::coherence {

/// The part of `rights` that makes sense: nothing without R. [MS-SMB2] 2.2.13.2.8
[[nodiscard]] constexpr CacheRights valid_rights(CacheRights rights) noexcept {
  return (rights & kCacheRead) != 0
             ? static_cast<CacheRights>(rights & (kCacheRead | kCacheHandle | kCacheWrite))
             : CacheRights{0};
}

/// What a cache can fall to when `keep` of it is left: an oplock knows nothing between RW and R.
[[nodiscard]] CacheRights reduced(CacheKind kind, CacheRights rights, CacheRights keep) noexcept;

/// A lease needs a key that is not zero: acknowledgments and breaks tell leases from oplocks by it.
/// Directories know version 2 leases only. [MS-SMB2] 3.3.5.9.8, 3.3.5.9.11
[[nodiscard]] inline bool asks_lease(const Open& open) noexcept {
  return open.cache.kind == CacheKind::Lease && !open.cache.key.is_zero() &&
         (!open.directory || open.cache.version == 2);
}
/// What is asked for as far as it makes sense; a directory's entries are cached, not written.
[[nodiscard]] inline CacheRights asked_rights(const Open& open) noexcept {
  const CacheRights rights = valid_rights(open.cache.rights);
  return open.directory ? static_cast<CacheRights>(rights & ~kCacheWrite) : rights;
}
[[nodiscard]] inline bool asks_caching(const Open& open) noexcept {
  return asks_lease(open) || (!open.directory && open.cache.kind == CacheKind::Oplock);
}

[[nodiscard]] CacheId lease_id(const ClientGuid& client, const LeaseKey& key) noexcept;
[[nodiscard]] bool same_lease(const Open& asked, const CacheId& id) noexcept;

/// Whether a write must first tell this cache. Not where it has been told already, even if its
/// client still owes the acknowledgment of an H: nobody waits for R. Nor where it caches writes:
/// its client is alone with opens that change nothing.
[[nodiscard]] constexpr bool caches_reads(const Cache& cache) noexcept {
  const bool leaving = cache.breaking && (cache.required & kCacheRead) == 0;
  return (cache.rights & kCacheRead) != 0 && (cache.rights & kCacheWrite) == 0 && !leaving;
}

/// Takes back all but `keep` from a cache: at once where only R is held or the client knows nothing
/// yet, else by a break that must be acknowledged; a break in progress is told to go further.
/// Spec  [MS-SMB2] 3.3.4.6, 3.3.4.7; [MS-FSA] 2.1.4.12 Algorithm to Check for an Oplock Break
/// Calls the cache may be gone afterwards (an oplock that fell to nothing).
void take_back(Turn& turn, const CacheId& id, CacheRights keep);

/// A break that is late, and that nobody waits for, is taken as acknowledged.
void lapse(Turn& turn, const CacheId& id);

/// Takes handle caching from everybody but `own`. True while somebody still has it.
[[nodiscard]] bool break_handles(Turn& turn, const CacheId& own);

/// Data or locks change through `open`: read caching of others goes, and the open's own level II
/// oplock ([MS-FSA] 2.1.5.3); an exclusive oplock or its own lease stays.
void break_readers(Turn& turn, OpenId open);

/// What lies in the directory has changed: read caching of it goes, but for the changer's own.
void break_listings(Turn& turn, const ChildChanged& change);

/// What `open` could be granted beside what the others hold now.
/// Spec  [MS-FSA] 2.1.5.18 Server Requests an Oplock
[[nodiscard]] CacheRights grantable(const FileState& file, const Open& open);
/// Adds the open (already in the file) to its oplock or lease, new or upgraded.
void grant_cache(Turn& turn, const Open& open);
/// Takes the open out of its oplock or lease; with the last open the lease goes.
void leave_cache(Turn& turn, OpenId open, const OpenState& state);

/// Errors  see [MS-SMB2] 3.3.5.22.1 and 3.3.5.22.2, in command.hpp at AcknowledgeBreak.
[[nodiscard]] Outcome acknowledge(Turn& turn, NodeId from, const AcknowledgeBreak& ack);

/// The last open of the lease on `left` has gone from there. Where that was where its client was
/// told of a break, it may have gone before it heard: it is told again through another node.
void tell_where_client_is(Turn& turn, const CacheId& id, NodeId left);
/// The open has been answered: where its lease is being broken and nobody was there to be told, its
/// client is now, behind the answer, and has its time from here.
void tell_owed(Turn& turn, OpenId open);
/// Leases whose client was told of a break through `node`.
[[nodiscard]] std::vector<CacheId> told_through(const FileState& file, NodeId node);
/// The node through which its client was told is gone, maybe with what it had to say, and its opens
/// have left: the client, told again through another, has its whole time; who has none loses it.
void give_time_again(Turn& turn, const CacheId& id);

}  // namespace flotilla::coherence
