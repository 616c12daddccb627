#include "flotilla/import/import.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "flotilla/app_config.hpp"
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
          HasSubstr("9 [a] guest ok = yes: here it is always no"),
          HasSubstr("10 [a] workgroup = W: is a setting of [global]"),
          HasSubstr("11 [a] create mask = 9: is no octal mode"),
          HasSubstr("12 [a] read only = maybe: is neither yes nor no"),
          HasSubstr("13 [] neither a section")));
}

TEST(Import, SharesThatCannotBeServedAreLeftOutRatherThanOpened) {
  const std::string_view text =
      "[homes]\nread only = no\n[printers]\nprintable = yes\n[a]\npath = /home/%U\n"
      "[b]\npath = /b\nvalid users = %S\n[c]\npath = /c\nprintable = yes\n"
      "[d]\ncomment = no path\n[e]\npath = /e\navailable = no\n[f]\npath = /f\nvalid users = @\n"
      "[g*]\npath = /g\n";
  EXPECT_EQ(import_smb_conf(text).shares, 0U);
  EXPECT_EQ(remarks_of(text).size(), 9U);
  EXPECT_THAT(imported(text).server.shares, IsEmpty());
}

}  // namespace
}  // namespace flotilla::app
