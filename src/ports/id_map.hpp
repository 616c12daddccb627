// Unix ids <-> SIDs: one rule, no table, the same on every node. Used by tokens (auth), by security
// descriptors (vfs) and by name look-ups (rpc).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "wire/sid.hpp"

namespace flotilla::ports {

/// Ids of a domain's accounts: RID n is uid and gid `first_id` + n, for n below `count`.
struct DomainIds {
  wire::Sid domain;
  std::uint32_t first_id = 0;
  std::uint32_t count = 0;
};

/// Ids that a directory's service keeps a table of (winbind). Thread-safe; may ask that service
/// once for each id, and remembers.
class IdDirectory {
 public:
  virtual ~IdDirectory() = default;
  [[nodiscard]] virtual std::optional<wire::Sid> sid_of(std::uint32_t id, bool is_user) const = 0;
  [[nodiscard]] virtual std::optional<std::uint32_t> id_of(const wire::Sid& sid,
                                                           bool is_user) const = 0;
};

/// Accounts of the server's own domain whose RIDs were given to them: those that moved in from
/// Samba. Thread-safe, asks nobody.
class RidTable {
 public:
  struct Account {
    std::optional<std::uint32_t> id;  ///< nothing: it acts as the share's owner
    bool is_user = false;
  };
  virtual ~RidTable() = default;
  [[nodiscard]] virtual std::optional<std::uint32_t> rid_of(std::uint32_t id,
                                                            bool is_user) const = 0;
  /// Nothing where nobody was given this RID.
  [[nodiscard]] virtual std::optional<Account> account_of(std::uint32_t rid) const = 0;
};

/// A uid is S-1-5-21-<machine>-<1000 + 2 uid>, a gid S-1-5-21-<machine>-<1001 + 2 gid>, as Samba's
/// algorithmic mapping has it, but for those that a table gives another RID, or gives theirs away;
/// S-1-22-1-<uid> and S-1-22-2-<gid> (Samba's "Unix User" and "Unix Group") are understood too, and
/// are what ids above 536866816 become. Ids in a domain's range are that domain's.
class IdMap {
 public:
  explicit IdMap(std::array<std::uint32_t, 3> machine) noexcept : machine_(machine) {}
  /// From the server's name: the same on every node and after every start.
  [[nodiscard]] static IdMap of_server_name(std::string_view server_name) noexcept;

  /// A domain that was another server's: a gid that was given no RID is S-1-22-2-<gid>, as Samba
  /// says it, so that the tree may go back there.
  /// Input   `domain`: S-1-5-21-a-b-c (is_domain())
  [[nodiscard]] static IdMap of_domain(const wire::Sid& domain) noexcept;
  [[nodiscard]] static bool is_domain(const wire::Sid& sid) noexcept;

  /// The same with domains beside the server's own; their ranges do not overlap.
  [[nodiscard]] IdMap with_domains(std::vector<DomainIds> domains) const;

  /// The same, asking `directory` (null: nobody) before an id becomes one of the server's own.
  [[nodiscard]] IdMap with_directory(std::shared_ptr<const IdDirectory> directory) const;

  /// The same, where `rids` (null: nobody) names the RIDs of some.
  [[nodiscard]] IdMap with_rids(std::shared_ptr<const RidTable> rids) const;

  [[nodiscard]] const std::array<std::uint32_t, 3>& machine() const noexcept { return machine_; }
  [[nodiscard]] wire::Sid machine_sid() const;  ///< S-1-5-21-<machine>: the server's own domain
  [[nodiscard]] wire::Sid user_sid(std::uint32_t uid) const;
  [[nodiscard]] wire::Sid group_sid(std::uint32_t gid) const;
  [[nodiscard]] std::optional<std::uint32_t> uid_of(const wire::Sid& sid) const;
  [[nodiscard]] std::optional<std::uint32_t> gid_of(const wire::Sid& sid) const;
  /// A user without a uid: a RID above 2^30 from the folded name, apart from the algorithmic ones
  /// in practice.
  [[nodiscard]] wire::Sid named_user_sid(std::string_view folded_name) const;

 private:
  [[nodiscard]] std::optional<wire::Sid> given_sid_of(std::uint32_t id, bool is_user) const;
  [[nodiscard]] std::optional<wire::Sid> own_sid_of(std::uint32_t id, bool is_user) const;
  [[nodiscard]] std::optional<std::uint32_t> own_id_of(std::uint32_t rid, bool is_user) const;
  [[nodiscard]] std::optional<wire::Sid> domain_sid_of(std::uint32_t id) const;
  [[nodiscard]] std::optional<std::uint32_t> domain_id_of(const wire::Sid& sid) const;

  std::array<std::uint32_t, 3> machine_;
  bool unix_groups_ = false;
  std::shared_ptr<const std::vector<DomainIds>> domains_;  ///< null where there are none
  std::shared_ptr<const IdDirectory> directory_;           ///< null where there is none
  std::shared_ptr<const RidTable> rids_;                   ///< null where there is none
};

}  // namespace flotilla::ports
