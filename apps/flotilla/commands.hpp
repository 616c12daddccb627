// The program's verbs: each returns the process's exit status (0 done, 1 failed, 2 wrong usage).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "flotilla/app_config.hpp"

namespace flotilla::app {

/// A user of the command line: `--user NAME --password-file FILE`.
struct CommandLineUser {
  std::string name;
  std::filesystem::path password_file;
};

/// Serves until SIGINT or SIGTERM.
int serve(const AppConfig& config, const std::optional<CommandLineUser>& user);

struct UserAdd {
  std::filesystem::path users_file;
  std::string name;
  std::filesystem::path password_file;  ///< "-": standard input
  std::optional<std::uint32_t> uid;
  std::optional<std::uint32_t> gid;
  std::optional<std::uint32_t> rid;  ///< in the server's domain; nothing: as it was, or by the uid
  bool as_share_owner = false;
};
struct GroupAdd {
  std::filesystem::path users_file;
  std::string name;
  std::vector<std::string> members;  ///< names or SIDs; replaces those that were there
  std::optional<std::uint32_t> gid;
  std::optional<std::uint32_t> rid;  ///< as UserAdd::rid
};
int group_add(const GroupAdd& what);
int group_list(const std::filesystem::path& users_file);
int group_remove(const std::filesystem::path& users_file, const std::string& name);

int user_add(const UserAdd& what);
int user_list(const std::filesystem::path& users_file);
int user_remove(const std::filesystem::path& users_file, const std::string& name);

/// Asks the running daemon through its socket in `runtime_dir`.
int status(const std::filesystem::path& runtime_dir, bool json);

}  // namespace flotilla::app
