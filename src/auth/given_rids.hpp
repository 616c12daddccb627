// RIDs that the users file gives to users and groups. Must not know the file.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "auth/user_db.hpp"
#include "ports/id_map.hpp"

namespace flotilla::auth {

/// Thread-safe. Costs a load where no RID is given.
class GivenRids final : public ports::RidTable {
 public:
  /// The uid that the machine has for a name; nothing: none.
  using FindUid = std::function<std::optional<std::uint32_t>(std::string_view)>;
  explicit GivenRids(FindUid find_uid) : find_uid_(std::move(find_uid)) {}

  /// Replaces all; asks for the uids of users who have a RID. Of two accounts with one id the first
  /// says what the id's RID is.
  void set(const std::vector<User>& users, const std::vector<Group>& groups);

  [[nodiscard]] std::optional<std::uint32_t> rid_of(std::uint32_t id, bool is_user) const override;
  [[nodiscard]] std::optional<Account> account_of(std::uint32_t rid) const override;

 private:
  struct Table {
    std::unordered_map<std::uint32_t, Account> accounts;  ///< by RID
    std::unordered_map<std::uint32_t, std::uint32_t> users;
    std::unordered_map<std::uint32_t, std::uint32_t> groups;
  };
  const FindUid find_uid_;
  std::atomic<bool> any_{false};
  std::atomic<std::shared_ptr<const Table>> table_{std::make_shared<const Table>()};
};

}  // namespace flotilla::auth
