#include "flotilla/share_accounts.hpp"

#include <grp.h>
#include <pwd.h>

#include "base/log.hpp"
#include "wire/sid.hpp"

namespace flotilla::app {
namespace {

constexpr std::size_t kScratchBytes = std::size_t{1} << 16;

std::optional<ports::Credentials> user_of(const std::string& name) {
  std::vector<char> scratch(kScratchBytes);
  passwd entry{};
  passwd* found = nullptr;
  if (getpwnam_r(name.c_str(), &entry, scratch.data(), scratch.size(), &found) != 0 || !found) {
    return std::nullopt;
  }
  ports::Credentials who{entry.pw_uid, entry.pw_gid, {}, false};
  int count = 64;
  who.groups.resize(static_cast<std::size_t>(count));
  while (getgrouplist(name.c_str(), entry.pw_gid, who.groups.data(), &count) < 0) {
    who.groups.resize(static_cast<std::size_t>(count));
  }
  who.groups.resize(static_cast<std::size_t>(count));
  return who;
}

std::optional<std::uint32_t> group_of(const std::string& name) {
  std::vector<char> scratch(kScratchBytes);
  group entry{};
  group* found = nullptr;
  if (getgrnam_r(name.c_str(), &entry, scratch.data(), scratch.size(), &found) != 0 || !found) {
    return std::nullopt;
  }
  return entry.gr_gid;
}

}  // namespace

std::expected<void, Message> find_accounts(const ports::ShareConfig& config,
                                           handlers::Share& share) {
  const auto missing = [&](const char* key, const char* kind, const std::string& name) {
    return std::unexpected("share \"" + config.name + "\" " + key + ": there is no Unix " + kind +
                           " \"" + name + "\"");
  };
  if (!config.force_user.empty()) {
    share.forced_user = user_of(config.force_user);
    if (!share.forced_user) return missing("force_user", "user", config.force_user);
  }
  if (!config.force_group.empty()) {
    share.forced_group = group_of(config.force_group);
    if (!share.forced_group) return missing("force_group", "group", config.force_group);
  }
  for (const auto* list :
       {&config.valid_users, &config.invalid_users, &config.read_list, &config.write_list}) {
    for (const std::string& name : *list) {
      if (!name.starts_with('@')) continue;
      // Others are local groups, a directory's, or SIDs: looked up when somebody comes.
      const auto gid = group_of(name.substr(1));
      if (gid) {
        share.gids[name.substr(1)] = *gid;
      } else if (!wire::Sid::parse(name.substr(1))) {
        log::info("share {}: group {} is no Unix group; `flotilla group` or winbind must know it",
                  config.name, name);
      }
    }
  }
  return {};
}

}  // namespace flotilla::app
