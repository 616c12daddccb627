// Shares whose directory depends on who comes: a path with variables, and everybody's home.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "ports/config.hpp"

namespace flotilla::ports {

/// What the variables of a share's path stand for; empty: there is no such thing here.
struct ShareVariables {
  std::string user;    ///< %U, %u
  std::string domain;  ///< %D
  std::string group;   ///< %G, %g: of the account
  std::string home;    ///< %H: of the account; with `homes`, of the user whose name the share has
  std::string share;   ///< %S: with `homes`, the user whose home it is
  /// How a list of users names the owner of that home where "%S" does not: a domain's user.
  std::string qualified_owner;
  std::string dialect;  ///< %R: SMB2_02, SMB2_10, SMB3_00, SMB3_02, SMB3_11
  std::string address;  ///< %I: the client's
  std::string time;     ///< %t: when the client connected to the share, "20261122_201530", UTC
};

/// Whether a share's directory is found for each user anew.
[[nodiscard]] bool is_per_user(const ShareConfig& share);
/// Nothing where `path` is well-formed.
/// Output  a sentence: which variable nobody knows, or that the path is not absolute
[[nodiscard]] std::optional<std::string> wrong_in_path(std::string_view path);

/// The share that `pattern` means for these variables. Its name tells it from all others that the
/// pattern may mean: "alice" of `homes`, "data/alice" of a share "data" with %U. No share that is
/// configured has such a name.
/// Errors  a sentence: which variable has no value, or one that cannot be a directory's name
[[nodiscard]] std::expected<ShareConfig, std::string> share_for(const ShareConfig& pattern,
                                                                const ShareVariables& variables);

[[nodiscard]] std::string_view name_of_dialect(std::uint16_t dialect) noexcept;

}  // namespace flotilla::ports
