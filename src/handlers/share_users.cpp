#include "handlers/share_users.hpp"

#include <algorithm>

#include "base/ascii.hpp"
#include "base/log.hpp"
#include "handlers/open_state.hpp"

namespace flotilla::handlers {

namespace {

bool is_member(const std::string& group, const Share& share, const ports::Token& token) {
  if (token.use_share_owner) return false;
  const auto gid = share.gids.find(group);
  return gid != share.gids.end() &&
         (token.gid == gid->second ||
          std::ranges::find(token.groups, gid->second) != token.groups.end());
}

bool same_user(std::string_view listed, const ports::Token& token) {
  const std::size_t slash = listed.find('\\');
  const bool qualified = slash != std::string_view::npos;
  if (token.foreign &&
      (!qualified || !ascii::equal_without_case(listed.substr(0, slash), token.domain))) {
    return false;
  }
  return ascii::equal_without_case(qualified ? listed.substr(slash + 1) : listed, token.user_name);
}

/// The first group of `names` that nobody knows: who is in it cannot be told.
std::optional<std::string> unknown_group(const std::vector<std::string>& names, const Share& share,
                                         ports::Accounts* accounts) {
  for (const std::string& listed : names) {
    if (!listed.starts_with('@')) continue;
    const std::string name = listed.substr(1);
    if (wire::Sid::parse(name) || share.gids.contains(name)) continue;
    if (accounts == nullptr || !accounts->find_group(name)) return name;
  }
  return std::nullopt;
}

bool has_group(const std::vector<std::string>& names) {
  return std::ranges::any_of(names, [](const std::string& name) { return name.starts_with('@'); });
}

}  // namespace

bool is_listed(const std::vector<std::string>& names, const Share& share, const ports::Token& token,
               ports::Accounts* accounts) {
  return std::ranges::any_of(names, [&](std::string_view name) {
    const bool group = name.starts_with('@');
    if (group) name.remove_prefix(1);
    if (const auto sid = wire::Sid::parse(name)) return ports::holds(token, *sid);
    if (!group) return same_user(name, token);
    if (is_member(std::string(name), share, token)) return true;
    const auto found = accounts != nullptr ? accounts->find_group(name) : std::nullopt;
    return found && ports::holds(token, found->sid);
  });
}

bool may_use(const Share& share, const ports::Token& token, ports::Accounts* accounts) {
  if (token.anonymous || is_listed(share.config.invalid_users, share, token, accounts)) {
    return false;
  }
  if (const auto unknown = unknown_group(share.config.invalid_users, share, accounts)) {
    log::warn(
        "share {}: invalid_users names the group \"{}\", which is neither a Unix group nor one of "
        "`flotilla group` or winbind: {} is refused, as everybody is until the name is mended",
        share.config.name, *unknown, token.user_name);
    return false;
  }
  return share.config.valid_users.empty() ||
         is_listed(share.config.valid_users, share, token, accounts);
}

bool only_reads(const Share& share, const ports::Token& token, ports::Accounts* accounts) {
  if (is_listed(share.config.write_list, share, token, accounts)) return false;
  if (share.config.read_only || is_listed(share.config.read_list, share, token, accounts)) {
    return true;
  }
  const auto unknown = unknown_group(share.config.read_list, share, accounts);
  if (unknown) {
    log::warn("share {}: read_list names the group \"{}\", which nobody knows: {} only reads",
              share.config.name, *unknown, token.user_name);
  }
  return unknown.has_value();
}

bool names_groups(const Share& share) {
  return has_group(share.config.valid_users) || has_group(share.config.invalid_users) ||
         has_group(share.config.read_list) || has_group(share.config.write_list);
}

const ports::Credentials& forced_credentials(const SessionCredentials& own, const Share& share) {
  const auto [found, fresh] = own.forced.try_emplace(&share);
  if (!fresh) return found->second;
  ports::Credentials& who = found->second;
  who = share.forced_user ? *share.forced_user : own.kernel;
  who.posix_names = own.kernel.posix_names;
  if (share.forced_group) {
    if (who.use_share_owner) {
      who.uid = share.backend->owner_uid();
      who.groups.clear();
      who.use_share_owner = false;
    }
    who.gid = *share.forced_group;
    who.groups.push_back(who.gid);
  }
  return who;
}

}  // namespace flotilla::handlers
