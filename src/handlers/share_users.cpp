#include "handlers/share_users.hpp"

#include <algorithm>

#include "handlers/open_state.hpp"

namespace flotilla::handlers {

namespace {

char fold(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool is_member(const std::string& group, const Share& share, const ports::Token& token) {
  if (token.use_share_owner) return false;
  const auto gid = share.gids.find(group);
  return gid != share.gids.end() &&
         (token.gid == gid->second ||
          std::ranges::find(token.groups, gid->second) != token.groups.end());
}

}  // namespace

bool is_listed(const std::vector<std::string>& names, const Share& share,
               const ports::Token& token) {
  return std::ranges::any_of(names, [&](std::string_view listed) {
    if (listed.starts_with('@')) return is_member(std::string(listed.substr(1)), share, token);
    const std::size_t slash = listed.find('\\');
    if (slash != std::string_view::npos) listed.remove_prefix(slash + 1);
    return std::ranges::equal(listed, token.user_name, {}, fold, fold);
  });
}

bool may_use(const Share& share, const ports::Token& token) {
  if (token.anonymous || is_listed(share.config.invalid_users, share, token)) return false;
  return share.config.valid_users.empty() || is_listed(share.config.valid_users, share, token);
}

bool only_reads(const Share& share, const ports::Token& token) {
  if (is_listed(share.config.write_list, share, token)) return false;
  return share.config.read_only || is_listed(share.config.read_list, share, token);
}

const ports::Credentials& forced_credentials(const SessionCredentials& own, const Share& share) {
  const auto [found, fresh] = own.forced.try_emplace(&share);
  if (!fresh) return found->second;
  ports::Credentials& who = found->second;
  who = share.forced_user ? *share.forced_user : own.kernel;
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
