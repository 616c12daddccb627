// flotilla user add|list|remove, flotilla group add|list|remove.
#include <iostream>

#include "auth/user_db.hpp"
#include "flotilla/commands.hpp"

namespace flotilla::app {
namespace {

int report(const std::expected<void, auth::Message>& outcome) {
  if (outcome) return 0;
  std::cerr << "flotilla: " << outcome.error() << '\n';
  return 1;
}

std::expected<void, auth::Message> add(const UserAdd& what) {
  if (what.uid.has_value() != what.gid.has_value()) {
    return std::unexpected("--uid and --gid go together");
  }
  if (auto good = auth::check_user_name(what.name); !good) return good;
  const auto password = auth::read_password_file(what.password_file);
  if (!password) return std::unexpected(password.error());
  const auto hash = auth::nt_hash_of_password(*password);
  if (!hash) return std::unexpected(hash.error());
  std::error_code ignored;
  std::filesystem::create_directories(what.users_file.parent_path(), ignored);
  return auth::UserDb::edit(what.users_file, [&](auth::UserDb& db) {
    auth::User user;
    user.name = what.name;
    user.nt_hash = *hash;
    user.uid = what.uid;
    user.gid = what.gid;
    user.as_share_owner = what.as_share_owner;
    // A new password makes nobody somebody else.
    const auth::User* const before = db.find(what.name);
    user.rid = what.rid || before == nullptr ? what.rid : before->rid;
    return db.put(std::move(user));
  });
}

}  // namespace

int user_add(const UserAdd& what) { return report(add(what)); }

int user_list(const std::filesystem::path& users_file) {
  const auto db = auth::UserDb::load(users_file);
  if (!db) return report(std::unexpected(db.error()));
  for (const auth::User& user : db->users()) {
    std::cout << user.name;
    if (user.uid) std::cout << " uid=" << *user.uid << " gid=" << *user.gid;
    if (user.rid) std::cout << " rid=" << *user.rid;
    if (user.as_share_owner) std::cout << " (acts as the share's owner)";
    if (user.disabled) std::cout << " (disabled)";
    std::cout << '\n';
  }
  return 0;
}

int user_remove(const std::filesystem::path& users_file, const std::string& name) {
  return report(
      auth::UserDb::edit(users_file, [&](auth::UserDb& db) -> std::expected<void, auth::Message> {
        if (db.remove(name)) return {};
        return std::unexpected(users_file.string() + " has no user \"" + name + "\"");
      }));
}

int group_add(const GroupAdd& what) {
  std::error_code ignored;
  std::filesystem::create_directories(what.users_file.parent_path(), ignored);
  return report(auth::UserDb::edit(what.users_file, [&](auth::UserDb& db) {
    const auth::Group* const before = db.find_group(what.name);
    return db.put_group({.name = what.name,
                         .gid = what.gid,
                         .rid = what.rid || before == nullptr ? what.rid : before->rid,
                         .members = what.members});
  }));
}

int group_list(const std::filesystem::path& users_file) {
  const auto db = auth::UserDb::load(users_file);
  if (!db) return report(std::unexpected(db.error()));
  for (const auth::Group& group : db->groups()) {
    std::cout << group.name;
    if (group.gid) std::cout << " gid=" << *group.gid;
    if (group.rid) std::cout << " rid=" << *group.rid;
    std::cout << ':';
    for (const std::string& member : group.members) std::cout << ' ' << member;
    std::cout << '\n';
  }
  return 0;
}

int group_remove(const std::filesystem::path& users_file, const std::string& name) {
  return report(
      auth::UserDb::edit(users_file, [&](auth::UserDb& db) -> std::expected<void, auth::Message> {
        if (db.remove_group(name)) return {};
        return std::unexpected(users_file.string() + " has no group \"" + name + "\"");
      }));
}

}  // namespace flotilla::app
