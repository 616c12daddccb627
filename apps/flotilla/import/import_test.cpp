#include "flotilla/import/import.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "flotilla/app_config.hpp"
#include "flotilla/import/samba_accounts.hpp"
#include "flotilla/import/smb_conf.hpp"

namespace flotilla::app {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> remarks_of(std::string_view text) {
  std::vector<std::string> out;
  for (const ImportRemark& remark : import_smb_conf(text).remarks) {
    out.push_back(std::to_string(remark.line) + " [" + remark.section + "] " + remark.what);
  }
  return out;
}

/// The configuration that comes of it, read by the program's own reader.
AppConfig imported(std::string_view text) {
  const auto path = std::filesystem::temp_directory_path() /
                    ("flotilla-import-" + std::to_string(::getpid()) + ".toml");
  std::ofstream(path) << import_smb_conf(text).toml;
  auto config = load_config(path);
  std::filesystem::remove(path);
  EXPECT_TRUE(config.has_value()) << config.error();
  return config ? *config : AppConfig{};
}

TEST(SmbConf, SectionsKeysCommentsAndContinuedLines) {
  const SmbConf conf = parse_smb_conf(
      "stray = 1\n; no\n# no\n[Global]\n  Server  String = a \\\n b\n[ x y "
      "]\r\nPATH=/a\r\n[global]\nfoo\n[]\n");
  ASSERT_EQ(conf.sections.size(), 2U);
  EXPECT_TRUE(conf.sections[0].is("GLOBAL"));
  ASSERT_EQ(conf.sections[0].entries.size(), 2U);
  EXPECT_EQ(conf.sections[0].entries[1].key, "serverstring");
  EXPECT_EQ(conf.sections[0].entries[1].value, "a  b");
  EXPECT_EQ(conf.sections[0].entries[1].line, 5U);
  EXPECT_EQ(conf.sections[1].name, "x y");
  EXPECT_EQ(conf.sections[1].entries[0].value, "/a");
  ASSERT_EQ(conf.faults.size(), 2U);
  EXPECT_EQ(conf.faults[0].line, 10U);
  EXPECT_EQ(conf.faults[1].line, 11U);
}

TEST(SmbConf, ListsAreSplitAtCommasAndWhiteSpaceAndQuotesHold) {
  EXPECT_THAT(list_of("a, b\t\"c d\" +\"e f\",,"), ElementsAre("a", "b", "c d", "+e f"));
  EXPECT_THAT(list_of(" \" "), ElementsAre(" "));
  EXPECT_THAT(slash_list_of("/*.tmp/a b//"), ElementsAre("*.tmp", "a b"));
}

TEST(Import, AWholeFileIsCarriedOver) {
  const AppConfig config = imported(R"(
[global]
   workgroup = WORK
   netbios name = old
   server string = The "old" one
   server min protocol = SMB3
   server signing = mandatory
   smb encrypt = desired
   smb ports = 4450 139
   create mask = 0660
   log level = 1 auth:5
[data]
   path = /srv/data
   comment = all of it
   writeable = yes
   browseable = no
   valid users = @staff, WORK\ann "bob b"
   invalid users = eve
   read list = carl
   write list = +staff
   force user = files
   force group = staff
   create mask = 664
   directory mask = 2775
   force create mode = 0600
   hide files = /desktop.ini/~*/
   veto files = /*.exe/
   smb encrypt = required
[plain]
   path = /srv/plain
)");
  EXPECT_EQ(config.server.workgroup, "WORK");
  EXPECT_EQ(config.server.comment, "The \"old\" one");
  EXPECT_EQ(config.server.dialect_min, 0x0300);
  EXPECT_EQ(config.server.signing, ports::SigningMode::Required);
  EXPECT_EQ(config.server.encryption, ports::EncryptionMode::Desired);
  ASSERT_EQ(config.listen.size(), 1U);
  EXPECT_EQ(config.listen[0].port, 4450);
  ASSERT_EQ(config.server.shares.size(), 2U);
  const ports::ShareConfig& data = config.server.shares[0];
  EXPECT_EQ(data.name, "data");
  EXPECT_FALSE(data.read_only);
  EXPECT_TRUE(data.hidden);
  EXPECT_THAT(data.valid_users, ElementsAre("@staff", "WORK\\ann", "bob b"));
  EXPECT_THAT(data.invalid_users, ElementsAre("eve"));
  EXPECT_THAT(data.read_list, ElementsAre("carl"));
  EXPECT_THAT(data.write_list, ElementsAre("@staff"));
  EXPECT_EQ(data.force_user, "files");
  EXPECT_EQ(data.force_group, "staff");
  EXPECT_EQ(data.create_mask, 0664U);
  EXPECT_EQ(data.directory_mask, 02775U);
  EXPECT_EQ(data.force_create_mode, 0600U);
  EXPECT_THAT(data.hide_files, ElementsAre("desktop.ini", "~*"));
  EXPECT_THAT(data.veto_files, ElementsAre("*.exe"));
  EXPECT_EQ(data.encryption, ports::EncryptionMode::Required);
  const ports::ShareConfig& plain = config.server.shares[1];
  EXPECT_TRUE(plain.read_only) << "as in Samba, where nothing is said";
  EXPECT_EQ(plain.create_mask, 0660U) << "what [global] says of shares";
}

TEST(Import, WhatFlotillaDoesAnywayIsNoRemark) {
  EXPECT_THAT(
      remarks_of("[global]\nserver role = standalone server\nmap to guest = Never\n"
                 "load printers = no\nvfs objects = acl_xattr streams_xattr\n"
                 "store dos attributes = yes\noplocks = no\n[a]\npath = /a\nguest ok = no\n"),
      IsEmpty());
}

TEST(Import, EveryLineThatIsLostIsToldWithItsReason) {
  EXPECT_THAT(
      remarks_of("[global]\nhosts allow = 10.\ninclude = /etc/x\nvfs objects = recycle nosuch\n"
                 "nonsense = 1\nrecycle:keeptree = yes\n[a]\npath = /a\nguest ok = yes\n"
                 "workgroup = W\ncreate mask = 9\nread only = maybe\ngarbage\n"),
      ElementsAre(
          HasSubstr("2 [global] hosts allow = 10.: "), HasSubstr("3 [global] include = /etc/x: "),
          HasSubstr("recycle: "), HasSubstr("nosuch: unknown module"),
          HasSubstr("5 [global] nonsense = 1: unknown"), HasSubstr("6 [global] recycle:keeptree"),
          HasSubstr("9 [a] guest ok = yes: nobody becomes a guest"),
          HasSubstr("10 [a] workgroup = W: is a setting of [global]"),
          HasSubstr("11 [a] create mask = 9: is no octal mode"),
          HasSubstr("12 [a] read only = maybe: is neither yes nor no"),
          HasSubstr("13 [] neither a section")));
}

TEST(Import, TheDomainComesWithTheFileAndTheHostsNameWhereItHasNone) {
  SambaFacts facts{.domain_sid = wire::Sid{5, {21, 1, 2, 3}}, .host_name = "OLDBOX"};
  const Imported named = import_smb_conf("[global]\nnetbios name = files\n", facts);
  EXPECT_THAT(named.toml, HasSubstr("name = \"files\"\ndomain_sid = \"S-1-5-21-1-2-3\"\n"));
  facts = {.host_name = "OLDBOX", .remarks = {"no SID"}};
  const Imported plain = import_smb_conf("passdb backend = tdbsam\n", facts);
  EXPECT_THAT(plain.toml, HasSubstr("name = \"OLDBOX\"\n"));
  EXPECT_THAT(plain.toml, ::testing::Not(HasSubstr("domain_sid")));
  ASSERT_EQ(plain.remarks.size(), 2U);
  EXPECT_EQ(plain.remarks[0].what, "no SID");
  EXPECT_THAT(plain.remarks[1].what, HasSubstr("--users-file"));
}

/// One record as tdb writes it (of Samba 4.17, `tdbdump`'s view of a file beside it).
Bytes record(std::string_view key, ByteView value, std::uint32_t magic) {
  Bytes out;
  ByteWriter writer(out);
  writer.u32(0);
  writer.u32(0x60);
  writer.u32(static_cast<std::uint32_t>(key.size()));
  writer.u32(static_cast<std::uint32_t>(value.size()));
  writer.u32(0x12345678);
  writer.u32(magic);
  writer.bytes(as_bytes(key));
  writer.bytes(value);
  return out;
}

TEST(SambaAccounts, TheDomainIsFoundAmongTheSecrets) {
  Bytes sid;
  wire::Sid{5, {21, 3670068495, 1254587693, 564902037}}.encode(sid);
  sid.resize(68);
  Bytes old;
  wire::Sid{5, {21, 9, 9, 9}}.encode(old);
  Bytes file(100);
  const auto add = [&file](const Bytes& more) {
    file.insert(file.end(), more.begin(), more.end());
  };
  add(record("SECRETS/SID/OLDBOX", old, 0xD9FEE666));   // free
  add(record("SECRETS/SID/OLDBOX2", old, 0x26011999));  // another's
  add(record("SECRETS/SID/OLDBOX", sid, 0x26011999));
  const auto found = sid_of_secrets(file, "OLDBOX");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->to_string(), "S-1-5-21-3670068495-1254587693-564902037");
  EXPECT_FALSE(sid_of_secrets(file, "OTHER"));
  file.resize(file.size() - 60);
  EXPECT_FALSE(sid_of_secrets(file, "OLDBOX")) << "cut off";
  EXPECT_FALSE(sid_of_secrets(as_bytes("SECRETS/SID/OLDBOX"), "OLDBOX"));
  EXPECT_FALSE(sid_of_secrets({}, "OLDBOX"));
}

TEST(SambaAccounts, UsersAndGroupsAsSambaSaysThem) {
  const wire::Sid domain{5, {21, 1, 2, 3}};
  const std::string_view hashes =
      "ann:1001:XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX:8FEAE0D45BE3AF2B8431F95A9289A95C:[U          "
      "]:LCT-6B034766:\n"
      "bob:1002:X:8FEAE0D45BE3AF2B8431F95A9289A95C:[DU         ]:LCT-1:\n"
      "pc$:1003:X:8FEAE0D45BE3AF2B8431F95A9289A95C:[W          ]:LCT-1:\n"
      "open:1004:X:8FEAE0D45BE3AF2B8431F95A9289A95C:[NU         ]:LCT-1:\n"
      "none:1005:X:XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX:[U          ]:LCT-1:\n"
      "far:1006:X:8FEAE0D45BE3AF2B8431F95A9289A95C:[U          ]:LCT-1:\nshort:1\n";
  const std::string_view verbose =
      "---------------\nUnix username:        ann\nUser SID:             S-1-5-21-1-2-3-1000\n"
      "Unix username:        bob\nUser SID:             S-1-5-21-1-2-3-1007\n"
      "Unix username:        far\nUser SID:             S-1-5-21-9-2-3-1007\n";
  const std::string_view groups =
      "Domain Users (S-1-5-21-1-2-3-513) -> users\nodd (x) (S-1-5-21-1-2-3-1002) -> staff\n"
      "Administrators (S-1-5-32-544) -> root\nnonsense\n (\n) -> x\n";
  const SambaAccounts got = samba_accounts(hashes, verbose, groups, domain);
  ASSERT_EQ(got.users.size(), 2U);
  EXPECT_EQ(got.users[0].name, "ann");
  EXPECT_EQ(got.users[0].nt_hash, "8FEAE0D45BE3AF2B8431F95A9289A95C");
  EXPECT_EQ(got.users[0].rid, 1000U);
  EXPECT_FALSE(got.users[0].disabled);
  EXPECT_EQ(got.users[1].rid, 1007U);
  EXPECT_TRUE(got.users[1].disabled);
  ASSERT_EQ(got.groups.size(), 2U);
  EXPECT_EQ(got.groups[1].name, "odd (x)");
  EXPECT_EQ(got.groups[1].unix_group, "staff");
  EXPECT_EQ(got.groups[1].rid, 1002U);
  EXPECT_THAT(got.remarks,
              ElementsAre(HasSubstr("user pc$"), HasSubstr("user open"), HasSubstr("user none"),
                          HasSubstr("user far"), HasSubstr("group Administrators")));
}

TEST(Import, GuestsMayUseWhatTheyMightAndNothingElse) {
  const std::string_view text =
      "[global]\nmap to guest = Bad User\nguest account = ftp\n[open]\npath = /a\npublic = yes\n"
      "[shut]\npath = /b\n[few]\npath = /c\ninvalid users = eve\n";
  EXPECT_THAT(remarks_of(text), IsEmpty());
  const AppConfig config = imported(text);
  EXPECT_EQ(config.guest_account, "ftp");
  EXPECT_THAT(config.server.shares[0].invalid_users, IsEmpty());
  EXPECT_THAT(config.server.shares[1].invalid_users, ElementsAre("Guest"));
  EXPECT_THAT(config.server.shares[2].invalid_users, ElementsAre("eve", "Guest"));
  EXPECT_FALSE(imported("[global]\nmap to guest = bad user\n[a]\npath = /a\n").guest_account)
      << "no share is for them";
}

TEST(Import, PreviousVersionsOfShadowCopy2AreThoseOfTheShare) {
  const auto snapshots = [](const std::string& options) {
    return imported("[a]\npath = /a\nvfs objects = acl_xattr shadow_copy2\n" + options)
        .server.shares[0]
        .snapshots;
  };
  EXPECT_EQ(snapshots(""), ".snapshots/@GMT-%Y.%m.%d-%H.%M.%S");
  EXPECT_EQ(snapshots("shadow:snapdir = .zfs/snapshot/\nshadow: format = auto-%Y-%m-%d_%H.%M\n"),
            ".zfs/snapshot/auto-%Y-%m-%d_%H.%M");
  EXPECT_EQ(snapshots("shadow:snapdir = /elsewhere\n"), "");
  EXPECT_EQ(snapshots("shadow:localtime = yes\n"), "");
  EXPECT_THAT(
      remarks_of("[a]\npath = /a\nvfs objects = shadow_copy2\nshadow:snapdir = /x\n"
                 "shadow:localtime = yes\nshadow:basedir = /x\n"),
      ElementsAre(HasSubstr("3 [a] vfs objects = shadow_copy2: shadow_copy2: snapshots must"),
                  HasSubstr("5 [a] shadow:localtime"), HasSubstr("6 [a] shadow:basedir")));
}

TEST(Import, IncludedFilesStandWhereTheyAreNamed) {
  SambaFacts facts;
  facts.read_included = [](const std::string& path) -> std::optional<std::string> {
    if (path == "/b") return "read only = no\n[two]\npath = /two\ninclude = /c\n";
    if (path == "/c") return "nonsense = 1\ninclude = /c\n";  // itself, without end
    return std::nullopt;
  };
  const Imported made = import_smb_conf(
      "[one]\npath = /one\ninclude = /b\ncomment = after\ninclude = /d\n[three]\ncopy = one\n"
      "path = /three\ncopy = none\ncopy = three\n",
      facts);
  EXPECT_THAT(made.toml, HasSubstr("name = \"one\"\npath = \"/one\"\nread_only = false\n\n"));
  EXPECT_THAT(made.toml, HasSubstr("name = \"two\"\npath = \"/two\"\ncomment = \"after\"\n"))
      << "as testparm reads it";
  EXPECT_THAT(made.toml, HasSubstr("name = \"three\"\npath = \"/three\"\nread_only = false\n"));
  ASSERT_FALSE(made.remarks.empty());
  EXPECT_THAT(made.remarks.front().what, HasSubstr("include = /d"));
  EXPECT_EQ(made.remarks.back().file, "/c");
}

TEST(Import, ACopyOfWhatIsNotAvailableMayBe) {
  const auto config = imported(
      "[template]\npath = /t\navailable = no\nread only = no\nvalid users = ann\n"
      "[a]\ncopy = template\navailable = yes\npath = /a\n[b]\ncopy = a\npath = /b\n");
  ASSERT_EQ(config.server.shares.size(), 2U);
  EXPECT_EQ(config.server.shares[1].path, "/b");
  EXPECT_FALSE(config.server.shares[1].read_only) << "a copy of a copy";
  EXPECT_THAT(config.server.shares[1].valid_users, ElementsAre("ann"));
}

TEST(Import, HomesAndDirectoriesOfUsersAreTheirs) {
  const AppConfig config = imported(
      "[homes]\nbrowseable = no\nread only = no\nvalid users = %D\\%S\n[work]\npath = /srv/%U\n");
  ASSERT_EQ(config.server.shares.size(), 2U);
  EXPECT_TRUE(config.server.shares[0].homes);
  EXPECT_EQ(config.server.shares[0].path, "%H");
  EXPECT_THAT(config.server.shares[0].valid_users, ElementsAre("%S"));
  EXPECT_FALSE(config.server.shares[0].hidden) << "one's own is listed for oneself";
  EXPECT_EQ(config.server.shares[1].path, "/srv/%U");
  EXPECT_THAT(remarks_of("[homes]\nread only = no\n"),
              ElementsAre(HasSubstr("1 [homes] homes are their owners' alone")));
  EXPECT_THAT(
      imported("[homes]\npath = /data/%S\nvalid users = ann @staff\n").server.shares[0].valid_users,
      ElementsAre("ann", "@staff"));
}

TEST(Import, NetgroupsAndEmptyValuesAreToldApart) {
  EXPECT_THAT(remarks_of("[a]\npath = /a\nvalid users = @staff +ops &ng\nhosts allow =\n"),
              ElementsAre(HasSubstr("&ng: netgroups are not asked")));
  EXPECT_THAT(
      imported("[a]\npath = /a\nvalid users = @staff +ops &ng\n").server.shares[0].valid_users,
      ElementsAre("@staff", "@ops", "@ng"));
}

TEST(Import, SharesThatCannotBeServedAreLeftOutRatherThanOpened) {
  const std::string_view text =
      "[homes]\nvalid users = %G\n[printers]\nprintable = yes\n[a]\npath = /home/%m\n"
      "[b]\npath = /b\nvalid users = %S\n[c]\npath = /c\nprintable = yes\n"
      "[b2]\nvalid users = %S\npath = /b\n[c2]\nvalid users = @\navailable = yes\npath = /c\n"
      "[d]\ncomment = no path\n[e]\npath = /e\navailable = no\n[f]\npath = /f\nvalid users = @\n"
      "[g*]\npath = /g\n";
  EXPECT_EQ(import_smb_conf(text).shares, 0U);
  EXPECT_EQ(remarks_of(text).size(), 11U);
  EXPECT_THAT(imported(text).server.shares, IsEmpty());
}

}  // namespace
}  // namespace flotilla::app
