// Leases on directories, over whole messages: what is granted, which changes of an entry break it,
// and for whom not.
#include <functional>

#include "server/harness.hpp"
#include "wire/fscc.hpp"

namespace flotilla::testing {
namespace {

using Class = wire::FileInformationClass;
using wire::Command;
using wire::CreateDisposition;
namespace a = wire::access;
namespace o = wire::create_options;

constexpr std::uint32_t kR = 1;
constexpr std::uint32_t kRH = 3;
constexpr std::uint32_t kRWH = 7;

Bytes lease_v2(std::uint8_t key, std::uint32_t state, std::uint8_t parent = 0) {
  wire::LeaseContextV2 lease;
  lease.lease_key.bytes[0] = key;
  lease.lease_state = state;
  lease.epoch = 4;
  if (parent != 0) {
    lease.lease_flags = wire::lease_flags::kParentLeaseKeySet;
    lease.parent_lease_key.bytes[0] = parent;
  }
  return wire::encoded(lease);
}

class DirectoryLease : public ::testing::Test {
 protected:
  DirectoryLease() : holder(node), other(node, {.shard = 1, .guid = 2}) {
    holder.connect();
    other.connect("bob");
    must_close(holder, {.name = u"d", .options = o::kDirectoryFile});
    must_close(holder, {.name = u"e", .options = o::kDirectoryFile});
    must_close(holder, {.name = u"d\\f"});
  }
  static void must_close(TestClient& client, const OpenArgs& args) {
    client.close(client.must_open(args));
  }

  struct Granted {
    FileId id;
    std::optional<wire::LeaseContextV2> lease;
  };
  Granted lease(TestClient& client, std::u16string name, std::uint8_t key, std::uint32_t state,
                std::uint8_t parent = 0, std::uint32_t options = o::kDirectoryFile) {
    const Bytes context = lease_v2(key, state, parent);
    // A directory that is open for DELETE keeps the names in it.
    const bool directory = (options & o::kDirectoryFile) != 0;
    const Response response = client.open({.name = std::move(name),
                                           .access = directory ? a::kGenericRead : 0x001F01FFU,
                                           .options = options,
                                           .oplock = wire::OplockLevel::Lease,
                                           .contexts = {{as_bytes("RqLs"), context}}});
    EXPECT_EQ(response.status(), NtStatus::Success);
    const auto body = response.as<wire::CreateResponse>();
    Granted granted{body.file_id, std::nullopt};
    if (const auto* context_out = wire::find_context(body.create_contexts, "RqLs")) {
      const auto decoded = wire::decode<wire::LeaseContextV2>(context_out->data);
      if (decoded) granted.lease = *decoded;
    }
    return granted;
  }
  NtStatus set(TestClient& client, const FileId& id, Class c, ByteView buffer) {
    wire::SetInfoRequest request;
    request.info_type = wire::InfoType::File;
    request.file_info_class = static_cast<std::uint8_t>(c);
    request.file_id = id;
    request.buffer = buffer;
    return client.call(Command::SetInfo, request).status();
  }
  NtStatus rename(TestClient& client, const FileId& id, std::u16string to) {
    wire::FileRenameInformation rename;
    rename.file_name = std::move(to);
    return set(client, id, Class::FileRenameInformation, wire::encoded(rename));
  }
  NtStatus write(TestClient& client, const FileId& id) {
    wire::WriteRequest write;
    write.file_id = id;
    write.data = as_bytes("abc");
    return client.call(Command::Write, write).status();
  }
  std::optional<wire::LeaseBreakNotification> broken(TestClient& client) {
    node.run();
    const auto response = client.poll_break();
    if (!response) return std::nullopt;
    return response->as<wire::LeaseBreakNotification>();
  }

  TestNode node;
  TestClient holder;
  TestClient other;
};

TEST_F(DirectoryLease, ReadAndHandleCachingAreGrantedNeverWriteCaching_3_3_5_9_11) {
  const Granted granted = lease(holder, u"d", 9, kRWH);
  ASSERT_TRUE(granted.lease);
  EXPECT_EQ(granted.lease->lease_state, kRH);
  EXPECT_EQ(granted.lease->epoch, 5);
  const Granted beside = lease(other, u"d", 10, kR);
  ASSERT_TRUE(beside.lease);
  EXPECT_EQ(beside.lease->lease_state, kR);
  EXPECT_FALSE(broken(holder));
}

TEST_F(DirectoryLease, NeedsVersionTwoAndTheCapability_3_3_5_9_8) {
  wire::LeaseContext first;
  first.lease_key.bytes[0] = 9;
  first.lease_state = kRH;
  const Bytes context = wire::encoded(first);
  const auto body = holder
                        .open({.name = u"d",
                               .options = o::kDirectoryFile,
                               .oplock = wire::OplockLevel::Lease,
                               .contexts = {{as_bytes("RqLs"), context}}})
                        .as<wire::CreateResponse>();
  EXPECT_EQ(body.oplock_level, wire::OplockLevel::None);
  TestClient old(node, {.dialect = 0x0210, .guid = 3});
  old.connect();
  EXPECT_FALSE(lease(old, u"d", 11, kRH).lease);
}

TEST_F(DirectoryLease, TheKeyOfADirectoryIsNoOthers_3_3_5_9_11) {
  lease(holder, u"d", 9, kRH);
  const Bytes context = lease_v2(9, kRH);
  EXPECT_EQ(holder
                .open({.name = u"d\\f",
                       .oplock = wire::OplockLevel::Lease,
                       .contexts = {{as_bytes("RqLs"), context}}})
                .status(),
            NtStatus::InvalidParameter);
}

class DirectoryChange : public DirectoryLease, public ::testing::WithParamInterface<int> {
 public:
  using DirectoryLease::broken;
  using DirectoryLease::holder;
  using DirectoryLease::lease;
  using DirectoryLease::rename;
  using DirectoryLease::set;
  using DirectoryLease::write;

  /// An open of an entry that names its parent's lease.
  FileId entry(TestClient& client, std::uint8_t parent, std::u16string name = u"d\\f",
               std::uint32_t options = 0) {
    return lease(client, std::move(name), 50, kR, parent, options).id;
  }
  struct Row {
    const char* name;
    void (*make)(DirectoryChange&, TestClient&, std::uint8_t);
  };
  static const Row kRows[];
};

const DirectoryChange::Row DirectoryChange::kRows[] = {
    {"Create", [](DirectoryChange& t, TestClient& c, std::uint8_t p) { t.entry(c, p, u"d\\new"); }},
    {"MakeDirectory", [](DirectoryChange& t, TestClient& c,
                         std::uint8_t p) { t.entry(c, p, u"d\\sub", o::kDirectoryFile); }},
    {"Overwrite",
     [](DirectoryChange& t, TestClient& c, std::uint8_t p) {
       (void)t;
       const Bytes context = lease_v2(50, kR, p);
       c.must_open({.name = u"d\\f",
                    .disposition = CreateDisposition::Overwrite,
                    .oplock = wire::OplockLevel::Lease,
                    .contexts = {{as_bytes("RqLs"), context}}});
     }},
    {"DeleteOnClose", [](DirectoryChange& t, TestClient& c,
                         std::uint8_t p) { c.close(t.entry(c, p, u"d\\f", o::kDeleteOnClose)); }},
    {"DeleteByDisposition",
     [](DirectoryChange& t, TestClient& c, std::uint8_t p) {
       const FileId id = t.entry(c, p);
       const Bytes yes{1};
       EXPECT_EQ(t.set(c, id, Class::FileDispositionInformation, yes), NtStatus::Success);
       c.close(id);
     }},
    {"Rename",
     [](DirectoryChange& t, TestClient& c, std::uint8_t p) {
       EXPECT_EQ(t.rename(c, t.entry(c, p), u"d\\g"), NtStatus::Success);
     }},
    {"MoveAway",
     [](DirectoryChange& t, TestClient& c, std::uint8_t p) {
       EXPECT_EQ(t.rename(c, t.entry(c, p), u"e\\g"), NtStatus::Success);
     }},
    {"Write",
     [](DirectoryChange& t, TestClient& c, std::uint8_t p) {
       const FileId id = t.entry(c, p);
       EXPECT_EQ(t.write(c, id), NtStatus::Success);
       EXPECT_FALSE(t.broken(t.holder)) << "with the close, as on Windows";
       c.close(id);
     }},
    {"SetEndOfFile",
     [](DirectoryChange& t, TestClient& c, std::uint8_t p) {
       wire::FileEndOfFileInformation size;
       size.end_of_file = 99;
       EXPECT_EQ(t.set(c, t.entry(c, p), Class::FileEndOfFileInformation, wire::encoded(size)),
                 NtStatus::Success);
     }},
    {"SetAttributes",
     [](DirectoryChange& t, TestClient& c, std::uint8_t p) {
       wire::FileBasicInformation basic;
       basic.file_attributes = wire::file_attribute::kHidden;
       EXPECT_EQ(t.set(c, t.entry(c, p), Class::FileBasicInformation, wire::encoded(basic)),
                 NtStatus::Success);
     }},
};

TEST_P(DirectoryChange, BreaksTheLeaseToNoneBeforeItsAnswer_FSA_2_1_4_12) {
  const Row& row = kRows[GetParam()];
  ASSERT_EQ(lease(holder, u"d", 9, kRH).lease->lease_state, kRH);
  lease(holder, u"e", 12, kRH);
  row.make(*this, other, 0);
  const auto notice = broken(holder);
  ASSERT_TRUE(notice) << row.name;
  EXPECT_EQ(notice->lease_key.bytes[0], 9);
  EXPECT_EQ(notice->current_lease_state, kRH);
  EXPECT_EQ(notice->new_lease_state, 0U);
  EXPECT_EQ(notice->flags, wire::lease_flags::kBreakAckRequired);
  EXPECT_EQ(notice->new_epoch, 6);
  const bool both = std::string_view(row.name) == "MoveAway";
  EXPECT_EQ(broken(holder).has_value(), both) << "the other directory";
}

TEST_P(DirectoryChange, ByTheLeasesOwnClientBreaksOnlyTheOthers_FSA_2_1_4_12_2) {
  const Row& row = kRows[GetParam()];
  lease(holder, u"d", 9, kR);
  lease(other, u"d", 30, kR);
  row.make(*this, holder, 9);
  EXPECT_FALSE(broken(holder)) << row.name;
  const auto notice = broken(other);
  ASSERT_TRUE(notice) << row.name;
  EXPECT_EQ(notice->new_lease_state, 0U);
  EXPECT_EQ(notice->flags, 0U) << "nobody acknowledges the loss of R alone";
}

TEST_P(DirectoryChange, WithAnotherClientsKeyBreaksIt_FSA_2_1_4_12_2) {
  const Row& row = kRows[GetParam()];
  lease(holder, u"d", 9, kR);
  row.make(*this, other, 9);
  EXPECT_TRUE(broken(holder)) << row.name << ": a key means something to its client only";
}

INSTANTIATE_TEST_SUITE_P(Server, DirectoryChange,
                         ::testing::Range(0, static_cast<int>(std::size(DirectoryChange::kRows))),
                         [](const auto& row) {
                           return std::string(DirectoryChange::kRows[row.param].name);
                         });

TEST_F(DirectoryLease, ReadingListingAndOpeningBreakNothing) {
  lease(holder, u"d", 9, kRH);
  const FileId file = other.must_open({.name = u"d\\f", .access = a::kGenericRead});
  wire::ReadRequest read;
  read.file_id = file;
  read.length = 10;
  other.call(Command::Read, read);
  other.close(file);
  must_close(other, {.name = u"d", .options = o::kDirectoryFile});
  EXPECT_FALSE(broken(holder));
}

TEST_F(DirectoryLease, WhoseDeletionItWasDecidesWhomTheLastCloseBreaks) {
  lease(holder, u"d", 9, kR);
  const FileId theirs = other.must_open({.name = u"d\\f"});
  const FileId own = lease(holder, u"d\\f", 50, 0, 9, 0).id;
  const Bytes yes{1};
  EXPECT_EQ(set(other, theirs, Class::FileDispositionInformation, yes), NtStatus::Success);
  EXPECT_EQ(other.close(theirs), NtStatus::Success);
  EXPECT_FALSE(broken(holder)) << "still there";
  EXPECT_EQ(holder.close(own), NtStatus::Success);
  EXPECT_TRUE(broken(holder)) << "its own close took the name away, but it was not its wish";
}

TEST_F(DirectoryLease, AHolderOfHandlesGivesThemUpForADeletion_3_3_4_7) {
  const Granted granted = lease(holder, u"e", 9, kRH);
  const FileId id = other.must_open({.name = u"e", .options = o::kDirectoryFile});
  const Bytes yes{1};
  wire::SetInfoRequest request;
  request.info_type = wire::InfoType::File;
  request.file_info_class = static_cast<std::uint8_t>(Class::FileDispositionInformation);
  request.file_id = id;
  request.buffer = yes;
  const MessageId waiting = other.send(Command::SetInfo, request);
  const auto notice = broken(holder);
  ASSERT_TRUE(notice);
  EXPECT_EQ(notice->new_lease_state, kR);
  EXPECT_FALSE(other.poll(waiting));
  holder.close(granted.id);
  node.run();
  EXPECT_EQ(other.wait(waiting).status(), NtStatus::Success);
}

TEST_F(DirectoryLease, CachedHandlesBelowADirectoryAreGivenUpForItsRename_FSA_2_1_5_15_11) {
  const FileId directory = other.must_open(
      {.name = u"d", .access = a::kGenericRead | a::kDelete, .options = o::kDirectoryFile});
  const FileId used = holder.must_open({.name = u"d\\f"});
  EXPECT_EQ(rename(other, directory, u"r"), NtStatus::AccessDenied);
  holder.close(used);
  const Granted cached = lease(holder, u"d\\f", 9, kRH, 0, 0);
  wire::FileRenameInformation info;
  info.file_name = u"r";
  const Bytes buffer = wire::encoded(info);
  wire::SetInfoRequest request;
  request.info_type = wire::InfoType::File;
  request.file_info_class = static_cast<std::uint8_t>(Class::FileRenameInformation);
  request.file_id = directory;
  request.buffer = buffer;
  const MessageId waiting = other.send(Command::SetInfo, request);
  const auto notice = broken(holder);
  ASSERT_TRUE(notice);
  EXPECT_EQ(notice->new_lease_state, kR);
  EXPECT_FALSE(other.poll(waiting));
  holder.close(cached.id);
  node.run();
  EXPECT_EQ(other.wait(waiting).status(), NtStatus::Success);
  EXPECT_EQ(holder.open({.name = u"r\\f", .disposition = CreateDisposition::Open}).status(),
            NtStatus::Success);
}

TEST_F(DirectoryLease, ADirectoryThatIsOpenForDeleteTakesNoNames_FSA_2_1_5_15_11) {
  const FileId held =
      holder.must_open({.name = u"e", .access = a::kDelete, .options = o::kDirectoryFile});
  const FileId file = other.must_open({.name = u"d\\f"});
  EXPECT_EQ(rename(other, file, u"e\\f"), NtStatus::SharingViolation);
  EXPECT_EQ(rename(other, file, u"d\\g"), NtStatus::Success);
  holder.close(held);
  EXPECT_EQ(rename(other, file, u"e\\f"), NtStatus::Success);
}

TEST_F(DirectoryLease, OnceBrokenItCanBeHadAgainWithTheNextOpen) {
  lease(holder, u"d", 9, kRH);
  must_close(other, {.name = u"d\\n1"});
  ASSERT_TRUE(broken(holder));
  wire::LeaseBreak ack;
  ack.lease_key.bytes[0] = 9;
  EXPECT_EQ(holder.call(Command::OplockBreak, ack).status(), NtStatus::Success);
  must_close(other, {.name = u"d\\n2"});
  EXPECT_FALSE(broken(holder)) << "nothing is cached";
  const Granted again = lease(holder, u"d", 9, kRH);
  EXPECT_EQ(again.lease->lease_state, kRH);
  EXPECT_EQ(again.lease->epoch, 7);
  must_close(other, {.name = u"d\\n3"});
  EXPECT_TRUE(broken(holder));
}

TEST_F(DirectoryLease, NoMarkIsLeftWhenTheLastOpenGoes) {
  const Granted one = lease(holder, u"d", 9, kRH);
  lease(holder, u"d", 9, kRH);
  EXPECT_TRUE(node.server->marks().any(handlers::Mark::Kind::Listing));
  holder.close(one.id);
  EXPECT_TRUE(node.server->marks().any(handlers::Mark::Kind::Listing));
  holder.close_connection();
  EXPECT_FALSE(node.server->marks().any(handlers::Mark::Kind::Listing));
}

}  // namespace
}  // namespace flotilla::testing
