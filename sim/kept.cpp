// Opens that outlive their client's connection: how they get lost, and how clients come back.
#include <algorithm>

#include "pool/owner/message.hpp"
#include "sim/show.hpp"
#include "sim/world.hpp"

namespace flotilla::sim {

using namespace std::chrono_literals;
using coherence::DurableKind;
using coherence::LockRange;

namespace {
/// A reclaim is refused so often before the client of a durable open gives it up.
constexpr int kTriesMax = 6;

/// Every acknowledged lock is there. More may be: taken with the answer lost, or asked to be let
/// go.
bool has_all(std::vector<LockRange> there, const std::vector<LockRange>& acknowledged) {
  return std::all_of(acknowledged.begin(), acknowledged.end(), [&](const LockRange& lock) {
    const auto at = std::find(there.begin(), there.end(), lock);
    if (at == there.end()) return false;
    there.erase(at);
    return true;
  });
}
}  // namespace

bool World::kept(const ClientOpen& open) const {
  switch (open.command.durability.kind) {
    case DurableKind::None:
      return false;
    case DurableKind::Durable: {
      const auto cache = caches_.find(open.cache_name());
      return cache != caches_.end() && (cache->second.rights & coherence::kCacheHandle) != 0 &&
             !cache->second.breaking_to;
    }
    default:
      return true;
  }
}

/// The client is without its open, and thinks that it may have it back.
void World::go_away(const OpenPtr& open) {
  const auto cache = caches_.find(open->cache_name());
  open->rights_when_lost =
      cache == caches_.end() ? coherence::CacheRights{0} : cache->second.rights;
  open->breaking_when_lost =
      cache != caches_.end() && (cache->second.breaking_to.has_value() || cache->second.acks > 0);
  std::vector<LockRange> locks = open->locks;
  forget(*open);
  open->locks = std::move(locks);
  open->lost_at = now();
  open->tries = 0;
  away_[open->id()] = open;
  report_.count("kept opens lost");
}

void World::disconnect(Client& client) {
  if (tracing()) say(fmt::format("n{}  {} loses its connection", client.node.raw(), client.name()));
  std::vector<OpenPtr> mine;
  for (const auto& [id, open] : opens_) {
    if (open->client == &client && open->node == client.node) mine.push_back(open);
  }
  for (const OpenPtr& open : mine) {
    if (!kept(*open)) {
      close(open);
      continue;
    }
    go_away(open);
    submit(&client, open->node, open->key, coherence::Detach{open->id()},
           [this, open](const coherence::Outcome& outcome) {
             const auto* closed = std::get_if<coherence::Closed>(&outcome.answer);
             if (closed == nullptr) return;
             // H had gone, or was going.
             give_up(*open);
             if (closed->unlink) remove_name(open->node, open->key, open->id());
           });
  }
  client.node = NodeId{};
  client.session = SessionId{};
}

void World::give_up(const ClientOpen& open) {
  if (away_.erase(open.id()) != 0) report_.count("kept opens gone");
}

void World::reclaim(Client& client, const OpenPtr& lost) {
  if (lost->asked_in == client.session) return;
  lost->asked_in = client.session;
  ++lost->tries;
  const NodeId node = client.node;
  coherence::KeptQuery query;
  query.open = lost->id();
  const std::uint64_t boot = at(node).boot;
  const SessionId session = client.session;
  at(node).engine->find_kept(
      query, [this, &client, lost, node, boot, session](std::vector<coherence::KeptFound> found) {
        const bool here = at(node).runs() && at(node).boot == boot && client.node == node &&
                          client.session == session && away_.contains(lost->id());
        if (!here) return;
        const auto best = std::find_if(found.begin(), found.end(), [&](const auto& it) {
          return it.what.open.open == lost->id();
        });
        if (best == found.end()) return reclaim_refused(lost);
        reclaim_found(client, lost, best->key);
      });
}

void World::reclaim_refused(const OpenPtr& lost) {
  report_.count("reclaims refused");
  lost->asked_in = SessionId{};
  if (!promised(*lost) && lost->tries >= kTriesMax) give_up(*lost);
}

void World::reclaim_found(Client& client, const OpenPtr& lost, const FileKey& key) {
  auto open = std::make_shared<ClientOpen>(*this, client, client.node);
  open->key = lost->key;
  open->command = lost->command;
  open->command.session = client.session;
  open->returning = true;
  const coherence::Reclaim command{lost->id(), client.guid, client.session, lost->command.session};
  const RequestPtr request = note(&client, client.node, key, command);
  request->id = at(client.node)
                    .engine->reclaim(
                        key, command, open, [this, open, lost, request](ports::OpenOutcome result) {
                          if (!answered(request, result.outcome)) return;
                          const auto* answer =
                              std::get_if<coherence::Reclaimed>(&result.outcome.answer);
                          if (result.outcome.status != NtStatus::Success || answer == nullptr) {
                            return reclaim_refused(lost);
                          }
                          reclaimed(open, lost, *answer, result);
                        });
}

void World::reclaimed(const OpenPtr& open, const OpenPtr& lost, const coherence::Reclaimed& answer,
                      ports::OpenOutcome& result) {
  report_.count("reclaims");
  const bool wanted = away_.erase(lost->id()) != 0;
  if (opens_.contains(lost->id())) {
    return wrong(Rule::Kept, fmt::format("open {} is reclaimed twice", show(lost->id())));
  }
  if (open->gone) {
    return wrong(Rule::Kept,
                 fmt::format("open {} is taken away before it is reclaimed", show(lost->id())));
  }
  open->granted = true;
  open->returning = false;
  open->kind = answer.what.open.cache.kind;
  open->gate = std::move(result.gate);
  open->locks = lost->locks;  // a lock whose answer was lost is no promise
  open->since = now();
  opens_[open->id()] = open;
  if (!has_all(answer.what.locks, lost->locks)) {
    wrong(Rule::Kept, fmt::format("open {} had {} locks and has {}", show(open->id()),
                                  lost->locks.size(), answer.what.locks.size()));
  }
  if (answer.what.open.durability.passport != lost->command.durability.passport) {
    wrong(Rule::Kept, fmt::format("open {} has another passport", show(open->id())));
  }
  if (open->kind != coherence::CacheKind::None) {
    CacheBelief& belief = caches_[open->cache_name()];
    const auto rights = answer.owes_break ? answer.owed.from : answer.what.open.cache.rights;
    // Made out while a break was under way: the client may have said more since, as in take_cache.
    const bool has_said_more = belief.breaking_to.has_value() || belief.acks > 0;
    belief.rights = has_said_more ? belief.rights & rights : rights;
    checker_.cache_grown(open->cache_name());
  }
  checker_.reclaimed(*open);
  for (const coherence::Break& what : std::exchange(open->early, {})) hear_break(*open, what);
  if (!wanted) later(open->node, 0us, [this, open] { close(open); });
  if (!answer.owes_break) return;
  coherence::Break owed;
  owed.open = open->id();
  owed.kind = open->kind;
  owed.key = open->kind == coherence::CacheKind::Lease ? open->command.cache.key : LeaseKey{};
  owed.from = answer.owed.from;
  owed.to = answer.owed.to;
  owed.ack_required = true;
  hear_break(*open, owed);
}

/// The node has lost, or will have lost, all that it knew: more than the pool tolerates before it
/// has settled, and nothing is promised any more.
void World::count_loss(NodeId node) {
  if (settled_since_ && now() - *settled_since_ >= 1s) lost_.clear();
  lost_.insert(node);
  settled_since_.reset();
  if (lost_.size() > options_.tolerate) excused_before_ = now();
}

/// DESIGN.md section 5: a holder that did not answer a break in time loses its open, a persistent
/// one too. The client is without it for ever then, also where the node could not be asked.
void World::note_fenced(ByteView bytes) {
  constexpr std::size_t kRevokeBytesMax = 128;  // the others need not be looked at
  if (bytes.size() > kRevokeBytesMax) return;
  const auto message = pool::decode_peer_message(bytes);
  if (!message) return;
  const auto* const revoke = std::get_if<pool::RevokeMessage>(&message->body);
  if (revoke == nullptr || revoke->reason != coherence::RevokeReason::BreakTimedOut) return;
  fenced_.insert(revoke->open);
}

bool World::promised(const ClientOpen& open) const {
  // The others see that a node is gone after up to a second. A break of what the open cached may
  // have been overdue before that, and nobody was left to tell of it.
  constexpr auto kSeenGone = 1000ms;
  const bool caches = (open.rights_when_lost & ~coherence::kCacheRead) != 0;
  if (caches && options_.break_timeout < kSeenGone) return false;
  if (fenced_.contains(open.id())) return false;
  return open.command.durability.kind == DurableKind::Persistent && open.since > excused_before_ &&
         now() - open.lost_at + 1s < open.command.durability.timeout;
}

void World::look_at_settling() {
  const bool settled = std::all_of(nodes_.begin(), nodes_.end(), [&](const auto& node) {
    return !node->up || (node->serves() && !node->hung && node->engine->recovered());
  });
  if (!settled) {
    settled_since_.reset();
  } else if (!settled_since_) {
    settled_since_ = now();
  }
}

}  // namespace flotilla::sim
