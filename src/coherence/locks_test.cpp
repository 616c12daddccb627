#include "coherence/locks.hpp"

#include <gtest/gtest.h>

#include <random>

#include "coherence/file_table.hpp"
#include "coherence/invariants.hpp"

namespace flotilla::coherence {
namespace {

constexpr FileKey kFile{1, 1, 1};

TEST(Locks, Zero_length_range_conflicts_only_strictly_inside_another_MS_FSA_2_1_4_10) {
  const LockRange ten{10, 10, true};
  EXPECT_FALSE(ranges_overlap({10, 0, true}, ten));
  EXPECT_TRUE(ranges_overlap({11, 0, true}, ten));
  EXPECT_TRUE(ranges_overlap({19, 0, true}, ten));
  EXPECT_FALSE(ranges_overlap({20, 0, true}, ten));
  EXPECT_FALSE(ranges_overlap({15, 0, true}, {15, 0, true}));
}

TEST(Locks, Ranges_that_pass_the_end_of_64_bits_are_cut_there) {
  const std::uint64_t end = ~std::uint64_t{0};
  EXPECT_TRUE(ranges_overlap({end, 1, true}, {end, 1, true}));
  EXPECT_TRUE(ranges_overlap({end - 1, end, true}, {end, 1, true}));
  EXPECT_FALSE(ranges_overlap({end - 1, end, true}, {0, 10, true}));
  EXPECT_TRUE(ranges_overlap({0, end, true}, {5, 1, true}));
}

/// What a file of a few bytes allows, kept byte by byte.
class Model {
 public:
  bool lock(unsigned open, const LockRange& range) {
    for (const auto& [owner, held] : held_) {
      if (!held.exclusive && !range.exclusive) continue;
      if (owner == open && held.exclusive && !range.exclusive) continue;
      if (touch(held, range)) return false;
    }
    held_.emplace_back(open, range);
    return true;
  }
  bool unlock(unsigned open, const LockRange& range) {
    for (auto it = held_.begin(); it != held_.end(); ++it) {
      if (it->first != open || it->second.offset != range.offset ||
          it->second.length_bytes != range.length_bytes) {
        continue;
      }
      held_.erase(it);
      return true;
    }
    return false;
  }
  void close(unsigned open) {
    std::erase_if(held_, [&](const auto& entry) { return entry.first == open; });
  }
  void restore(std::size_t count) { held_.resize(count); }
  [[nodiscard]] std::size_t count() const { return held_.size(); }

 private:
  std::vector<std::pair<unsigned, LockRange>> held_;

  static bool touch(const LockRange& a, const LockRange& b) {
    // Half bytes: a byte is two halves, a zero-length range stands between two bytes.
    const auto covers = [](const LockRange& r, std::uint64_t half) {
      if (r.length_bytes == 0) return half == 2 * r.offset;
      return half > 2 * r.offset && half < 2 * (r.offset + r.length_bytes);
    };
    for (std::uint64_t half = 0; half < 64; ++half) {
      if (covers(a, half) && covers(b, half)) return a.length_bytes + b.length_bytes != 0;
    }
    return false;
  }
};

class Machine {
 public:
  Machine() {
    for (std::uint64_t open = 1; open <= 4; ++open) reopen(open);
  }
  void reopen(std::uint64_t open) {
    Open command;
    command.open = OpenId{open};
    command.access = kReadData | kWriteData;
    command.share = kShareRead | kShareWrite;
    EXPECT_EQ(run(command), NtStatus::Success);
  }
  NtStatus run(Body body) {
    Outbox out;
    table_.apply({kFile, NodeId{1}, RequestId{++request_}, MonoTime{}, std::move(body)}, out);
    for (const auto& told : out.restrictions) {
      table_.apply({kFile, told.to, RequestId{}, MonoTime{}, RestrictionsKnown{told.what.version}},
                   out);
    }
    if (const FileState* const file = table_.inspect(kFile)) {
      EXPECT_EQ(broken_invariants(*file), std::vector<std::string>{});
      locks = file->locks.size();
    }
    for (const auto& reply : out.replies) {
      if (reply.request == RequestId{request_}) return reply.outcome.status;
    }
    return NtStatus::Pending;
  }
  std::size_t locks = 0;

 private:
  FileTable table_;
  std::uint64_t request_ = 0;
};

class LockSeeds : public testing::TestWithParam<unsigned> {};

TEST_P(LockSeeds, Random_locks_are_granted_exactly_as_a_byte_by_byte_model_grants_them) {
  std::mt19937 random{GetParam()};
  Machine machine;
  Model model;
  const auto pick = [&](unsigned below) { return static_cast<unsigned>(random() % below); };
  const auto a_range = [&] { return LockRange{pick(10), pick(5), pick(2) == 0}; };
  for (int step = 0; step < 300; ++step) {
    const unsigned open = 1 + pick(4);
    const unsigned what = pick(10);
    if (what == 0) {
      model.close(open);
      EXPECT_EQ(machine.run(Close{OpenId{open}}), NtStatus::Success);
      machine.reopen(open);
    } else if (what < 5) {
      const LockRange range = a_range();
      EXPECT_EQ(machine.run(Lock{OpenId{open}, {range}, true, true}),
                model.unlock(open, range) ? NtStatus::Success : NtStatus::RangeNotLocked);
    } else {
      Lock lock{OpenId{open}, {}, false, true};
      for (unsigned i = 0; i <= pick(3); ++i) lock.ranges.push_back(a_range());
      const std::size_t before = model.count();
      bool granted = true;
      for (const LockRange& range : lock.ranges) granted = granted && model.lock(open, range);
      if (!granted) model.restore(before);
      EXPECT_EQ(machine.run(lock), granted ? NtStatus::Success : NtStatus::LockNotGranted);
    }
    ASSERT_EQ(machine.locks, model.count()) << "step " << step;
  }
}

INSTANTIATE_TEST_SUITE_P(Coherence, LockSeeds, testing::Range(1U, 51U));

}  // namespace
}  // namespace flotilla::coherence
