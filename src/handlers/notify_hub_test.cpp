// NotifyHub's rules without requests.
#include "handlers/notify_hub.hpp"

#include <gtest/gtest.h>

namespace flotilla::handlers {
namespace {

using wire::NotifyAction;
constexpr std::uint32_t kName = wire::notify_filter::kFileName | wire::notify_filter::kDirName;
const int kShare = 0;
const int kOther = 0;

struct Waiting {
  std::optional<NotifyResult> result;
  std::uint64_t id = 0;
};
void wait(NotifyHub& hub, const std::shared_ptr<NotifyWatch>& watch, Waiting& into,
          std::size_t limit = 4096) {
  into.id = hub.wait(watch, limit, [&into](NotifyResult got) { into.result = std::move(got); });
}

TEST(NotifyHub, AWatchSeesItsOwnLevelOnlyUnlessItWatchesTheTree) {
  NotifyHub hub;
  const auto flat = hub.add(&kShare, "a", false, kName, 4096);
  const auto tree = hub.add(&kShare, "a", true, kName, 4096);
  Waiting one, two;
  wait(hub, flat, one);
  wait(hub, tree, two);
  hub.report(&kShare, "a/b/c", NotifyAction::Added, kName);
  hub.report(&kShare, "ab", NotifyAction::Added, kName);
  hub.report(&kOther, "a/x", NotifyAction::Added, kName);
  EXPECT_FALSE(one.result);
  ASSERT_TRUE(two.result);
  ASSERT_EQ(two.result->entries.size(), 1U);
  EXPECT_EQ(two.result->entries[0].file_name, u"b\\c");
  hub.report(&kShare, "a/x", NotifyAction::Added, kName);
  EXPECT_TRUE(one.result);
}

TEST(NotifyHub, ARenamedFileHasChangedUnderItsNewName) {
  NotifyHub hub;
  const auto watch = hub.add(&kShare, "", false, wire::notify_filter::kAttributes, 4096);
  Waiting one;
  wait(hub, watch, one);
  hub.report_rename(&kShare, "d", "e", true);
  EXPECT_FALSE(one.result) << "not so a directory";
  hub.report_rename(&kShare, "a/f", "g", false);
  ASSERT_TRUE(one.result);
  ASSERT_EQ(one.result->entries.size(), 1U);
  EXPECT_EQ(one.result->entries[0].action, NotifyAction::Modified);
  EXPECT_EQ(one.result->entries[0].file_name, u"g");
}

TEST(NotifyHub, ARoomOfNothingIsAnOverflowWithTheFirstEvent) {
  NotifyHub hub;
  const auto watch = hub.add(&kShare, "", false, kName, 4096);
  Waiting none, after;
  wait(hub, watch, none, 0);
  hub.report(&kShare, "f", NotifyAction::Added, kName);
  ASSERT_TRUE(none.result);
  EXPECT_EQ(none.result->status, NtStatus::NotifyEnumDir);
  wait(hub, watch, after);
  EXPECT_FALSE(after.result) << "what was told by the overflow is told";
}

TEST(NotifyHub, TheFilterDecides) {
  NotifyHub hub;
  const auto watch = hub.add(&kShare, "", false, wire::notify_filter::kSize, 4096);
  Waiting one;
  wait(hub, watch, one);
  hub.report(&kShare, "f", NotifyAction::Added, kName);
  EXPECT_FALSE(one.result);
  hub.report(&kShare, "f", NotifyAction::Modified, wire::notify_filter::kSize);
  EXPECT_TRUE(one.result);
}

TEST(NotifyHub, ARenameIsBothNamesInOneAnswer) {
  NotifyHub hub;
  const auto watch = hub.add(&kShare, "", true, kName, 4096);
  const auto inner = hub.add(&kShare, "d/e", false, kName, 4096);
  Waiting one;
  wait(hub, watch, one);
  hub.report_rename(&kShare, "d", "n", true);
  ASSERT_TRUE(one.result);
  ASSERT_EQ(one.result->entries.size(), 2U);
  EXPECT_EQ(one.result->entries[0].action, NotifyAction::RenamedOldName);
  EXPECT_EQ(one.result->entries[1].action, NotifyAction::RenamedNewName);
  Waiting two;
  wait(hub, inner, two);
  hub.report(&kShare, "n/e/f", NotifyAction::Added, kName);
  EXPECT_TRUE(two.result) << "the watch below follows the new name";
}

TEST(NotifyHub, AnOverflowForgetsTheEventsAndIsToldOnce) {
  NotifyHub hub;
  const auto watch = hub.add(&kShare, "", false, kName, 64);
  for (int i = 0; i < 10; ++i) {
    hub.report(&kShare, "file" + std::to_string(i), NotifyAction::Added, kName);
  }
  Waiting one, two;
  wait(hub, watch, one);
  ASSERT_TRUE(one.result);
  EXPECT_EQ(one.result->status, NtStatus::NotifyEnumDir);
  wait(hub, watch, two);
  EXPECT_FALSE(two.result);
  hub.cancel(watch, two.id);
  ASSERT_TRUE(two.result);
  EXPECT_EQ(two.result->status, NtStatus::Cancelled);
}

TEST(NotifyHub, ADirectoryThatGoesIsDeletePendingAndAClosedOneNotifyCleanup) {
  NotifyHub hub;
  const auto going = hub.add(&kShare, "d", false, kName, 4096);
  const auto closing = hub.add(&kShare, "e", false, kName, 4096);
  Waiting one, two;
  wait(hub, going, one);
  wait(hub, closing, two);
  hub.report_delete_pending(&kShare, "d");
  hub.remove(closing);
  EXPECT_EQ(one.result->status, NtStatus::DeletePending);
  EXPECT_EQ(two.result->status, NtStatus::NotifyCleanup);
  EXPECT_EQ(hub.watch_count(), 1U);
}

class CountingRelay final : public NotifyRelay {
 public:
  [[nodiscard]] bool wanted(const void*) override {
    ++asked;
    return interested;
  }
  void changed(const void*, std::string_view path, wire::NotifyAction, std::uint32_t) override {
    told.emplace_back(path);
  }
  void renamed(const void*, std::string_view from, std::string_view to, bool) override {
    told.push_back(std::string(from) + ">" + std::string(to));
  }
  void delete_pending(const void*, std::string_view path) override {
    told.push_back("-" + std::string(path));
  }
  void watching(const void*, bool on) override { told.emplace_back(on ? "on" : "off"); }
  bool interested = false;
  int asked = 0;
  std::vector<std::string> told;
};

TEST(NotifyRelay, HearsOfTheFirstWatchAndTheLastAndOfWhatOthersWatch) {
  const int share = 0;
  NotifyHub hub;
  CountingRelay relay;
  hub.set_relay(&relay);
  hub.report(&share, "f", wire::NotifyAction::Added, wire::notify_filter::kFileName);
  EXPECT_TRUE(relay.told.empty()) << "nobody watches anywhere";
  const auto first = hub.add(&share, "", true, wire::notify_filter::kFileName, 4096);
  const auto second = hub.add(&share, "d", true, wire::notify_filter::kFileName, 4096);
  hub.remove(first);
  hub.remove(second);
  hub.remove(second);
  EXPECT_EQ(relay.told, (std::vector<std::string>{"on", "off"}));
  relay.interested = true;
  hub.report(&share, "f", wire::NotifyAction::Added, wire::notify_filter::kFileName);
  hub.report_rename(&share, "f", "g", false);
  hub.report_delete_pending(&share, "d");
  EXPECT_EQ(relay.told, (std::vector<std::string>{"on", "off", "f", "f>g", "-d"}));
}

TEST(NotifyRelay, WhatAnotherNodeSaysGoesNoFurther) {
  const int share = 0;
  NotifyHub hub;
  CountingRelay relay;
  relay.interested = true;
  hub.set_relay(&relay);
  const auto watch = hub.add(&share, "", true, wire::notify_filter::kFileName, 4096);
  std::vector<wire::NotifyEntry> seen;
  hub.wait(watch, 4096, [&](NotifyResult result) { seen = std::move(result.entries); });
  hub.report_here(&share, "f", wire::NotifyAction::Added, wire::notify_filter::kFileName);
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(relay.told, (std::vector<std::string>{"on"}));
  hub.remove(watch);
}

}  // namespace
}  // namespace flotilla::handlers
