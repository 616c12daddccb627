// Winbind's names and ids, where libwbclient is installed and winbindd runs. The library is looked
// for at run time: nothing depends on it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string_view>
#include <unordered_map>

#include "ports/accounts.hpp"
#include "ports/id_map.hpp"

namespace flotilla::auth {

class Winbind {
 public:
  /// Null where there is no libwbclient.so.0. That winbindd runs is asked for with every call.
  [[nodiscard]] static std::unique_ptr<Winbind> open();
  ~Winbind();
  Winbind(const Winbind&) = delete;
  Winbind& operator=(const Winbind&) = delete;

  /// Thread-safe; block for as long as winbindd takes. Nothing: not known, or winbindd is away.
  [[nodiscard]] std::optional<std::uint32_t> uid_of(const wire::Sid& sid) const;
  [[nodiscard]] std::optional<std::uint32_t> gid_of(const wire::Sid& sid) const;
  /// Not those of S-1-22: they say no more than the id.
  [[nodiscard]] std::optional<wire::Sid> sid_of(std::uint32_t id, bool is_user) const;
  /// winbindd has answered at least once: this machine is some domain's.
  [[nodiscard]] bool has_answered() const noexcept {
    return answered_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::optional<ports::Account> find(std::string_view domain,
                                                   std::string_view name) const;
  [[nodiscard]] std::optional<ports::Account> find(const wire::Sid& sid) const;

 private:
  struct Library;
  explicit Winbind(std::unique_ptr<Library> library);
  std::unique_ptr<Library> library_;
  mutable std::atomic<bool> answered_{false};
};

/// What winbind said of ids, remembered: security descriptors are made of them. Asks nothing, and
/// costs a load, until winbindd has answered for a token once.
class WinbindIds final : public ports::IdDirectory {
 public:
  explicit WinbindIds(std::shared_ptr<const Winbind> winbind) : winbind_(std::move(winbind)) {}
  [[nodiscard]] std::optional<wire::Sid> sid_of(std::uint32_t id, bool is_user) const override;
  [[nodiscard]] std::optional<std::uint32_t> id_of(const wire::Sid& sid,
                                                   bool is_user) const override;

 private:
  static constexpr std::size_t kRememberedMax = 65536;
  static constexpr std::chrono::minutes kUnknownFor{5};  ///< then winbindd is asked again
  using Time = std::chrono::steady_clock::time_point;
  struct Entry {
    std::optional<wire::Sid> sid;
    Time asked;
  };

  const std::shared_ptr<const Winbind> winbind_;
  mutable std::shared_mutex mutex_;
  mutable std::unordered_map<std::uint64_t, Entry> sids_;  ///< by id * 2 + is_user
};

}  // namespace flotilla::auth
