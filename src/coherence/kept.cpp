#include "coherence/kept.hpp"

#include <algorithm>

#include "coherence/caching.hpp"
#include "coherence/deletion.hpp"
#include "coherence/locks.hpp"

namespace flotilla::coherence {
namespace {

/// No time-out that a peer names may overflow the clock.
constexpr std::chrono::milliseconds kTimeoutMax = std::chrono::hours{24 * 7};

MonoTime deadline_of(const Turn& turn, const Durability& durability) {
  return turn.now + std::clamp(durability.timeout, std::chrono::milliseconds{0}, kTimeoutMax);
}

const Cache* cache_of(const FileState& file, const OpenState& open) {
  if (!open.cached) return nullptr;
  const auto it = file.caches.find(open.cache);
  return it == file.caches.end() ? nullptr : &it->second;
}

/// What the client holds, or is left with when the break is done.
CacheRights settled_rights(const Cache& cache) noexcept {
  return cache.breaking ? cache.offered : cache.rights;
}

/// Where the open is, or was and may still be held for its client; zero for nowhere.
NodeId node_of(const FileState& file, OpenId open) {
  const auto it = file.opens.find(open);
  if (it == file.opens.end()) return NodeId{};
  const auto kept = file.kept.find(open);
  const bool away = is_detached(it->second) && kept != file.kept.end();
  return away ? kept->second.last_node : it->second.node;
}

bool has_client(const FileState& file, const Cache& cache) {
  return std::any_of(cache.opens.begin(), cache.opens.end(), [&](OpenId open) {
    const auto it = file.opens.find(open);
    return it != file.opens.end() && it->second.answered && !is_detached(it->second);
  });
}

/// A break is out and the last client that could answer it has gone: [MS-SMB2] 3.3.7.1 keeps
/// durable opens only where the oplock state is Held. What must stay is told when it comes back.
/// Returns the last open that ended.
OpenId orphan_break(Turn& turn, const CacheId& id) {
  const auto at = turn.file.caches.find(id);
  if (at == turn.file.caches.end() || !at->second.breaking || has_client(turn.file, at->second)) {
    return OpenId{};
  }
  OpenId last;
  MonoTime deadline = turn.now;
  const std::vector<OpenId> opens = at->second.opens;
  for (const OpenId open : opens) {
    const auto kept = turn.file.kept.find(open);
    if (kept == turn.file.kept.end()) continue;
    if (kept->second.durability.kind == DurableKind::Durable && end_detached(turn, open)) {
      last = open;
      continue;
    }
    deadline = std::max(deadline, kept->second.deadline);
  }
  const auto it = turn.file.caches.find(id);
  if (it != turn.file.caches.end()) {
    it->second.untold = true;
    it->second.deadline = deadline;
  }
  return last;
}

/// A client that says its session is gone may not have heard of a break either, unless it has come
/// back to another open of the lease already.
void owe_break_again(Turn& turn, const Reclaim& asked) {
  FileState& file = turn.file;
  const OpenState& open = file.opens.at(asked.open);
  const auto cache = open.cached ? file.caches.find(open.cache) : file.caches.end();
  if (cache == file.caches.end() || !cache->second.breaking) return;
  const bool back = std::ranges::any_of(cache->second.opens, [&](OpenId id) {
    const OpenState& other = file.opens.at(id);
    return !is_detached(other) && other.answered && other.session != asked.former;
  });
  if (back) return;
  cache->second.untold = true;
  cache->second.deadline = deadline_of(turn, file.kept.at(asked.open).durability);
}

}  // namespace

void fence(Turn& turn, NodeId node) {
  const auto at = std::lower_bound(turn.fenced.begin(), turn.fenced.end(), node);
  if (at == turn.fenced.end() || *at != node) turn.fenced.insert(at, node);
}

bool survives(const FileState& file, OpenId open) {
  const auto kept = file.kept.find(open);
  const auto state = file.opens.find(open);
  if (kept == file.kept.end() || state == file.opens.end() || !state->second.answered) return false;
  const DurableKind kind = kept->second.durability.kind;
  if (kind != DurableKind::Durable) return kind != DurableKind::None;
  const Cache* const cache = cache_of(file, state->second);
  return cache != nullptr && (settled_rights(*cache) & kCacheHandle) != 0;
}

void take_in_durability(Turn& turn, OpenId open, const Durability& durability,
                        std::vector<LockSequence> sequences) {
  if (durability == Durability{}) return;
  Kept& kept = turn.file.kept[open];
  kept.durability = durability;
  kept.deadline = deadline_of(turn, durability);
  kept.sequences.clear();
  for (const LockSequence sequence : sequences) remember_sequence(turn.file, open, sequence);
}

void decide_durability(FileState& file, OpenId open) {
  const auto kept = file.kept.find(open);
  if (kept == file.kept.end() || kept->second.durability.kind != DurableKind::Durable) return;
  const Cache* const cache = cache_of(file, file.opens.at(open));
  if (cache != nullptr && (cache->rights & kCacheHandle) != 0) return;
  kept->second.durability.kind = DurableKind::None;
}

void remember_sequence(FileState& file, OpenId open, LockSequence sequence) {
  const auto kept = file.kept.find(open);
  if (kept == file.kept.end() || sequence.index == 0 || sequence.index > 64) return;
  auto& all = kept->second.sequences;
  const auto at = std::lower_bound(all.begin(), all.end(), LockSequence{sequence.index, 0});
  if (at != all.end() && at->index == sequence.index) {
    at->number = sequence.number;
  } else {
    all.insert(at, sequence);
  }
}

OpenId lose_client(Turn& turn, const std::vector<OpenId>& opens, bool node_lives) {
  FileState& file = turn.file;
  OpenId last;
  std::vector<std::pair<CacheId, NodeId>> caches;
  for (const OpenId id : opens) {
    if (!survives(file, id)) {
      if (remove_open(turn, id)) last = id;
      continue;
    }
    OpenState& open = file.opens.at(id);
    Kept& kept = file.kept.at(id);
    const NodeId left = open.node;
    kept.last_node = node_lives ? left : NodeId{};
    kept.deadline = deadline_of(turn, kept.durability);
    count_acting(file, open, -1);
    open.node = NodeId{};
    drop_waits(turn, id);
    turn.look_again = true;
    if (open.cached) caches.emplace_back(open.cache, left);
  }
  for (const auto& [id, left] : caches) {
    tell_where_client_is(turn, id, left);
    if (const OpenId ended = orphan_break(turn, id); ended.raw() != 0) last = ended;
  }
  return last;
}

Outcome detach(Turn& turn, NodeId from, const Detach& asked) {
  FileState& file = turn.file;
  const auto at = file.opens.find(asked.open);
  if (at == file.opens.end() || at->second.node != from) return {NtStatus::FileClosed, {}};
  // The answer to whoever came for it, and is gone again.
  std::erase_if(file.held, [&](const HeldReply& reply) {
    if (!reply.reclaims || reply.open != asked.open) return false;
    turn.reply(reply.to, reply.request, {NtStatus::ObjectNameNotFound, {}});
    return true;
  });
  (void)lose_client(turn, {asked.open}, true);
  if (file.opens.contains(asked.open)) return {NtStatus::Success, {}};
  return {NtStatus::Success, after_close(turn, from, asked.open)};
}

NtStatus update_kept(Turn& turn, NodeId from, const UpdateKept& asked) {
  FileState& file = turn.file;
  const auto at = file.opens.find(asked.open);
  if (at == file.opens.end() || at->second.node != from) return NtStatus::FileClosed;
  std::vector<LockSequence> sequences;
  if (const auto kept = file.kept.find(asked.open); kept != file.kept.end()) {
    sequences = std::move(kept->second.sequences);
    file.kept.erase(kept);
  }
  take_in_durability(turn, asked.open, asked.durability, std::move(sequences));
  return NtStatus::Success;
}

NtStatus reclaim(Turn& turn, NodeId from, RequestId request, const Reclaim& asked) {
  FileState& file = turn.file;
  const auto at = file.opens.find(asked.open);
  const auto kept_at = file.kept.find(asked.open);
  if (at == file.opens.end() || kept_at == file.kept.end() || from.raw() == 0) {
    return NtStatus::ObjectNameNotFound;
  }
  OpenState& open = at->second;
  Kept& kept = kept_at->second;
  const bool lease = open.cached && open.cache.open.raw() == 0;
  if (lease && open.client != asked.client) return NtStatus::ObjectNameNotFound;
  const bool handed_over = !is_detached(open);
  if (handed_over) {
    // Only what is answered can be handed over, by who had it, and not twice at a time.
    const bool pending =
        std::any_of(file.held.begin(), file.held.end(),
                    [&](const HeldReply& reply) { return reply.open == asked.open; });
    if (asked.former.raw() == 0 || open.session != asked.former || !open.answered || pending) {
      return NtStatus::ObjectNameNotFound;
    }
    drop_waits(turn, asked.open);
    owe_break_again(turn, asked);
  }
  const NodeId had = handed_over ? open.node : kept.last_node;
  if (had.raw() != 0 && had != from) {
    turn.out.revocations.push_back({had, asked.open, RevokeReason::Moved});
    fence(turn, had);
  }
  count_acting(file, open, -1);
  open.node = from;
  count_acting(file, open, 1);
  open.client = asked.client;
  open.session = asked.session;
  kept.last_node = NodeId{};
  turn.answers.push_back({from, request, asked.open, Outcome{}, {}, true});
  return NtStatus::Success;
}

Outcome reclaimed_now(Turn& turn, NodeId holder, OpenId open) {
  FileState& file = turn.file;
  Reclaimed answer;
  answer.what = kept_open(file, open);
  answer.what.holder = holder;
  answer.delete_pending = file.delete_pending;
  const OpenState& state = file.opens.at(open);
  const auto cache = state.cached ? file.caches.find(state.cache) : file.caches.end();
  if (cache != file.caches.end()) {
    answer.what.open.cache.rights = cache->second.rights;
    if (cache->second.breaking) answer.owed = {cache->second.rights, cache->second.offered};
    if (cache->second.breaking && cache->second.untold) {
      answer.owes_break = true;
      cache->second.untold = false;
      cache->second.deadline = turn.now + turn.limits.break_timeout;
    }
  }
  return {NtStatus::Success, std::move(answer)};
}

void tell_holder(Turn& turn, NodeId from, OpenId open) {
  const NodeId node = node_of(turn.file, open);
  if (node == from || node.raw() == 0) return;
  turn.out.revocations.push_back({node, open, RevokeReason::Displaced});
  fence(turn, node);
}

void end_open(Turn& turn, OpenId open, RevokeReason reason) {
  const NodeId node = node_of(turn.file, open);
  if (node.raw() != 0) {
    turn.out.revocations.push_back({node, open, reason});
    fence(turn, node);
  }
  end_rename(turn, node, open);
  (void)remove_open(turn, open);
}

bool end_detached(Turn& turn, OpenId open) {
  if (turn.file.opens.at(open).delete_on_close || turn.file.delete_pending) {
    turn.file.kept.at(open).deadline = turn.now;
    return false;
  }
  end_open(turn, open, RevokeReason::Expired);
  return true;
}

bool end_forsaken(Turn& turn) {
  std::vector<OpenId> forsaken;
  for (const auto& [id, kept] : turn.file.kept) {
    if (is_detached(turn.file.opens.at(id)) && !survives(turn.file, id)) forsaken.push_back(id);
  }
  bool ended = false;
  for (const OpenId open : forsaken) ended = end_detached(turn, open) || ended;
  return ended;
}

OpenId expire_detached(Turn& turn) {
  std::vector<OpenId> due;
  for (const auto& [id, kept] : turn.file.kept) {
    if (is_detached(turn.file.opens.at(id)) && kept.deadline <= turn.now) due.push_back(id);
  }
  for (const OpenId open : due) end_open(turn, open, RevokeReason::Expired);
  return due.empty() ? OpenId{} : due.back();
}

bool awaits_persistent(const FileState& file) {
  return std::any_of(file.kept.begin(), file.kept.end(), [&](const auto& entry) {
    return entry.second.durability.kind == DurableKind::Persistent &&
           is_detached(file.opens.at(entry.first));
  });
}

KeptOpen kept_open(const FileState& file, OpenId open) {
  const OpenState& state = file.opens.at(open);
  KeptOpen what;
  what.holder = state.node;
  what.open.open = open;
  what.open.client = state.client;
  what.open.session = state.session;
  what.open.path = file.path;
  what.open.access = state.access;
  what.open.share = state.share;
  what.open.directory = state.directory;
  what.open.delete_on_close = state.delete_on_close;
  what.open.denies_delete = state.denies_delete;
  if (const Cache* const cache = cache_of(file, state)) {
    CacheRequest& request = what.open.cache;
    request.kind = cache->kind;
    // Who comes back to this copy may never have heard of a break: it finds what that leaves.
    request.rights = cache->breaking ? cache->required : cache->rights;
    request.key = state.cache.key;
    request.version = cache->version;
    request.has_parent = cache->has_parent;
    request.parent_key = cache->parent_key;
    what.lease_epoch = cache->epoch;
  }
  const auto kept = file.kept.find(open);
  if (kept != file.kept.end()) {
    what.open.durability = kept->second.durability;
    what.sequences = kept->second.sequences;
  }
  for (const HeldLock& held : file.opens.at(open).locks) what.locks.push_back(held.range);
  return what;
}

KeptFile kept_file(const FileKey& key, const FileState& file) {
  KeptFile all;
  all.key = key;
  all.path = file.path;
  all.delete_pending = file.delete_pending;
  for (const auto& [id, kept] : file.kept) {
    if (survives(file, id)) all.opens.push_back(kept_open(file, id));
  }
  return all;
}

}  // namespace flotilla::coherence
