// DESIGN.md section 3's invariants over what all clients of all nodes believe at one moment, and
// the runs over many seeds.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "coherence/invariants.hpp"
#include "coherence/locks.hpp"
#include "coherence/share.hpp"
#include "coherence/state.hpp"
#include "pool/testing/sim_pool.hpp"

namespace flotilla::pool::testing {

using namespace std::chrono_literals;

void SimPool::wrong(std::string what) {
  if (wrong_.size() < 10) {
    wrong_.push_back(fmt::format("{} ms: {}", now_.ns / 1'000'000, std::move(what)));
  }
}

void SimPool::check_pair(const SimNode& a, const SimOpen& x, const SimNode& b, const SimOpen& y) {
  if (coherence::share_conflict(x.command.access, x.command.share, y.command.access,
                                y.command.share)) {
    wrong(fmt::format("invariant 1: opens {:x} on node {} and {:x} on node {} exclude each other",
                      x.command.open.raw(), a.id.raw(), y.command.open.raw(), b.id.raw()));
  }
  for (const auto& mine : x.locks) {
    for (const auto& theirs : y.locks) {
      if (coherence::lock_conflict({x.command.open, mine}, y.command.open, theirs)) {
        wrong(fmt::format("invariant 3: locks of opens {:x} on node {} and {:x} on node {}",
                          x.command.open.raw(), a.id.raw(), y.command.open.raw(), b.id.raw()));
      }
    }
    const auto known = b.known.find(x.key);
    const bool minded =
        known != b.known.end() &&
        std::any_of(known->second.locks.begin(), known->second.locks.end(),
                    [&](const auto& it) { return it.open == x.command.open && it.range == mine; });
    if (!minded && !revoked_by_owner(a, x)) {
      wrong(fmt::format("invariant 3: node {} does not mind the lock of open {:x} on node {}",
                        b.id.raw(), x.command.open.raw(), a.id.raw()));
    }
  }
}

/// The owner has taken the open away and its node has yet to hear it: nothing that it held counts
/// for others' I/O any more, but grants wait until it has (the fence).
bool SimPool::revoked_by_owner(const SimNode& node, const SimOpen& open) const {
  if (node.machine->holds_claim(open.key)) {
    const coherence::FileState* own = node.machine->table().inspect(open.key);
    return own == nullptr || !own->opens.contains(open.command.open);
  }
  const NodeId owner = node.machine->owner_of(open.key);
  if (owner == NodeId{}) return false;
  const SimNode& at = nodes_[owner.raw() - 1];
  if (at.machine->claimed_from(open.key)) return false;
  if (!at.up || at.machine->epoch() < node.machine->epoch()) return false;
  const coherence::FileState* state = at.machine->table().inspect(open.key);
  return state == nullptr || !state->opens.contains(open.command.open);
}

void SimPool::check() {
  struct Seen {
    const SimNode* node;
    const SimOpen* open;
  };
  std::map<FileKey, std::vector<Seen>> opens;
  std::map<std::pair<std::set<MemberId>, FileKey>, NodeId> having;
  std::map<FileKey, std::vector<std::pair<SimCacheName, coherence::CacheRights>>> caches;
  for (const SimNode& node : nodes_) {
    if (!may_serve(node)) continue;
    for (const auto& [id, open] : node.opens) opens[open.key].push_back({&node, &open});
    for (const auto& [name, rights] : node.caches) {
      if (rights != 0) caches[name.key].emplace_back(name, rights);
    }
    // What moved away is swept in slices; until then nobody is decided about by it.
    if (node.machine->has_work()) continue;
    for (const FileKey& key : node.machine->table().files()) {
      if (node.machine->owner_of(key) != node.id) {
        if (!node.machine->holds_claim(key)) {
          wrong(
              fmt::format("invariant 6: node {} keeps a file that it neither owns nor has claimed",
                          node.id.raw()));
        }
      } else {
        const auto [at, is_new] = deciders_.try_emplace({node.linked, key}, node.life);
        if (!is_new && at->second != node.life) {
          wrong(fmt::format("invariant 6: nodes {} and {} own one file in epoch {}",
                            at->second.node.raw(), node.id.raw(), node.machine->epoch().raw()));
        }
      }
      // Of those who may serve in one epoch, one has the state: the owner or the claim's holder.
      const auto [one, is_first] = having.try_emplace({node.linked, key}, node.id);
      if (!is_first) {
        wrong(fmt::format("invariant 6: nodes {} and {} decide about one file in epoch {}",
                          one->second.raw(), node.id.raw(), node.machine->epoch().raw()));
      }
      const coherence::FileState* state = node.machine->table().inspect(key);
      if (state == nullptr || !node.machine->recovered()) continue;
      for (const std::string& sentence : coherence::broken_invariants(*state)) wrong(sentence);
    }
  }
  for (const auto& [key, all] : opens) {
    for (const Seen& x : all) {
      for (const Seen& y : all) {
        if (x.open != y.open) check_pair(*x.node, *x.open, *y.node, *y.open);
      }
    }
  }
  for (const auto& [key, all] : caches) {
    for (std::size_t i = 0; i < all.size(); ++i) {
      for (std::size_t j = i + 1; j < all.size(); ++j) {
        if (((all[i].second | all[j].second) & coherence::kCacheWrite) == 0) continue;
        wrong(fmt::format("invariant 2: rights {} and {} on file {}", all[i].second, all[j].second,
                          key.inode));
      }
    }
  }
}

void SimPool::check_settled() {
  std::map<FileKey, std::set<OpenId>> believed;
  std::map<FileKey, std::set<OpenId>> known;
  for (SimNode& node : nodes_) {
    if (!may_serve(node) || !node.machine->recovered()) {
      wrong(fmt::format("node {} does not serve after all has healed", node.id.raw()));
    }
    for (const auto& [request, it] : node.requests) {
      wrong(fmt::format("request {} (kind {}) of node {} is never answered", request.raw(),
                        it.body.index(), node.id.raw()));
    }
    for (const auto& [id, open] : node.opens) believed[open.key].insert(id);
    for (const FileKey& key : node.machine->table().files()) {
      for (const auto& [id, open] : node.machine->table().inspect(key)->opens) {
        known[key].insert(id);
      }
      const auto* state = node.machine->table().inspect(key);
      for (const auto& held : state->held) {
        for (const auto& it : held.missing) {
          wrong(fmt::format("request {} of node {} waits for node {} to know v{}",
                            held.request.raw(), held.to.raw(), it.node.raw(), it.version));
        }
      }
      if (state->opens.empty()) {
        wrong(fmt::format("file {} is kept without an open: waiters {} held {} unlinking {}",
                          key.inode, state->waiters.size(), state->held.size(), state->unlinking));
      }
    }
  }
  for (const auto& [key, ids] : believed) {
    for (const OpenId id : ids) {
      if (!known[key].contains(id)) wrong(fmt::format("open {:x} is forgotten", id.raw()));
    }
  }
  for (const auto& [key, ids] : known) {
    for (const OpenId id : ids) {
      if (!believed[key].contains(id)) wrong(fmt::format("open {:x} has leaked", id.raw()));
    }
  }
}

std::vector<std::string> SimPool::run(std::size_t step_count) {
  for (std::size_t i = 0; i < step_count && wrong_.empty(); ++i) {
    switch (pick(12)) {
      case 0:
      case 1:
      case 2:
        client_action(random_node());
        break;
      case 3:
        advance(std::chrono::microseconds{pick(chance(20) ? 60000 : 4000)});
        break;
      case 4:
      case 5:
        duties(random_node(), false);
        break;
      case 6:
      case 7:
      case 8:
        for (int n = 0; n < 3; ++n) deliver_effect(random_node());
        break;
      default:
        deliver_message(false);
        break;
    }
    if (pick(400) == 0) {
      SimNode& node = random_node();
      switch (pick(6)) {
        case 0:
          crash(node, chance(40));
          break;
        case 1:
          hang(node);
          break;
        case 2:
          split();
          break;
        case 3:
          heal();
          break;
        default:
          for (SimNode& it : nodes_) {
            wake(it);
            boot(it);
          }
          break;
      }
    }
    if (i % 3 == 0) check();
  }
  if (!wrong_.empty()) return wrong_;
  heal();
  for (SimNode& node : nodes_) {
    wake(node);
    boot(node);
  }
  for (int round = 0; round < 400 && wrong_.empty(); ++round) {
    advance(20ms);
    for (bool busy = true; busy;) {
      busy = deliver_message(true);
      for (SimNode& node : nodes_) {
        while (deliver_effect(node)) busy = true;
        duties(node, true);
      }
      check();
    }
    if (round == 200) {
      for (SimNode& node : nodes_) {
        for (const auto& [request, it] : std::map(node.requests)) {
          step(node, LocalCommand{it.key, RequestId{}, coherence::Cancel{request}});
        }
      }
    }
  }
  check_settled();
  return wrong_;
}

namespace {

void run_seed(std::uint64_t seed, std::map<std::string, std::uint64_t>& counts) {
  SimPool pool(seed, 3 + seed % 3);
  const std::vector<std::string> wrong = pool.run(3000);
  for (const auto& [name, count] : pool.counts) counts[name] += count;
  for (const std::string& sentence : wrong) {
    ADD_FAILURE() << "seed " << seed << ": " << sentence;
  }
}

/// FLOTILLA_SEED=n runs that one only; FLOTILLA_SEEDS=n so many.
TEST(PoolSimulation, InvariantsHoldThroughCrashesHangsAndSplits_Design3) {
  std::map<std::string, std::uint64_t> counts;
  if (const char* one = std::getenv("FLOTILLA_SEED")) {
    run_seed(std::strtoull(one, nullptr, 10), counts);
  } else {
    const char* many = std::getenv("FLOTILLA_SEEDS");
    const std::uint64_t seed_count = many != nullptr ? std::strtoull(many, nullptr, 10) : 300;
    for (std::uint64_t seed = 1; seed <= seed_count && !HasFailure(); ++seed) {
      run_seed(seed, counts);
    }
    for (const char* name :
         {"opens granted", "locks granted", "breaks", "revoked", "unlinks", "unsettled", "lost",
          "views", "hangs", "splits", "crashes", "claims granted", "claims recalled",
          "claims returned", "commands claimed", "commands bounced", "dooms told", "copies",
          "copies handed over"}) {
      EXPECT_GT(counts[name], 0U) << "nothing of this kind happened: " << name;
    }
  }
  for (const auto& [name, count] : counts) fmt::print("  {} {}\n", count, name);
}

}  // namespace
}  // namespace flotilla::pool::testing
