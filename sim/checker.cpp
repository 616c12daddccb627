#include "sim/checker.hpp"

#include <algorithm>
#include <set>

#include "coherence/invariants.hpp"
#include "coherence/locks.hpp"
#include "coherence/path_names.hpp"
#include "coherence/share.hpp"
#include "coherence/state.hpp"
#include "pool/owner/machine.hpp"
#include "sim/show.hpp"
#include "sim/world.hpp"

namespace flotilla::sim {

using namespace std::chrono_literals;
using coherence::CacheRights;
using coherence::kCacheRead;
using coherence::kCacheWrite;
using coherence::LockRange;

namespace {
/// How long bad news may take to a client whose node serves: longer than any delay of a link.
constexpr auto kNewsTravels = 3s;
/// SetDeletePending(false) that old has been carried out, or never will be.
constexpr auto kAskedTravels = 5s;

/// Which invariant a sentence of coherence::broken_invariants is about.
Rule rule_of(const std::string& sentence) {
  const auto has = [&](const char* words) { return sentence.find(words) != std::string::npos; };
  if (has("share modes")) return Rule::ShareModes;
  if (has("write caching")) return Rule::CachingRights;
  if (has("locks of")) return Rule::Locks;
  if (has("unlinked") || has("delete")) return Rule::Deletion;
  return Rule::Machinery;
}

bool forbids(const LockRange& lock, const Io& io) {
  return (lock.exclusive || io.range.exclusive) && coherence::ranges_overlap(lock, io.range);
}
}  // namespace

bool Checker::counts(const ClientOpen& open) const {
  return open.granted && !open.gone && world_.at(open.node).serves();
}

bool Checker::counts(const CacheName& name) const {
  const auto& opens = world_.opens();
  return std::any_of(opens.begin(), opens.end(), [&](const auto& it) {
    const ClientOpen& open = *it.second;
    return open.kind != coherence::CacheKind::None && open.cache_name() == name && counts(open);
  });
}

void Checker::suspect(Suspicion suspicion) {
  suspicion.until = world_.now() + kNewsTravels;
  const bool known = std::any_of(suspicions_.begin(), suspicions_.end(), [&](const auto& it) {
    return it.open == suspicion.open && it.cache == suspicion.cache && it.rule == suspicion.rule;
  });
  if (!known) suspicions_.push_back(std::move(suspicion));
}

void Checker::settle_suspicions() {
  for (const Suspicion& it : suspicions_) {
    if (it.until > world_.now()) continue;
    const auto open = world_.opens().find(it.open);
    const bool there = it.open != OpenId{} ? open != world_.opens().end() && counts(*open->second)
                                           : counts(it.cache);
    if (there) world_.wrong(it.rule, it.what + ", and nobody took that right away");
  }
  std::erase_if(suspicions_, [&](const auto& it) { return it.until <= world_.now(); });
}

void Checker::heard_gone(const ClientOpen& open) {
  const CacheName name = open.cache_name();
  std::erase_if(suspicions_,
                [&](const auto& it) { return it.open == open.id() || it.cache == name; });
}

void Checker::cache_gone(const CacheName& name) {
  std::erase_if(suspicions_, [&](const auto& it) { return it.cache == name; });
}

void Checker::close_answered(OpenId open, NtStatus status) {
  for (const Suspicion& it : suspicions_) {
    if (it.open == open && status == NtStatus::Success) world_.wrong(it.rule, it.what);
  }
  std::erase_if(suspicions_, [&](const auto& it) { return it.open == open; });
}

void Checker::granted(const ClientOpen& open, MonoTime asked) {
  if (!counts(open)) return;
  check_deciders();
  const auto doomed = doomed_.find(open.key);
  if (doomed != doomed_.end() && doomed->second.since < asked && world_.disk().has(open.key)) {
    const auto& opens = world_.opens();
    for (const OpenId id : doomed->second.witnesses) {
      const auto witness = opens.find(id);
      if (witness == opens.end() || !counts(*witness->second)) continue;
      world_.wrong(Rule::Deletion, fmt::format("{} is to be deleted, which open {} has lived "
                                               "through, and open {} is granted",
                                               show(open.key), show(id), show(open.id())));
      break;
    }
  }
  for (const auto& [id, other] : world_.opens()) {
    if (other.get() != &open && other->key == open.key) check_opens(open, *other);
  }
  for (const auto& [name, belief] : world_.caches()) {
    if (name.key == open.key) check_write_caching(name, belief);
  }
  check_against_away(open);
}

void Checker::reclaimed(const ClientOpen& open) {
  granted(open, MonoTime{});
  for (const LockRange& range : open.locks) locked(open, range);
}

void Checker::ended_away(const ClientOpen& open, coherence::RevokeReason reason) {
  if (reason != coherence::RevokeReason::Expired || !world_.away().contains(open.id())) return;
  if (!world_.promised(open)) return;
  world_.wrong(Rule::Kept, fmt::format("open {} of {} has ended before its time", show(open.id()),
                                       show(open.key)));
}

/// Nobody is let in where a client may come back to what excludes it.
void Checker::check_against_away(const ClientOpen& open) {
  for (const auto& [id, lost] : world_.away()) {
    if (lost->key != open.key || !world_.promised(*lost)) continue;
    if (coherence::share_conflict(open.command.access, open.command.share, lost->command.access,
                                  lost->command.share)) {
      world_.wrong(Rule::Kept,
                   fmt::format("open {} on n{} is granted beside {}, which may come "
                               "back to {}",
                               show(open.id()), open.node.raw(), show(id), show(open.key)));
    }
    for (const LockRange& theirs : lost->locks) {
      for (const LockRange& mine : open.locks) {
        if (!coherence::lock_conflict({id, theirs}, open.id(), mine)) continue;
        world_.wrong(Rule::Kept, fmt::format("open {} on n{} has {} where {}, which may come back "
                                             "to {}, has {}",
                                             show(open.id()), open.node.raw(), show(mine), show(id),
                                             show(open.key), show(theirs)));
      }
    }
  }
}

void Checker::check_opens(const ClientOpen& a, const ClientOpen& b) {
  if (!counts(a) || !counts(b)) return;
  if (!coherence::share_conflict(a.command.access, a.command.share, b.command.access,
                                 b.command.share)) {
    return;
  }
  world_.wrong(Rule::ShareModes,
               fmt::format("opens {} on n{} and {} on n{} of {} exclude each other", show(a.id()),
                           a.node.raw(), show(b.id()), b.node.raw(), show(a.key)));
}

void Checker::check_locks(const ClientOpen& a, const ClientOpen& b) {
  if (!counts(a) || !counts(b)) return;
  for (const LockRange& mine : a.locks) {
    for (const LockRange& theirs : b.locks) {
      if (!coherence::lock_conflict({a.id(), mine}, b.id(), theirs)) continue;
      world_.wrong(Rule::Locks, fmt::format("opens {} on n{} and {} on n{} of {} both have {}",
                                            show(a.id()), a.node.raw(), show(b.id()), b.node.raw(),
                                            show(a.key), show(theirs)));
    }
  }
}

void Checker::locked(const ClientOpen& open, const LockRange& range) {
  if (!counts(open)) return;
  for (const auto& [id, other] : world_.opens()) {
    if (other.get() != &open && other->key == open.key) check_locks(open, *other);
  }
  check_lock_against_io(open, range);
  check_gates_mind(open, range);
  check_against_away(open);
}

void Checker::check_lock_against_io(const ClientOpen& open, const LockRange& range) {
  for (const Io& io : world_.ios()) {
    if (io.key != open.key || io.open == open.id() || !forbids(range, io)) continue;
    world_.wrong(Rule::Locks, fmt::format("open {} on n{} has {} of {} while I/O of open {} to it "
                                          "is under way",
                                          show(open.id()), open.node.raw(), show(range),
                                          show(open.key), show(io.open)));
  }
}

/// Every node that could do I/O knows a lock by the time it is granted.
void Checker::check_gates_mind(const ClientOpen& open, const LockRange& range) {
  if (range.length_bytes == 0) return;
  for (const auto& [id, other] : world_.opens()) {
    if (other.get() == &open || other->key != open.key || !counts(*other)) continue;
    auto ticket =
        other->gate->admit(id, range.offset, range.length_bytes, ports::IoGate::Access::Write);
    if (!ticket) continue;
    ticket->release();
    // The open may be fenced already, its lock gone and the word of it right behind the grant.
    suspect({open.id(),
             {},
             {},
             Rule::Locks,
             fmt::format("n{} would write through open {} where open {} of n{} has just been "
                         "granted {} of {}",
                         other->node.raw(), show(id), show(open.id()), open.node.raw(), show(range),
                         show(open.key))});
  }
}

void Checker::cache_grown(const CacheName& name) {
  const auto at = world_.caches().find(name);
  if (at != world_.caches().end()) check_cache(name, at->second);
}

void Checker::check_cache(const CacheName& name, const CacheBelief& belief) {
  if (belief.rights == 0 || !counts(name)) return;
  for (auto at = world_.caches().lower_bound({name.key, {}, {}, {}});
       at != world_.caches().end() && at->first.key == name.key; ++at) {
    const CacheRights theirs = at->second.rights;
    if (at->first == name || theirs == 0 || ((belief.rights | theirs) & kCacheWrite) == 0) continue;
    if (!counts(at->first)) continue;
    world_.wrong(Rule::CachingRights,
                 fmt::format("{} has {} while {} has {}", show(name), show_rights(belief.rights),
                             show(at->first), show_rights(theirs)));
  }
  check_write_caching(name, belief);
  if ((belief.rights & kCacheRead) == 0) return;
  for (const Io& io : world_.ios()) {
    if (io.key != name.key || !io.range.exclusive) continue;
    if (io.by->is_of(name)) continue;
    suspect({OpenId{},
             name,
             {},
             Rule::CachingRights,
             fmt::format("{} caches reads while open {} writes", show(name), show(io.open))});
  }
}

/// Who caches writes is alone with opens that neither see nor change data.
void Checker::check_write_caching(const CacheName& name, const CacheBelief& belief) {
  if ((belief.rights & kCacheWrite) == 0 || !counts(name)) return;
  for (const auto& [id, open] : world_.opens()) {
    if (open->key != name.key || (open->command.access & coherence::kSharedAccess) == 0) continue;
    if (open->is_of(name) || !counts(*open)) continue;
    world_.wrong(Rule::CachingRights,
                 fmt::format("{} caches writes while open {} on n{} reaches the data", show(name),
                             show(id), open->node.raw()));
  }
}

void Checker::io_admitted(const ClientOpen& open, const Io& io) {
  for (const auto& [id, other] : world_.opens()) {
    if (other.get() == &open || other->key != open.key || !counts(*other)) continue;
    for (const LockRange& range : other->locks) {
      if (!forbids(range, io)) continue;
      suspect({id,
               {},
               {},
               Rule::Locks,
               fmt::format("I/O of open {} on n{} is carried out where open {} on n{} has {} of {}",
                           show(open.id()), open.node.raw(), show(id), other->node.raw(),
                           show(range), show(open.key))});
    }
  }
  if (!io.range.exclusive) return;
  for (const auto& [name, belief] : world_.caches()) {
    if (name.key != open.key || (belief.rights & kCacheRead) == 0) continue;
    if (open.is_of(name) || !counts(name)) continue;
    suspect({OpenId{},
             name,
             {},
             Rule::CachingRights,
             fmt::format("open {} on n{} writes while {} caches reads", show(open.id()),
                         open.node.raw(), show(name))});
  }
}

void Checker::doomed(NodeId by, const FileKey& key) {
  // A node that serves nothing takes a Close all the same: it only gives something up. But the open
  // may have ended long since, with the life that the others took for dead (DESIGN.md section 5),
  // and the file be others' by now: such a node promises no deletion, as its opens count for
  // nothing.
  if (!world_.at(by).serves()) return;
  const auto undone = not_doomed_.find(key);
  if (undone != not_doomed_.end() && world_.now() - undone->second < kAskedTravels) return;
  Doomed doomed{world_.now(), {}};
  for (const auto& [id, open] : world_.opens()) {
    if (open->key == key && counts(*open)) doomed.witnesses.push_back(id);
  }
  doomed_.insert_or_assign(key, std::move(doomed));
}

void Checker::not_doomed(const FileKey& key) {
  not_doomed_[key] = world_.now();
  doomed_.erase(key);
}

void Checker::name_removed(NodeId by, const FileKey& key) {
  if (!world_.disk().has(key)) return;
  for (const auto& [id, open] : world_.opens()) {
    if (open->key != key || !counts(*open)) continue;
    // Its node may have yet to hear that the open was taken away.
    suspect({id,
             {},
             {},
             Rule::Deletion,
             fmt::format("n{} removes the name of {} while open {} on n{} has it open", by.raw(),
                         show(key), show(id), open->node.raw())});
  }
}

void Checker::check_all() {
  const auto& opens = world_.opens();
  for (auto a = opens.begin(); a != opens.end(); ++a) {
    if (!counts(*a->second)) continue;
    for (auto b = std::next(a); b != opens.end(); ++b) {
      if (a->second->key != b->second->key) continue;
      check_opens(*a->second, *b->second);
      check_locks(*a->second, *b->second);
    }
    for (const LockRange& range : a->second->locks) {
      for (const Io& io : world_.ios()) {
        if (io.key != a->second->key || io.open == a->first || !forbids(range, io)) continue;
        suspect({a->first,
                 {},
                 {},
                 Rule::Locks,
                 fmt::format("I/O of open {} goes on where open {} has {}", show(io.open),
                             show(a->first), show(range))});
      }
    }
  }
  for (const auto& [name, belief] : world_.caches()) check_cache(name, belief);
  check_deciders();
  settle_suspicions();
}

void Checker::check_deciders() {
  std::map<std::pair<std::vector<pool::MemberId>, FileKey>, NodeId> deciding;
  for (const auto& node : world_.nodes()) {
    if (!node->serves()) continue;
    const pool::OwnerMachine& machine = node->engine->machine();
    const pool::View view = node->engine->view();
    const pool::Member* self = view.find(node->id);
    // What has moved away is swept in slices; until then nobody decides by it.
    if (self == nullptr || machine.has_work()) continue;
    // Two views that nobody could install both may have one epoch.
    std::vector<pool::MemberId> members;
    for (const pool::Member& member : view.members) members.push_back(member.id);
    for (const FileKey& key : machine.table().files()) {
      const bool owns = machine.owner_of(key) == node->id;
      if (!owns && !machine.holds_claim(key)) {
        world_.wrong(Rule::OneDecider, fmt::format("n{} decides about {}, which it neither owns "
                                                   "nor has claimed",
                                                   node->id.raw(), show(key)));
      }
      // Of those in one view, one has the state: the owner, or the claim's holder.
      const auto [now_at, is_first] = deciding.try_emplace({members, key}, node->id);
      if (!is_first) {
        world_.wrong(Rule::OneDecider, fmt::format("n{} and n{} both decide about {} in epoch {}",
                                                   now_at->second.raw(), node->id.raw(), show(key),
                                                   machine.epoch().raw()));
      }
      if (!owns) continue;
      const auto [at, is_new] = deciders_.try_emplace({members, key}, self->id);
      if (!is_new && at->second != self->id) {
        world_.wrong(Rule::OneDecider,
                     fmt::format("n{} and n{} both own {} in epoch {}", at->second.node.raw(),
                                 node->id.raw(), show(key), machine.epoch().raw()));
      }
      if (!machine.recovered()) continue;
      for (const std::string& sentence :
           coherence::broken_invariants(*machine.table().inspect(key))) {
        world_.wrong(rule_of(sentence), fmt::format("n{} holds of {} what cannot be: {}",
                                                    node->id.raw(), show(key), sentence));
      }
    }
  }
}

/// What survives of a file is on as many other nodes as may be lost, and the same on each.
void Checker::check_copies(const Node& decider, const FileKey& key) {
  const auto kept = decider.engine->machine().table().kept(key);
  if (!kept || kept->opens.empty()) return;
  std::size_t count = 0;
  for (const auto& node : world_.nodes()) {
    if (node->id == decider.id) continue;
    const auto& copies = node->engine->machine().copies().files();
    const auto copy = copies.find(key);
    if (copy == copies.end()) continue;
    ++count;
    if (copy->second == *kept) continue;
    world_.wrong(Rule::OneDecider, fmt::format("n{} keeps another copy of {} than n{} gave",
                                               node->id.raw(), show(key), decider.id.raw()));
  }
  if (count >= std::min<std::size_t>(world_.options().tolerate, world_.nodes().size() - 1)) return;
  world_.wrong(Rule::Kept, fmt::format("{} has {} opens that must survive, and {} copies",
                                       show(key), kept->opens.size(), count));
}

void Checker::check_rest() {
  settle_suspicions();
  std::map<OpenId, NodeId> known;
  for (const auto& node : world_.nodes()) {
    const coherence::FileTable& table = node->engine->machine().table();
    for (const FileKey& key : table.files()) {
      const coherence::FileState& file = *table.inspect(key);
      check_copies(*node, key);
      for (const auto& held : file.held) {
        for (const auto& it : held.missing) {
          world_.wrong(Rule::Liveness,
                       fmt::format("an answer about {} waits for n{} to know of version {}",
                                   show(key), it.node.raw(), it.version));
        }
      }
      for (const auto& [id, open] : file.opens) known[id] = open.node;
      const bool has_path = !file.opens.empty() && world_.disk().has(key);
      // Whoever renamed it may have been lost before it could tell whether it had.
      const auto names = coherence::names_of(file.path);
      if (has_path && std::ranges::find(names, world_.disk().path_of(key)) == names.end()) {
        world_.wrong(Rule::OneDecider,
                     fmt::format("{} is at {}, and its owner says at {}", show(key),
                                 world_.disk().path_of(key), show_path(file.path)));
      }
    }
  }
  for (const auto& [id, open] : world_.opens()) {
    const auto at = known.find(id);
    if (at == known.end() || at->second != open->node) {
      world_.wrong(Rule::OneDecider,
                   fmt::format("open {} on n{} is forgotten", show(id), open->node.raw()));
    }
  }
  for (const auto& [id, lost] : world_.away()) {
    if (!world_.promised(*lost)) continue;
    world_.wrong(Rule::Kept, fmt::format("{} does not get open {} of {} back", lost->client->name(),
                                         show(id), show(lost->key)));
  }
  for (const auto& [id, node] : known) {
    // One that waits for a client who has given it up goes when its time is over.
    if (!world_.opens().contains(id) && node != NodeId{}) {
      world_.wrong(Rule::Liveness, fmt::format("open {} of n{} has leaked", show(id), node.raw()));
    }
  }
}

void Checker::check_empty() {
  for (const auto& node : world_.nodes()) {
    const pool::OwnerMachine& machine = node->engine->machine();
    for (const FileKey& key : machine.table().files()) {
      world_.wrong(Rule::Liveness,
                   fmt::format("n{} still knows of {}: {} opens, {} waiters", node->id.raw(),
                               show(key), machine.table().inspect(key)->opens.size(),
                               machine.table().inspect(key)->waiters.size()));
    }
    if (machine.copies_kept() != 0) {
      world_.wrong(Rule::Liveness,
                   fmt::format("n{} still keeps {} copies", node->id.raw(), machine.copies_kept()));
    }
    if (machine.holder().open_count() != 0) {
      world_.wrong(Rule::Liveness, fmt::format("n{} still holds {} opens", node->id.raw(),
                                               machine.holder().open_count()));
    }
  }
}

}  // namespace flotilla::sim
