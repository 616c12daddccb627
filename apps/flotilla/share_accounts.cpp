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

/// What `ask` finds, with the texts that it points to. `ask` fills the entry: getpwnam_r, ...
template <class Entry>
class SystemEntry {
 public:
  template <class Ask>
  explicit SystemEntry(Ask ask) {
    if (ask(&entry_, scratch_.data(), scratch_.size(), &found_) != 0) found_ = nullptr;
  }
  SystemEntry(const SystemEntry&) = delete;
  SystemEntry& operator=(const SystemEntry&) = delete;

  explicit operator bool() const noexcept { return found_ != nullptr; }
  const Entry* operator->() const noexcept { return found_; }

 private:
  std::vector<char> scratch_ = std::vector<char>(std::size_t{1} << 16);
  Entry entry_{};
  Entry* found_ = nullptr;
};

SystemEntry<passwd> user_named(const std::string& name) {
  return SystemEntry<passwd>([&](auto... out) { return getpwnam_r(name.c_str(), out...); });
}

std::optional<ports::Credentials> credentials_of(const std::string& name) {
  const auto entry = user_named(name);
  if (!entry) return std::nullopt;
  ports::Credentials who{entry->pw_uid, entry->pw_gid, {}, false};
  int count = 64;
  who.groups.resize(static_cast<std::size_t>(count));
  while (getgrouplist(name.c_str(), entry->pw_gid, who.groups.data(), &count) < 0) {
    who.groups.resize(static_cast<std::size_t>(count));
  }
  who.groups.resize(static_cast<std::size_t>(count));
  return who;
}

std::optional<std::uint32_t> group_of(const std::string& name) {
  const SystemEntry<group> entry([&](auto... out) { return getgrnam_r(name.c_str(), out...); });
  return entry ? std::optional<std::uint32_t>(entry->gr_gid) : std::nullopt;
}

std::optional<handlers::UnixAccount> account_in(const SystemEntry<passwd>& entry) {
  if (!entry) return std::nullopt;
  handlers::UnixAccount account{entry->pw_name, entry->pw_dir, {}};
  const SystemEntry<group> primary([&](auto... out) { return getgrgid_r(entry->pw_gid, out...); });
  if (primary) account.group = primary->gr_name;
  return account;
}

}  // namespace

std::optional<handlers::UnixAccount> account_named(const std::string& name) {
  return account_in(user_named(name));
}

std::optional<handlers::UnixAccount> account_of(std::uint32_t uid) {
  return account_in(SystemEntry<passwd>([uid](auto... out) { return getpwuid_r(uid, out...); }));
}

std::expected<void, Message> find_accounts(const ports::ShareConfig& config,
                                           handlers::Share& share) {
  const auto missing = [&](const char* key, const char* kind, const std::string& name) {
    return std::unexpected("share \"" + config.name + "\" " + key + ": there is no Unix " + kind +
                           " \"" + name + "\"");
  };
  if (!config.force_user.empty()) {
    share.forced_user = credentials_of(config.force_user);
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
