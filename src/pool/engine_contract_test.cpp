// What handlers may rely on, whichever engine stands behind ports::Engine. Run against the embedded
// engine and against pools of one, two and three nodes, with the opens on different nodes.
#include <gtest/gtest.h>

#include "pool/testing/fake_pool.hpp"

namespace flotilla::pool::testing {
namespace {

using namespace std::chrono_literals;
using coherence::LockRange;

constexpr coherence::ShareAccess kShareAll =
    coherence::kShareRead | coherence::kShareWrite | coherence::kShareDelete;

coherence::Open plain(coherence::AccessMask access, coherence::ShareAccess share) {
  coherence::Open open;
  open.path = "dir/file";
  open.access = access;
  open.share = share;
  return open;
}

coherence::Open leased(coherence::CacheRights rights, std::uint8_t who) {
  coherence::Open open = plain(coherence::kReadData | coherence::kWriteData, kShareAll);
  open.client.bytes.fill(who);
  open.cache.kind = coherence::CacheKind::Lease;
  open.cache.rights = rights;
  open.cache.key.bytes.fill(who);
  open.cache.version = 2;
  return open;
}

/// The parameter is the number of nodes; zero is the embedded engine.
class EngineContract : public ::testing::TestWithParam<std::size_t> {
 protected:
  EngineContract() : pool_(GetParam()) {}

  /// A different file for every owner that the pool has.
  [[nodiscard]] std::vector<FileKey> files() const {
    std::vector<FileKey> keys;
    for (std::uint64_t inode = 1; inode <= 12; ++inode) keys.push_back({7, inode, 1});
    return keys;
  }
  TestOpenPtr open(std::size_t node, const FileKey& key, coherence::Open command) {
    return start_open(pool_, pool_.at(node), key, std::move(command));
  }
  TestReplyPtr submit(const TestOpenPtr& open, coherence::Body body) {
    return start_command(pool_, *open->engine, open->key, std::move(body));
  }
  TestReplyPtr close(const TestOpenPtr& open) { return submit(open, coherence::Close{open->id()}); }
  TestReplyPtr lock(const TestOpenPtr& open, LockRange range, bool fail_immediately = true) {
    return submit(open, coherence::Lock{open->id(), {range}, false, fail_immediately});
  }

  TestPool pool_;
};

INSTANTIATE_TEST_SUITE_P(Engines, EngineContract, ::testing::Values(0U, 1U, 2U, 3U),
                         [](const auto& param) {
                           return param.param == 0 ? std::string("Embedded")
                                                   : "PoolOf" + std::to_string(param.param);
                         });

TEST_P(EngineContract, DigestsOfWhatIsDecidedAndOfWhatIsHeldAddUpToTheSame) {
  const std::size_t nodes = std::max<std::size_t>(GetParam(), 1);
  const auto digests = [&] {
    StateDigests sum;
    for (std::size_t node = 0; node < nodes; ++node) {
      StateDigests one;
      if (const auto* const engine = dynamic_cast<PoolEngine*>(&pool_.at(node))) {
        one = engine->digests();
      } else {
        one = dynamic_cast<EmbeddedEngine&>(pool_.at(node)).digests();
      }
      sum.state += one.state;
      sum.decided += one.decided;
      sum.held += one.held;
    }
    return sum;
  };
  const StateDigests empty = digests();
  EXPECT_EQ(empty, StateDigests{});
  std::vector<TestOpenPtr> opens;
  for (const FileKey& key : files()) {
    for (std::size_t node = 0; node < nodes; ++node) {
      opens.push_back(open(node, key, plain(coherence::kReadData, kShareAll)));
    }
    ASSERT_EQ(lock(opens.back(), {0, 10, true})->outcome.status, NtStatus::Success);
  }
  const StateDigests full = digests();
  EXPECT_NE(full.state, empty.state);
  EXPECT_NE(full.decided, empty.decided);
  EXPECT_EQ(full.decided, full.held);
  ASSERT_EQ(close(opens.back())->outcome.status, NtStatus::Success);
  opens.pop_back();
  EXPECT_NE(digests().decided, full.decided);
  EXPECT_EQ(digests().decided, digests().held);
  for (const auto& open : opens) ASSERT_EQ(close(open)->outcome.status, NtStatus::Success);
  EXPECT_EQ(digests().decided, 0U);
  EXPECT_EQ(digests().held, 0U);
}

TEST_P(EngineContract, ShareModesHoldWhicheverNodeTheOpensAreOn_MsFsa2_1_5_1_2_2) {
  for (const FileKey& key : files()) {
    const auto first = open(0, key, plain(coherence::kReadData, 0));
    ASSERT_TRUE(first->done);
    EXPECT_EQ(first->status(), NtStatus::Success);
    ASSERT_NE(first->gate, nullptr);
    const auto second = open(1, key, plain(coherence::kReadData, kShareAll));
    ASSERT_TRUE(second->done);
    EXPECT_EQ(second->status(), NtStatus::SharingViolation);
    EXPECT_EQ(second->gate, nullptr);
    EXPECT_EQ(close(first)->outcome.status, NtStatus::Success);
    const auto third = open(1, key, plain(coherence::kReadData, 0));
    EXPECT_EQ(third->status(), NtStatus::Success);
    EXPECT_EQ(close(third)->outcome.status, NtStatus::Success);
  }
}

TEST_P(EngineContract, AnOpenWaitsForTheAcknowledgmentOfALeaseBreak_MsSmb2_3_3_4_7) {
  for (const FileKey& key : files()) {
    const auto holder = open(0, key, leased(7, 0xA1));
    ASSERT_EQ(holder->status(), NtStatus::Success);
    EXPECT_EQ(std::get<coherence::Opened>(holder->outcome.answer).rights, 7);
    const auto waiter = open(1, key, leased(1, 0xB2));
    EXPECT_FALSE(waiter->done);
    EXPECT_TRUE(waiter->pending);
    ASSERT_EQ(holder->breaks.size(), 1U);
    EXPECT_TRUE(holder->breaks[0].ack_required);
    EXPECT_EQ(holder->breaks[0].from, 7);
    const auto ack = submit(
        holder, coherence::AcknowledgeBreak{holder->id(), holder->command.client,
                                            holder->command.cache.key, holder->breaks[0].to});
    EXPECT_TRUE(ack->done);
    EXPECT_EQ(ack->outcome.status, NtStatus::Success);
    EXPECT_TRUE(waiter->done);
    EXPECT_EQ(waiter->status(), NtStatus::Success);
    close(holder);
    close(waiter);
  }
}

TEST_P(EngineContract, AHolderThatDoesNotAnswerIsFencedBeforeTheWaiterIsGranted_Design5) {
  const FileKey key = files()[0];
  const auto holder = open(0, key, leased(7, 0xA1));
  auto ticket = holder->gate->admit(holder->id(), 0, 10, ports::IoGate::Access::Write);
  ASSERT_TRUE(ticket);
  const auto waiter = open(1, key, leased(1, 0xB2));
  ASSERT_FALSE(waiter->done);
  pool_.advance(34s);
  EXPECT_FALSE(waiter->done);
  EXPECT_FALSE(holder->revoked);
  pool_.advance(2s);
  ASSERT_TRUE(holder->revoked);
  EXPECT_EQ(*holder->revoked, coherence::RevokeReason::BreakTimedOut);
  const auto refused = holder->gate->admit(holder->id(), 0, 10, ports::IoGate::Access::Write);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), NtStatus::FileClosed);
  EXPECT_FALSE(waiter->done) << "the holder's last write is still under way";
  ticket->release();
  pool_.settle();
  EXPECT_TRUE(waiter->done);
  EXPECT_EQ(waiter->status(), NtStatus::Success);
}

TEST_P(EngineContract, ALockIsEnforcedOnEveryNodeBeforeItsGrantIsAnswered_MsSmb2_3_3_5_14) {
  for (const FileKey& key : files()) {
    const auto a = open(0, key, plain(coherence::kReadData | coherence::kWriteData, kShareAll));
    const auto b = open(1, key, plain(coherence::kReadData | coherence::kWriteData, kShareAll));
    auto ticket = b->gate->admit(b->id(), 0, 100, ports::IoGate::Access::Write);
    ASSERT_TRUE(ticket);
    const auto granted = lock(a, {0, 10, true});
    EXPECT_FALSE(granted->done) << "a write that was admitted before is still under way";
    const auto refused = b->gate->admit(b->id(), 5, 1, ports::IoGate::Access::Read);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error(), NtStatus::FileLockConflict);
    ticket->release();
    pool_.settle();
    ASSERT_TRUE(granted->done);
    EXPECT_EQ(granted->outcome.status, NtStatus::Success);
    EXPECT_EQ(lock(b, {9, 5, false})->outcome.status, NtStatus::LockNotGranted);
    EXPECT_EQ(lock(b, {10, 5, false})->outcome.status, NtStatus::Success);
    close(a);
    EXPECT_TRUE(b->gate->admit(b->id(), 5, 1, ports::IoGate::Access::Read));
    close(b);
  }
}

TEST_P(EngineContract, AWaitingLockIsGrantedWhenTheHolderUnlocksOrCloses) {
  const FileKey key = files()[1];
  const auto a = open(0, key, plain(coherence::kReadData | coherence::kWriteData, kShareAll));
  const auto b = open(1, key, plain(coherence::kReadData | coherence::kWriteData, kShareAll));
  ASSERT_EQ(lock(a, {0, 10, true})->outcome.status, NtStatus::Success);
  const auto waiting = lock(b, {0, 10, true}, false);
  EXPECT_FALSE(waiting->done);
  EXPECT_TRUE(waiting->pending);
  const auto unlocked = submit(a, coherence::Lock{a->id(), {{0, 10, false}}, true, false});
  EXPECT_EQ(unlocked->outcome.status, NtStatus::Success);
  ASSERT_TRUE(waiting->done);
  EXPECT_EQ(waiting->outcome.status, NtStatus::Success);
  const auto again = lock(a, {0, 10, true}, false);
  EXPECT_FALSE(again->done);
  close(b);
  ASSERT_TRUE(again->done);
  EXPECT_EQ(again->outcome.status, NtStatus::Success);
  close(a);
}

TEST_P(EngineContract, AWaitingLockAndAWaitingOpenCanBeCancelled_MsSmb2_3_3_5_16) {
  const FileKey key = files()[2];
  const auto a = open(0, key, plain(coherence::kReadData | coherence::kWriteData, kShareAll));
  const auto b = open(1, key, plain(coherence::kReadData | coherence::kWriteData, kShareAll));
  ASSERT_EQ(lock(a, {0, 10, true})->outcome.status, NtStatus::Success);
  const auto waiting = lock(b, {0, 10, true}, false);
  b->engine->cancel(key, waiting->request);
  pool_.settle();
  ASSERT_TRUE(waiting->done);
  EXPECT_EQ(waiting->outcome.status, NtStatus::Cancelled);
  close(a);
  close(b);

  const auto holder = open(0, key, leased(7, 0xA1));
  const auto opening = open(1, key, leased(1, 0xB2));
  ASSERT_FALSE(opening->done);
  opening->engine->cancel(key, opening->request);
  pool_.settle();
  ASSERT_TRUE(opening->done);
  EXPECT_EQ(opening->status(), NtStatus::Cancelled);
  EXPECT_EQ(opening->gate, nullptr);
}

TEST_P(EngineContract, DeletePendingRefusesOpensAndTheLastCloserUnlinks_Design3_4) {
  for (const FileKey& key : files()) {
    auto command = plain(coherence::kReadData | coherence::kDelete, kShareAll);
    command.delete_on_close = true;
    const auto deleter = open(0, key, command);
    const auto reader = open(1, key, plain(coherence::kReadData, kShareAll));
    const auto closed = close(deleter);
    ASSERT_TRUE(closed->done);
    EXPECT_FALSE(std::get<coherence::Closed>(closed->outcome.answer).unlink);
    EXPECT_EQ(open(0, key, plain(coherence::kReadData, kShareAll))->status(),
              NtStatus::DeletePending);
    const auto last = close(reader);
    ASSERT_TRUE(last->done);
    const auto& answer = std::get<coherence::Closed>(last->outcome.answer);
    EXPECT_TRUE(answer.unlink);
    EXPECT_EQ(answer.path, "dir/file");
    EXPECT_EQ(open(0, key, plain(coherence::kReadData, kShareAll))->status(),
              NtStatus::DeletePending);
    EXPECT_EQ(submit(reader, coherence::Unlinked{reader->id(), true})->outcome.status,
              NtStatus::Success);
    const auto anew = open(0, key, plain(coherence::kReadData, kShareAll));
    EXPECT_EQ(anew->status(), NtStatus::Success);
    close(anew);
  }
}

TEST_P(EngineContract, AWriterBreaksReadersThatTheGateNames_MsSmb2_3_3_4_7) {
  for (const FileKey& key : files()) {
    const auto reader = open(0, key, leased(1, 0xA1));
    ASSERT_EQ(reader->status(), NtStatus::Success);
    const auto writer = open(1, key, plain(coherence::kWriteData, kShareAll));
    ASSERT_EQ(writer->status(), NtStatus::Success);
    ASSERT_TRUE(writer->gate->must_break_readers(writer->id(), {}, {}));
    const auto modified = submit(writer, coherence::Modify{writer->id()});
    ASSERT_TRUE(modified->done);
    ASSERT_EQ(reader->breaks.size(), 1U);
    EXPECT_FALSE(reader->breaks[0].ack_required);
    EXPECT_EQ(reader->breaks[0].to, 0);
    EXPECT_FALSE(writer->gate->must_break_readers(writer->id(), {}, {}));
    close(reader);
    close(writer);
  }
}

TEST_P(EngineContract, AnUnknownOpenIsFileClosed) {
  const FileKey key = files()[3];
  const auto nobody = start_command(pool_, pool_.at(0), key, coherence::Close{OpenId{42}});
  ASSERT_TRUE(nobody->done);
  EXPECT_EQ(nobody->outcome.status, NtStatus::FileClosed);
}

TEST_P(EngineContract, ACompletionMaySubmitAgain) {
  const FileKey key = files()[4];
  ports::Engine& engine = pool_.at(0);
  const OpenId id = engine.next_open_id();
  coherence::Open command = plain(coherence::kReadData, 0);
  command.open = id;
  std::vector<std::string> told;
  engine.open(key, command, std::make_shared<TestOpen>(),
              [&](ports::OpenOutcome) {
                told.emplace_back("opened");
                engine.submit(key, coherence::Close{id},
                              {[&](coherence::Outcome) { told.emplace_back("closed"); }, {}});
                told.emplace_back("submitted");
              },
              {});
  pool_.settle();
  EXPECT_EQ(told, (std::vector<std::string>{"opened", "submitted", "closed"}));
}

TEST_P(EngineContract, OpenIdsAreUniqueAndNameTheirNode) {
  std::set<OpenId> seen;
  for (std::size_t node = 0; node < 3; ++node) {
    for (int i = 0; i < 100; ++i) seen.insert(pool_.at(node).next_open_id());
  }
  EXPECT_EQ(seen.size(), 300U);
  EXPECT_EQ(pool_.at(0).next_open_id().raw() >> 48, 1U);
}

TEST_P(EngineContract, StatusCountsWhatIsHeld) {
  const auto a = open(0, files()[0], plain(coherence::kReadData, kShareAll));
  EXPECT_EQ(pool_.at(0).status().opens_held, 1U);
  close(a);
  EXPECT_EQ(pool_.at(0).status().opens_held, 0U);
  EXPECT_TRUE(pool_.at(0).serving());
}

}  // namespace
}  // namespace flotilla::pool::testing
