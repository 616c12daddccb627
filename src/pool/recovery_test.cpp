// What the loss, the hang and the return of nodes does to opens: DESIGN.md sections 4 and 5.
#include <gtest/gtest.h>

#include "pool/testing/fake_pool.hpp"

namespace flotilla::pool::testing {
namespace {

using namespace std::chrono_literals;

constexpr coherence::ShareAccess kShareAll =
    coherence::kShareRead | coherence::kShareWrite | coherence::kShareDelete;
constexpr std::chrono::milliseconds kMargin = Timing{}.grant_margin;

coherence::Open plain(coherence::AccessMask access, coherence::ShareAccess share) {
  coherence::Open open;
  open.path = "dir/file";
  open.access = access;
  open.share = share;
  return open;
}

class Recovery : public ::testing::Test {
 protected:
  static constexpr NodeId k1{1}, k2{2}, k3{3};

  /// A file that `owner` owns while all three are in.
  FileKey file_of(NodeId owner) {
    for (std::uint64_t inode = next_inode_;; ++inode) {
      const FileKey key{7, inode, 1};
      if (pool_.node(1).owner_of(key) != owner) continue;
      next_inode_ = inode + 1;
      return key;
    }
  }
  TestOpenPtr open(std::uint32_t node, const FileKey& key, coherence::Open command) {
    return start_open(pool_, pool_.node(node), key, std::move(command));
  }
  TestReplyPtr submit(const TestOpenPtr& open, coherence::Body body) {
    return start_command(pool_, *open->engine, open->key, std::move(body));
  }
  void lose_3(bool unclean = true) {
    pool_.kill(k3);
    pool_.cluster.form({k1, k2}, unclean ? std::vector<NodeId>{k3} : std::vector<NodeId>{});
    pool_.settle();
  }
  void return_3() {
    pool_.boot(k3);
    pool_.cluster.form({k1, k2, k3});
    pool_.settle();
  }

  TestPool pool_{3};
  std::uint64_t next_inode_ = 1;
};

TEST_F(Recovery, AnOpenWhoseOwnerDiedStaysAndStaysExclusive) {
  const FileKey key = file_of(k3);
  const auto held = open(1, key, plain(coherence::kReadData, 0));
  ASSERT_EQ(held->status(), NtStatus::Success);
  lose_3();
  const auto other = open(2, key, plain(coherence::kReadData, kShareAll));
  EXPECT_FALSE(other->done) << "the dead owner's own rights are honoured for the margin";
  pool_.advance(kMargin);
  ASSERT_TRUE(other->done);
  EXPECT_EQ(other->status(), NtStatus::SharingViolation);
  EXPECT_FALSE(held->revoked);
  EXPECT_TRUE(held->gate->admit(held->id(), 0, 1, ports::IoGate::Access::Read));
  EXPECT_EQ(submit(held, coherence::Close{held->id()})->outcome.status, NtStatus::Success);
  EXPECT_EQ(open(2, key, plain(coherence::kReadData, 0))->status(), NtStatus::Success);
}

TEST_F(Recovery, FilesThatDidNotMoveGoOnWithoutAPause) {
  const FileKey key = file_of(k1);
  const auto held = open(2, key, plain(coherence::kReadData, 0));
  lose_3();
  EXPECT_FALSE(pool_.node(1).recovered());
  const auto other = open(1, key, plain(coherence::kReadData, 0));
  ASSERT_TRUE(other->done);
  EXPECT_EQ(other->status(), NtStatus::SharingViolation);
  EXPECT_EQ(submit(held, coherence::Close{held->id()})->outcome.status, NtStatus::Success);
  EXPECT_EQ(open(1, key, plain(coherence::kReadData, 0))->status(), NtStatus::Success);
}

TEST_F(Recovery, WhatADeadNodeHeldIsFreeAfterTheMarginAndNotBefore) {
  const FileKey key = file_of(k1);
  ASSERT_EQ(open(3, key, plain(coherence::kReadData, 0))->status(), NtStatus::Success);
  ASSERT_EQ(open(2, key, plain(coherence::kReadData, 0))->status(), NtStatus::SharingViolation);
  lose_3();
  EXPECT_EQ(open(2, key, plain(coherence::kReadData, 0))->status(), NtStatus::SharingViolation);
  pool_.advance(kMargin - 1ms);
  EXPECT_EQ(open(2, key, plain(coherence::kReadData, 0))->status(), NtStatus::SharingViolation);
  pool_.advance(1ms);
  EXPECT_EQ(open(2, key, plain(coherence::kReadData, 0))->status(), NtStatus::Success);
}

TEST_F(Recovery, AProcessThatIsKnownToHaveEndedNeedsNoMargin) {
  const FileKey kept = file_of(k1);
  const FileKey moved = file_of(k3);
  ASSERT_EQ(open(3, kept, plain(coherence::kReadData, 0))->status(), NtStatus::Success);
  lose_3(false);
  EXPECT_EQ(open(2, kept, plain(coherence::kReadData, 0))->status(), NtStatus::Success);
  EXPECT_EQ(open(2, moved, plain(coherence::kReadData, 0))->status(), NtStatus::Success);
}

TEST_F(Recovery, LocksSurviveTheirOwner) {
  const FileKey key = file_of(k3);
  const auto a = open(1, key, plain(coherence::kReadData | coherence::kWriteData, kShareAll));
  const auto b = open(2, key, plain(coherence::kReadData | coherence::kWriteData, kShareAll));
  ASSERT_EQ(submit(a, coherence::Lock{a->id(), {{0, 10, true}}, false, true})->outcome.status,
            NtStatus::Success);
  lose_3();
  EXPECT_FALSE(b->gate->admit(b->id(), 0, 1, ports::IoGate::Access::Read))
      << "nobody forgets a lock while its owner changes";
  pool_.advance(kMargin);
  EXPECT_FALSE(b->gate->admit(b->id(), 0, 1, ports::IoGate::Access::Read));
  EXPECT_EQ(submit(b, coherence::Lock{b->id(), {{5, 1, true}}, false, true})->outcome.status,
            NtStatus::LockNotGranted);
  EXPECT_EQ(submit(a, coherence::Lock{a->id(), {{0, 10, false}}, true, false})->outcome.status,
            NtStatus::Success);
  EXPECT_TRUE(b->gate->admit(b->id(), 0, 1, ports::IoGate::Access::Read));
}

TEST_F(Recovery, AWaitingLockIsTakenUpByTheNewOwner) {
  const FileKey key = file_of(k3);
  const auto a = open(1, key, plain(coherence::kReadData | coherence::kWriteData, kShareAll));
  const auto b = open(2, key, plain(coherence::kReadData | coherence::kWriteData, kShareAll));
  ASSERT_TRUE(submit(a, coherence::Lock{a->id(), {{0, 10, true}}, false, true})->done);
  const auto waiting = submit(b, coherence::Lock{b->id(), {{0, 10, true}}, false, false});
  ASSERT_TRUE(waiting->pending);
  lose_3();
  pool_.advance(kMargin);
  EXPECT_FALSE(waiting->done);
  ASSERT_TRUE(submit(a, coherence::Close{a->id()})->done);
  ASSERT_TRUE(waiting->done);
  EXPECT_EQ(waiting->outcome.status, NtStatus::Success);
}

TEST_F(Recovery, AWaitingOpenIsTakenUpAndTheHolderIsNotAskedTwice) {
  const FileKey key = file_of(k3);
  coherence::Open command = plain(coherence::kReadData | coherence::kWriteData, kShareAll);
  command.client.bytes.fill(1);
  command.cache = {coherence::CacheKind::Lease, 7, {}, 2, 0, false, {}};
  command.cache.key.bytes.fill(1);
  const auto holder = open(1, key, command);
  ASSERT_EQ(std::get<coherence::Opened>(holder->outcome.answer).rights, 7);
  const auto waiter = open(2, key, plain(coherence::kReadData, kShareAll));
  ASSERT_EQ(holder->breaks.size(), 1U);
  lose_3();
  pool_.advance(kMargin);
  EXPECT_FALSE(waiter->done);
  EXPECT_EQ(holder->breaks.size(), 1U);
  const auto ack =
      submit(holder, coherence::AcknowledgeBreak{holder->id(), command.client, command.cache.key,
                                                 holder->breaks[0].to});
  EXPECT_EQ(ack->outcome.status, NtStatus::Success);
  ASSERT_TRUE(waiter->done);
  EXPECT_EQ(waiter->status(), NtStatus::Success);
}

TEST_F(Recovery, AReadCacheThatSomebodyHasWrittenBesideGoesWithTheNextOwner) {
  const FileKey key = file_of(k3);
  const auto writer = open(2, key, plain(coherence::kWriteData | coherence::kDelete, kShareAll));
  coherence::Open command = plain(coherence::kReadData, kShareAll);
  command.client.bytes.fill(1);
  command.cache = {coherence::CacheKind::Lease, 3, {}, 2, 0, false, {}};
  command.cache.key.bytes.fill(1);
  const auto reader = open(1, key, command);
  ASSERT_EQ(std::get<coherence::Opened>(reader->outcome.answer).rights, 3);
  const auto rename = submit(writer, coherence::BeginRename{writer->id(), {}, {}});
  ASSERT_EQ(reader->breaks.size(), 1U);
  ASSERT_EQ(reader->breaks[0].to, coherence::kCacheRead);
  // Nobody waits for R: it is to go when H has been given up.
  ASSERT_EQ(submit(writer, coherence::Modify{writer->id()})->outcome.status, NtStatus::Success);
  lose_3();
  pool_.advance(kMargin);
  EXPECT_FALSE(rename->done);
  EXPECT_EQ(reader->breaks.size(), 1U);
  const auto ack = submit(
      reader, coherence::AcknowledgeBreak{reader->id(), command.client, command.cache.key, 1});
  EXPECT_EQ(ack->outcome.status, NtStatus::Success);
  EXPECT_TRUE(rename->done);
  ASSERT_EQ(reader->breaks.size(), 2U);
  EXPECT_EQ(reader->breaks[1].to, 0);
}

TEST_F(Recovery, DeletePendingSurvivesItsOwnerAndItsAuthor) {
  const FileKey key = file_of(k3);
  auto command = plain(coherence::kReadData | coherence::kDelete, kShareAll);
  command.delete_on_close = true;
  const auto deleter = open(1, key, command);
  const auto reader = open(2, key, plain(coherence::kReadData, kShareAll));
  ASSERT_TRUE(submit(deleter, coherence::Close{deleter->id()})->done);
  lose_3();
  pool_.advance(kMargin);
  EXPECT_EQ(open(1, key, plain(coherence::kReadData, kShareAll))->status(),
            NtStatus::DeletePending);
  const auto last = submit(reader, coherence::Close{reader->id()});
  EXPECT_TRUE(std::get<coherence::Closed>(last->outcome.answer).unlink);
}

TEST_F(Recovery, AFileThatIsBeingUnlinkedStaysSoUnderItsNewOwner) {
  const FileKey key = file_of(k3);
  auto command = plain(coherence::kReadData | coherence::kDelete, kShareAll);
  command.delete_on_close = true;
  const auto deleter = open(1, key, command);
  const auto closed = submit(deleter, coherence::Close{deleter->id()});
  ASSERT_TRUE(std::get<coherence::Closed>(closed->outcome.answer).unlink);
  lose_3();
  pool_.advance(kMargin);
  EXPECT_EQ(open(2, key, plain(coherence::kReadData, kShareAll))->status(),
            NtStatus::DeletePending);
  ASSERT_TRUE(submit(deleter, coherence::Unlinked{deleter->id(), true})->done);
  EXPECT_EQ(open(2, key, plain(coherence::kReadData, kShareAll))->status(), NtStatus::Success);
}

TEST_F(Recovery, ARenameIsKnownToEveryHolder) {
  const FileKey key = file_of(k3);
  auto command = plain(coherence::kReadData | coherence::kDelete, kShareAll);
  const auto a = open(1, key, command);
  command.delete_on_close = true;
  const auto b = open(2, key, command);
  ASSERT_TRUE(submit(a, coherence::Renamed{a->id(), "new/name"})->done);
  ASSERT_TRUE(submit(a, coherence::Close{a->id()})->done);
  lose_3();
  pool_.advance(kMargin);
  const auto last = submit(b, coherence::Close{b->id()});
  ASSERT_TRUE(std::get<coherence::Closed>(last->outcome.answer).unlink);
  EXPECT_EQ(std::get<coherence::Closed>(last->outcome.answer).path, "new/name");
}

TEST_F(Recovery, AReturningNodeTakesItsFilesBackWithTheirOpens) {
  const FileKey key = file_of(k3);
  const auto held = open(1, key, plain(coherence::kReadData, 0));
  lose_3();
  pool_.advance(kMargin);
  EXPECT_NE(pool_.node(1).owner_of(key), k3);
  return_3();
  EXPECT_EQ(pool_.node(1).owner_of(key), k3);
  EXPECT_TRUE(pool_.node(3).recovered());
  EXPECT_EQ(pool_.node(3).status().files_owned, 1U);
  EXPECT_EQ(open(3, key, plain(coherence::kReadData, kShareAll))->status(),
            NtStatus::SharingViolation);
  EXPECT_EQ(submit(held, coherence::Close{held->id()})->outcome.status, NtStatus::Success);
  EXPECT_EQ(open(3, key, plain(coherence::kReadData, kShareAll))->status(), NtStatus::Success);
}

TEST_F(Recovery, ARestartedNodeHasNothingOfItsFormerSelf) {
  const FileKey key = file_of(k1);
  ASSERT_EQ(open(3, key, plain(coherence::kReadData, 0))->status(), NtStatus::Success);
  lose_3();
  return_3();  // before the margin has passed
  const auto other = open(2, key, plain(coherence::kReadData, 0));
  ASSERT_TRUE(other->done);
  EXPECT_EQ(other->status(), NtStatus::Success);
  pool_.advance(kMargin);
  EXPECT_EQ(pool_.node(1).status().files_owned + pool_.node(2).status().files_owned, 1U);
  EXPECT_FALSE(other->revoked);
}

TEST_F(Recovery, ANodeWithoutQuorumServesNothingAndComesBackEmpty) {
  const FileKey key = file_of(k1);
  const auto held = open(3, key, plain(coherence::kReadData, 0));
  ASSERT_EQ(held->status(), NtStatus::Success);
  pool_.cluster.form({k3}, {k1, k2});
  EXPECT_FALSE(pool_.node(3).serving());
  EXPECT_EQ(pool_.lost_count[k3], 1);
  ASSERT_TRUE(held->revoked);
  EXPECT_EQ(*held->revoked, coherence::RevokeReason::ViewLost);
  const auto refused = held->gate->admit(held->id(), 0, 1, ports::IoGate::Access::Read);
  EXPECT_FALSE(refused);
  EXPECT_EQ(open(3, key, plain(coherence::kReadData, kShareAll))->status(),
            NtStatus::DeviceNotReady);

  pool_.cluster.form({k1, k2}, {k3});
  pool_.settle();
  pool_.advance(kMargin);
  EXPECT_EQ(open(2, key, plain(coherence::kReadData, 0))->status(), NtStatus::Success);
  pool_.cluster.form({k1, k2, k3});
  pool_.settle();
  EXPECT_TRUE(pool_.node(3).serving());
  EXPECT_EQ(open(3, key, plain(coherence::kReadData, kShareAll))->status(),
            NtStatus::SharingViolation);
}

TEST_F(Recovery, ANodeThatHungThroughItsRemovalIsANewLifeWhenItWakes) {
  const FileKey key = file_of(k1);
  const auto held = open(3, key, plain(coherence::kReadData, 0));
  pool_.cluster.form({k1, k2}, {k3});  // node 3 hears nothing of it
  pool_.settle();
  pool_.advance(kMargin);
  EXPECT_EQ(open(2, key, plain(coherence::kReadData, 0))->status(), NtStatus::Success);
  pool_.cluster.form({k1, k2, k3});
  pool_.settle();
  EXPECT_EQ(pool_.lost_count[k3], 1);
  ASSERT_TRUE(held->revoked);
  EXPECT_EQ(open(3, key, plain(coherence::kReadData, 0))->status(), NtStatus::SharingViolation);
}

TEST_F(Recovery, CascadedViewsLoseNoOpen) {
  std::vector<TestOpenPtr> held;
  for (int i = 0; i < 30; ++i) {
    held.push_back(open(static_cast<std::uint32_t>(1 + i % 2),
                        file_of(NodeId{static_cast<std::uint32_t>(1 + i % 3)}),
                        plain(coherence::kReadData, 0)));
  }
  pool_.kill(k3);
  pool_.cluster.form({k1, k2}, {k3});  // nothing is delivered before the next view
  pool_.boot(k3);
  pool_.cluster.form({k1, k2, k3});
  pool_.settle();
  pool_.advance(kMargin);
  for (const auto& it : held) {
    EXPECT_EQ(open(3, it->key, plain(coherence::kReadData, kShareAll))->status(),
              NtStatus::SharingViolation)
        << "inode " << it->key.inode;
    EXPECT_EQ(submit(it, coherence::Close{it->id()})->outcome.status, NtStatus::Success);
  }
}

TEST_F(Recovery, ServiceCallsEndWithTheirNode) {
  pool_.node(2).serve(9, [](NodeId from, ByteView request) {
    Bytes answer(request.begin(), request.end());
    answer.push_back(static_cast<std::uint8_t>(from.raw()));
    return answer;
  });
  std::optional<Bytes> answer;
  pool_.node(1).call(k2, 9, Bytes{5}, [&](std::optional<Bytes> got) { answer = std::move(got); });
  pool_.settle();
  EXPECT_EQ(answer, (Bytes{5, 1}));
  bool ended = false;
  pool_.node(1).call(k3, 9, Bytes{5}, [&](std::optional<Bytes> got) { ended = !got; });
  lose_3();
  EXPECT_TRUE(ended);
}

}  // namespace
}  // namespace flotilla::pool::testing
