#include "flotilla/app_config.hpp"

#include <arpa/inet.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <utility>

#include "base/ascii.hpp"
#include "base/bytes.hpp"
#include "crypto/hash.hpp"
#include "flotilla/toml_reader.hpp"
#include "ports/share_variables.hpp"

namespace flotilla::app {
namespace {

std::filesystem::path default_runtime_dir() {
  if (geteuid() == 0) return "/run/flotilla";
  if (const char* const dir = std::getenv("XDG_RUNTIME_DIR")) {
    return std::filesystem::path(dir) / "flotilla";
  }
  return fmt::format("/tmp/flotilla-{}", geteuid());
}

bool is_ip(const std::string& text) {
  unsigned char scratch[sizeof(in6_addr)];
  return inet_pton(AF_INET, text.c_str(), scratch) == 1 ||
         inet_pton(AF_INET6, text.c_str(), scratch) == 1;
}

void read_dialect(TomlTable& table, std::string_view key, std::uint16_t& into) {
  static constexpr std::pair<std::string_view, std::uint16_t> kDialects[] = {
      {"2.0.2", 0x0202}, {"2.1", 0x0210}, {"3.0", 0x0300}, {"3.0.2", 0x0302}, {"3.1.1", 0x0311}};
  std::string text;
  table.text(key, text);
  if (text.empty()) return;
  for (const auto& [name, value] : kDialects) {
    if (name == text) {
      into = value;
      return;
    }
  }
  table.bad(*table.node(key), key, "\"2.0.2\", \"2.1\", \"3.0\", \"3.0.2\" or \"3.1.1\"");
}

/// File mode bits as people write them: a text of octal digits.
void read_mode(TomlTable& table, std::string_view key, std::uint32_t& into) {
  std::string text;
  table.text(key, text);
  if (text.empty()) return;
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 8);
  if (error == std::errc{} && end == text.data() + text.size() && value <= 07777) {
    into = value;
  } else {
    table.bad(*table.node(key), key, "octal digits up to 7777, as in \"0664\"");
  }
}

void read_encryption(TomlTable& table, ports::EncryptionMode& into) {
  static constexpr std::string_view kModes[] = {"off", "enabled", "desired", "required"};
  std::string text;
  table.text("encryption", text);
  if (text.empty()) return;
  const auto* const found = std::find(std::begin(kModes), std::end(kModes), text);
  if (found != std::end(kModes)) {
    into = static_cast<ports::EncryptionMode>(found - std::begin(kModes));
  } else {
    table.bad(*table.node("encryption"), "encryption",
              "\"off\", \"enabled\", \"desired\" or \"required\"");
  }
}

void read_server(TomlTable table, AppConfig& config) {
  ports::ServerConfig& server = config.server;
  table.text("name", server.server_name);
  table.text("workgroup", server.workgroup);
  table.text("comment", server.comment);
  std::string domain_sid;
  table.text("domain_sid", domain_sid);
  if (!domain_sid.empty()) {
    server.domain_sid = wire::Sid::parse(domain_sid);
    if (!server.domain_sid || !ports::IdMap::is_domain(*server.domain_sid)) {
      table.bad(*table.node("domain_sid"), "domain_sid",
                "S-1-5-21 and three numbers, as `net getlocalsid` shows it");
    }
  }
  read_dialect(table, "dialect_min", server.dialect_min);
  read_dialect(table, "dialect_max", server.dialect_max);
  std::string signing;
  table.text("signing", signing);
  if (signing == "enabled") {
    server.signing = ports::SigningMode::Enabled;
  } else if (!signing.empty() && signing != "required") {
    table.bad(*table.node("signing"), "signing", "\"enabled\" or \"required\"");
  }
  read_encryption(table, server.encryption);
  table.flag("compression", server.compression);
  table.flag("macos", server.macos);
  table.flag("posix", server.posix);
  table.flag("multichannel", server.multichannel);
  table.flag("change_notify", server.change_notify);
  table.number("credits_max", server.credits_max, 32, 65535);
  table.number("transaction_bytes_max", server.transaction_bytes_max, 65536, 8 << 20);
  table.number("connections_max", server.connections_max, 1, 1000000);
  table.number("sessions_max", server.sessions_max, 1, 10000000);
  table.number("opens_max", server.opens_max, 1, 100000000);
  table.number("opens_per_session_max", server.opens_per_session_max, 1, 10000000);
  table.number("opens_per_file_max", server.opens_per_file_max, 1, 100000000);
  table.number("locks_per_file_max", server.locks_per_file_max, 1, 100000000);
  table.number("locks_max", server.locks_max, 1, 1000000000);
  std::int64_t seconds = server.unauthenticated_timeout.count() / 1000;
  table.number("unauthenticated_timeout_s", seconds, 1, 3600);
  server.unauthenticated_timeout = std::chrono::seconds(seconds);
  seconds = server.break_timeout.count() / 1000;
  table.number("break_timeout_s", seconds, 1, 3600);
  server.break_timeout = std::chrono::seconds(seconds);
  seconds = server.durable_timeout.count() / 1000;
  table.number("durable_timeout_s", seconds, 1, 86400);
  server.durable_timeout = std::chrono::seconds(seconds);
  seconds = std::max(seconds, std::int64_t{server.durable_timeout_max.count() / 1000});
  table.number("durable_timeout_max_s", seconds, 1, 86400);
  server.durable_timeout_max = std::chrono::seconds(seconds);
  table.flag("leases", server.leases);
  table.flag("torture_fsctls", server.torture_fsctls);
  table.number("threads", config.threads, 0, 255);
  std::int64_t poll_us = config.poll_window.count();
  table.number("poll_us", poll_us, 0, 1000);
  config.poll_window = std::chrono::microseconds(poll_us);

  std::vector<std::string> listens;
  table.texts("listen", listens);
  if (!listens.empty()) config.listen.clear();
  for (const std::string& text : listens) {
    if (auto parsed = parse_listen(text)) {
      config.listen.push_back(*parsed);
    } else {
      table.bad(*table.node("listen"), "listen", parsed.error());
    }
  }
  std::string path;
  table.text("users_file", path);
  if (!path.empty()) config.users_file = path;
  path.clear();
  table.text("runtime_dir", path);
  if (!path.empty()) config.runtime_dir = path;
  path.clear();
  table.flag("allow_anonymous", config.allow_anonymous);
  table.text("keytab", path);
  if (!path.empty()) config.keytab = path;
  path.clear();
  table.text("state_dir", path);
  if (!path.empty()) config.state_dir = path;
  if (table.node("guest_account")) table.text("guest_account", config.guest_account.emplace());
  table.flag("winbind", config.winbind);
  std::string level;
  table.text("log_level", level);
  static constexpr std::string_view kLevels[] = {"debug", "info", "warn", "error"};
  const auto* const found = std::find(std::begin(kLevels), std::end(kLevels), level);
  if (found != std::end(kLevels)) {
    config.log_level = static_cast<log::Level>(found - std::begin(kLevels));
  } else if (!level.empty()) {
    table.bad(*table.node("log_level"), "log_level", "\"debug\", \"info\", \"warn\" or \"error\"");
  }
  table.finish();
}

ports::ShareConfig read_share(TomlTable table, const toml::node& at) {
  ports::ShareConfig share;
  table.text("name", share.name);
  table.text("path", share.path);
  table.flag("homes", share.homes);
  table.flag("make_directory", share.make_directory);
  if (share.homes) {
    if (share.path.empty()) share.path = "%H";
    share.valid_users = {"%S"};
  }
  table.text("comment", share.comment);
  table.flag("read_only", share.read_only);
  table.flag("hidden", share.hidden);
  table.flag("continuous_availability", share.continuous_availability);
  table.flag("compression", share.compression);
  table.texts("dfs_referral", share.dfs_referral);
  for (const std::string& target : share.dfs_referral) {
    if (!target.starts_with("\\\\") || target.find('\\', 2) == std::string::npos) {
      table.bad(*table.node("dfs_referral"), "dfs_referral", "'\\\\server\\share'");
    }
  }
  table.texts("valid_users", share.valid_users);
  table.texts("invalid_users", share.invalid_users);
  table.texts("read_list", share.read_list);
  table.texts("write_list", share.write_list);
  table.text("force_user", share.force_user);
  table.text("force_group", share.force_group);
  read_mode(table, "create_mask", share.create_mask);
  read_mode(table, "directory_mask", share.directory_mask);
  read_mode(table, "force_create_mode", share.force_create_mode);
  read_mode(table, "force_directory_mode", share.force_directory_mode);
  table.texts("hide_files", share.hide_files);
  table.texts("veto_files", share.veto_files);
  table.text("volume", share.volume);
  table.flag("access_based_enumeration", share.access_based_enumeration);
  table.flag("named_streams", share.named_streams);
  table.text("snapshots", share.snapshots);
  const std::size_t last = share.snapshots.rfind('/') + 1;  // 0 where there is none
  if (!share.snapshots.empty() &&
      (share.snapshots.find('%') < last || share.snapshots.find('%', last) == std::string::npos ||
       share.snapshots.front() == '/')) {
    table.bad(*table.node("snapshots"), "snapshots",
              "a path below the share whose last part alone has conversions, as in "
              "\".snapshots/@GMT-%Y.%m.%d-%H.%M.%S\"");
  }
  read_encryption(table, share.encryption);
  if (share.name.empty()) table.bad(at, "name", "the share's name");
  if (share.path.empty() && share.dfs_referral.empty())
    table.bad(at, "path", "the directory to share");
  table.finish();
  return share;
}

PoolConfig read_pool(TomlTable table, const toml::node& at) {
  PoolConfig pool;
  table.text("address", pool.address);
  table.text("interface", pool.interface);
  std::string peer;
  table.text("peer_listen", peer);
  if (auto parsed = parse_listen(peer); parsed && parsed->address != "0.0.0.0") {
    pool.peer_listen = *parsed;
  } else {
    table.bad(table.node("peer_listen") ? *table.node("peer_listen") : at, "peer_listen",
              "this node's own ADDRESS:PORT towards its peers");
  }
  table.number("link_port", pool.link_port, 1, 65535);
  table.number("tolerate", pool.tolerate, 0, 8);
  std::string key_file;
  table.text("key_file", key_file);
  pool.key_file = key_file;
  if (key_file.empty()) table.bad(at, "key_file", "the pool's key file (32 bytes, mode 0600)");
  const std::size_t slash = pool.address.find('/');
  if (!pool.address.empty() &&
      (slash == std::string::npos || !is_ip(pool.address.substr(0, slash)))) {
    table.bad(*table.node("address"), "address", "ADDRESS/PREFIX, as in \"10.77.0.100/24\"");
  }
  if (pool.link_port == 0) {
    pool.link_port = static_cast<std::uint16_t>(pool.peer_listen.port + 1);
  }
  table.finish();
  return pool;
}

/// [[domain]]: which ids a directory's accounts have here, by RID.
ports::DomainIds read_domain(TomlTable table, const toml::node& at) {
  ports::DomainIds ids;
  std::string sid;
  table.text("sid", sid);
  if (const auto parsed = wire::Sid::parse(sid)) {
    ids.domain = *parsed;
  } else {
    table.bad(table.node("sid") ? *table.node("sid") : at, "sid", "the domain's SID, S-1-5-21-...");
  }
  table.number("first_id", ids.first_id, 1000, 0xFFFFFFF0);
  if (ids.first_id == 0) table.bad(at, "first_id", "the id of RID 0, 1000 or more");
  ids.count = 1'000'000;
  table.number("count", ids.count, 1000, 0xFFFFFFF0);
  if (std::uint64_t{ids.first_id} + ids.count > 0xFFFFFFF0) {
    table.bad(at, "count", "ids below 4294967280");
  }
  table.finish();
  return ids;
}

void read_root(const toml::table& root, AppConfig& config, TomlErrors& errors) {
  TomlTable table(root, "the file", errors);
  if (const toml::node* const found = table.node("server")) {
    if (const toml::table* const server = found->as_table()) {
      read_server(TomlTable(*server, "[server]", errors), config);
    } else {
      table.bad(*found, "server", "a table: [server]");
    }
  }
  if (const toml::node* const found = table.node("pool")) {
    if (const toml::table* const pool = found->as_table()) {
      config.pool = read_pool(TomlTable(*pool, "[pool]", errors), *pool);
    } else {
      table.bad(*found, "pool", "a table: [pool]");
    }
  }
  if (const toml::node* const found = table.node("share")) {
    const toml::array* const shares = found->as_array();
    if (!shares || !shares->is_homogeneous(toml::node_type::table)) {
      table.bad(*found, "share", "tables: [[share]]");
    } else {
      for (const toml::node& item : *shares) {
        config.server.shares.push_back(
            read_share(TomlTable(*item.as_table(), "[[share]]", errors), item));
      }
    }
  }
  if (const toml::node* const found = table.node("domain")) {
    const toml::array* const domains = found->as_array();
    if (!domains || !domains->is_homogeneous(toml::node_type::table)) {
      table.bad(*found, "domain", "tables: [[domain]]");
    } else {
      for (const toml::node& item : *domains) {
        config.server.domains.push_back(
            read_domain(TomlTable(*item.as_table(), "[[domain]]", errors), item));
      }
    }
  }
  if (const toml::node* const found = table.node("audit")) {
    if (const toml::table* const audit = found->as_table()) {
      TomlTable section(*audit, "[audit]", errors);
      std::string file;
      section.text("file", file);
      config.audit_file = file;
      section.finish();
    } else {
      table.bad(*found, "audit", "a table: [audit]");
    }
  }
  if (const toml::node* const found = table.node("rpc")) {
    if (const toml::table* const rpc = found->as_table()) {
      TomlTable section(*rpc, "[rpc]", errors);
      section.text("forward", config.server.rpc_forward);
      section.number("rpc_node", config.rpc_node, 1, 65535);
      section.flag("all_pipes", config.rpc_all_pipes);
      section.finish();
    } else {
      table.bad(*found, "rpc", "a table: [rpc]");
    }
  }
  table.finish();
}

}  // namespace

AppConfig default_config() {
  AppConfig config;
  config.listen.push_back({"0.0.0.0", 445});
  config.users_file = "/etc/flotilla/users";
  config.runtime_dir = default_runtime_dir();
  return config;
}

std::expected<ListenAddress, Message> parse_listen(const std::string& text) {
  ListenAddress listen;
  std::string host = text;
  std::string port;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string::npos) return std::unexpected("\"" + text + "\" has no closing ]");
    host = text.substr(1, end - 1);
    if (end + 1 < text.size()) port = text.substr(end + 2);
  } else if (std::count(text.begin(), text.end(), ':') == 1) {
    host = text.substr(0, text.find(':'));
    port = text.substr(text.find(':') + 1);
    if (port.empty()) return std::unexpected("\"" + text + "\" ends where its port should stand");
  }
  if (host.empty()) host = "0.0.0.0";
  if (!is_ip(host)) {
    return std::unexpected("ADDRESS:PORT with a numeric address, not \"" + text + "\"");
  }
  listen.address = host;
  if (!port.empty()) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), value);
    if (error != std::errc{} || end != port.data() + port.size() || value == 0 || value > 65535) {
      return std::unexpected("a port from 1 to 65535, not \"" + port + "\"");
    }
    listen.port = static_cast<std::uint16_t>(value);
  }
  return listen;
}

std::expected<ports::ShareConfig, Message> parse_share(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == text.size()) {
    return std::unexpected("--share: expected NAME=DIR, not \"" + text + "\"");
  }
  ports::ShareConfig share;
  share.name = text.substr(0, equals);
  share.path = text.substr(equals + 1);
  return share;
}

std::expected<AppConfig, Message> load_config(const std::filesystem::path& path) {
  const toml::parse_result parsed = toml::parse_file(path.string());
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    return std::unexpected(
        fmt::format("{}:{}: {}", path.string(), error.source().begin.line, error.description()));
  }
  AppConfig config = default_config();
  TomlErrors errors(path.string());
  read_root(parsed.table(), config, errors);
  if (errors.first()) return std::unexpected(*errors.first());
  return config;
}

std::string ids_text(const ports::ServerConfig& server) {
  std::string text = server.ids().machine_sid().to_string();
  std::string others;
  for (const ports::DomainIds& domain : server.domains) {
    others += fmt::format("{} {} {}\n", domain.domain.to_string(), domain.first_id, domain.count);
  }
  if (others.empty()) return text;
  const auto digest = crypto::sha256(as_bytes(others));
  return fmt::format("{} and {} [[domain]] ({:08x})", text, server.domains.size(),
                     load_le<std::uint32_t>(digest.data()));
}

std::expected<void, Message> check(const AppConfig& config) {
  const std::string& name = config.server.server_name;
  if (name.empty() || name.size() > 15) {
    return std::unexpected("server name \"" + name + "\": expected 1 to 15 characters");
  }
  if (config.server.dialect_min > config.server.dialect_max) {
    return std::unexpected("dialect_min is above dialect_max; no client could negotiate");
  }
  if (config.server.shares.empty()) {
    return std::unexpected("nothing to serve: give --share NAME=DIR or a [[share]]");
  }
  if (config.rpc_node != 0 && !config.pool) {
    return std::unexpected("[rpc] rpc_node names a node of a pool; there is no [pool]");
  }
  if (config.rpc_all_pipes && config.rpc_node == 0) {
    return std::unexpected("[rpc] all_pipes: expected rpc_node, the node that they go to");
  }
  const auto& domains = config.server.domains;
  for (const ports::DomainIds& domain : domains) {
    if (domain.domain == config.server.ids().machine_sid()) {
      return std::unexpected("[[domain]]: " + domain.domain.to_string() +
                             " is this server's own (domain_sid, or what follows from its name)");
    }
  }
  for (std::size_t i = 0; i < domains.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const std::uint64_t first = std::max(domains[i].first_id, domains[j].first_id);
      const std::uint64_t end = std::min(std::uint64_t{domains[i].first_id} + domains[i].count,
                                         std::uint64_t{domains[j].first_id} + domains[j].count);
      if (first < end || domains[i].domain == domains[j].domain) {
        return std::unexpected("[[domain]]: " + domains[i].domain.to_string() + " and " +
                               domains[j].domain.to_string() +
                               " share ids: two people would be one user");
      }
    }
  }
  std::vector<std::string> seen;
  bool homes = false;
  for (const ports::ShareConfig& share : config.server.shares) {
    const std::string folded = ascii::lower(share.name);
    if (share.name.size() > 80 ||
        share.name.find_first_of("\"/\\[]:|<>+=;,*?") != std::string::npos) {
      return std::unexpected(
          "share \"" + share.name +
          "\": expected up to 80 characters, none of \" / \\ [ ] : | < > + = ; , * ?");
    }
    if (folded == "ipc$" || std::find(seen.begin(), seen.end(), folded) != seen.end()) {
      return std::unexpected("share \"" + share.name + "\" is there twice (IPC$ is built in)");
    }
    seen.push_back(folded);
    if (share.encryption == ports::EncryptionMode::Required &&
        config.server.encryption == ports::EncryptionMode::Off) {
      return std::unexpected("share \"" + share.name +
                             "\" requires encryption, which [server] encryption = \"off\" forbids");
    }
    if (share.homes && std::exchange(homes, true)) {
      return std::unexpected("share \"" + share.name +
                             "\": another share has homes = true already");
    }
    if (share.path.empty()) continue;  // it is elsewhere
    if (ports::is_per_user(share)) {
      if (const auto wrong = ports::wrong_in_path(share.path)) {
        return std::unexpected("share \"" + share.name + "\" path: " + *wrong);
      }
      continue;
    }
    if (share.make_directory) {
      return std::unexpected("share \"" + share.name +
                             "\" make_directory: expected a path with variables, as /srv/%U");
    }
    std::error_code error;
    if (!std::filesystem::is_directory(share.path, error)) {
      return std::unexpected("share \"" + share.name + "\": expected a directory at " + share.path +
                             (error ? ": " + error.message() : "") + "; make it first");
    }
  }
  return {};
}

}  // namespace flotilla::app
