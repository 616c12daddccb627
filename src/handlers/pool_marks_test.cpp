// PoolMarks of several nodes, joined by a relay that delivers when the test says so.
#include "handlers/pool_marks.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <memory>

namespace flotilla::handlers {
namespace {

constexpr Mark kDirectory{Mark::Kind::Listing, {1, 7, 0}};

/// Three nodes. Every message waits in its link until deliver().
class Pool {
 public:
  struct Node final : MarkRelay {
    Pool* pool = nullptr;
    NodeId id;
    std::uint64_t life = 1;
    bool settled_now = true;
    PoolMarks marks;
    [[nodiscard]] bool settled() override { return settled_now; }
    void tell(NodeId to, const MarkNote& note, std::move_only_function<void()> done) override {
      pool->link(id, to).push_back(
          [this, to, note,
           done = std::make_shared<std::move_only_function<void()>>(std::move(done))] {
            pool->at(to).marks.receive(id, note);
            pool->link(to, id).push_back([done] { (*done)(); });
          });
    }
    void pull(NodeId from, std::move_only_function<void(std::optional<MarkList>)> done) override {
      pool->link(id, from).push_back(
          [this, from,
           done = std::make_shared<std::move_only_function<void(std::optional<MarkList>)>>(
               std::move(done))] {
            MarkList list = pool->at(from).marks.list_for(id);
            pool->link(from, id).push_back([done, list] { (*done)(list); });
          });
    }
  };

  Pool() {
    for (std::uint32_t i = 1; i <= 3; ++i) {
      nodes_.push_back(std::make_unique<Node>());
      nodes_.back()->pool = this;
      nodes_.back()->id = NodeId{i};
      nodes_.back()->marks.set_relay(nodes_.back().get());
    }
  }
  Node& at(NodeId id) { return *nodes_.at(id.raw() - 1); }
  Node& operator[](std::uint32_t id) { return at(NodeId{id}); }
  std::deque<std::function<void()>>& link(NodeId from, NodeId to) { return links_[{from, to}]; }

  bool install(std::uint32_t id, const std::vector<std::uint32_t>& members) {
    std::vector<MarkPeer> others;
    for (const std::uint32_t other : members) {
      if (other != id) others.push_back({NodeId{other}, (*this)[other].life});
    }
    return (*this)[id].marks.on_members((*this)[id].life, others);
  }
  void install_all(const std::vector<std::uint32_t>& members) {
    for (const std::uint32_t id : members) install(id, members);
    deliver();
  }
  void deliver() {
    for (bool busy = true; busy;) {
      busy = false;
      for (auto& [ends, link] : links_) {
        while (!link.empty()) {
          const auto next = std::move(link.front());
          link.pop_front();
          next();
          busy = true;
        }
      }
    }
  }

 private:
  std::vector<std::unique_ptr<Node>> nodes_;
  std::map<std::pair<NodeId, NodeId>, std::deque<std::function<void()>>> links_;
};

struct Claim {
  std::optional<bool> granted;
  void make(PoolMarks& marks, std::uint64_t holder = 1) {
    marks.claim(kDirectory, holder, [this](bool yes) { granted = yes; });
  }
};

TEST(PoolMarks, AClaimIsGrantedWhenEveryOtherNodeKnowsIt) {
  Pool pool;
  pool.install_all({1, 2, 3});
  EXPECT_FALSE(pool[2].marks.any(Mark::Kind::Listing));
  Claim claim;
  claim.make(pool[1].marks);
  EXPECT_FALSE(claim.granted);
  Claim beside;
  beside.make(pool[1].marks, 2);
  pool.deliver();
  EXPECT_EQ(claim.granted, true);
  EXPECT_EQ(beside.granted, true) << "one message for both";
  for (std::uint32_t id = 1; id <= 3; ++id) {
    EXPECT_TRUE(pool[id].marks.any(Mark::Kind::Listing));
    EXPECT_TRUE(pool[id].marks.marked(kDirectory));
    EXPECT_FALSE(pool[id].marks.any(Mark::Kind::Client));
    EXPECT_FALSE(pool[id].marks.marked({Mark::Kind::Listing, {1, 8, 0}}));
  }
  EXPECT_EQ(pool[2].marks.elsewhere(kDirectory), std::vector<NodeId>{NodeId{1}});
  pool[1].marks.release(kDirectory, 1);
  pool.deliver();
  EXPECT_TRUE(pool[3].marks.marked(kDirectory)) << "the second holder is left";
  pool[1].marks.release(kDirectory, 2);
  pool.deliver();
  for (std::uint32_t id = 1; id <= 3; ++id) EXPECT_FALSE(pool[id].marks.any(Mark::Kind::Listing));
}

TEST(PoolMarks, WhatIsReleasedWhileItIsToldIsTakenBackAfterwards) {
  Pool pool;
  pool.install_all({1, 2});
  Claim claim;
  claim.make(pool[1].marks);
  pool[1].marks.release(kDirectory, 1);
  pool.deliver();
  EXPECT_EQ(claim.granted, true);
  EXPECT_FALSE(pool[1].marks.any(Mark::Kind::Listing));
  EXPECT_FALSE(pool[2].marks.any(Mark::Kind::Listing));
}

TEST(PoolMarks, ANodeThatJoinsTreatsEverythingAsMarkedUntilItHasAllLists) {
  Pool pool;
  pool.install_all({1, 2});
  Claim claim;
  claim.make(pool[1].marks);
  pool.deliver();
  EXPECT_TRUE(pool[3].marks.any(Mark::Kind::Listing)) << "in no view: it knows nothing";
  pool.install(3, {1, 2, 3});
  EXPECT_TRUE(pool[3].marks.marked({Mark::Kind::Listing, {9, 9, 9}}));
  EXPECT_EQ(pool[3].marks.elsewhere(kDirectory).size(), 2U);
  pool.deliver();
  EXPECT_TRUE(pool[3].marks.marked(kDirectory));
  EXPECT_FALSE(pool[3].marks.marked({Mark::Kind::Listing, {9, 9, 9}}));
  // The others have yet to install the view; the one that was asked tells it all the same.
  pool[1].marks.release(kDirectory, 1);
  pool.deliver();
  EXPECT_FALSE(pool[3].marks.marked(kDirectory));
}

TEST(PoolMarks, AListAndTheNotesAroundItAgreeInAnyOrder) {
  Pool pool;
  pool.install_all({1, 2});
  Claim claim;
  claim.make(pool[1].marks);
  pool.deliver();
  pool.install(3, {1, 2, 3});
  auto& to_one = pool.link(NodeId{3}, NodeId{1});
  ASSERT_EQ(to_one.size(), 1U);
  to_one.front()();  // node 1 makes its list out
  to_one.pop_front();
  pool[1].marks.release(kDirectory, 1);
  auto& from_one = pool.link(NodeId{1}, NodeId{3});
  ASSERT_EQ(from_one.size(), 2U);
  std::swap(from_one[0], from_one[1]);  // "off" overtakes the list that says "on"
  pool.deliver();
  EXPECT_FALSE(pool[3].marks.any(Mark::Kind::Listing));
}

TEST(PoolMarks, ALossIsToldAndEndsWhatTheLostNodeHadMarked) {
  Pool pool;
  pool.install_all({1, 2, 3});
  Claim claim;
  claim.make(pool[3].marks);
  pool.deliver();
  EXPECT_FALSE(pool.install(1, {1, 2, 3}));
  EXPECT_TRUE(pool.install(1, {1, 2})) << "node 3 may have changed something unsaid";
  EXPECT_EQ(pool[1].marks.losses(), 1U);
  EXPECT_FALSE(pool[1].marks.any(Mark::Kind::Listing));
  // Back in another life: what it marked before does not count.
  pool[3].life = 2;
  pool.install(1, {1, 2, 3});
  EXPECT_TRUE(pool[1].marks.any(Mark::Kind::Listing)) << "until its list is there";
}

TEST(PoolMarks, ANoteOfALifeThatIsNotInTheViewMakesEverythingMarked) {
  Pool pool;
  pool.install_all({1, 2});
  pool[2].marks.receive(NodeId{1}, {.life = 99, .seq = 1, .mark = kDirectory, .on = true});
  EXPECT_TRUE(pool[2].marks.marked({Mark::Kind::Listing, {5, 5, 5}}));
  pool.install_all({1, 2});
  EXPECT_FALSE(pool[2].marks.any(Mark::Kind::Listing));
}

TEST(PoolMarks, NoListingIsGrantedWhileThePoolIsUnsettled) {
  Pool pool;
  pool.install_all({1, 2});
  pool[1].settled_now = false;
  Claim claim;
  claim.make(pool[1].marks);
  EXPECT_EQ(claim.granted, false);
  std::optional<bool> client;
  pool[1].marks.claim(client_mark(ClientGuid{}), 1, [&](bool yes) { client = yes; });
  pool.deliver();
  EXPECT_EQ(client, true);
}

TEST(PoolMarks, AloneNobodyNeedsToBeTold) {
  PoolMarks marks;
  EXPECT_FALSE(marks.any(Mark::Kind::Listing));
  Claim claim;
  claim.make(marks);
  EXPECT_EQ(claim.granted, true);
  EXPECT_TRUE(marks.marked(kDirectory));
  marks.release(kDirectory, 1);
  marks.release(kDirectory, 1);
  EXPECT_FALSE(marks.any(Mark::Kind::Listing));
}

}  // namespace
}  // namespace flotilla::handlers
