#include "flotilla/share_accounts.hpp"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

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

/// `ask` fills the entry: getpwnam_r or getpwuid_r.
template <class Ask>
std::optional<handlers::UnixAccount> account_by(Ask ask) {
  std::vector<char> scratch(kScratchBytes);
  passwd entry{};
  passwd* found = nullptr;
  if (ask(&entry, scratch.data(), scratch.size(), &found) != 0 || !found) return std::nullopt;
  handlers::UnixAccount account{entry.pw_name, entry.pw_dir, {}};
  std::vector<char> names(kScratchBytes);
  group of{};
  group* known = nullptr;
  if (getgrgid_r(entry.pw_gid, &of, names.data(), names.size(), &known) == 0 && known) {
    account.group = of.gr_name;
  }
  return account;
}

}  // namespace

std::optional<handlers::UnixAccount> account_named(const std::string& name) {
  return account_by([&](auto... out) { return getpwnam_r(name.c_str(), out...); });
}

std::optional<handlers::UnixAccount> account_of(std::uint32_t uid) {
  return account_by([uid](auto... out) { return getpwuid_r(uid, out...); });
}

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

std::expected<void, Message> make_user_directory(const std::string& path,
                                                 const ports::Token& owner) {
  const auto failed = [&](const char* what) {
    return std::unexpected(std::string(what) + " " + path + ": " + std::strerror(errno) +
                           "; make_directory makes only a path's last part");
  };
  if (::mkdir(path.c_str(), 0700) != 0) {
    if (errno == EEXIST) return {};
    return failed("cannot make");
  }
  if (owner.use_share_owner) return {};
  // By its descriptor: what has the name by now may be somebody's link.
  const int directory = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (directory < 0) return failed("cannot open");
  const int changed = ::fchown(directory, owner.uid, owner.gid);
  ::close(directory);
  if (changed != 0) return failed("cannot give away");
  log::info("{} was made for {}", path, owner.user_name);
  return {};
}

}  // namespace flotilla::app
