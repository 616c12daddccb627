// Opens that outlive their client, in a pool: DESIGN.md section 3, invariant 5, and section 4.
#include <gtest/gtest.h>

#include "coherence/state.hpp"
#include "pool/owner/machine.hpp"
#include "pool/testing/fake_pool.hpp"

namespace flotilla::pool::testing {
namespace {

using namespace std::chrono_literals;

constexpr coherence::ShareAccess kShareAll =
    coherence::kShareRead | coherence::kShareWrite | coherence::kShareDelete;
constexpr std::chrono::milliseconds kMargin = Timing{}.grant_margin;

coherence::Open kept_command(std::uint8_t who) {
  coherence::Open open;
  open.path = "dir/file";
  open.access = coherence::kReadData | coherence::kWriteData;
  open.share = 0;
  open.client.bytes.fill(who);
  open.session = SessionId{who};
  open.durability.kind = coherence::DurableKind::Persistent;
  open.durability.timeout = 60s;
  open.durability.create_guid.bytes.fill(who);
  open.durability.passport = {1, 2, who};
  return open;
}

class Copying : public ::testing::Test {
 protected:
  static constexpr NodeId k1{1}, k2{2}, k3{3};
  explicit Copying(std::size_t nodes = 3) : pool_(nodes) {}

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
  std::vector<coherence::KeptFound> find(std::uint32_t node, const coherence::Open& open) {
    coherence::KeptQuery query;
    query.client = open.client;
    query.create_guid = open.durability.create_guid;
    std::optional<std::vector<coherence::KeptFound>> found;
    pool_.node(node).find_kept(query, [&](auto all) { found = std::move(all); });
    pool_.settle();
    EXPECT_TRUE(found.has_value());
    return found.value_or(std::vector<coherence::KeptFound>{});
  }
  TestOpenPtr reclaim(std::uint32_t node, const TestOpenPtr& former) {
    auto back = std::make_shared<TestOpen>();
    back->command = former->command;
    back->engine = &pool_.node(node);
    back->key = former->key;
    coherence::Reclaim command;
    command.open = former->id();
    command.client = former->command.client;
    command.session = SessionId{77};
    pool_.node(node).reclaim(former->key, command, back, [back](ports::OpenOutcome result) {
      back->done = true;
      back->outcome = std::move(result.outcome);
      back->gate = std::move(result.gate);
    });
    pool_.settle();
    return back;
  }
  void lose(NodeId node) {
    pool_.kill(node);
    std::erase(alive_, node);
    pool_.cluster.form(alive_, {node});
    pool_.settle();
  }
  void come(NodeId node) {
    pool_.boot(node);
    alive_.push_back(node);
    std::sort(alive_.begin(), alive_.end());
    pool_.cluster.form(alive_);
    pool_.settle();
  }
  std::uint64_t copies() {
    std::uint64_t count = 0;
    for (const NodeId node : alive_) count += pool_.node(node.raw()).counters().copies_kept;
    return count;
  }

  TestPool pool_;
  std::vector<NodeId> alive_{k1, k2, k3};
  std::uint64_t next_inode_ = 1;
};

TEST_F(Copying, AKeptOpenIsOnABackupBeforeItIsAnswered_Design4) {
  const FileKey key = file_of(k2);
  auto held = std::make_shared<TestOpen>();
  held->command = kept_command(1);
  held->command.open = pool_.node(2).next_open_id();
  pool_.node(2).open(key, held->command, held, [held](ports::OpenOutcome) { held->done = true; },
                     {});
  EXPECT_FALSE(held->done) << "the owner's own client waits for the backup";
  pool_.settle();
  EXPECT_TRUE(held->done);
  EXPECT_EQ(copies(), 1U);
  EXPECT_EQ(pool_.node(2).counters().copies_kept, 0U);
}

TEST_F(Copying, AClosedOpenLeavesNoCopy) {
  const FileKey key = file_of(k2);
  const auto held = open(1, key, kept_command(1));
  EXPECT_EQ(copies(), 1U);
  EXPECT_EQ(submit(held, coherence::Close{held->id()})->outcome.status, NtStatus::Success);
  EXPECT_EQ(copies(), 0U);
  EXPECT_TRUE(find(3, held->command).empty());
}

TEST_F(Copying, AnOpenOfADeadHolderWaitsForItsClientOnAnyNode_Design3_5) {
  const FileKey key = file_of(k2);
  const auto held = open(3, key, kept_command(1));
  ASSERT_EQ(held->status(), NtStatus::Success);
  ASSERT_EQ(submit(held, coherence::Lock{held->id(), {{0, 10, true}}, false, true})->outcome.status,
            NtStatus::Success);
  lose(k3);
  pool_.advance(kMargin);
  const auto found = find(1, held->command);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].key, key);
  EXPECT_EQ(found[0].what.holder, NodeId{});
  EXPECT_EQ(found[0].what.open.durability.passport, (Bytes{1, 2, 1}));
  coherence::Open other = kept_command(2);
  other.durability = {};
  EXPECT_NE(open(2, key, other)->status(), NtStatus::Success);
  const auto back = reclaim(1, held);
  ASSERT_TRUE(back->done);
  ASSERT_EQ(back->status(), NtStatus::Success);
  const auto& answer = std::get<coherence::Reclaimed>(back->outcome.answer);
  EXPECT_EQ(answer.what.locks.size(), 1U);
  EXPECT_TRUE(back->gate->admit(back->id(), 0, 1, ports::IoGate::Access::Write));
}

TEST_F(Copying, AnOpenWhoseOwnerAndHolderWereOneIsHandedOverByTheBackup_Design3_5) {
  const FileKey key = file_of(k3);
  const auto held = open(3, key, kept_command(1));
  ASSERT_EQ(held->status(), NtStatus::Success);
  lose(k3);
  EXPECT_EQ(find(1, held->command).size(), 1U) << "found before the new owner decides";
  const auto back = reclaim(1, held);
  EXPECT_FALSE(back->done) << "and granted when it does";
  pool_.advance(kMargin);
  ASSERT_TRUE(back->done);
  EXPECT_EQ(back->status(), NtStatus::Success);
  EXPECT_EQ(copies(), 1U) << "on the two that are left";
}

TEST_F(Copying, ALiveHoldersWordIsWorthMoreThanACopy) {
  const FileKey key = file_of(k3);
  const auto held = open(1, key, kept_command(1));
  lose(k3);
  pool_.advance(kMargin);
  const auto found = find(2, held->command);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].what.holder, k1);
  EXPECT_FALSE(held->revoked);
  EXPECT_EQ(submit(held, coherence::Close{held->id()})->outcome.status, NtStatus::Success);
  EXPECT_TRUE(find(2, held->command).empty());
  EXPECT_EQ(copies(), 0U);
}

TEST_F(Copying, AReclaimDoesNotOvertakeADetachThatWaitsForIo) {
  const FileKey key = file_of(k2);
  const auto held = open(2, key, kept_command(1));
  auto ticket = held->gate->admit(held->id(), 0, 1, ports::IoGate::Access::Write);
  ASSERT_TRUE(ticket);
  const auto detach = submit(held, coherence::Detach{held->id()});
  const auto back = reclaim(2, held);
  EXPECT_FALSE(detach->done);
  EXPECT_FALSE(back->done);
  ticket->release();
  pool_.settle();
  EXPECT_EQ(detach->outcome.status, NtStatus::Success);
  ASSERT_TRUE(back->done);
  EXPECT_EQ(back->outcome.status, NtStatus::Success);
  EXPECT_TRUE(back->gate->admit(back->id(), 0, 1, ports::IoGate::Access::Write));
}

TEST_F(Copying, DetachedOpensGoOnWithAnOwnerThatComesBack) {
  const FileKey key = file_of(k3);
  const auto held = open(1, key, kept_command(1));
  ASSERT_EQ(submit(held, coherence::Detach{held->id()})->outcome.status, NtStatus::Success);
  lose(k3);
  pool_.advance(kMargin);
  come(k3);
  pool_.advance(kMargin);
  ASSERT_EQ(pool_.node(1).owner_of(key), k3);
  ASSERT_TRUE(pool_.node(3).recovered());
  EXPECT_EQ(find(2, held->command).size(), 1U);
  EXPECT_EQ(copies(), 1U);
  const auto back = reclaim(2, held);
  ASSERT_TRUE(back->done);
  EXPECT_EQ(back->status(), NtStatus::Success);
}

TEST_F(Copying, ABackupThatDiesIsReplaced) {
  std::vector<TestOpenPtr> held;
  for (std::uint8_t i = 0; i < 12; ++i)
    held.push_back(open(1, file_of(k1), kept_command(static_cast<std::uint8_t>(i + 1))));
  lose(k3);
  pool_.advance(kMargin);
  EXPECT_EQ(pool_.node(2).counters().copies_kept, 12U);
  lose(k1);
  pool_.advance(kMargin);
  // One of three is no quorum: nobody serves, and that is as it should be.
  EXPECT_FALSE(pool_.node(2).serving());
}

TEST_F(Copying, AnAnswerThatWaitsForABackupDoesNotWaitForADeadOne) {
  const FileKey key = file_of(k1);
  auto held = std::make_shared<TestOpen>();
  held->command = kept_command(1);
  held->command.open = pool_.node(1).next_open_id();
  pool_.kill(k2);
  std::erase(alive_, k2);
  pool_.node(1).open(key, held->command, held, [held](ports::OpenOutcome) { held->done = true; },
                     {});
  pool_.settle();
  pool_.cluster.form(alive_, {k2});
  pool_.settle();
  EXPECT_TRUE(held->done);
  EXPECT_EQ(copies(), 1U) << "on node 3, whoever was the backup before";
}

TEST_F(Copying, AClaimEndsWithTheFirstOpenThatIsKept) {
  const FileKey key = file_of(k2);
  coherence::Open plain = kept_command(1);
  plain.durability = {};
  plain.share = kShareAll;
  const auto first = open(1, key, plain);
  EXPECT_EQ(pool_.node(1).counters().claims_held, 1U);
  coherence::Open second = kept_command(1);
  second.share = kShareAll;
  const auto kept = open(1, key, second);
  ASSERT_EQ(kept->status(), NtStatus::Success);
  EXPECT_EQ(pool_.node(1).counters().claims_held, 0U);
  EXPECT_EQ(copies(), 1U);
  EXPECT_EQ(submit(first, coherence::Close{first->id()})->outcome.status, NtStatus::Success);
}

TEST_F(Copying, WhatNobodyComesBackForGoesWithItsTime) {
  const FileKey key = file_of(k2);
  const auto held = open(3, key, kept_command(1));
  lose(k3);
  pool_.advance(kMargin);
  pool_.advance(59s);
  EXPECT_EQ(find(1, held->command).size(), 1U);
  pool_.advance(2s);
  EXPECT_TRUE(find(1, held->command).empty());
  EXPECT_EQ(copies(), 0U);
}

/// A view of nodes 1 to 3 in which node 1 goes on since epoch 5 and node 2 lives `life_of_2`.
View view_of_three(std::uint64_t epoch, std::uint64_t life_of_2) {
  View view;
  view.epoch = Epoch{epoch};
  view.quorate = true;
  for (const std::uint32_t node : {1U, 2U, 3U}) {
    Member& member = view.members.emplace_back();
    member.id = {NodeId{node}, node == 2 ? life_of_2 : node};
    member.recovered_epoch = Epoch{5};
  }
  for (std::uint64_t past = 5; past < epoch; ++past) {
    view.history.push_back({Epoch{past}, view.members});
  }
  return view;
}

TEST(Keepers, ACopyForAFormerLifeThatCameAheadOfItsViewIsNotTheNextOnes) {
  FileKey key{7, 1, 1};
  while (owner_among(view_of_three(5, 20).members, key).id.node != NodeId{1}) ++key.inode;
  const auto keep_of_epoch = [&](std::uint64_t epoch) {
    coherence::KeptFile file;
    file.key = key;
    file.opens.resize(1);
    file.opens.front().open.open = OpenId{(std::uint64_t{1} << 48U) | 1U};
    return FromPeer{{NodeId{1}, 1}, {Epoch{epoch}, KeepMessage{9, std::move(file)}}};
  };
  OwnerMachine machine(NodeId{2}, {}, Timing{});
  OwnerOutbox out;
  machine.step(ViewChange{view_of_three(5, 20)}, MonoTime{1}, out);
  machine.step(keep_of_epoch(6), MonoTime{2}, out);  // this node never hears of that view
  machine.step(Lost{}, MonoTime{3}, out);
  machine.step(keep_of_epoch(8), MonoTime{4}, out);  // of one that the next life is in
  machine.step(ViewChange{view_of_three(7, 21)}, MonoTime{5}, out);
  EXPECT_TRUE(machine.copies().files().empty());
  machine.step(ViewChange{view_of_three(8, 21)}, MonoTime{6}, out);
  EXPECT_EQ(machine.copies().files().size(), 1U);
}

class CopyingOfFive : public Copying {
 protected:
  CopyingOfFive() : Copying(5) {
    alive_.emplace_back(4);
    alive_.emplace_back(5);
  }
};

TEST_F(CopyingOfFive, OneNodeAfterTheOtherMayBeLost_Design3_5) {
  std::vector<TestOpenPtr> held;
  for (std::uint8_t i = 0; i < 50; ++i) {
    held.push_back(open(1U + i % 5U, file_of(NodeId{1U + i / 10U}),
                        kept_command(static_cast<std::uint8_t>(i + 1))));
    ASSERT_EQ(held.back()->status(), NtStatus::Success);
  }
  for (const std::uint32_t node : {2U, 4U}) {
    lose(NodeId{node});
    pool_.advance(kMargin);
  }
  come(NodeId{4});
  pool_.advance(kMargin);
  for (const auto& it : held) {
    const auto found = find(1, it->command);
    ASSERT_EQ(found.size(), 1U);
    const bool dead =
        it->engine == nullptr || it->id().raw() >> 48 == 2 || it->id().raw() >> 48 == 4;
    EXPECT_EQ(found[0].what.holder == NodeId{}, dead);
    if (!dead) continue;
    const auto back = reclaim(3, it);
    ASSERT_TRUE(back->done);
    EXPECT_EQ(back->status(), NtStatus::Success);
  }
  EXPECT_EQ(copies(), 50U);
}

}  // namespace
}  // namespace flotilla::pool::testing
