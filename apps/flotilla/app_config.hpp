// The program's whole configuration: what flags and the TOML file say, checked.
#pragma once

#include <chrono>
#include <expected>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "ports/config.hpp"

namespace flotilla::app {

struct ListenAddress {
  std::string address;  ///< numeric IPv4 or IPv6
  std::uint16_t port = 445;
};

struct PoolConfig {
  std::string address;        ///< the pool's own address with prefix, "10.77.0.100/24"; empty: none
  std::string interface;      ///< where the address is put; empty: the one whose network holds it
  ListenAddress peer_listen;  ///< this node's address and port for its peers
  std::uint32_t tolerate = 1;      ///< nodes that may be lost at once without a kept open
  std::uint16_t link_port = 0;     ///< fronts reach this node's server here; 0: peer port + 1
  std::filesystem::path key_file;  ///< 32 bytes, mode 0600, the same on every node
};

struct AppConfig {
  ports::ServerConfig server;
  std::vector<ListenAddress> listen;
  std::uint32_t threads = 0;  ///< 0: one per core
  /// So long, at most, a busy thread looks for more before it sleeps; 0: never.
  std::chrono::microseconds poll_window{50};
  std::filesystem::path users_file;
  std::filesystem::path runtime_dir;
  std::filesystem::path keytab;
  std::filesystem::path state_dir;  ///< of a single node: what survives its restart; empty: nothing
  std::optional<std::string> guest_account;  ///< unknown users become guests that act as it
  bool winbind = true;
  std::filesystem::path audit_file;  ///< empty: no audit
  bool allow_anonymous = false;
  log::Level log_level = log::Level::Info;
  std::optional<PoolConfig> pool;
  std::uint32_t rpc_node = 0;  ///< of the pool, serves the pipes of all; 0: each node its own
  bool rpc_all_pipes = false;  ///< also those that every node could serve
};

/// A sentence for a person: file, line, what was expected, what came.
using Message = std::string;

/// What holds where nothing is said: no shares, listen on 0.0.0.0:445, users in
/// /etc/flotilla/users, runtime files in /run/flotilla (root) or $XDG_RUNTIME_DIR/flotilla.
[[nodiscard]] AppConfig default_config();

/// Reads a TOML file over the defaults. An unknown key or a bad value is an error that names
/// "FILE:LINE:", the key, and what was expected.
[[nodiscard]] std::expected<AppConfig, Message> load_config(const std::filesystem::path& path);

/// "ADDR:PORT", "[V6]:PORT", ":PORT" (all addresses) or "ADDR" (port 445).
[[nodiscard]] std::expected<ListenAddress, Message> parse_listen(const std::string& text);

/// "NAME=DIR": the directory must exist.
[[nodiscard]] std::expected<ports::ShareConfig, Message> parse_share(const std::string& text);

/// All that SIDs and ids follow from, short: nodes of a pool compare it. The server's own domain,
/// and the others by a digest.
[[nodiscard]] std::string ids_text(const ports::ServerConfig& server);

/// What only the whole can tell: shares exist once, names are legal, the pool has its key.
[[nodiscard]] std::expected<void, Message> check(const AppConfig& config);

}  // namespace flotilla::app
