// The pure rules of sessions: windows, credits, compounds, sequences.
#include <gtest/gtest.h>

#include "session/compound.hpp"
#include "session/credits.hpp"
#include "session/message_window.hpp"
#include "session/sequences.hpp"
#include "session/session.hpp"

namespace flotilla::session {
namespace {

TEST(MessageWindow, AnIdIsUsedOnce_3_3_5_2_3) {
  MessageWindow window(8);
  EXPECT_TRUE(window.use(MessageId{0}, 1));
  EXPECT_FALSE(window.use(MessageId{0}, 1));
  EXPECT_TRUE(window.use(MessageId{2}, 1));
  EXPECT_FALSE(window.use(MessageId{2}, 0));
  EXPECT_EQ(window.low(), 1U);
  EXPECT_TRUE(window.use(MessageId{1}, 1));
  EXPECT_EQ(window.low(), 3U);
}

TEST(MessageWindow, ACreditChargeUsesConsecutiveIds_3_3_5_2_3) {
  MessageWindow window(8);
  EXPECT_TRUE(window.use(MessageId{1}, 3));
  EXPECT_FALSE(window.use(MessageId{0}, 2)) << "1 is used already";
  EXPECT_TRUE(window.use(MessageId{0}, 1));
  EXPECT_EQ(window.low(), 4U);
  EXPECT_FALSE(window.use(MessageId{3}, 2)) << "3 lies below the window";
}

TEST(MessageWindow, ALargeJumpIsRefused_3_3_5_2_3) {
  MessageWindow window(8);
  EXPECT_FALSE(window.use(MessageId{8}, 1));
  EXPECT_FALSE(window.use(MessageId{7}, 2));
  EXPECT_FALSE(window.use(MessageId{~std::uint64_t{0}}, 1));
  EXPECT_FALSE(window.use(MessageId{~std::uint64_t{0} - 1}, 0xFFFF));
  EXPECT_TRUE(window.use(MessageId{7}, 1));
}

TEST(MessageWindow, SlidesForever) {
  MessageWindow window(100);
  for (std::uint64_t id = 0; id < 10000; id += 2) {
    ASSERT_TRUE(window.use(MessageId{id + 1}, 1)) << id;
    ASSERT_TRUE(window.use(MessageId{id}, 1)) << id;
    ASSERT_FALSE(window.use(MessageId{id}, 1)) << id;
  }
  EXPECT_EQ(window.low(), 10000U);
}

TEST(CreditGranter, ReturnsWhatWasConsumedAndNeverMoreThanTheExtra_3_3_1_2) {
  CreditGranter credits(10);
  EXPECT_EQ(credits.grant(1, 5), 5) << "1 + 4 extra";
  EXPECT_EQ(credits.grant(1, 100), 7) << "1 + the last 6";
  EXPECT_EQ(credits.grant(4, 100), 4);
  EXPECT_EQ(credits.grant(0, 0), 1) << "never dry";
  EXPECT_EQ(credits.grant(5, 2), 2) << "the client gives 3 back";
  EXPECT_EQ(credits.extra_left(), 3U);
}

TEST(CreditCharge, CoversThePayloadIn64KiBUnits_3_3_5_2_5) {
  EXPECT_TRUE(charge_suffices(0, 0, 65536));
  EXPECT_FALSE(charge_suffices(1, 0, 65537));
  EXPECT_FALSE(charge_suffices(0, 65537, 0));
  EXPECT_TRUE(charge_suffices(2, 131072, 10));
  EXPECT_FALSE(charge_suffices(2, 131073, 10));
}

Bytes request(std::uint32_t next, std::uint32_t flags = 0, std::size_t body = 8) {
  wire::Smb2Header header;
  header.command = wire::Command::Echo;
  header.next_command = next;
  header.flags = flags;
  Bytes out;
  header.encode(out);
  out.resize(out.size() + body);
  return out;
}
Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

TEST(SplitFrame, FindsEveryPartWithItsPadding_3_3_5_2_7) {
  constexpr std::uint32_t kRelated = wire::header_flags::kRelatedOperations;
  const Bytes frame = request(72) + request(72, kRelated) + request(0, kRelated, 4);
  const auto parts = split_frame(frame);
  ASSERT_TRUE(parts);
  ASSERT_EQ(parts->size(), 3U);
  EXPECT_EQ((*parts)[0].message.size(), 72U);
  EXPECT_FALSE((*parts)[0].related);
  EXPECT_TRUE((*parts)[1].related);
  EXPECT_FALSE((*parts)[1].malformed);
  EXPECT_EQ((*parts)[2].message.size(), 68U);
}

TEST(SplitFrame, AWildNextCommandDisconnects_3_3_5_2_7) {
  for (const std::uint32_t next : {4U, 56U, 63U, 68U, 76U, 80000U, 0xFFFFFFF8U}) {
    EXPECT_FALSE(split_frame(request(next) + request(0))) << next;
  }
  EXPECT_FALSE(split_frame(request(72))) << "nothing behind it";
  EXPECT_FALSE(split_frame(Bytes(10)));
  EXPECT_FALSE(split_frame(Bytes(64)));
  EXPECT_FALSE(split_frame(request(0, wire::header_flags::kServerToRedir)));
}

TEST(SplitFrame, ARelatedFirstRequestIsInvalidWithAllThatRelateToIt_3_3_5_2_7_2) {
  constexpr std::uint32_t kRelated = wire::header_flags::kRelatedOperations;
  const Bytes frame = request(72, kRelated) + request(72, kRelated) + request(0);
  const auto parts = split_frame(frame);
  ASSERT_TRUE(parts);
  EXPECT_TRUE((*parts)[0].malformed);
  EXPECT_TRUE((*parts)[1].malformed);
  EXPECT_FALSE((*parts)[2].malformed);
}

TEST(ChannelSequence, MovesForwardAndRefusesThePast_3_3_5_2_10) {
  std::uint16_t open = 5;
  EXPECT_TRUE(admit_channel_sequence(open, 5));
  EXPECT_TRUE(admit_channel_sequence(open, 7));
  EXPECT_EQ(open, 7);
  EXPECT_FALSE(admit_channel_sequence(open, 6));
  EXPECT_EQ(open, 7);
  open = 0xFFFF;
  EXPECT_TRUE(admit_channel_sequence(open, 1)) << "wraps";
}

TEST(LockSequence, ARepeatedNumberIsAReplay_3_3_5_14) {
  std::vector<std::uint8_t> entries;
  const std::uint32_t sequence = 3U << 4 | 9;
  EXPECT_FALSE(LockSequences::replayed(entries, sequence));
  LockSequences::remember(entries, sequence);
  EXPECT_TRUE(LockSequences::replayed(entries, sequence));
  EXPECT_FALSE(LockSequences::replayed(entries, 3U << 4 | 8)) << "a new number";
  EXPECT_FALSE(LockSequences::replayed(entries, sequence)) << "which made the old one invalid";
  LockSequences::remember(entries, 65U << 4 | 1);
  EXPECT_FALSE(LockSequences::replayed(entries, 65U << 4 | 1));
  LockSequences::remember(entries, 1);
  EXPECT_FALSE(LockSequences::replayed(entries, 1)) << "index 0 is reserved";
}

TEST(Session, FindsAnOpenByBothHalvesOfItsIdAndNotWhileClosing) {
  Session session;
  auto open = std::make_shared<Open>();
  open->id = FileId{10, 1};
  session.opens.emplace(1, open);
  EXPECT_EQ(session.find_open(FileId{10, 1}), open);
  EXPECT_EQ(session.find_open(FileId{11, 1}), nullptr);
  open->closing = true;
  EXPECT_EQ(session.find_open(FileId{10, 1}), nullptr);
}

TEST(Session, TreeIdsAreNeverZeroNorAllOnesNorInUse) {
  Session session;
  session.next_tree = 0xFFFFFFFE;
  const TreeId last = session.new_tree_id();
  session.trees.emplace(last, nullptr);
  EXPECT_EQ(last.raw(), 0xFFFFFFFEU);
  EXPECT_EQ(session.new_tree_id().raw(), 1U);
}

}  // namespace
}  // namespace flotilla::session
