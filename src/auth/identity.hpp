// Makes the server's Identity port: SPNEGO with NTLM (our own acceptor) and Kerberos (GSSAPI).
#pragma once

#include <cstdint>
#include <expected>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "auth/user_db.hpp"
#include "ports/clock.hpp"
#include "ports/id_map.hpp"
#include "ports/identity.hpp"

namespace flotilla::auth {

struct IdentityConfig {
  std::string server_name = "FLOTILLA";  ///< NetBIOS name; the pool's, equal on all nodes
  std::string workgroup = "WORKGROUP";   ///< NetBIOS domain
  std::string dns_name;    ///< host name clients use; empty: server_name in lower case
  std::string dns_domain;  ///< may be empty

  std::filesystem::path user_file;  ///< UserDb file, reloaded when it changes; empty: none
  std::vector<User> users;          ///< of the command line; they win over the file's

  bool allow_anonymous = false;  ///< a null session gets a token with `anonymous`
  /// Unknown users become guests ("map to guest = bad user"); a wrong password is refused all the
  /// same. Off when not set; the value is the unix account that guests act as, "" for the share's
  /// owner.
  std::optional<std::string> guest_account;

  bool kerberos = true;          ///< offered when the keytab has a usable key
  std::filesystem::path keytab;  ///< empty: the system's (KRB5_KTNAME, /etc/krb5.keytab)

  /// The server's own domain, and ids of directories' users; nothing: of `server_name`.
  std::optional<ports::IdMap> ids;
  bool winbind = true;  ///< names and ids of winbind's, where it runs
};

/// Input   `clock` and `entropy` outlive what is returned
/// Errors  the user file cannot be read (message says where and why). A missing keytab is no error:
///         Kerberos is not offered then, and a log line says so.
[[nodiscard]] std::expected<std::unique_ptr<ports::Identity>, Message> make_identity(
    IdentityConfig config, const ports::Clock& clock, ports::Entropy& entropy);

/// The keytab's name as Kerberos would open it, or what is wrong with it; for `config check`.
[[nodiscard]] std::expected<std::string, Message> check_keytab(const std::filesystem::path& keytab);

}  // namespace flotilla::auth
