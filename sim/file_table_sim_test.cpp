// Seeded random schedules of nodes and clients against one FileTable.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <string_view>

#include "sim/virtual_pool.hpp"

namespace flotilla::sim {
namespace {

constexpr std::uint64_t kSeeds = 500;
std::uint64_t only_seed = 0;  // NOLINT: set once by main

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += "\n  " + line;
  return text;
}

TEST(FileTableSim, No_schedule_lets_clients_see_a_conflict) {
  std::size_t answers = 0;
  std::size_t waits = 0;
  std::size_t revocations = 0;
  std::size_t ios = 0;
  const std::uint64_t first = only_seed != 0 ? only_seed : 1;
  const std::uint64_t last = only_seed != 0 ? only_seed : kSeeds;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    PoolOptions options;
    options.history = only_seed != 0;
    VirtualPool pool{seed, options};
    pool.run();
    ASSERT_TRUE(pool.violations().empty())
        << "replay with --seed=" << seed << joined(pool.history()) << joined(pool.violations());
    answers += pool.answers();
    waits += pool.waits();
    revocations += pool.revocations();
    ios += pool.ios();
  }
  if (only_seed != 0) return;
  // A simulation in which nothing happens proves nothing.
  EXPECT_GT(answers, kSeeds * 50);
  EXPECT_GT(waits, kSeeds);
  EXPECT_GT(revocations, 20U);
  EXPECT_GT(ios, kSeeds * 5);
}

TEST(FileTableSim, One_seed_gives_one_history) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    VirtualPool one{seed, {}};
    VirtualPool two{seed, {}};
    one.run();
    two.run();
    EXPECT_EQ(one.digest(), two.digest()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace flotilla::sim

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (const char* const seed = std::getenv("FLOTILLA_SIM_SEED")) {
    flotilla::sim::only_seed = std::strtoull(seed, nullptr, 10);
  }
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument{argv[i]};
    if (argument.starts_with("--seed=")) {
      flotilla::sim::only_seed = std::strtoull(argv[i] + 7, nullptr, 10);
    }
  }
  return RUN_ALL_TESTS();
}
