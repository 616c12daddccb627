// How long a node's engine does nothing else while a view changes: three engines in one process,
// 30,000 opens on the two that stay, the third is lost. Prints how long an engine was busy at
// most: a command on a file that lost nobody waits no longer. Issue 3: 50 ms.
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "pool/testing/fake_pool.hpp"

namespace flotilla::pool::testing {
namespace {

using Clock = std::chrono::steady_clock;

double ms_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

TestOpenPtr open_one(TestPool& pool, std::uint32_t node, const FileKey& key, bool kept) {
  coherence::Open command;
  command.path = "reports/2026/May.xlsx";
  command.access = coherence::kReadData | coherence::kWriteData;
  command.share = coherence::kShareRead;
  command.client.bytes.fill(static_cast<std::uint8_t>(node));
  command.cache = {coherence::CacheKind::Lease, 7, {}, 2, 0, false, {}};
  store_le(command.cache.key.bytes.data(), key.inode);
  if (kept) {
    command.durability.kind = coherence::DurableKind::Durable;
    command.durability.timeout = std::chrono::minutes{1};
  }
  return start_open(pool, pool.node(node), key, std::move(command));
}

int run(std::size_t open_count, bool kept) {
  TestPool pool(3);
  std::vector<TestOpenPtr> opens;
  for (std::uint64_t inode = 1; inode <= open_count; ++inode) {
    opens.push_back(open_one(pool, 1 + inode % 2, {7, inode, 1}, kept));
    if (opens.back()->status() != NtStatus::Success) return 1;
  }
  // Opens of the node that will be lost, on files of all three.
  for (std::uint64_t inode = 1; inode <= open_count / 10; ++inode) {
    opens.push_back(open_one(pool, 3, {8, inode, 1}, kept));
  }
  pool.settle();

  const auto begin = Clock::now();
  pool.kill(NodeId{3});
  pool.cluster.form({NodeId{1}, NodeId{2}}, {NodeId{3}});
  const auto survivors = {NodeId{1}, NodeId{2}};
  const auto longest_ms = [&] {
    std::uint64_t us = 0;
    for (const NodeId node : survivors) {
      us = std::max(us, pool.node(node.raw()).counters().slice_longest_us);
    }
    return static_cast<double>(us) / 1000;
  };
  fmt::print("  installed and asserted: {:6.1f} ms, {:.1f} ms the longest stall\n", ms_since(begin),
             longest_ms());
  pool.advance(Timing{}.grant_margin);
  while (!pool.node(1).recovered() || !pool.node(2).recovered()) {
    pool.advance(std::chrono::milliseconds{1});
  }
  std::uint64_t asserted = 0;
  for (const NodeId node : survivors) asserted += pool.node(node.raw()).counters().opens_asserted;
  fmt::print(
      "  all of it:              {:6.1f} ms, {:.1f} ms the longest stall, {} opens asserted\n",
      ms_since(begin), longest_ms(), asserted);
  const auto from = Clock::now();
  const auto again = open_one(pool, 1, {7, open_count + 1, 1}, false);
  fmt::print("  an open after it:       {:6.1f} ms\n", ms_since(from));
  return again->status() == NtStatus::Success ? 0 : 1;
}

}  // namespace
}  // namespace flotilla::pool::testing

int main(int argc, char** argv) {
  const std::size_t count = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 30000;
  fmt::print("{} plain opens on two of three nodes, the third is lost:\n", count);
  if (flotilla::pool::testing::run(count, false) != 0) return 1;
  fmt::print("{} durable opens on two of three nodes, the third is lost:\n", count);
  return flotilla::pool::testing::run(count, true);
}
