// The local users: their names, NT hashes and ids, in one text file. Must not know protocols.
#pragma once

#include <cstdint>
#include <expected>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "crypto/hash.hpp"

namespace flotilla::auth {

/// A sentence for a person: subject, expectation, value, remedy. Never holds a hash.
using Message = std::string;

struct User {
  std::string name;  ///< UTF-8, as it was given; compared without case
  crypto::Md16 nt_hash{};
  /// Ids to act with where the machine has no account of that name. Both or neither.
  std::optional<std::uint32_t> uid;
  std::optional<std::uint32_t> gid;
  /// Its RID in the server's domain, 500 to 2^30 - 1; nothing: follows from the uid, or the name.
  std::optional<std::uint32_t> rid;
  bool disabled = false;
  /// Acts as the owner of the share's directory even where the machine has an account of that name.
  bool as_share_owner = false;
};

/// A local group. "Administrators", "Users" and "Guests" are BUILTIN's.
struct Group {
  std::string name;
  std::optional<std::uint32_t> gid;  ///< what its members get beside their own groups
  /// As User::rid; with a `gid` it is that Unix group's, whoever its members are.
  std::optional<std::uint32_t> rid;
  /// Names of users, or SIDs as text ("S-1-5-21-..."): users and groups of a domain.
  std::vector<std::string> members;
};

/// 1 to 64 characters (UTF-8), none of "/\[]:;|=,+*?<>@# or control characters, no space or dot at
/// the end; what is wrong otherwise.
[[nodiscard]] std::expected<void, Message> check_user_name(std::string_view name);

/// Upper case as NTLM folds it: Unicode's simple mapping of single UTF-16 units (glibc's C.UTF-8),
/// the same whatever the process' locale is.
[[nodiscard]] std::u16string fold_user_name(std::u16string_view name);

/// NT hash of a password in UTF-8. An error for bytes that are not UTF-8 and for an empty password.
[[nodiscard]] std::expected<crypto::Md16, Message> nt_hash_of_password(std::string_view password);

/// Reads a password: the file's bytes ("-" is standard input) without one newline at the end.
[[nodiscard]] std::expected<std::string, Message> read_password_file(
    const std::filesystem::path& path);

/// A value: the users of one file, in the file's order.
///
/// Format  UTF-8 text; empty lines and lines that start with # are skipped (and not kept by
/// `save`).
///         One user per line, five or six fields between colons:  NAME:NTHASH:UID:GID:FLAGS[:RID]
///         NTHASH is 32 hexadecimal digits; UID and GID are numbers or empty (both or neither);
///         FLAGS is empty or of the letters D (disabled) and O (acts as the share's owner).
///         A line that starts with @ is a group, three or four fields:
///         @NAME:GID:MEMBER,MEMBER,...[:RID]
class UserDb {
 public:
  /// Errors  "FILE:LINE: what was expected, what stands there" for the first bad line; two lines
  ///         with one name (without case) or one RID are an error too.
  [[nodiscard]] static std::expected<UserDb, Message> parse(std::string_view text,
                                                            std::string_view file_name);
  /// A missing file is an empty database. Errors also: the file may be read or written by others
  /// than its owner (mode beyond 0600), or is no regular file.
  [[nodiscard]] static std::expected<UserDb, Message> load(const std::filesystem::path& path);

  /// Replaces the file: a new one of mode 0600 beside it, fsync, rename, fsync of the directory.
  [[nodiscard]] std::expected<void, Message> save(const std::filesystem::path& path) const;
  [[nodiscard]] std::string text() const;

  /// Adds a user or replaces the one of that name. Errors: its name is none, its RID is another's.
  [[nodiscard]] std::expected<void, Message> put(User user);
  /// False when there is none of that name.
  [[nodiscard]] bool remove(std::string_view name);
  /// Null when there is none; valid until the database changes.
  [[nodiscard]] const User* find(std::string_view name) const;
  [[nodiscard]] const std::vector<User>& users() const noexcept { return users_; }

  /// The same for groups.
  [[nodiscard]] std::expected<void, Message> put_group(Group group);
  [[nodiscard]] bool remove_group(std::string_view name);
  [[nodiscard]] const Group* find_group(std::string_view name) const;
  [[nodiscard]] const std::vector<Group>& groups() const noexcept { return groups_; }

  /// Loads, changes and saves under a lock that other processes respect (FILE.lock).
  [[nodiscard]] static std::expected<void, Message> edit(
      const std::filesystem::path& path,
      const std::function<std::expected<void, Message>(UserDb&)>& change);

 private:
  [[nodiscard]] std::expected<void, Message> check_rid(std::optional<std::uint32_t> rid,
                                                       std::string_view name, bool is_user) const;
  std::vector<User> users_;
  std::vector<Group> groups_;
};

}  // namespace flotilla::auth
