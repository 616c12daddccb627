#include "auth/given_rids.hpp"

namespace flotilla::auth {

void GivenRids::set(const std::vector<User>& users, const std::vector<Group>& groups) {
  auto table = std::make_shared<Table>();
  for (const User& user : users) {
    if (!user.rid) continue;
    std::optional<std::uint32_t> uid;
    if (!user.as_share_owner) {
      uid = find_uid_(user.name);
      if (!uid && user.gid) uid = user.uid;
    }
    table->accounts.try_emplace(*user.rid, Account{.id = uid, .is_user = true});
    if (uid) table->users.try_emplace(*uid, *user.rid);
  }
  for (const Group& group : groups) {
    if (!group.rid) continue;
    table->accounts.try_emplace(*group.rid, Account{.id = group.gid, .is_user = false});
    if (group.gid) table->groups.try_emplace(*group.gid, *group.rid);
  }
  const bool any = !table->accounts.empty();
  table_.store(std::move(table));
  any_.store(any, std::memory_order_release);
}

std::optional<std::uint32_t> GivenRids::rid_of(std::uint32_t id, bool is_user) const {
  if (!any_.load(std::memory_order_acquire)) return std::nullopt;
  const auto table = table_.load();
  const auto& rids = is_user ? table->users : table->groups;
  const auto found = rids.find(id);
  return found == rids.end() ? std::nullopt : std::optional(found->second);
}

std::optional<ports::RidTable::Account> GivenRids::account_of(std::uint32_t rid) const {
  if (!any_.load(std::memory_order_acquire)) return std::nullopt;
  const auto table = table_.load();
  const auto found = table->accounts.find(rid);
  return found == table->accounts.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace flotilla::auth
