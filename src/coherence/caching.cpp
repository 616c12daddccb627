#include "coherence/caching.hpp"

#include <algorithm>

#include "coherence/kept.hpp"
#include "coherence/share.hpp"

namespace flotilla::coherence {
namespace {

constexpr CacheRights kAll = kCacheRead | kCacheHandle | kCacheWrite;

constexpr CacheRights without(CacheRights rights, CacheRights gone) noexcept {
  return static_cast<CacheRights>(rights & ~gone);
}

/// The open to notify through; nothing where no client has been told of this cache yet, or none is
/// there.
const OpenId* notify_through(const FileState& file, const Cache& cache) {
  for (const OpenId& open : cache.opens) {
    const auto it = file.opens.find(open);
    if (it != file.opens.end() && it->second.answered && !is_detached(it->second)) return &open;
  }
  return nullptr;
}

Break break_of(OpenId open, const CacheId& id, const Cache& cache, CacheRights to, bool ack) {
  return {open,
          cache.kind,
          id.key,
          cache.rights,
          to,
          ack,
          cache.version == 2 ? cache.epoch : std::uint16_t{0},
          false};
}

/// What a lease is now goes to all nodes with opens of it but `except`, which knows.
void tell_elsewhere(Turn& turn, const CacheId& id, const Cache& cache, CacheRights to, bool ack,
                    NodeId except) {
  std::vector<NodeId> told{except};
  for (const OpenId open : cache.opens) {
    const auto it = turn.file.opens.find(open);
    if (it == turn.file.opens.end() || !it->second.answered || is_detached(it->second)) continue;
    if (std::ranges::find(told, it->second.node) != told.end()) continue;
    told.push_back(it->second.node);
    turn.out.breaks.push_back({it->second.node, break_of(open, id, cache, to, ack)});
    turn.out.breaks.back().what.elsewhere = true;
  }
}

void send_break(Turn& turn, const CacheId& id, Cache& cache, CacheRights to, bool ack) {
  const OpenId* const open = notify_through(turn.file, cache);
  if (open == nullptr) return;
  const NodeId node = turn.file.opens.at(*open).node;
  tell_elsewhere(turn, id, cache, to, ack, node);
  cache.told = node;
  turn.out.breaks.push_back({node, break_of(*open, id, cache, to, ack)});
}

/// Writes down what is held now. An oplock that fell to nothing is no oplock any more.
void set_rights(Turn& turn, const CacheId& id, Cache& cache, CacheRights to) {
  if (cache.rights != to) {
    turn.cachers_changed = true;
    turn.look_again = true;
  }
  cache.rights = to;
  if (to != 0 || cache.kind == CacheKind::Lease) return;
  for (const OpenId open : cache.opens) {
    const auto it = turn.file.opens.find(open);
    if (it != turn.file.opens.end()) it->second.cached = false;
  }
  turn.file.caches.erase(CacheId{id});
}

/// No client is there to be told. Durable opens that wait for theirs end; resilient and persistent
/// ones keep what they have until they are told, or their time is over.
/// Spec  [MS-SMB2] 3.3.4.6, 3.3.4.7: Open.Connection is NULL
void take_from_absent(Turn& turn, const CacheId& id, CacheRights to) {
  bool waits = false;
  MonoTime deadline = turn.now;
  const std::vector<OpenId> opens = turn.file.caches.at(id).opens;
  for (const OpenId open : opens) {
    if (!is_detached(turn.file.opens.at(open))) continue;
    const Kept& kept = turn.file.kept.at(open);
    if (kept.durability.kind == DurableKind::Durable && end_detached(turn, open)) continue;
    waits = true;
    deadline = std::max(deadline, kept.deadline);
  }
  const auto it = turn.file.caches.find(id);
  if (it == turn.file.caches.end()) return;
  Cache& cache = it->second;
  if (!waits || cache.rights == kCacheRead) return set_rights(turn, it->first, cache, to);
  ++cache.epoch;
  turn.cachers_changed = turn.cachers_changed || (caches_reads(cache) && to == 0);
  cache.breaking = cache.untold = true;
  cache.offered = cache.required = to;
  cache.deadline = deadline;
}

}  // namespace

CacheRights reduced(CacheKind kind, CacheRights rights, CacheRights keep) noexcept {
  CacheRights to = valid_rights(static_cast<CacheRights>(rights & keep));
  if (kind == CacheKind::Oplock && to != rights) to = to & kCacheRead;
  return to;
}

CacheId lease_id(const ClientGuid& client, const LeaseKey& key) noexcept {
  return CacheId{OpenId{}, client, key};
}

bool same_lease(const Open& asked, const CacheId& id) noexcept {
  return asks_lease(asked) && id == lease_id(asked.client, asked.cache.key);
}

void take_back(Turn& turn, const CacheId& id, CacheRights keep) {
  const auto it = turn.file.caches.find(id);
  if (it == turn.file.caches.end()) return;
  Cache& cache = it->second;
  const CacheRights to = reduced(cache.kind, cache.rights, keep);
  if (to == cache.rights) return;
  if (cache.breaking) {
    const bool read_before = caches_reads(cache);
    cache.required = static_cast<CacheRights>(cache.required & to);
    turn.cachers_changed = turn.cachers_changed || read_before != caches_reads(cache);
    return;
  }
  if (notify_through(turn.file, cache) == nullptr) {
    take_from_absent(turn, CacheId{id}, to);
    return;
  }
  ++cache.epoch;
  const bool ack = cache.rights != kCacheRead;
  send_break(turn, it->first, cache, to, ack);
  if (!ack) {
    set_rights(turn, it->first, cache, to);
    return;
  }
  turn.cachers_changed = turn.cachers_changed || (caches_reads(cache) && to == 0);
  cache.breaking = true;
  cache.offered = to;
  cache.required = to;
  cache.deadline = turn.now + turn.limits.break_timeout;
}

void lapse(Turn& turn, const CacheId& id) {
  Cache& cache = turn.file.caches.at(id);
  const CacheRights left = cache.required;
  cache.rights = cache.offered;
  cache.breaking = cache.untold = false;
  cache.offered = cache.required = 0;
  turn.cachers_changed = turn.look_again = true;
  if (cache.rights != left) {
    // More has gone since the client was told what it may keep.
    ++cache.epoch;
    send_break(turn, id, cache, left, false);
  }
  set_rights(turn, id, cache, left);
}

bool break_handles(Turn& turn, const CacheId& own) {
  std::vector<CacheId> holders;
  for (const auto& [id, cache] : turn.file.caches) {
    if (id != own && (cache.rights & kCacheHandle) != 0) holders.push_back(id);
  }
  bool left = false;
  for (const CacheId& id : holders) {
    take_back(turn, id, without(kAll, kCacheHandle));
    const auto it = turn.file.caches.find(id);
    left = left || (it != turn.file.caches.end() && (it->second.rights & kCacheHandle) != 0);
  }
  return left;
}

void break_readers(Turn& turn, OpenId open) {
  const auto own = turn.file.opens.find(open);
  std::vector<CacheId> readers;
  for (const auto& [id, cache] : turn.file.caches) {
    if ((cache.rights & kCacheRead) == 0) continue;
    const bool mine = own != turn.file.opens.end() && own->second.cached && own->second.cache == id;
    const bool level_ii = cache.kind == CacheKind::Oplock && cache.rights == kCacheRead;
    if (mine && !level_ii) continue;
    readers.push_back(id);
  }
  for (const CacheId& id : readers) take_back(turn, id, 0);
}

void break_listings(Turn& turn, const ChildChanged& change) {
  const CacheId own = lease_id(change.client, change.parent_key);
  std::vector<CacheId> readers;
  for (const auto& [id, cache] : turn.file.caches) {
    if (cache.kind == CacheKind::Lease && id != own && (cache.rights & kCacheRead) != 0) {
      readers.push_back(id);
    }
  }
  for (const CacheId& id : readers) take_back(turn, id, 0);
}

CacheRights grantable(const FileState& file, const Open& open) {
  if (!asks_caching(open)) return 0;
  CacheRights rights = asked_rights(open);
  if (!file.locks.empty()) return 0;
  const bool lease = open.cache.kind == CacheKind::Lease;
  for (const auto& [id, other] : file.opens) {
    if (id == open.open || (other.cached && same_lease(open, other.cache))) continue;
    // Any other lease, even one broken to nothing, and any open but for attributes.
    if (other.cached || !is_stat_access(other.access)) rights = without(rights, kCacheWrite);
  }
  for (const auto& [id, other] : file.caches) {
    if (same_lease(open, id) || id.open == open.open) continue;
    if ((other.rights & kCacheWrite) != 0) return 0;  // left alone by an open for attributes
    if (lease && other.kind == CacheKind::Oplock) rights = without(rights, kCacheHandle);
    if (!lease && (other.rights & kCacheHandle) != 0) return 0;
  }
  if (!lease && (rights & kCacheWrite) == 0) rights = rights & kCacheRead;
  return rights;
}

void grant_cache(Turn& turn, const Open& open) {
  FileState& file = turn.file;
  const CacheRights rights = grantable(file, open);
  if (!asks_caching(open)) return;
  const bool lease = open.cache.kind == CacheKind::Lease;
  if (!lease && rights == 0) return;
  const CacheId id =
      lease ? lease_id(open.client, open.cache.key) : CacheId{open.open, ClientGuid{}, LeaseKey{}};
  const auto [it, is_new] = file.caches.try_emplace(id);
  Cache& cache = it->second;
  cache.opens.insert(std::lower_bound(cache.opens.begin(), cache.opens.end(), open.open),
                     open.open);
  OpenState& state = file.opens.at(open.open);
  state.cached = true;
  state.cache = id;
  if (is_new) {
    cache.kind = open.cache.kind;
    cache.version = lease ? open.cache.version : std::uint8_t{0};
    cache.epoch = lease ? static_cast<std::uint16_t>(open.cache.epoch + 1) : std::uint16_t{0};
    cache.has_parent = lease && open.cache.has_parent;
    if (cache.has_parent) cache.parent_key = open.cache.parent_key;
    cache.rights = rights;
    turn.cachers_changed = turn.cachers_changed || rights != 0;
    return;
  }
  // [MS-SMB2] 3.3.5.9.8: only to a true superset, only all of it, and not while it is broken.
  const CacheRights asked = asked_rights(open);
  if (!cache.breaking && rights == asked && (cache.rights & asked) == cache.rights &&
      asked != cache.rights) {
    cache.rights = asked;
    ++cache.epoch;
    turn.cachers_changed = true;
    tell_elsewhere(turn, id, cache, asked, false, state.node);
  }
}

void leave_cache(Turn& turn, OpenId open, const OpenState& state) {
  if (!state.cached) return;
  const auto it = turn.file.caches.find(state.cache);
  if (it == turn.file.caches.end()) return;
  auto& opens = it->second.opens;
  opens.erase(std::remove(opens.begin(), opens.end(), open), opens.end());
  turn.look_again = true;
  turn.cachers_changed = turn.cachers_changed || it->second.rights != 0;
  if (opens.empty()) {
    turn.file.caches.erase(it);
    return;
  }
  tell_where_client_is(turn, state.cache, state.node);
  // A client that knows of no open of it any more has forgotten the lease, and that it is broken;
  // it hears of both with the answer to the next.
  Cache& cache = it->second;
  const bool known =
      std::ranges::any_of(opens, [&](OpenId other) { return turn.file.opens.at(other).answered; });
  if (cache.breaking && cache.kind == CacheKind::Lease && !known) cache.untold = true;
}

void tell_where_client_is(Turn& turn, const CacheId& id, NodeId left) {
  const auto it = turn.file.caches.find(id);
  if (it == turn.file.caches.end() || !it->second.breaking || it->second.untold) return;
  Cache& cache = it->second;
  if (cache.told != left || left.raw() == 0) return;
  const bool still_there = std::ranges::any_of(cache.opens, [&](OpenId open) {
    const OpenState& other = turn.file.opens.at(open);
    return other.answered && other.node == left;
  });
  if (!still_there) send_break(turn, id, cache, cache.offered, true);
}

void tell_owed(Turn& turn, OpenId open) {
  const OpenState& state = turn.file.opens.at(open);
  const auto it = state.cached ? turn.file.caches.find(state.cache) : turn.file.caches.end();
  if (it == turn.file.caches.end() || !it->second.breaking || !it->second.untold) return;
  Cache& cache = it->second;
  cache.untold = false;
  cache.told = state.node;
  cache.deadline = turn.now + turn.limits.break_timeout;
  turn.out.owed.push_back({state.node, break_of(open, it->first, cache, cache.offered, true)});
}

std::vector<CacheId> told_through(const FileState& file, NodeId node) {
  std::vector<CacheId> told;
  for (const auto& [id, cache] : file.caches) {
    if (cache.kind != CacheKind::Lease || !cache.breaking || cache.untold) continue;
    if (cache.told == node) told.push_back(id);
  }
  return told;
}

void give_time_again(Turn& turn, const CacheId& id) {
  const auto it = turn.file.caches.find(id);
  if (it == turn.file.caches.end() || !it->second.breaking || it->second.untold) return;
  Cache& cache = it->second;
  if (notify_through(turn.file, cache) == nullptr) {
    // Who has not been answered yet hears of what is left.
    const CacheRights left = cache.required;
    cache.breaking = false;
    cache.offered = cache.required = 0;
    return take_from_absent(turn, CacheId{id}, left);
  }
  cache.deadline = turn.now + turn.limits.break_timeout;
}

Outcome acknowledge(Turn& turn, NodeId from, const AcknowledgeBreak& ack) {
  FileState& file = turn.file;
  const bool lease = !ack.key.is_zero();
  CacheId id = lease ? lease_id(ack.client, ack.key) : CacheId{ack.open, {}, {}};
  if (!lease && file.opens.find(ack.open) == file.opens.end()) return {NtStatus::FileClosed, {}};
  const auto it = file.caches.find(id);
  if (it == file.caches.end() || !it->second.breaking) {
    if (!lease) return {NtStatus::InvalidOplockProtocol, {}};
    return {it == file.caches.end() ? NtStatus::ObjectNameNotFound : NtStatus::Unsuccessful, {}};
  }
  Cache& cache = it->second;
  const bool accepted = (ack.kept & ~cache.offered) == 0;
  if (!accepted && lease) return {NtStatus::RequestNotAccepted, {}};
  // An oplock whose holder answers nonsense is gone, so that nobody waits for it.
  const CacheRights kept = accepted ? valid_rights(ack.kept) : CacheRights{0};
  const CacheRights required = cache.required;
  cache.breaking = cache.untold = false;
  cache.offered = 0;
  cache.required = 0;
  turn.look_again = true;
  Outcome outcome{NtStatus::Success, BreakAcknowledged{kept}};
  if (!accepted) outcome = {NtStatus::InvalidOplockProtocol, {}};
  const CacheRights goal = static_cast<CacheRights>(kept & required);
  if (goal == kept) {
    if (lease) tell_elsewhere(turn, id, cache, kept, false, from);
    set_rights(turn, id, cache, kept);
    return outcome;
  }
  // The conflict has grown meanwhile: on to the next step under the same epoch, R last.
  if (cache.rights != kept) turn.cachers_changed = true;
  cache.rights = kept;
  if (kept == kCacheRead) {
    send_break(turn, id, cache, goal, false);
    set_rights(turn, id, cache, goal);
    return outcome;
  }
  const CacheRights step = reduced(cache.kind, kept, static_cast<CacheRights>(goal | kCacheRead));
  cache.breaking = true;
  cache.offered = step;
  cache.required = goal;
  cache.deadline = turn.now + turn.limits.break_timeout;
  send_break(turn, id, cache, step, true);
  return outcome;
}

}  // namespace flotilla::coherence
