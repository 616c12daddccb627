// Restrictions: locks and cached reads that every node must mind, and answers that wait until it
// does. DESIGN.md section 3, "Grants that restrict others".
#include <algorithm>

#include "coherence/caching.hpp"
#include "coherence/kept.hpp"
#include "coherence/share.hpp"
#include "coherence/turn.hpp"

namespace flotilla::coherence {
namespace {

void add(std::vector<NodeId>& nodes, NodeId node) {
  const auto it = std::lower_bound(nodes.begin(), nodes.end(), node);
  if (it == nodes.end() || *it != node) nodes.insert(it, node);
}

bool may_write(const OpenState& open) {
  return !open.directory && (open.access & kChangesData) != 0;
}

/// Nodes whose clients can act on the file now, ascending.
std::vector<NodeId> nodes_with_opens(const FileState& file, bool writers_only) {
  std::vector<NodeId> nodes;
  for (const auto& [node, count] : file.acting) {
    if (!writers_only || count.writers != 0) nodes.push_back(node);
  }
  return nodes;
}

/// What this answer must wait for.
std::vector<Awaited> wanted_by(const FileState& file, const HeldReply& reply) {
  const bool opened = reply.open.raw() != 0;
  const bool all_nodes = !opened;
  bool writers = !opened;
  if (opened && !reply.reclaims) {  // whose rights everybody knows already
    const OpenState& open = file.opens.at(reply.open);
    const auto cache = open.cached ? file.caches.find(open.cache) : file.caches.end();
    writers = cache != file.caches.end() && (cache->second.rights & kCacheRead) != 0;
  }
  const std::vector<NodeId> busy =
      writers ? nodes_with_opens(file, !all_nodes) : std::vector<NodeId>{};
  std::vector<Awaited> missing;
  for (const auto& [node, knowledge] : file.nodes) {
    const bool concerned = std::binary_search(busy.begin(), busy.end(), node);
    const std::uint64_t version = concerned ? knowledge.sent : knowledge.fence;
    if (knowledge.known < version) missing.push_back({node, version});
  }
  return missing;
}

Outcome opened_now(const FileState& file, const OpenState& open) {
  Opened opened;
  if (open.cached) {
    const Cache& cache = file.caches.at(open.cache);
    opened.kind = cache.kind;
    opened.rights = cache.rights;
    opened.lease_epoch = cache.version == 2 ? cache.epoch : std::uint16_t{0};
    opened.break_in_progress = cache.breaking;
    opened.breaking_to = cache.breaking ? cache.offered : CacheRights{0};
    opened.lease_version = cache.version;
  }
  opened.restrictions = restrictions_of(file);
  return {NtStatus::Success, std::move(opened)};
}

void send(Turn& turn, HeldReply& reply) {
  FileState& file = turn.file;
  if (reply.open.raw() == 0) {
    turn.reply(reply.to, reply.request, std::move(reply.outcome));
    return;
  }
  const auto it = file.opens.find(reply.open);
  if (it == file.opens.end()) return;
  if (reply.reclaims) {
    Outcome outcome = reclaimed_now(turn, it->second.node, reply.open);
    std::get<Reclaimed>(outcome.answer).restrictions = restrictions_of(file);
    turn.reply(reply.to, reply.request, std::move(outcome));
  } else {
    decide_durability(file, reply.open);
    Outcome outcome = opened_now(file, it->second);
    if (auto* const named = std::get_if<Opened>(&reply.outcome.answer)) {
      std::get<Opened>(outcome.answer).path = std::move(named->path);
    }
    turn.reply(reply.to, reply.request, std::move(outcome), reply.open);
  }
  count_acting(file, it->second, -1);
  it->second.answered = true;
  const bool first = !file.acting.contains(it->second.node);
  count_acting(file, it->second, 1);
  tell_owed(turn, reply.open);
  if (!first) return;
  // The node's first open brings it all that there is to know.
  NodeKnowledge& knowledge = file.nodes[it->second.node];
  // Unless it still owes a confirmation that answers wait for: then that one has to come, and the
  // node must be remembered until it does.
  if (knowledge.known < knowledge.sent) return;
  knowledge.known = knowledge.sent = file.version;
}

/// Writers' nodes that do not know yet that the answered open caches reads. While it was held its
/// lease may have lost that right, and got it again by another of its opens.
std::vector<Awaited> unaware_of(const FileState& file, const HeldReply& reply) {
  const auto open = file.opens.find(reply.open);
  if (open == file.opens.end() || !open->second.cached) return {};
  const auto cache = file.caches.find(open->second.cache);
  if (cache == file.caches.end() || (cache->second.rights & kCacheRead) == 0) return {};
  std::vector<Awaited> missing;
  for (const NodeId node : nodes_with_opens(file, true)) {
    const auto knowledge = file.nodes.find(node);
    if (knowledge == file.nodes.end()) continue;
    const std::uint64_t version = std::min(knowledge->second.sent, file.cachers_version);
    if (knowledge->second.known < version) missing.push_back({node, version});
  }
  return missing;
}

/// Sends what waits for nobody any more, in order.
void release(Turn& turn) {
  for (std::size_t i = 0; i < turn.file.held.size();) {
    HeldReply& next = turn.file.held[i];
    if (next.missing.empty()) next.missing = unaware_of(turn.file, next);
    if (!next.missing.empty()) {
      ++i;
      continue;
    }
    HeldReply reply = std::move(turn.file.held[i]);
    turn.file.held.erase(turn.file.held.begin() + static_cast<std::ptrdiff_t>(i));
    send(turn, reply);
  }
}

void forget_idle_nodes(FileState& file) {
  std::erase_if(file.nodes, [&](const auto& entry) {
    return entry.second.known >= entry.second.sent && !file.acting.contains(entry.first);
  });
}

}  // namespace

void count_acting(FileState& file, const OpenState& open, int by) {
  if (!open.answered || is_detached(open)) return;
  const auto change = static_cast<std::uint32_t>(by);
  ActingOpens& count = file.acting[open.node];
  count.all += change;
  if (may_write(open)) count.writers += change;
  if (count.all == 0) file.acting.erase(open.node);
}

Restrictions restrictions_of(const FileState& file) {
  Restrictions all;
  all.version = file.version;
  all.locks = file.locks;
  for (const auto& [id, cache] : file.caches) {
    if (!caches_reads(cache) || cache.opens.empty()) continue;
    const auto open = file.opens.find(cache.opens.front());
    if (open == file.opens.end()) continue;
    all.cachers.push_back({cache.opens.front(), open->second.client, id.key});
  }
  return all;
}

void settle(Turn& turn) {
  FileState& file = turn.file;
  if (turn.locks_changed || turn.cachers_changed || !turn.fenced.empty()) {
    file.version = ++turn.version_counter;
    if (turn.cachers_changed) file.cachers_version = file.version;
    std::vector<NodeId> told = nodes_with_opens(file, !turn.locks_changed);
    for (const NodeId node : turn.fenced) {
      add(told, node);
      file.nodes[node].fence = file.version;
    }
    for (const NodeId node : told) {
      file.nodes[node].sent = file.version;
      turn.out.restrictions.push_back({node, restrictions_of(file)});
    }
  }
  for (HeldReply& reply : turn.answers) {
    reply.missing = wanted_by(file, reply);
    if (reply.missing.empty()) {
      send(turn, reply);
    } else {
      file.held.push_back(std::move(reply));
    }
  }
  // An Opened that left in the middle of the turn (a held one that somebody's confirmation, or a
  // node's end, released) must not bring less than the restrictions that go out ahead of it.
  for (Outbox::ReplyTo& reply : turn.out.replies) {
    Restrictions* told = nullptr;
    if (auto* opened = std::get_if<Opened>(&reply.outcome.answer)) told = &opened->restrictions;
    if (auto* back = std::get_if<Reclaimed>(&reply.outcome.answer)) told = &back->restrictions;
    if (told != nullptr && told->version < file.version) *told = restrictions_of(file);
  }
  turn.answers.clear();
  turn.locks_changed = turn.cachers_changed = false;
  turn.fenced.clear();
  forget_idle_nodes(file);
}

void confirm(Turn& turn, NodeId node, std::uint64_t version) {
  FileState& file = turn.file;
  const auto it = file.nodes.find(node);
  if (it == file.nodes.end()) return;
  it->second.known = std::max(it->second.known, std::min(version, it->second.sent));
  for (HeldReply& reply : file.held) {
    std::erase_if(reply.missing, [&](const Awaited& awaited) {
      return awaited.node == node && awaited.version <= it->second.known;
    });
  }
  release(turn);
}

void confirm_gone(Turn& turn, NodeId node) {
  FileState& file = turn.file;
  file.nodes.erase(node);
  for (HeldReply& reply : file.held) {
    std::erase_if(reply.missing, [&](const Awaited& awaited) { return awaited.node == node; });
  }
  release(turn);
}

}  // namespace flotilla::coherence
