// Invariant 5: an open that is to be kept, once answered, survives the loss of as many nodes as the
// pool is set to tolerate (one), whenever that comes.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "coherence/state.hpp"
#include "pool/testing/sim_pool.hpp"

namespace flotilla::pool::testing {

using namespace std::chrono_literals;

void SimPool::kept_action(SimNode& node) {
  if (!node.up || node.hung || !may_serve(node)) return;
  if (!node.opens.empty() && chance(40)) {
    auto at = node.opens.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(pick(node.opens.size())));
    const OpenId id = at->first;
    const FileKey key = at->second.key;
    if (chance(50)) {
      return submit(node, key, coherence::Lock{id, {{pick(90), 5, true}}, false, true});
    }
    forget(node, id);
    return submit(node, key, coherence::Close{id});
  }
  coherence::Open open;
  open.open = OpenId{std::uint64_t{node.id.raw()} << 48 | next_open_++};
  open.path = "kept";
  open.access = coherence::kReadData | coherence::kWriteData;
  open.client.bytes.fill(static_cast<std::uint8_t>(node.id.raw()));
  open.durability.kind = coherence::DurableKind::Persistent;
  open.durability.timeout = 1h;
  ++counts["kept opens asked"];
  submit(node, FileKey{2, open.open.raw(), 1}, std::move(open));
}

void SimPool::kept_steps(std::size_t step_count) {
  for (std::size_t i = 0; i < step_count && wrong_.empty(); ++i) {
    switch (pick(6)) {
      case 0:
        kept_action(random_node());
        break;
      case 1:
        advance(std::chrono::microseconds{pick(3000)});
        break;
      case 2:
        duties(random_node(), false);
        break;
      case 3:
        for (int n = 0; n < 3; ++n) deliver_effect(random_node());
        break;
      default:
        deliver_message(false);
        break;
    }
  }
}

void SimPool::settle() {
  for (int round = 0; round < 120 && wrong_.empty(); ++round) {
    advance(20ms);
    for (bool busy = true; busy;) {
      busy = deliver_message(true);
      for (SimNode& node : nodes_) {
        while (deliver_effect(node)) busy = true;
        duties(node, true);
      }
    }
  }
}

void SimPool::check_kept(const std::map<OpenId, FileKey>& waiting) {
  const auto found = [&](OpenId open) {
    std::vector<FoundHere> all;
    for (const SimNode& node : nodes_) {
      if (!may_serve(node)) continue;
      coherence::KeptQuery query;
      query.open = open;
      all.push_back(node.machine->find_kept(query));
      all.back().copies.clear();
    }
    return united(std::move(all));
  };
  for (const auto& [open, key] : waiting) {
    const auto it = found(open);
    if (it.empty()) {
      wrong(fmt::format("invariant 5: open {:x} was answered, and is gone", open.raw()));
    } else if (it[0].what.holder != NodeId{}) {
      wrong(fmt::format("open {:x} of a lost node is node {}'s", open.raw(),
                        it[0].what.holder.raw()));
    }
  }
  for (const SimNode& node : nodes_) {
    for (const auto& [open, it] : node.opens) {
      const auto known = found(open);
      if (known.empty() || known[0].what.holder != node.id) {
        wrong(
            fmt::format("open {:x} of node {} is not known as its own", open.raw(), node.id.raw()));
      } else if (known[0].what.locks.size() != it.locks.size()) {
        wrong(fmt::format("open {:x} of node {} has {} locks, and is known with {}", open.raw(),
                          node.id.raw(), it.locks.size(), known[0].what.locks.size()));
      }
    }
  }
  // Files without an owner's knowledge of them have no copies either.
  for (const SimNode& node : nodes_) {
    if (!may_serve(node)) continue;
    for (const auto& [key, file] : node.machine->copies().files()) {
      const SimNode& owner = nodes_[node.machine->owner_of(key).raw() - 1];
      const auto kept = owner.machine->table().kept(key);
      if (!kept || kept->version != file.version || *kept != file) {
        wrong(fmt::format("invariant 6: node {}'s copy of file {} (v{}) is not its owner's (v{})",
                          node.id.raw(), key.inode, file.version, kept ? kept->version : 0));
      }
    }
  }
}

std::vector<std::string> SimPool::run_kept(std::size_t round_count) {
  std::map<OpenId, FileKey> waiting;
  settle();
  for (std::size_t round = 0; round < round_count && wrong_.empty(); ++round) {
    kept_steps(400 + pick(400));
    SimNode& victim = random_node();
    for (const auto& [open, it] : victim.opens) waiting[open] = it.key;
    counts["kept opens of lost nodes"] += victim.opens.size();
    if (chance(70)) {
      crash(victim, chance(30));
    } else {
      hang(victim);
    }
    kept_steps(600);
    advance(800ms);  // longer than a silence is waited for
    kept_steps(300);
    settle();
    // What a hung node's clients did in its last moments may or may not count.
    const bool hung = victim.hung;
    wake(victim);
    boot(victim);
    kept_steps(hung ? 0 : 200);
    settle();
    check_kept(waiting);
  }
  return wrong_;
}

namespace {

void run_kept_seed(std::uint64_t seed, std::map<std::string, std::uint64_t>& counts) {
  SimPool pool(seed, 3 + seed % 3);
  const std::vector<std::string> wrong = pool.run_kept(6);
  for (const auto& [name, count] : pool.counts) counts[name] += count;
  for (const std::string& sentence : wrong) {
    ADD_FAILURE() << "seed " << seed << ": " << sentence;
  }
}

TEST(PoolSimulation, KeptOpensSurviveTheLossOfANode_Design3_5) {
  std::map<std::string, std::uint64_t> counts;
  if (const char* one = std::getenv("FLOTILLA_SEED")) {
    run_kept_seed(std::strtoull(one, nullptr, 10), counts);
  } else {
    const char* many = std::getenv("FLOTILLA_SEEDS");
    const std::uint64_t seed_count = many != nullptr ? std::strtoull(many, nullptr, 10) : 60;
    for (std::uint64_t seed = 1; seed <= seed_count && !HasFailure(); ++seed) {
      run_kept_seed(seed, counts);
    }
    for (const char* name : {"kept opens of lost nodes", "copies", "copies handed over"}) {
      EXPECT_GT(counts[name], 0U) << "nothing of this kind happened: " << name;
    }
  }
  for (const auto& [name, count] : counts) fmt::print("  {} {}\n", count, name);
}

}  // namespace
}  // namespace flotilla::pool::testing
