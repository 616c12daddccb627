// Winbind's names and ids, where libwbclient is installed and winbindd runs. The library is looked
// for at run time: nothing depends on it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "ports/accounts.hpp"

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
  [[nodiscard]] std::optional<ports::Account> find(std::string_view domain,
                                                   std::string_view name) const;
  [[nodiscard]] std::optional<ports::Account> find(const wire::Sid& sid) const;

 private:
  struct Library;
  explicit Winbind(std::unique_ptr<Library> library);
  std::unique_ptr<Library> library_;
};

}  // namespace flotilla::auth
