// Identity: who is at the other end of a SESSION_SETUP. An interface only; auth/ carries it out.
// Must not know SMB messages beyond the security buffers they carry.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "ports/accounts.hpp"
#include "ports/id_map.hpp"
#include "wire/sid.hpp"

namespace flotilla::ports {

/// Who acts. Immutable once made and shared by all that the session opens.
struct Token {
  std::string user_name;  ///< as the user database or the directory spells it, UTF-8
  std::string domain;     ///< NetBIOS domain, Kerberos realm, or the server's own name
  wire::Sid user_sid;
  std::vector<wire::Sid> group_sids;  ///< primary group first; Everyone and its like are included
  std::uint32_t uid = 65534;
  std::uint32_t gid = 65534;
  std::vector<std::uint32_t> groups;  ///< supplementary gids, `gid` included
  bool guest = false;                 ///< SMB2_SESSION_FLAG_IS_GUEST; such a session cannot sign
  bool anonymous = false;             ///< SMB2_SESSION_FLAG_IS_NULL; such a session cannot sign
  /// The user has no uid of its own: act as the owner of the share's directory. `uid`, `gid` and
  /// `groups` mean nothing then; the backend puts in the directory's.
  bool use_share_owner = false;
  /// Of a domain that is not this server's: a bare name in the configuration is somebody else.
  bool foreign = false;
};

using TokenPtr = std::shared_ptr<const Token>;

/// The user itself, or a group that it is in.
[[nodiscard]] inline bool holds(const Token& token, const wire::Sid& sid) {
  return sid == token.user_sid ||
         std::ranges::find(token.group_sids, sid) != token.group_sids.end();
}

/// A member of BUILTIN\Administrators.
[[nodiscard]] inline bool is_administrator(const Token& token) {
  return holds(token, wire::well_known::kAdministrators);
}

/// What one security buffer led to.
struct AuthStep {
  bool done = false;  ///< false: answer MoreProcessingRequired with `reply`
  Bytes reply;        ///< security buffer for the response; may be empty when done
  TokenPtr token;     ///< set when done
  /// When done: the session key as the mechanism gives it, 16 bytes for NTLM, 16 or 32 for
  /// Kerberos. crypto::session_key_of truncates it; [MS-SMB2] 3.3.5.5.3 keeps the full one too.
  /// Empty for an anonymous session.
  Bytes session_key;
  std::uint64_t expires_unix_seconds = 0;  ///< end of the Kerberos ticket; 0 is never
};

/// What is known of who tries to log on, for the audit and for slowing guesses down. Nothing of it
/// is proven.
struct AuthAttempt {
  std::string user;       ///< as the client wrote it, UTF-8; empty: not known (yet)
  std::string domain;     ///< the same
  std::string mechanism;  ///< "NTLM", "Kerberos", or empty
  std::string reason;     ///< why it failed, a sentence; empty on success
};

/// One authentication from its first SESSION_SETUP to its last; dies with either end.
/// Spec    [MS-SMB2] 3.3.5.5.3 Handling GSS-API Authentication; [MS-SPNG]; [MS-NLMP]
class AuthExchange {
 public:
  virtual ~AuthExchange() = default;

  /// Input   the security buffer of one SESSION_SETUP request, copied where it is kept
  /// Errors  LogonFailure       wrong password, unknown user, refused anonymous or guest
  ///         InvalidParameter   bytes that are no token
  ///         NotSupported       no mechanism in common
  ///         others             as name_of() says: AccountDisabled, TimeDifferenceAtDc, ...
  /// Effect  on error or when done the exchange is over: a further step gives InvalidParameter
  /// Calls   one thread at a time, any thread; may read the user database and the unix accounts
  ///         (microseconds; with a directory behind nsswitch milliseconds)
  [[nodiscard]] virtual Result<AuthStep> step(ByteView security_buffer) = 0;
  /// What the steps so far told.
  [[nodiscard]] virtual AuthAttempt attempt() const { return {}; }
};

/// Thread-safe.
class Identity {
 public:
  virtual ~Identity() = default;

  /// NegTokenInit2 with the mechanisms on offer, for the NEGOTIATE response ([MS-SPNG] 2.2.1).
  [[nodiscard]] virtual Bytes negotiate_token() = 0;

  [[nodiscard]] virtual std::unique_ptr<AuthExchange> begin() = 0;

  /// Names and SIDs of those that it knows; null where it can not tell. Lives as long as this.
  [[nodiscard]] virtual Accounts* accounts() noexcept { return nullptr; }
  /// Ids that it has of a directory; null where there is none.
  [[nodiscard]] virtual std::shared_ptr<const IdDirectory> directory() const { return nullptr; }
  /// RIDs that its local accounts were given; null where there can be none.
  [[nodiscard]] virtual std::shared_ptr<const RidTable> rids() const { return nullptr; }
};

}  // namespace flotilla::ports
