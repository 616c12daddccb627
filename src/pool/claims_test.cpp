// Claims: a file that one node uses is that node's to decide, until another comes. DESIGN.md
// section 4.
#include <gtest/gtest.h>

#include "pool/testing/fake_pool.hpp"

namespace flotilla::pool::testing {
namespace {

using namespace std::chrono_literals;
using coherence::LockRange;

constexpr coherence::ShareAccess kShareAll =
    coherence::kShareRead | coherence::kShareWrite | coherence::kShareDelete;
constexpr coherence::AccessMask kReadWrite = coherence::kReadData | coherence::kWriteData;

coherence::Open plain(coherence::AccessMask access, coherence::ShareAccess share) {
  coherence::Open open;
  open.path = "dir/file";
  open.access = access;
  open.share = share;
  return open;
}

coherence::Open leased(std::uint8_t who) {
  coherence::Open open = plain(kReadWrite, kShareAll);
  open.client.bytes.fill(who);
  open.cache = {coherence::CacheKind::Lease, 7, {}, 2, 0, false, {}};
  open.cache.key.bytes.fill(who);
  return open;
}

class Claims : public ::testing::Test {
 protected:
  static constexpr NodeId k1{1}, k2{2}, k3{3};
  explicit Claims(ClaimOptions options = {3, 60s, 2000ms, 4}) : pool_(3, options) {}

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
  void close(const TestOpenPtr& open) {
    EXPECT_EQ(submit(open, coherence::Close{open->id()})->outcome.status, NtStatus::Success);
  }
  void use(std::uint32_t node, const FileKey& key) {
    const auto it = open(node, key, plain(coherence::kReadData, kShareAll));
    ASSERT_EQ(it->status(), NtStatus::Success);
    close(it);
  }
  /// Messages that `what` costs.
  template <class F>
  std::uint64_t cost_of(F what) {
    const std::uint64_t before = pool_.network.sent_count;
    what();
    return pool_.network.sent_count - before;
  }
  std::uint64_t claims_held(std::uint32_t node) { return pool_.node(node).counters().claims_held; }

  TestPool pool_;
  std::uint64_t next_inode_ = 1;
};

TEST_F(Claims, AfterItsFirstOpenAFileThatOneNodeUsesCostsNoMessage_Design4) {
  const FileKey key = file_of(k2);
  use(1, key);
  EXPECT_EQ(claims_held(1), 1U);
  EXPECT_EQ(pool_.node(2).counters().claims_granted, 1U);
  EXPECT_EQ(cost_of([&] {
              const auto a = open(1, key, leased(1));
              EXPECT_EQ(std::get<coherence::Opened>(a->outcome.answer).rights, 7);
              close(a);
              const auto b = open(1, key, plain(kReadWrite, kShareAll));
              EXPECT_EQ(
                  submit(b, coherence::Lock{b->id(), {{0, 10, true}}, false, true})->outcome.status,
                  NtStatus::Success);
              EXPECT_EQ(open(1, key, plain(coherence::kReadData, 0))->status(),
                        NtStatus::SharingViolation);
              close(b);
            }),
            0U);
  EXPECT_GE(pool_.node(1).counters().commands_claimed, 6U);
}

TEST_F(Claims, AnotherNodesFirstCommandBringsTheStateBackToTheOwner_Design4) {
  const FileKey key = file_of(k2);
  use(1, key);
  const auto held = open(1, key, plain(coherence::kReadData, 0));
  const auto other = open(3, key, plain(coherence::kReadData, kShareAll));
  ASSERT_TRUE(other->done);
  EXPECT_EQ(other->status(), NtStatus::SharingViolation);
  EXPECT_EQ(claims_held(1), 0U);
  EXPECT_EQ(pool_.node(2).counters().claims_recalled, 1U);
  close(held);
  EXPECT_EQ(open(3, key, plain(coherence::kReadData, 0))->status(), NtStatus::Success);
}

TEST_F(Claims, TheOwnersOwnClientsRecallAClaimAsOthersDo) {
  const FileKey key = file_of(k2);
  const auto held = open(1, key, plain(coherence::kReadData, 0));
  EXPECT_EQ(claims_held(1), 1U);
  const auto own = open(2, key, plain(coherence::kReadData, kShareAll));
  ASSERT_TRUE(own->done);
  EXPECT_EQ(own->status(), NtStatus::SharingViolation);
}

TEST_F(Claims, ALeaseGrantedUnderAClaimIsBrokenForAnotherNode_MsSmb2_3_3_4_7) {
  const FileKey key = file_of(k2);
  use(1, key);
  const auto holder = open(1, key, leased(1));
  const auto waiter = open(3, key, leased(3));
  EXPECT_FALSE(waiter->done);
  ASSERT_EQ(holder->breaks.size(), 1U);
  const auto ack =
      submit(holder, coherence::AcknowledgeBreak{holder->id(), holder->command.client,
                                                 holder->command.cache.key, holder->breaks[0].to});
  EXPECT_EQ(ack->outcome.status, NtStatus::Success);
  ASSERT_TRUE(waiter->done);
  EXPECT_EQ(waiter->status(), NtStatus::Success);
}

TEST_F(Claims, WhatWaitsUnderAClaimWaitsOnAtTheOwner) {
  const FileKey key = file_of(k2);
  use(1, key);
  const auto a = open(1, key, plain(kReadWrite, kShareAll));
  const auto b = open(1, key, plain(kReadWrite, kShareAll));
  ASSERT_EQ(submit(a, coherence::Lock{a->id(), {{0, 10, true}}, false, true})->outcome.status,
            NtStatus::Success);
  const auto waiting = submit(b, coherence::Lock{b->id(), {{0, 10, true}}, false, false});
  ASSERT_TRUE(waiting->pending);
  const auto c = open(3, key, plain(kReadWrite, kShareAll));
  ASSERT_EQ(c->status(), NtStatus::Success);
  EXPECT_FALSE(c->gate->admit(c->id(), 0, 1, ports::IoGate::Access::Read));
  EXPECT_FALSE(waiting->done);
  close(a);
  ASSERT_TRUE(waiting->done);
  EXPECT_EQ(waiting->outcome.status, NtStatus::Success);
  EXPECT_FALSE(c->gate->admit(c->id(), 0, 1, ports::IoGate::Access::Read));
}

TEST_F(Claims, AHolderThatDoesNotAnswerUnderAClaimIsFencedByTheOwnerInItsOldTime) {
  const FileKey key = file_of(k2);
  use(1, key);
  const auto holder = open(1, key, leased(1));
  const auto first = open(1, key, leased(2));
  ASSERT_TRUE(first->pending);
  pool_.advance(30s);
  const auto second = open(3, key, plain(coherence::kReadData, kShareAll));
  pool_.advance(4s);
  EXPECT_FALSE(holder->revoked);
  pool_.advance(2s);  // 36 s since the break, 6 s since the recall
  EXPECT_TRUE(holder->revoked);
  EXPECT_TRUE(first->done);
  EXPECT_TRUE(second->done);
}

TEST_F(Claims, CommandsThatCrossTheClaimComeBackToItsHolder) {
  const FileKey key = file_of(k2);
  std::vector<TestOpenPtr> opens;
  // Submitted together: the claim is given with the first, the rest is under way.
  for (int i = 0; i < 3; ++i) {
    auto it = std::make_shared<TestOpen>();
    it->command = plain(coherence::kReadData, kShareAll);
    it->command.open = pool_.node(1).next_open_id();
    it->engine = &pool_.node(1);
    it->key = key;
    it->request = it->engine->open(key, it->command, it,
                                   [it](ports::OpenOutcome result) {
                                     it->done = true;
                                     it->outcome = std::move(result.outcome);
                                   },
                                   {});
    opens.push_back(std::move(it));
  }
  pool_.settle();
  for (const auto& it : opens) {
    ASSERT_TRUE(it->done);
    EXPECT_EQ(it->status(), NtStatus::Success);
  }
  EXPECT_EQ(claims_held(1), 1U);
  EXPECT_EQ(pool_.node(1).status().opens_held, 3U);
  EXPECT_EQ(open(3, key, plain(coherence::kReadData, 0))->status(), NtStatus::SharingViolation);
}

TEST_F(Claims, AFileThatTwoNodesUseIsNotClaimedUntilOneHasUsedItAloneForAWhile) {
  const FileKey key = file_of(k2);
  use(1, key);
  use(3, key);
  EXPECT_EQ(pool_.node(2).counters().claims_recalled, 1U);
  for (int i = 0; i < 20; ++i) {
    use(1, key);
    use(3, key);
  }
  EXPECT_EQ(pool_.node(2).counters().claims_granted, 1U);
  EXPECT_EQ(pool_.node(2).counters().claims_recalled, 1U) << "no ping-pong";
  for (int i = 0; i < 8; ++i) use(1, key);
  EXPECT_EQ(claims_held(1), 0U) << "often enough, not long enough";
  pool_.advance(2s);
  use(1, key);
  EXPECT_EQ(claims_held(1), 1U);
  EXPECT_EQ(cost_of([&] { use(1, key); }), 0U);
}

TEST_F(Claims, ClaimsOutliveTheLastCloseAndTheOldestGoBack) {
  std::vector<FileKey> keys;
  for (int i = 0; i < 4; ++i) keys.push_back(file_of(k2));
  const auto kept = open(1, keys[0], plain(coherence::kReadData, kShareAll));
  for (int i = 1; i < 4; ++i) use(1, keys[i]);
  EXPECT_EQ(claims_held(1), 3U);
  EXPECT_EQ(pool_.node(1).counters().claims_returned, 1U);
  EXPECT_EQ(cost_of([&] { close(kept); }), 0U) << "a file that is open is not the first to go";
  EXPECT_EQ(cost_of([&] { use(1, keys[3]); }), 0U);
  EXPECT_GT(cost_of([&] { use(1, keys[1]); }), 0U);
}

TEST_F(Claims, IdleClaimsGoBack) {
  const FileKey closed = file_of(k2);
  const FileKey used = file_of(k2);
  use(1, closed);
  const auto held = open(1, used, plain(coherence::kReadData, kShareAll));
  pool_.advance(61s);
  EXPECT_EQ(claims_held(1), 1U);
  EXPECT_EQ(cost_of([&] { close(held); }), 0U);
}

TEST_F(Claims, AClaimedHolderAssertsItsOpensToTheNewOwner) {
  const FileKey key = file_of(k3);
  use(1, key);
  const auto held = open(1, key, plain(kReadWrite, coherence::kShareRead));
  ASSERT_EQ(submit(held, coherence::Lock{held->id(), {{0, 10, true}}, false, true})->outcome.status,
            NtStatus::Success);
  pool_.kill(k3);
  pool_.cluster.form({k1, k2}, {k3});
  pool_.settle();
  pool_.advance(Timing{}.grant_margin);
  EXPECT_EQ(open(2, key, plain(coherence::kWriteData, kShareAll))->status(),
            NtStatus::SharingViolation);
  const auto reader = open(2, key, plain(coherence::kReadData, kShareAll));
  ASSERT_EQ(reader->status(), NtStatus::Success);
  EXPECT_FALSE(reader->gate->admit(reader->id(), 0, 1, ports::IoGate::Access::Read));
  EXPECT_FALSE(held->revoked);
}

TEST_F(Claims, AClaimGoesOnThroughAViewThatDoesNotTouchItsFile) {
  const FileKey key = file_of(k2);
  const auto held = open(1, key, plain(coherence::kReadData, 0));
  pool_.kill(k3);
  pool_.cluster.form({k1, k2}, {k3});
  pool_.settle();
  EXPECT_EQ(claims_held(1), 1U);
  EXPECT_EQ(cost_of([&] { close(held); }), 0U);
  const auto again = open(1, key, plain(coherence::kReadData, 0));
  EXPECT_EQ(open(2, key, plain(coherence::kReadData, kShareAll))->status(),
            NtStatus::SharingViolation);
  close(again);
}

TEST_F(Claims, AnOpenThatComesWhileTheHolderIsDeadWaitsForTheMargin) {
  const FileKey key = file_of(k2);
  ASSERT_EQ(open(3, key, plain(coherence::kReadData, 0))->status(), NtStatus::Success);
  pool_.kill(k3);
  const auto before = open(1, key, plain(coherence::kReadData, 0));
  pool_.cluster.form({k1, k2}, {k3});
  pool_.settle();
  const auto after = open(1, key, plain(coherence::kReadData, kShareAll));
  pool_.advance(Timing{}.grant_margin - 1ms);
  EXPECT_FALSE(before->done);
  EXPECT_FALSE(after->done);
  pool_.advance(1ms);
  ASSERT_TRUE(before->done);
  EXPECT_EQ(before->status(), NtStatus::Success);
  ASSERT_TRUE(after->done);
  EXPECT_EQ(after->status(), NtStatus::SharingViolation);
}

TEST_F(Claims, ADeletionThatWasAskedForUnderAClaimIsTheOwnersWhenTheHolderDies) {
  const FileKey key = file_of(k2);
  use(3, key);
  auto command = plain(coherence::kReadData | coherence::kDelete, kShareAll);
  command.delete_on_close = true;
  command.path = "dir/doomed";
  ASSERT_EQ(open(3, key, command)->status(), NtStatus::Success);
  const FileKey spared = file_of(k2);
  use(3, spared);
  const auto undecided = open(3, spared, plain(coherence::kReadData | coherence::kDelete, 7));
  submit(undecided, coherence::SetDeletePending{undecided->id(), true});
  submit(undecided, coherence::SetDeletePending{undecided->id(), false});
  pool_.kill(k3);
  pool_.cluster.form({k1, k2}, {k3});
  pool_.settle();
  pool_.advance(Timing{}.grant_margin);
  ASSERT_EQ(pool_.orphans.size(), 1U);
  EXPECT_EQ(pool_.orphans[0].at, k2);
  EXPECT_EQ(pool_.orphans[0].path, "dir/doomed");
  EXPECT_EQ(open(1, key, plain(coherence::kReadData, kShareAll))->status(),
            NtStatus::DeletePending);
  start_command(pool_, pool_.node(2), key, coherence::Unlinked{pool_.orphans[0].open, true});
  EXPECT_EQ(open(1, key, plain(coherence::kReadData, kShareAll))->status(), NtStatus::Success);
}

class NoClaims : public Claims {
 protected:
  NoClaims() : Claims({0, 60s, 2000ms, 4}) {}
};

TEST_F(NoClaims, NoneAreGivenWhereNoneAreWanted) {
  const FileKey key = file_of(k2);
  use(1, key);
  EXPECT_EQ(claims_held(1), 0U);
  EXPECT_GT(cost_of([&] { use(1, key); }), 0U);
}

/// DESIGN.md section 5: who may not touch the disk leaves it to who may.
TEST_F(Claims, ANameThatItsNodeMayNotRemoveNowIsRemovedByWhoDecides) {
  const FileKey key = file_of(k2);
  const auto other = open(3, key, plain(0x80, kShareAll));  // so that it is not claimed
  coherence::Open how = plain(coherence::kReadData | coherence::kDelete, kShareAll);
  how.delete_on_close = true;
  const auto held = open(1, key, how);
  ASSERT_EQ(held->status(), NtStatus::Success);
  close(other);
  const auto closed = submit(held, coherence::Close{held->id()});
  const auto* answer = std::get_if<coherence::Closed>(&closed->outcome.answer);
  ASSERT_TRUE(answer != nullptr && answer->unlink);
  (void)submit(held, coherence::Unlinked{held->id(), false, true});
  ASSERT_EQ(pool_.orphans.size(), 1U);
  EXPECT_EQ(pool_.orphans[0].at, k2);
  EXPECT_EQ(pool_.orphans[0].path, "dir/file");
  EXPECT_EQ(open(3, key, plain(coherence::kReadData, kShareAll))->status(),
            NtStatus::DeletePending);
  start_command(pool_, pool_.node(2), key, coherence::Unlinked{pool_.orphans[0].open, true, false});
  EXPECT_EQ(open(3, key, plain(coherence::kReadData, kShareAll))->status(), NtStatus::Success);
}

}  // namespace
}  // namespace flotilla::pool::testing
