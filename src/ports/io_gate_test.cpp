#include "ports/io_gate.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace flotilla::ports {
namespace {

using coherence::Restrictions;

constexpr OpenId kA{1};
constexpr OpenId kB{2};

struct Gate : testing::Test {
  std::shared_ptr<ServeLease> lease = std::make_shared<ServeLease>();
  std::shared_ptr<IoGate> gate = std::make_shared<IoGate>(lease);
  int drained = 0;

  NtStatus tried(OpenId open, std::uint64_t offset, std::uint64_t length, IoGate::Access access) {
    const auto ticket = gate->admit(open, offset, length, access);
    return ticket ? NtStatus::Success : ticket.error();
  }
  NtStatus read(OpenId open, std::uint64_t offset, std::uint64_t length) {
    return tried(open, offset, length, IoGate::Access::Read);
  }
  NtStatus write(OpenId open, std::uint64_t offset, std::uint64_t length) {
    return tried(open, offset, length, IoGate::Access::Write);
  }
  void lock(std::uint64_t version, std::vector<coherence::HeldLock> locks) {
    gate->restrict({version, coherence::LockSet(std::move(locks)), {}}, [this] { ++drained; });
  }
};

TEST_F(Gate, Exclusive_lock_forbids_the_io_of_others_and_allows_its_own) {
  lock(1, {{kA, {100, 50, true}}});
  EXPECT_EQ(drained, 1);
  EXPECT_EQ(read(kA, 100, 50), NtStatus::Success);
  EXPECT_EQ(write(kA, 0, 1000), NtStatus::Success);
  EXPECT_EQ(read(kB, 149, 1), NtStatus::FileLockConflict);
  EXPECT_EQ(write(kB, 0, 101), NtStatus::FileLockConflict);
  EXPECT_EQ(read(kB, 0, 100), NtStatus::Success);
  EXPECT_EQ(read(kB, 150, 10), NtStatus::Success);
}

TEST_F(Gate, Shared_lock_forbids_writes_of_its_own_open_too) {
  lock(1, {{kA, {0, 10, false}}});
  EXPECT_EQ(read(kA, 0, 10), NtStatus::Success);
  EXPECT_EQ(read(kB, 0, 10), NtStatus::Success);
  EXPECT_EQ(write(kA, 0, 10), NtStatus::FileLockConflict);
  EXPECT_EQ(write(kB, 9, 1), NtStatus::FileLockConflict);
}

TEST_F(Gate, Zero_length_io_conflicts_with_nothing) {
  lock(1, {{kA, {0, ~std::uint64_t{0}, true}}});
  EXPECT_EQ(write(kB, 5, 0), NtStatus::Success);
  EXPECT_EQ(write(kB, 5, 1), NtStatus::FileLockConflict);
}

TEST_F(Gate, Ranges_at_the_end_of_64_bits_do_not_wrap_around) {
  lock(1, {{kA, {~std::uint64_t{0} - 9, 10, true}}});
  EXPECT_EQ(read(kB, ~std::uint64_t{0}, 1), NtStatus::FileLockConflict);
  EXPECT_EQ(read(kB, ~std::uint64_t{0} - 20, ~std::uint64_t{0}), NtStatus::FileLockConflict);
  EXPECT_EQ(read(kB, 0, 10), NtStatus::Success);
}

TEST_F(Gate, A_long_lock_before_many_short_ones_is_found) {
  std::vector<coherence::HeldLock> locks;
  for (std::uint64_t i = 0; i < 100; ++i) locks.push_back({kA, {i * 10, 1, true}});
  locks.push_back({kA, {5, 800, true}});
  lock(1, locks);
  EXPECT_EQ(read(kB, 701, 5), NtStatus::FileLockConflict);
  EXPECT_EQ(read(kB, 905, 3), NtStatus::Success);
  EXPECT_EQ(read(kB, 905, 6), NtStatus::FileLockConflict);
}

TEST_F(Gate, Stale_restrictions_are_confirmed_and_not_kept) {
  lock(5, {{kA, {0, 10, true}}});
  lock(4, {});
  EXPECT_EQ(drained, 2);
  EXPECT_EQ(read(kB, 0, 1), NtStatus::FileLockConflict);
  gate->reset_version();
  lock(1, {});
  EXPECT_EQ(read(kB, 0, 1), NtStatus::Success);
}

TEST_F(Gate, Restrictions_are_drained_when_the_io_admitted_before_has_ended) {
  auto first = gate->admit(kB, 0, 10, IoGate::Access::Write);
  auto second = gate->admit(kB, 0, 10, IoGate::Access::Write);
  ASSERT_TRUE(first && second);
  lock(1, {{kA, {0, 10, true}}});
  auto later = gate->admit(kA, 0, 10, IoGate::Access::Write);
  ASSERT_TRUE(later);
  first->release();
  EXPECT_EQ(drained, 0);
  *second = IoGate::Ticket{};
  EXPECT_EQ(drained, 1) << "I/O admitted after the restriction must not hold it up";
}

TEST_F(Gate, Each_drain_waits_for_its_own_past_only) {
  auto old = gate->admit(kA, 0, 1, IoGate::Access::Read);
  lock(1, {});
  auto middle = gate->admit(kA, 0, 1, IoGate::Access::Read);
  lock(2, {});
  ASSERT_TRUE(old && middle);
  middle->release();
  EXPECT_EQ(drained, 0);
  old->release();
  EXPECT_EQ(drained, 2);
}

TEST_F(Gate, A_revoked_open_is_refused_and_drained) {
  auto io = gate->admit(kA, 0, 1, IoGate::Access::Write);
  ASSERT_TRUE(io);
  bool done = false;
  gate->revoke(kA, [&] { done = true; });
  EXPECT_FALSE(done);
  EXPECT_EQ(read(kA, 0, 0), NtStatus::FileClosed);
  EXPECT_EQ(read(kB, 0, 1), NtStatus::Success);
  io->release();
  EXPECT_TRUE(done);
}

TEST_F(Gate, A_node_that_may_not_serve_does_no_io) {
  lease->revoke();
  EXPECT_EQ(read(kA, 0, 1), NtStatus::DeviceNotReady);
  lease->extend_until(1);
  EXPECT_EQ(read(kA, 0, 1), NtStatus::DeviceNotReady);
  lease->extend_until(INT64_MAX);
  EXPECT_EQ(read(kA, 0, 1), NtStatus::Success);
}

TEST_F(Gate, Readers_are_broken_unless_they_are_the_writers_own_lease) {
  ClientGuid client;
  client.bytes[0] = 1;
  LeaseKey key;
  key.bytes[0] = 1;
  EXPECT_FALSE(gate->must_break_readers(kA, client, key));
  gate->restrict({1, {}, {{kA, client, key}}}, {});
  EXPECT_FALSE(gate->must_break_readers(kB, client, key));
  EXPECT_TRUE(gate->must_break_readers(kB, client, LeaseKey{}));
  EXPECT_TRUE(gate->must_break_readers(kB, ClientGuid{}, key));
  // A level II oplock falls to its own holder's write too ([MS-FSA] 2.1.5.3).
  gate->restrict({2, {}, {{kA, client, LeaseKey{}}}}, {});
  EXPECT_TRUE(gate->must_break_readers(kA, client, LeaseKey{}));
}

TEST_F(Gate, No_io_of_others_overlaps_a_lock_whose_restriction_has_drained) {
  // Two threads do I/O through B; this one locks and unlocks through A. Between `drained` and the
  // unlock nothing of B may be under way.
  std::atomic<int> running{0};
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> admitted{0};
  const auto work = [&] {
    while (!stop.load()) {
      const auto ticket = gate->admit(kB, 0, 1, IoGate::Access::Write);
      if (!ticket) {
        std::this_thread::yield();
        continue;
      }
      running.fetch_add(1);
      admitted.fetch_add(1);
      running.fetch_sub(1);
    }
  };
  std::thread one{work};
  std::thread two{work};
  std::uint64_t version = 0;
  for (int round = 0; round < 500; ++round) {
    std::atomic<bool> ready{false};
    gate->restrict({++version, {{kA, {0, 10, true}}}, {}}, [&] { ready.store(true); });
    while (!ready.load()) std::this_thread::yield();
    ASSERT_EQ(running.load(), 0);
    const std::uint64_t before = admitted.load();
    std::this_thread::yield();
    ASSERT_EQ(admitted.load(), before);
    std::atomic<bool> open_again{false};
    gate->restrict({++version, {}, {}}, [&] { open_again.store(true); });
    while (!open_again.load()) std::this_thread::yield();
  }
  while (admitted.load() == 0) std::this_thread::yield();
  stop.store(true);
  one.join();
  two.join();
  EXPECT_GT(admitted.load(), 0U);
}

}  // namespace
}  // namespace flotilla::ports
