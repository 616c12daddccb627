#include "auth/user_db.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "auth/test_client.hpp"
#include "auth/tokens.hpp"
#include "auth/user_store.hpp"

namespace flotilla::auth {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class UserFile : public testing::Test {
 protected:
  UserFile() {
    char name[] = "/tmp/flotilla_users_XXXXXX";
    folder_ = ::mkdtemp(name);
    path_ = folder_ / "users";
  }
  ~UserFile() override { std::filesystem::remove_all(folder_); }

  void write(std::string_view text, unsigned mode = 0600) const {
    std::ofstream(path_) << text;
    ::chmod(path_.c_str(), mode);
  }
  static User user(std::string name, std::string_view password = "Secret123") {
    User out;
    out.name = std::move(name);
    out.nt_hash = *nt_hash_of_password(password);
    return out;
  }
  static std::expected<void, Message> add(const std::filesystem::path& path, User who) {
    return UserDb::edit(path, [&](UserDb& db) { return db.put(who); });
  }

  std::filesystem::path folder_;
  std::filesystem::path path_;
};

TEST_F(UserFile, WhatIsSavedIsLoadedAgainAndOnlyTheOwnerMayReadIt) {
  User with_ids = user("J\xC3\xA4ger");
  with_ids.uid = 1001;
  with_ids.gid = 100;
  with_ids.disabled = true;
  with_ids.as_share_owner = true;
  ASSERT_TRUE(add(path_, user("tester")));
  ASSERT_TRUE(add(path_, with_ids));
  struct stat info{};
  ASSERT_EQ(::stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  const auto db = UserDb::load(path_);
  ASSERT_TRUE(db) << db.error();
  ASSERT_EQ(db->users().size(), 2U);
  const User* found = db->find("J\xC3\x84GER");
  ASSERT_NE(found, nullptr) << "names are compared without case";
  EXPECT_EQ(found->uid, 1001U);
  EXPECT_EQ(found->gid, 100U);
  EXPECT_TRUE(found->disabled);
  EXPECT_TRUE(found->as_share_owner);
  EXPECT_FALSE(db->find("tester")->as_share_owner);
  EXPECT_EQ(db->find("tester")->nt_hash, user("x").nt_hash);
  EXPECT_FALSE(db->find("tester")->uid);
}

TEST_F(UserFile, ThePasswordIsNowhereInTheFile) {
  ASSERT_TRUE(add(path_, user("tester", "Secret123")));
  std::ifstream file(path_);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(text.find("Secret123"), text.npos);
}

TEST_F(UserFile, AddingANameAgainReplacesItAndRemovingTellsWhetherItWasThere) {
  ASSERT_TRUE(add(path_, user("tester", "one")));
  ASSERT_TRUE(add(path_, user("TESTER", "two")));
  auto db = *UserDb::load(path_);
  ASSERT_EQ(db.users().size(), 1U);
  EXPECT_EQ(db.users()[0].name, "TESTER");
  EXPECT_TRUE(db.remove("tester"));
  EXPECT_FALSE(db.remove("tester"));
}

TEST_F(UserFile, AMissingFileIsAnEmptyDatabase) {
  const auto db = UserDb::load(path_);
  ASSERT_TRUE(db);
  EXPECT_TRUE(db->users().empty());
}

TEST_F(UserFile, AFileThatOthersMayReadIsRefused) {
  write("", 0644);
  const auto db = UserDb::load(path_);
  ASSERT_FALSE(db);
  EXPECT_THAT(db.error(), HasSubstr("chmod 600"));
}

TEST_F(UserFile, ABadLineIsNamedWithFileLineAndWhatWasExpected) {
  const std::string hash(32, 'a');
  struct Row {
    std::string text;
    std::string expected;
  };
  const Row rows[] = {
      {"# comment\n\ntester\n",
       "users:3: expected NAME:NTHASH:UID:GID:FLAGS or NAME:NTHASH:UID:GID:FLAGS:RID, found 1 "
       "field"},
      {"tester:Secret123:::\n", "users:1: expected 32 hexadecimal digits"},
      {"tester:" + hash + ":1::\n", "users:1: expected both UID and GID"},
      {"tester:" + hash + ":x:1:\n", "users:1: expected numbers"},
      {"tester:" + hash + ":4294967295:1:\n", "users:1: expected numbers"},
      {"tester:" + hash + ":::X\n", "users:1: expected nothing or some of the letters DO"},
      {"a/b:" + hash + ":::\n", "users:1: a user name holds none of"},
      {"a:" + hash + ":::\nA:" + hash + ":::\n", "users:2: user A stands in this file twice"},
      {"tester:" + std::string(31, 'a') + "g:::\n", "users:1: expected 32 hexadecimal digits"},
  };
  for (const Row& row : rows) {
    const auto db = UserDb::parse(row.text, "users");
    ASSERT_FALSE(db) << row.text;
    EXPECT_THAT(db.error(), StartsWith(row.expected));
    EXPECT_THAT(db.error(), testing::Not(HasSubstr("Secret123")));
  }
}

TEST(UserName, HoldsNothingThatWindowsForbids) {
  for (const char* good : {"a", "tester", "Max Mustermann", "\xD0\xB6", "o'neil", "svc-backup$"}) {
    EXPECT_TRUE(check_user_name(good)) << good;
  }
  for (const char* bad :
       {"", "a\\b", "a/b", "a:b", "a@b", "a*", "a\nb", " a", "a ", "a.", "\xFF"}) {
    EXPECT_FALSE(check_user_name(bad)) << bad;
  }
  EXPECT_FALSE(check_user_name(std::string(65, 'a')));
}

TEST(UserName, InALogLineItStaysOneLineOfBoundedLength) {
  EXPECT_EQ(for_log("a\nb\r\x1b[2J\x7f"), "a?b??[2J?");
  EXPECT_EQ(for_log(std::string(1000, 'x')).size(), 83U);
}

TEST_F(UserFile, APasswordFileIsOneLineWhoseNewlineDoesNotCount) {
  write("Secret123\n");
  EXPECT_EQ(read_password_file(path_), "Secret123");
  write("Secret123");
  EXPECT_EQ(read_password_file(path_), "Secret123");
  write(" with spaces \r\n");
  EXPECT_EQ(read_password_file(path_), " with spaces ");
  write("");
  EXPECT_FALSE(read_password_file(path_));
  write("two\nlines\n");
  EXPECT_FALSE(read_password_file(path_));
  EXPECT_FALSE(read_password_file(folder_ / "missing"));
}

TEST_F(UserFile, AStoreSeesUsersThatAreAddedWhileItServes) {
  UserStore store(path_, {});
  ASSERT_TRUE(store.load());
  EXPECT_FALSE(store.find("late"));
  ASSERT_TRUE(add(path_, user("late")));
  EXPECT_TRUE(store.find("LATE"));
  ASSERT_TRUE(UserDb::edit(path_, [](UserDb& db) -> std::expected<void, Message> {
    (void)db.remove("late");
    return {};
  }));
  EXPECT_FALSE(store.find("late"));
}

TEST_F(UserFile, AStoreKeepsItsUsersWhenTheFileTurnsBad) {
  ASSERT_TRUE(add(path_, user("tester")));
  UserStore store(path_, {});
  ASSERT_TRUE(store.load());
  write("rubbish\n");
  EXPECT_TRUE(store.find("tester"));
  UserStore fresh(path_, {});
  EXPECT_FALSE(fresh.load()) << "but does not start with a bad one";
}

TEST_F(UserFile, UsersOfTheCommandLineWin) {
  ASSERT_TRUE(add(path_, user("tester", "file")));
  UserStore store(path_, {user("Tester", "flag")});
  ASSERT_TRUE(store.load());
  EXPECT_EQ(store.find("tester")->nt_hash, user("x", "flag").nt_hash);
  EXPECT_EQ(store.all().size(), 1U);
}

const ports::IdMap kIds({1, 2, 3});

TEST(Tokens, AUnixAccountOfTheNameWinsOverTheDatabasesIds) {
  const TokenMaker maker(kIds, "FLOTILLA", [](std::string_view name) -> std::optional<UnixAccount> {
    if (name != "alice") return std::nullopt;
    return UnixAccount{"alice", 1000, 100, {100, 27}};
  });
  User alice;
  alice.name = "alice";
  alice.uid = 7;
  alice.gid = 8;
  const auto token = maker.of_user(alice);
  EXPECT_EQ(token->uid, 1000U);
  EXPECT_EQ(token->gid, 100U);
  EXPECT_THAT(token->groups, testing::ElementsAre(100U, 27U));
  EXPECT_EQ(token->user_sid.to_string(), "S-1-5-21-1-2-3-3000");
  EXPECT_EQ(token->group_sids.front().to_string(), "S-1-5-21-1-2-3-1201");
  EXPECT_THAT(token->group_sids, testing::Contains(wire::well_known::kAuthenticatedUsers));
  EXPECT_THAT(token->group_sids, testing::Contains(wire::well_known::unix_group(27)));

  User bob = alice;
  bob.name = "bob";
  EXPECT_EQ(maker.of_user(bob)->uid, 7U);
  EXPECT_FALSE(maker.of_user(bob)->use_share_owner);

  User owner_like = alice;
  owner_like.as_share_owner = true;
  EXPECT_TRUE(maker.of_user(owner_like)->use_share_owner) << "whatever accounts and ids there are";

  User carol;
  carol.name = "carol";
  const auto owner = maker.of_user(carol);
  EXPECT_TRUE(owner->use_share_owner);
  User carol_again;
  carol_again.name = "CAROL";
  EXPECT_EQ(maker.of_user(carol_again)->user_sid, owner->user_sid);
  EXPECT_EQ(maker.of_account("nobody here", "REALM"), nullptr);
}

TEST(Tokens, RootIsFoundInThisMachinesAccounts) {
  const auto root = find_unix_account("ROOT");
  ASSERT_TRUE(root);
  EXPECT_EQ(root->uid, 0U);
  EXPECT_THAT(root->groups, testing::Contains(root->gid));
  EXPECT_FALSE(find_unix_account("no-such-account-here"));
  EXPECT_FALSE(find_unix_account(""));
}

TEST(IdMap, EveryIdComesBackAndUsersAreNotGroups) {
  for (const std::uint32_t id : {0U, 1U, 1000U, 65534U, 536866816U, 536866817U, 4294967294U}) {
    EXPECT_EQ(kIds.uid_of(kIds.user_sid(id)), id);
    EXPECT_EQ(kIds.gid_of(kIds.group_sid(id)), id);
    EXPECT_FALSE(kIds.uid_of(kIds.group_sid(id))) << id;
    EXPECT_FALSE(kIds.gid_of(kIds.user_sid(id))) << id;
  }
  EXPECT_EQ(kIds.uid_of(wire::well_known::unix_user(5)), 5U);
  EXPECT_EQ(kIds.uid_of(wire::Sid{5, {88, 1, 5}}), 5U) << "of Linux clients";
  EXPECT_EQ(kIds.gid_of(wire::Sid{5, {88, 2, 5}}), 5U);
  EXPECT_FALSE(kIds.uid_of(wire::Sid{5, {88, 3, 5}})) << "a mode";
  EXPECT_FALSE(kIds.uid_of(wire::well_known::kEveryone));
  EXPECT_FALSE(kIds.uid_of(ports::IdMap({9, 9, 9}).user_sid(5))) << "of another machine";
  EXPECT_FALSE(kIds.uid_of(*kIds.machine_sid().with_rid(501)));
}

/// 1000 is the user 5's, 1001 a user's without a uid, 1004 the group 50's: as Samba's passdb
/// counts.
class SomeRids final : public ports::RidTable {
 public:
  std::optional<std::uint32_t> rid_of(std::uint32_t id, bool is_user) const override {
    if (is_user && id == 5) return 1000;
    if (!is_user && id == 50) return 1004;
    return std::nullopt;
  }
  std::optional<Account> account_of(std::uint32_t rid) const override {
    if (rid == 1000) return Account{.id = 5, .is_user = true};
    if (rid == 1001) return Account{.id = {}, .is_user = true};
    if (rid == 1004) return Account{.id = 50, .is_user = false};
    return std::nullopt;
  }
};

TEST(IdMap, ARidThatWasGivenToOneIsNoOthers) {
  const ports::IdMap ids =
      ports::IdMap::of_domain({5, {21, 1, 2, 3}}).with_rids(std::make_shared<SomeRids>());
  const auto sid = [&](std::uint32_t rid) { return *ids.machine_sid().with_rid(rid); };
  EXPECT_EQ(ids.user_sid(5).to_string(), "S-1-5-21-1-2-3-1000");
  EXPECT_EQ(ids.group_sid(50).to_string(), "S-1-5-21-1-2-3-1004");
  EXPECT_EQ(ids.user_sid(0), wire::well_known::unix_user(0)) << "1000 would be root's";
  EXPECT_EQ(ids.group_sid(0), wire::well_known::unix_group(0));
  EXPECT_EQ(ids.group_sid(7), wire::well_known::unix_group(7)) << "as where the domain was made";
  EXPECT_EQ(ids.gid_of(sid(1015)), 7U) << "understood all the same";
  EXPECT_EQ(ids.user_sid(2), wire::well_known::unix_user(2));
  EXPECT_EQ(ids.user_sid(7).to_string(), "S-1-5-21-1-2-3-1014") << "as without a table";
  EXPECT_EQ(ids.uid_of(sid(1000)), 5U);
  EXPECT_FALSE(ids.gid_of(sid(1000)));
  EXPECT_FALSE(ids.gid_of(sid(1001))) << "not root's group";
  EXPECT_FALSE(ids.uid_of(sid(1001)));
  EXPECT_EQ(ids.gid_of(sid(1004)), 50U);
  EXPECT_FALSE(ids.uid_of(sid(1004)));
  EXPECT_FALSE(ids.uid_of(sid(1010))) << "5 has another";
  for (const std::uint32_t id : {0U, 1U, 2U, 5U, 50U, 1000U}) {
    EXPECT_EQ(ids.uid_of(ids.user_sid(id)), id);
    EXPECT_EQ(ids.gid_of(ids.group_sid(id)), id);
  }
}

TEST(GivenRids, UsersAreThoseOfTheMachineElseTheirOwnIds) {
  GivenRids rids([](std::string_view name) {
    return name == "ann" ? std::optional<std::uint32_t>(1001) : std::nullopt;
  });
  EXPECT_FALSE(rids.account_of(1000));
  rids.set({{.name = "ann", .uid = 7, .gid = 7, .rid = 1000},
            {.name = "bob", .uid = 8, .gid = 8, .rid = 1001},
            {.name = "cleo", .rid = 1002},
            {.name = "dan", .uid = 8, .gid = 8, .rid = 1003},
            {.name = "eve", .uid = 9, .gid = 9}},
           {{.name = "staff", .gid = 50, .rid = 1004, .members = {}}});
  EXPECT_EQ(rids.rid_of(1001, true), 1000U);
  EXPECT_EQ(rids.rid_of(8, true), 1001U) << "the first of the two";
  EXPECT_EQ(rids.account_of(1003)->id, 8U);
  EXPECT_FALSE(rids.account_of(1002)->id);
  EXPECT_FALSE(rids.rid_of(9, true));
  EXPECT_FALSE(rids.rid_of(50, true));
  EXPECT_EQ(rids.rid_of(50, false), 1004U);
  rids.set({}, {});
  EXPECT_FALSE(rids.account_of(1000));
}

TEST(Tokens, AGivenRidIsTheUsersAndAllAreMembersOfNone) {
  const TokenMaker maker(ports::IdMap({1, 2, 3}).with_rids(std::make_shared<SomeRids>()), "HERE",
                         [](std::string_view) { return std::nullopt; });
  const auto token = maker.of_user({.name = "ann", .uid = 5, .gid = 50, .rid = 1000});
  EXPECT_EQ(token->user_sid.to_string(), "S-1-5-21-1-2-3-1000");
  EXPECT_EQ(token->group_sids.front().to_string(), "S-1-5-21-1-2-3-1004");
  EXPECT_THAT(token->group_sids, testing::Contains(wire::Sid{5, {21, 1, 2, 3, 513}}));
  const auto second = maker.of_user({.name = "ben", .uid = 5, .gid = 50, .rid = 1005});
  EXPECT_EQ(second->user_sid.rid(), 1005U);
  EXPECT_THAT(second->group_sids, testing::Contains(wire::Sid{5, {21, 1, 2, 3, 1000}}))
      << "what the uid owns is shown as the other's";
  EXPECT_EQ(maker.of_user({.name = "cleo", .rid = 1001})->user_sid.rid(), 1001U);
}

TEST(UserDb, RidsAreReadWrittenBackAndNobodysTwice) {
  const std::string hash(32, '0');
  const std::string text = "ann:" + hash + "::::1000\nbob:" + hash + ":7:7:D:\n@staff:50::1004\n";
  const auto db = UserDb::parse(text, "f");
  ASSERT_TRUE(db) << db.error();
  EXPECT_EQ(db->find("ann")->rid, 1000U);
  EXPECT_FALSE(db->find("bob")->rid);
  EXPECT_EQ(db->find_group("staff")->rid, 1004U);
  const auto again = UserDb::parse(db->text(), "f");
  ASSERT_TRUE(again) << again.error();
  EXPECT_EQ(again->text(), db->text());
  for (const std::string& bad : std::vector<std::string>{
           "c:" + hash + "::::499\n", "c:" + hash + "::::1073741824\n", "c:" + hash + "::::x\n",
           "c:" + hash + "::::1004\n", std::string("@ann:51::1000\n"), "c:" + hash + "::::1:2\n"}) {
    EXPECT_FALSE(UserDb::parse(text + bad, "f")) << bad;
  }
  UserDb changed = *db;
  EXPECT_FALSE(changed.put({.name = "cleo", .rid = 1000}));
  EXPECT_TRUE(changed.put({.name = "ANN", .rid = 1000})) << "its own";
  EXPECT_FALSE(changed.put_group({.name = "ann", .rid = 1000, .members = {}}));
}

TEST(IdMap, TheMachineSidDependsOnTheServersNameWithoutCaseOnly) {
  EXPECT_EQ(ports::IdMap::of_server_name("flotilla").machine(),
            ports::IdMap::of_server_name("FLOTILLA").machine());
  EXPECT_NE(ports::IdMap::of_server_name("OTHER").machine(),
            ports::IdMap::of_server_name("FLOTILLA").machine());
}

TEST(UserDbGroups, GroupsOfNamesAndSidsAreReadAndWrittenBack) {
  const auto db =
      UserDb::parse("@staff:5000:alice,bob\n@Engineers::S-1-5-21-1-2-3-1105\n@empty::\n", "f");
  ASSERT_TRUE(db) << db.error();
  ASSERT_EQ(db->groups().size(), 3U);
  EXPECT_EQ(db->find_group("STAFF")->gid, 5000U);
  EXPECT_EQ(db->find_group("engineers")->members, std::vector<std::string>{"S-1-5-21-1-2-3-1105"});
  EXPECT_TRUE(db->find_group("empty")->members.empty());
  const auto again = UserDb::parse(db->text(), "f");
  ASSERT_TRUE(again) << again.error();
  EXPECT_EQ(again->text(), db->text());
}

TEST(UserDbGroups, ABadGroupIsNamedWithItsLine) {
  for (const char* text : {"@staff:5000\n", "@staff:x:alice\n", "@st/aff::\n", "@staff::al,,ice\n",
                           "@staff::\n@Staff::\n"}) {
    const auto db = UserDb::parse(text, "users");
    ASSERT_FALSE(db) << text;
    EXPECT_EQ(db.error().substr(0, 6), "users:") << db.error();
  }
}

TEST(LocalGroups, MembersByNameAndBySidGetTheGroupsSidAndGid) {
  TokenMaker maker(ports::IdMap({1, 2, 3}), "HERE", [](std::string_view) { return std::nullopt; });
  maker.set_groups([] {
    return std::vector<Group>{{.name = "staff", .gid = 5000, .members = {"ALICE"}},
                              {.name = "Administrators", .members = {"S-1-5-21-7-7-7-1105"}},
                              {.name = "others", .gid = 6000, .members = {"bob"}}};
  });
  User alice{.name = "alice", .uid = 1001, .gid = 100};
  const auto token = maker.of_user(alice);
  const auto has = [](const ports::Token& who, const wire::Sid& sid) {
    return std::ranges::find(who.group_sids, sid) != who.group_sids.end();
  };
  EXPECT_TRUE(has(*token, maker.ids().group_sid(5000)));
  EXPECT_FALSE(has(*token, maker.ids().group_sid(6000)));
  EXPECT_EQ(token->groups, (std::vector<std::uint32_t>{100, 5000}));
  EXPECT_FALSE(has(*token, wire::well_known::kAdministrators));

  wire::PacLogonInfo pac;
  pac.user_sid = wire::Sid{5, {21, 7, 7, 7, 1104}};
  pac.group_sids = {wire::Sid{5, {21, 7, 7, 7, 1105}}};
  EXPECT_TRUE(has(*maker.with_sids(*token, pac), wire::well_known::kAdministrators));
}

TEST(LocalGroups, APacPutsNobodyIntoTheServersOwnGroups) {
  TokenMaker maker(ports::IdMap({1, 2, 3}), "HERE", [](std::string_view) { return std::nullopt; });
  wire::PacLogonInfo pac;
  pac.account_name = u"mallory";
  pac.user_sid = wire::Sid{5, {21, 7, 7, 7, 1104}};
  pac.primary_group_sid = wire::Sid{5, {21, 7, 7, 7, 513}};
  pac.group_sids = {pac.primary_group_sid, wire::well_known::kAdministrators,
                    *maker.ids().machine_sid().with_rid(1000), wire::well_known::unix_user(0),
                    wire::Sid{5, {88, 1, 0}}};
  const auto ids = [](const wire::Sid& sid, bool) { return std::optional(2'000'000 + sid.rid()); };
  const auto token = maker.of_domain_user(pac, "", ids);
  ASSERT_TRUE(token);
  EXPECT_EQ(token->uid, 2'001'104U);
  EXPECT_EQ(token->gid, 2'000'513U);
  EXPECT_EQ(token->group_sids.front(), pac.primary_group_sid);
  for (std::size_t i = 1; i < pac.group_sids.size(); ++i) {
    EXPECT_EQ(std::ranges::find(token->group_sids, pac.group_sids[i]), token->group_sids.end())
        << i;
  }
  EXPECT_FALSE(maker.of_domain_user(pac, "", {}));
}

}  // namespace
}  // namespace flotilla::auth
