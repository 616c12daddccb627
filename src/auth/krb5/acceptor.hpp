// Kerberos through MIT's GSSAPI. The only place in auth/ that knows GSSAPI.
#pragma once

#include <expected>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "auth/mechanism.hpp"
#include "auth/user_db.hpp"
#include "wire/pac.hpp"

namespace flotilla::auth::krb5 {

/// Who the ticket names.
struct Principal {
  std::string name;        ///< "alice@EXAMPLE.ORG"
  std::string local_name;  ///< by krb5.conf's auth_to_local; empty where no rule fits
  std::string realm;
  /// What the domain controller says of him; only where the PAC's server signature was verified
  /// with the keytab's key ([MS-PAC] 2.8.1). Empty for a KDC that writes no PAC.
  std::optional<wire::PacLogonInfo> pac;
};

/// The keys of a keytab. Immutable, thread-safe; shared by all exchanges.
class Keys {
 public:
  /// Input   `keytab` empty: the system's
  /// Errors  the keytab cannot be read or holds no key
  [[nodiscard]] static std::expected<std::shared_ptr<const Keys>, Message> open(
      const std::filesystem::path& keytab);
  ~Keys();
  Keys(const Keys&) = delete;
  Keys& operator=(const Keys&) = delete;

  using MakeToken = std::function<Result<ports::TokenPtr>(const Principal&)>;
  /// One exchange. `make_token` outlives it.
  [[nodiscard]] std::unique_ptr<Mechanism> accept(const MakeToken& make_token) const;

 private:
  struct State;
  explicit Keys(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace flotilla::auth::krb5
