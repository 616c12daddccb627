#include "coherence/codec.hpp"

#include <gtest/gtest.h>

#include "coherence/file_table.hpp"
#include "coherence/state.hpp"

namespace flotilla::coherence {
namespace {

LeaseKey key_of(std::uint8_t first) {
  LeaseKey key;
  key.bytes[0] = first;
  key.bytes[15] = 0xEE;
  return key;
}

Open an_open() {
  Open open;
  open.open = OpenId{0x1122334455667788};
  open.client.bytes[3] = 7;
  open.session = SessionId{9};
  open.path = "dir/f\xC3\xA4";
  open.access = 0x00120089;
  open.share = 7;
  open.cache = {CacheKind::Lease, kCacheRead | kCacheHandle, key_of(1), 2, 17, true, key_of(2)};
  open.overwrites = true;
  return open;
}

Durability a_durability() {
  Durability durability;
  durability.kind = DurableKind::Persistent;
  durability.timeout = std::chrono::seconds{60};
  durability.create_guid.bytes[2] = 5;
  durability.app_instance.bytes[7] = 6;
  durability.app_version_high = 1;
  durability.app_version_low = 2;
  durability.passport = {1, 2, 3};
  return durability;
}

KeptFile a_kept_file() {
  KeptOpen kept{an_open(), NodeId{3}, 17, {{0, 10, true}}, {{1, 2}, {64, 15}}};
  kept.open.durability = a_durability();
  return {FileKey{1, 2, 3}, 9, "dir/x", true, {kept, kept}};
}

std::vector<Body> bodies() {
  AssertOpen assertion{an_open(), 3, true, 1, 18, true, {{0, 10, true}, {20, 0, false}}, {{5, 6}}};
  return {an_open(),
          Close{OpenId{1}},
          Unlinked{OpenId{1}, false, true},
          Lock{OpenId{1}, {{1, 2, true}, {3, 4, false}}, false, true, {7, 8}},
          Cancel{RequestId{5}},
          AcknowledgeBreak{OpenId{1}, {}, key_of(3), 1},
          SetDeletePending{OpenId{1}, true},
          BeginRename{OpenId{1}, {}, key_of(1)},
          Renamed{OpenId{1}, "a/b", RenameStage::Failed},
          Modify{OpenId{2}},
          RestrictionsKnown{77},
          assertion,
          Tick{},
          NodeGone{NodeId{3}},
          Detach{OpenId{1}},
          Reclaim{OpenId{1}, {}, SessionId{2}, SessionId{3}},
          UpdateKept{OpenId{1}, a_durability()},
          Restore{a_kept_file()},
          ChildChanged{{}, key_of(2)},
          ProbeNames{},
          AllAsserted{}};
}

Command command_of(Body body) {
  return {FileKey{1, 2, 3}, NodeId{4}, RequestId{5}, MonoTime{-6}, std::move(body)};
}

Restrictions some_restrictions() {
  return {9, {{OpenId{1}, {0, 10, true}}}, {{OpenId{2}, {}, key_of(4)}}};
}

std::vector<Outcome> outcomes() {
  return {
      {NtStatus::SharingViolation, {}},
      {NtStatus::Success, Opened{CacheKind::Lease, 7, 19, true, 3, some_restrictions(), 2, "a"}},
      {NtStatus::Success, Closed{true, "x/y"}},
      {NtStatus::Success, BreakAcknowledged{3}},
      {NtStatus::Success,
       Reclaimed{a_kept_file().opens[0], true, some_restrictions(), true, {7, 3}}}};
}

TEST(Codec, Every_command_and_outcome_comes_back_as_it_was) {
  EXPECT_EQ(bodies().size(), std::variant_size_v<Body>);
  for (const Body& body : bodies()) {
    const Command command = command_of(body);
    Bytes bytes;
    encode(command, bytes);
    ByteReader in{bytes};
    const auto back = decode_command(in);
    ASSERT_TRUE(back.has_value()) << body.index();
    EXPECT_EQ(*back, command);
    EXPECT_EQ(in.remaining(), 0U);
  }
  for (const Outcome& outcome : outcomes()) {
    Bytes bytes;
    encode(outcome, bytes);
    ByteReader in{bytes};
    EXPECT_EQ(decode_outcome(in), outcome);
  }
  const Break what{OpenId{1}, CacheKind::Lease, key_of(1), 7, 3, true, 20, true};
  Bytes bytes;
  encode(what, bytes);
  encode(some_restrictions(), bytes);
  ByteReader in{bytes};
  EXPECT_EQ(decode_break(in), what);
  EXPECT_EQ(decode_restrictions(in), some_restrictions());
  EXPECT_EQ(in.remaining(), 0U);
}

TEST(Codec, What_is_kept_and_asked_for_comes_back_as_it_was) {
  Bytes bytes;
  const KeptFile file = a_kept_file();
  KeptQuery query;
  query.client.bytes[0] = 1;
  query.create_guid.bytes[1] = 2;
  const KeptFound found{FileKey{4, 5, 6}, file.opens[0]};
  encode(file, bytes);
  encode(query, bytes);
  encode(found, bytes);
  ByteReader in{bytes};
  EXPECT_EQ(decode_kept_file(in), file);
  EXPECT_EQ(decode_kept_query(in), query);
  EXPECT_EQ(decode_kept_found(in), found);
  EXPECT_EQ(in.remaining(), 0U);
}

TEST(Codec, An_open_that_nobody_asks_for_again_costs_one_byte) {
  Bytes plain;
  encode(command_of(an_open()), plain);
  Open durable = an_open();
  durable.durability = a_durability();
  Bytes more;
  encode(command_of(durable), more);
  EXPECT_EQ(more.size() - plain.size(), 1U + 8 + 16 + 16 + 8 + 8 + 4 + 3);
}

TEST(Codec, A_value_cut_short_anywhere_decodes_to_nothing) {
  for (const Body& body : bodies()) {
    Bytes bytes;
    encode(command_of(body), bytes);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      ByteReader in{ByteView{bytes}.first(size)};
      EXPECT_FALSE(decode_command(in).has_value()) << body.index() << " at " << size;
    }
  }
}

TEST(Codec, Whatever_decodes_encodes_to_the_same_bytes) {
  // Every byte of every command, changed in several ways.
  for (const Body& body : bodies()) {
    Bytes bytes;
    encode(command_of(body), bytes);
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      for (const int change : {0x01, 0x02, 0x80, 0xFF}) {
        Bytes changed = bytes;
        changed[at] = static_cast<std::uint8_t>(changed[at] ^ change);
        ByteReader in{changed};
        const auto command = decode_command(in);
        if (!command) continue;
        Bytes again;
        encode(*command, again);
        changed.resize(in.position());
        EXPECT_EQ(again, changed) << body.index() << " at " << at;
      }
    }
  }
}

/// Two leases of which one is breaking, a lock, waiters and an answer that is held back.
FileState a_state() {
  FileTable table;
  Outbox out;
  Open first = an_open();
  first.access = kReadData | kWriteData;
  first.overwrites = false;
  first.cache.rights = 7;
  const FileKey key{1, 2, 3};
  table.apply({key, NodeId{1}, RequestId{1}, {}, first}, out);
  Open plain;
  plain.open = OpenId{0x1122334455667789};
  plain.client.bytes[3] = 8;
  plain.access = kReadData;
  plain.share = 7;
  table.apply({key, NodeId{1}, RequestId{2}, {}, plain}, out);
  table.apply({key, NodeId{1}, RequestId{3}, {}, Lock{first.open, {{0, 9, true}}, false, true}},
              out);
  return *table.inspect(key);
}

TEST(Codec, A_files_state_comes_back_as_it_was) {
  const FileState state = a_state();
  ASSERT_EQ(state.waiters.size(), 1U);
  ASSERT_EQ(state.held.size(), 1U);
  ASSERT_EQ(state.locks.size(), 1U);
  Bytes bytes;
  encode_state(state, bytes);
  ByteReader in{bytes};
  const auto back = decode_state(in);
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(*back, state);
  EXPECT_EQ(in.remaining(), 0U);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    ByteReader part{ByteView{bytes}.first(size)};
    EXPECT_FALSE(decode_state(part).has_value()) << size;
  }
}

TEST(Codec, A_state_made_of_any_bytes_encodes_to_them_and_can_be_worked_on) {
  Bytes bytes;
  encode_state(a_state(), bytes);
  std::size_t good_count = 0;
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    for (const int change : {0x01, 0x02, 0x80, 0xFF}) {
      Bytes changed = bytes;
      changed[at] = static_cast<std::uint8_t>(changed[at] ^ change);
      ByteReader in{changed};
      auto state = decode_state(in);
      if (!state) continue;
      ++good_count;
      Bytes again;
      encode_state(*state, again);
      changed.resize(in.position());
      EXPECT_EQ(again, changed) << at;
      FileTable table;
      const FileKey key{1, 2, 3};
      table.put(key, {std::move(*state), 9, 7}, MonoTime{5});
      Outbox out;
      const MonoTime later{1'000'000'000'000};
      table.apply({key, NodeId{2}, RequestId{9}, later, Tick{}}, out);
      table.apply({key, NodeId{2}, RequestId{9}, later, RestrictionsKnown{99}}, out);
      for (const std::uint32_t node : {0U, 1U, 2U}) {
        table.apply({key, NodeId{2}, RequestId{9}, later, NodeGone{NodeId{node}}}, out);
      }
    }
  }
  EXPECT_GT(good_count, 100U);
}

TEST(Codec, A_state_whose_parts_do_not_know_each_other_is_none) {
  const auto decodes = [](const FileState& state) {
    Bytes bytes;
    encode_state(state, bytes);
    ByteReader in{bytes};
    return decode_state(in).has_value();
  };
  const FileState good = a_state();
  EXPECT_TRUE(decodes(good));
  FileState lock_of_nobody = good;
  lock_of_nobody.locks = {{OpenId{1}, {0, 1, true}}};
  EXPECT_FALSE(decodes(lock_of_nobody));
  FileState lease_of_nobody = good;
  lease_of_nobody.caches.begin()->second.opens = {OpenId{1}};
  EXPECT_FALSE(decodes(lease_of_nobody));
  FileState without_lease = good;
  without_lease.caches.clear();
  EXPECT_FALSE(decodes(without_lease));
}

TEST(Codec, Another_version_decodes_to_nothing) {
  Bytes bytes;
  encode(command_of(Tick{}), bytes);
  bytes[0] = kCommandVersion + 1;
  ByteReader in{bytes};
  EXPECT_FALSE(decode_command(in).has_value());
}

TEST(Codec, A_count_larger_than_the_bytes_that_follow_allocates_nothing) {
  Bytes bytes;
  encode(Restrictions{}, bytes);
  bytes[9] = bytes[10] = bytes[11] = bytes[12] = 0xFF;  // after version byte and number: locks
  ByteReader in{bytes};
  EXPECT_FALSE(decode_restrictions(in).has_value());
}

TEST(Codec, Bytes_of_a_command_are_pinned) {
  // A change here is a change of what nodes of one pool say to each other: kCommandVersion.
  Bytes bytes;
  encode(Command{FileKey{1, 2, 3}, NodeId{4}, RequestId{5}, MonoTime{6}, Close{OpenId{7}}}, bytes);
  const Bytes expected = {5, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3, 0,
                          0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 6,
                          0, 0, 0, 0, 0, 0, 0, 1, 7, 0, 0, 0, 0, 0, 0, 0, 0};
  EXPECT_EQ(bytes, expected);
}

}  // namespace
}  // namespace flotilla::coherence
