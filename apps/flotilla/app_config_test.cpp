#include "flotilla/app_config.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

namespace flotilla::app {
namespace {

std::expected<AppConfig, Message> loaded(const std::string& text) {
  char path[] = "/tmp/flotilla-config-XXXXXX.toml";
  const int fd = mkstemps(path, 5);
  EXPECT_EQ(write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  close(fd);
  auto result = load_config(path);
  unlink(path);
  return result;
}

TEST(Config, WhatFlagsSayTheFileCanSay) {
  const auto config = loaded(R"(
[server]
name = "FILES"
listen = ["127.0.0.1:4450", "[::1]:445"]
signing = "enabled"
encryption = "desired"
multichannel = false
domain_sid = "S-1-5-21-7-8-9"
change_notify = false
dialect_min = "3.0"
break_timeout_s = 10

[[share]]
name = "data"
path = "/tmp"
read_only = true
valid_users = ["ann", "bob"]
encryption = "required"
)");
  ASSERT_TRUE(config.has_value()) << config.error();
  EXPECT_EQ(config->server.server_name, "FILES");
  ASSERT_EQ(config->listen.size(), 2U);
  EXPECT_EQ(config->listen[0].port, 4450);
  EXPECT_EQ(config->listen[1].address, "::1");
  EXPECT_EQ(config->server.signing, ports::SigningMode::Enabled);
  EXPECT_EQ(config->server.encryption, ports::EncryptionMode::Desired);
  EXPECT_EQ(config->server.shares[0].encryption, ports::EncryptionMode::Required);
  EXPECT_FALSE(config->server.multichannel);
  EXPECT_EQ(config->server.ids().machine_sid().to_string(), "S-1-5-21-7-8-9");
  EXPECT_FALSE(config->server.change_notify);
  EXPECT_EQ(config->server.dialect_min, 0x0300);
  EXPECT_EQ(config->server.break_timeout, std::chrono::seconds(10));
  ASSERT_EQ(config->server.shares.size(), 1U);
  EXPECT_TRUE(config->server.shares[0].read_only);
  EXPECT_EQ(config->server.shares[0].valid_users.size(), 2U);
  EXPECT_TRUE(check(*config).has_value());
}

struct BadFile {
  const char* text;
  const char* line;      ///< ":LINE: " of the message
  const char* expected;  ///< a part of what it says
};

class BadConfig : public ::testing::TestWithParam<BadFile> {};

TEST_P(BadConfig, NamesFileLineAndWhatWasExpected) {
  const auto config = loaded(GetParam().text);
  ASSERT_FALSE(config.has_value());
  EXPECT_NE(config.error().find(GetParam().line), std::string::npos) << config.error();
  EXPECT_NE(config.error().find(GetParam().expected), std::string::npos) << config.error();
  EXPECT_NE(config.error().find(".toml"), std::string::npos) << config.error();
}

INSTANTIATE_TEST_SUITE_P(
    Files, BadConfig,
    ::testing::Values(
        BadFile{"[server]\nnmae = \"x\"\n", ":2: ", "has no key \"nmae\""},
        BadFile{"[sever]\n", ":1: ", "has no key \"sever\""},
        BadFile{"[server]\n\nthreads = 300\n", ":3: ", "a number from 0 to 255"},
        BadFile{"[server]\nthreads = \"two\"\n", ":2: ", "a number from 0 to 255"},
        BadFile{"[server]\nleases = 1\n", ":2: ", "true or false"},
        BadFile{"[server]\nsigning = \"never\"\n", ":2: ", "\"enabled\" or \"required\""},
        BadFile{"[server]\ndomain_sid = \"S-1-5-32-1-2-3\"\n", ":2: ", "net getlocalsid"},
        BadFile{"[server]\ndomain_sid = \"S-1-5-21-1-2-3-500\"\n", ":2: ", "net getlocalsid"},
        BadFile{"[server]\nencryption = \"yes\"\n", ":2: ", "\"desired\" or \"required\""},
        BadFile{"[server]\nlisten = [\"here:445\"]\n", ":2: ", "numeric address"},
        BadFile{"[server]\nlisten = [\"127.0.0.1:0\"]\n", ":2: ", "a port from 1 to 65535"},
        BadFile{"[[share]]\nname = \"x\"\n", ":1: ", "the directory to share"},
        BadFile{"[[share]]\nname = \"x\"\npath = \"/tmp\"\nreadonly = true\n",
                ":4: ", "has no key \"readonly\""},
        BadFile{"share = 7\n", ":1: ", "tables: [[share]]"},
        BadFile{"[pool]\naddress = \"10.0.0.1\"\npeer_listen = \"10.0.0.2:1\"\nkey_file = \"k\"\n",
                ":2: ", "ADDRESS/PREFIX"},
        BadFile{"[pool]\nkey_file = \"k\"\n", ":1: ", "peer_listen"},
        BadFile{"[server\n", ":1: ", ""}));

TEST(Config, TheWholeIsCheckedToo) {
  AppConfig config = default_config();
  EXPECT_NE(check(config).error().find("nothing to serve"), std::string::npos);
  config.server.shares.push_back({.name = "a", .path = "/tmp"});
  EXPECT_TRUE(check(config).has_value());
  config.server.shares.push_back({.name = "A", .path = "/tmp"});
  EXPECT_NE(check(config).error().find("twice"), std::string::npos);
  config.server.shares[1] = {.name = "b", .path = "/no/such/place"};
  EXPECT_NE(check(config).error().find("/no/such/place"), std::string::npos);
  config.server.shares[1] = {.name = "b/c", .path = "/tmp"};
  EXPECT_NE(check(config).error().find("80 characters"), std::string::npos);
}

TEST(Config, NodesOfAPoolCompareAllThatIdsFollowFrom) {
  ports::ServerConfig one;
  ports::ServerConfig other = one;
  EXPECT_EQ(ids_text(one), ids_text(other));
  other.server_name = "flotilla";
  EXPECT_EQ(ids_text(one), ids_text(other)) << "without case";
  other.server_name = "OTHER";
  EXPECT_NE(ids_text(one), ids_text(other));
  one.domain_sid = other.domain_sid = wire::Sid{5, {21, 7, 8, 9}};
  EXPECT_EQ(ids_text(one), ids_text(other)) << "the name makes no SID then";
  other.domains.push_back({wire::Sid{5, {21, 1, 2, 3}}, 100000, 1000});
  EXPECT_NE(ids_text(one), ids_text(other));
  one.domains.push_back({wire::Sid{5, {21, 1, 2, 3}}, 100000, 2000});
  EXPECT_NE(ids_text(one), ids_text(other));
  one.domains[0].count = 1000;
  EXPECT_EQ(ids_text(one), ids_text(other));
}

TEST(Config, TheServersOwnDomainHasNoOtherIds) {
  AppConfig config = default_config();
  config.server.shares.push_back({.name = "a", .path = "/tmp"});
  config.server.domain_sid = wire::Sid{5, {21, 7, 8, 9}};
  config.server.domains.push_back({*config.server.domain_sid, 100000, 1000});
  ASSERT_FALSE(check(config).has_value());
  EXPECT_NE(check(config).error().find("domain_sid"), std::string::npos);
}

TEST(Config, ShareAndListenFlags) {
  EXPECT_EQ(parse_share("data=/srv/x")->path, "/srv/x");
  EXPECT_FALSE(parse_share("data").has_value());
  EXPECT_FALSE(parse_share("=x").has_value());
  EXPECT_EQ(parse_listen(":4450")->port, 4450);
  EXPECT_EQ(parse_listen("10.0.0.1")->port, 445);
  EXPECT_FALSE(parse_listen("10.0.0.1:").has_value());
  EXPECT_FALSE(parse_listen("[::1").has_value());
}

}  // namespace
}  // namespace flotilla::app
