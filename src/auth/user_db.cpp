#include "auth/user_db.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <locale.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wctype.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "auth/text.hpp"
#include "wire/sid.hpp"

namespace flotilla::auth {

namespace {

constexpr std::size_t kNameCharactersMax = 64;
constexpr std::size_t kFileBytesMax = 64U << 20;
constexpr std::size_t kPasswordBytesMax = 1024;
constexpr std::uint32_t kRidMin = 500;  // below are those of services; above, of names
constexpr std::uint32_t kRidMax = 0x3FFFFFFF;

std::unexpected<Message> complain(Message message) { return std::unexpected(std::move(message)); }

Message errno_text() { return std::strerror(errno); }

class Fd {
 public:
  explicit Fd(int fd) noexcept : fd_(fd) {}
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] bool ok() const noexcept { return fd_ >= 0; }

 private:
  int fd_;
};

std::expected<std::string, Message> read_all(int fd, std::size_t bytes_max) {
  std::string text;
  char buffer[4096];
  while (true) {
    const ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return complain(errno_text());
    if (n == 0) return text;
    text.append(buffer, static_cast<std::size_t>(n));
    if (text.size() > bytes_max) return complain(fmt::format("longer than {} bytes", bytes_max));
  }
}

std::expected<void, Message> write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return complain(errno_text());
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

std::u16string folded(std::string_view name) {
  const auto text = wire::utf16_of(name);
  return text ? fold_user_name(*text) : std::u16string{};
}

std::optional<std::uint32_t> number_of(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  // All ones is "no id" to the kernel.
  if (error != std::errc{} || end != text.data() + text.size() || value == 0xFFFFFFFFU) {
    return std::nullopt;
  }
  return value;
}

std::optional<crypto::Md16> hash_of(std::string_view hex) {
  crypto::Md16 hash{};
  if (hex.size() != 2 * hash.size()) return std::nullopt;
  for (std::size_t i = 0; i < hash.size(); ++i) {
    const char* at = hex.data() + 2 * i;
    const auto [end, error] = std::from_chars(at, at + 2, hash[i], 16);
    if (error != std::errc{} || end != at + 2) return std::nullopt;
  }
  return hash;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> fields;
  while (true) {
    const std::size_t at = text.find(separator);
    fields.push_back(text.substr(0, at));
    if (at == text.npos) return fields;
    text.remove_prefix(at + 1);
  }
}

/// The last field of a line, where it is there.
std::expected<std::optional<std::uint32_t>, Message> rid_of(std::string_view text,
                                                            std::string_view name) {
  if (text.empty()) return std::nullopt;
  const auto rid = number_of(text);
  if (!rid || *rid < kRidMin || *rid > kRidMax) {
    return complain(fmt::format("expected a number from {} to {} for the RID of {}, found \"{}\"",
                                kRidMin, kRidMax, name, text));
  }
  return rid;
}

std::expected<void, Message> check_group(const Group& group) {
  if (auto good = check_user_name(group.name); !good) return good;
  for (const std::string& member : group.members) {
    if (wire::Sid::parse(member)) continue;
    if (auto good = check_user_name(member); !good) return good;
  }
  return {};
}

/// A line behind its @.
std::expected<Group, Message> parse_group(std::string_view line) {
  const std::vector<std::string_view> fields = split(line, ':');
  if (fields.size() != 3 && fields.size() != 4) {
    return complain(
        fmt::format("expected @NAME:GID:MEMBER,MEMBER or @NAME:GID:MEMBER,MEMBER:RID, "
                    "found {} field(s)",
                    fields.size()));
  }
  Group group;
  group.name = fields[0];
  if (!fields[1].empty()) {
    group.gid = number_of(fields[1]);
    if (!group.gid) {
      return complain(
          fmt::format("expected a number below 4294967295 for the GID of @{}, found "
                      "\"{}\"",
                      group.name, fields[1]));
    }
  }
  if (!fields[2].empty()) {
    for (const std::string_view member : split(fields[2], ',')) group.members.emplace_back(member);
  }
  if (auto good = check_group(group); !good) return complain(good.error());
  const auto rid = rid_of(fields.size() == 4 ? fields[3] : "", "@" + group.name);
  if (!rid) return complain(rid.error());
  group.rid = *rid;
  return group;
}

/// One line of the file; an error says what was expected.
std::expected<User, Message> parse_line(std::string_view line) {
  const std::vector<std::string_view> fields = split(line, ':');
  if (fields.size() != 5 && fields.size() != 6) {
    return complain(fmt::format(
        "expected NAME:NTHASH:UID:GID:FLAGS or NAME:NTHASH:UID:GID:FLAGS:RID, found {} field(s)",
        fields.size()));
  }
  User user;
  user.name = fields[0];
  if (auto good = check_user_name(user.name); !good) return complain(good.error());
  const auto hash = hash_of(fields[1]);
  if (!hash) {
    // What stands there may be a password: it is not repeated.
    return complain(
        fmt::format("expected 32 hexadecimal digits for the NT hash of {}, found {} "
                    "character(s); set the password with `flotilla user add`",
                    user.name, fields[1].size()));
  }
  user.nt_hash = *hash;
  if (fields[2].empty() != fields[3].empty()) {
    return complain(fmt::format("expected both UID and GID for {} or neither", user.name));
  }
  if (!fields[2].empty()) {
    user.uid = number_of(fields[2]);
    user.gid = number_of(fields[3]);
    if (!user.uid || !user.gid) {
      return complain(
          fmt::format("expected numbers below 4294967295 for UID and GID of {}, found "
                      "\"{}\" and \"{}\"",
                      user.name, fields[2], fields[3]));
    }
  }
  for (const char flag : fields[4]) {
    if (flag == 'D' && !user.disabled) {
      user.disabled = true;
    } else if (flag == 'O' && !user.as_share_owner) {
      user.as_share_owner = true;
    } else {
      return complain(
          fmt::format("expected nothing or some of the letters DO for the flags of {}, "
                      "found \"{}\"",
                      user.name, fields[4]));
    }
  }
  const auto rid = rid_of(fields.size() == 6 ? fields[5] : "", user.name);
  if (!rid) return complain(rid.error());
  user.rid = *rid;
  return user;
}

}  // namespace

std::expected<void, Message> check_user_name(std::string_view name) {
  const auto text = wire::utf16_of(name);
  if (!text) return complain("a user name must be UTF-8");
  if (text->empty() || text->size() > kNameCharactersMax) {
    return complain(fmt::format("a user name has 1 to {} characters, \"{}\" has {}",
                                kNameCharactersMax, name, text->size()));
  }
  for (const char16_t unit : *text) {
    constexpr std::u16string_view kForbidden = u"\"/\\[]:;|=,+*?<>@#";
    if (unit < 0x20 || unit == 0x7F || kForbidden.find(unit) != kForbidden.npos) {
      return complain(
          fmt::format("a user name holds none of \"/\\[]:;|=,+*?<>@# and no control "
                      "character: \"{}\"",
                      wire::printable(*text)));
    }
  }
  if (text->front() == u' ' || text->back() == u' ' || text->back() == u'.') {
    return complain(fmt::format(
        "a user name does not begin with a space or end with a space or dot: \"{}\"", name));
  }
  return {};
}

std::u16string fold_user_name(std::u16string_view name) {
  static const locale_t locale = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  std::u16string out(name);
  for (char16_t& unit : out) {
    if (unit < 0x80 || locale == nullptr) {
      if (unit >= u'a' && unit <= u'z') unit = static_cast<char16_t>(unit - 0x20);
      continue;
    }
    if (unit >= 0xD800 && unit < 0xE000) continue;
    const wint_t upper = ::towupper_l(unit, locale);
    if (upper >= 0x80 && upper < 0x10000) unit = static_cast<char16_t>(upper);
  }
  return out;
}

std::expected<crypto::Md16, Message> nt_hash_of_password(std::string_view password) {
  auto text = wire::utf16_of(password);
  if (!text) return complain("the password is not UTF-8");
  if (text->empty()) return complain("the password is empty");
  const crypto::Md16 hash = crypto::nt_hash(*text);
  crypto::wipe({reinterpret_cast<std::uint8_t*>(text->data()), text->size() * 2});
  return hash;
}

std::expected<std::string, Message> read_password_file(const std::filesystem::path& path) {
  const bool standard_input = path == "-";
  const Fd fd(standard_input ? ::dup(STDIN_FILENO) : ::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const std::string subject = standard_input ? "standard input" : path.string();
  if (!fd.ok()) return complain(fmt::format("{}: cannot be opened: {}", subject, errno_text()));
  auto text = read_all(fd.get(), kPasswordBytesMax);
  if (!text) return complain(fmt::format("{}: cannot be read: {}", subject, text.error()));
  if (text->ends_with('\n')) text->pop_back();
  if (text->ends_with('\r')) text->pop_back();
  if (text->empty())
    return complain(fmt::format("{}: expected a password, found nothing", subject));
  if (text->find_first_of(std::string_view("\n\r\0", 3)) != text->npos) {
    return complain(fmt::format("{}: expected one line with the password, found more", subject));
  }
  return text;
}

std::expected<UserDb, Message> UserDb::parse(std::string_view text, std::string_view file_name) {
  UserDb db;
  std::size_t number = 0;
  while (!text.empty()) {
    ++number;
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.front() == '#') continue;
    if (line.front() == '@') {
      auto group = parse_group(line.substr(1));
      if (!group) return complain(fmt::format("{}:{}: {}", file_name, number, group.error()));
      if (db.find_group(group->name) != nullptr) {
        return complain(fmt::format("{}:{}: group {} stands in this file twice", file_name, number,
                                    group->name));
      }
      if (auto good = db.check_rid(group->rid, group->name, false); !good) {
        return complain(fmt::format("{}:{}: {}", file_name, number, good.error()));
      }
      db.groups_.push_back(std::move(*group));
      continue;
    }
    auto user = parse_line(line);
    if (!user) return complain(fmt::format("{}:{}: {}", file_name, number, user.error()));
    if (db.find(user->name) != nullptr) {
      return complain(fmt::format("{}:{}: user {} stands in this file twice (case does not count)",
                                  file_name, number, user->name));
    }
    if (auto good = db.check_rid(user->rid, user->name, true); !good) {
      return complain(fmt::format("{}:{}: {}", file_name, number, good.error()));
    }
    db.users_.push_back(std::move(*user));
  }
  return db;
}

std::expected<UserDb, Message> UserDb::load(const std::filesystem::path& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.ok()) {
    if (errno == ENOENT) return UserDb{};
    return complain(fmt::format("{}: cannot be opened: {}", path.string(), errno_text()));
  }
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0) {
    return complain(fmt::format("{}: {}", path.string(), errno_text()));
  }
  if (!S_ISREG(info.st_mode)) {
    return complain(fmt::format("{}: expected a regular file", path.string()));
  }
  if ((info.st_mode & 0077U) != 0) {
    return complain(
        fmt::format("{}: others than its owner may use it (mode {:04o}); it holds "
                    "password hashes: chmod 600",
                    path.string(), info.st_mode & 07777U));
  }
  auto text = read_all(fd.get(), kFileBytesMax);
  if (!text) return complain(fmt::format("{}: {}", path.string(), text.error()));
  auto db = parse(*text, path.string());
  crypto::wipe({reinterpret_cast<std::uint8_t*>(text->data()), text->size()});
  return db;
}

std::string UserDb::text() const {
  std::string out =
      "# Flotilla's local users, written by `flotilla user`. One per line:\n"
      "# NAME:NTHASH:UID:GID:FLAGS[:RID]   (UID and GID may be empty; FLAGS: D disabled, O acts as "
      "the share's owner)\n";
  for (const User& user : users_) {
    out += user.name + ':';
    for (const std::uint8_t byte : user.nt_hash) out += fmt::format("{:02x}", byte);
    if (user.uid && user.gid) {
      out += fmt::format(":{}:{}:", *user.uid, *user.gid);
    } else {
      out += ":::";
    }
    if (user.disabled) out += 'D';
    if (user.as_share_owner) out += 'O';
    if (user.rid) out += fmt::format(":{}", *user.rid);
    out += '\n';
  }
  if (!groups_.empty()) out += "# Local groups: @NAME:GID:MEMBER,MEMBER[:RID] (users, or SIDs)\n";
  for (const Group& group : groups_) {
    out += '@' + group.name + ':' + (group.gid ? std::to_string(*group.gid) : "") + ':';
    for (std::size_t i = 0; i < group.members.size(); ++i) {
      out += (i == 0 ? "" : ",") + group.members[i];
    }
    if (group.rid) out += fmt::format(":{}", *group.rid);
    out += '\n';
  }
  return out;
}

std::expected<void, Message> UserDb::save(const std::filesystem::path& path) const {
  std::filesystem::path beside = path;
  beside += fmt::format(".new.{}", ::getpid());
  const auto failed = [&](std::string_view what, const Message& why) {
    ::unlink(beside.c_str());
    return complain(fmt::format("{}: cannot be {}: {}", beside.string(), what, why));
  };
  ::unlink(beside.c_str());
  {
    const Fd fd(::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!fd.ok()) return failed("created", errno_text());
    if (auto written = write_all(fd.get(), text()); !written) {
      return failed("written", written.error());
    }
    if (::fchmod(fd.get(), 0600) != 0 || ::fsync(fd.get()) != 0) {
      return failed("stored", errno_text());
    }
  }
  if (::rename(beside.c_str(), path.c_str()) != 0) return failed("renamed", errno_text());
  const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  const Fd directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.ok() || ::fsync(directory.get()) != 0) {
    return complain(fmt::format("{}: cannot be stored: {}", folder.string(), errno_text()));
  }
  return {};
}

/// `rid` is nobody's, or that of the user or group `name` itself.
std::expected<void, Message> UserDb::check_rid(std::optional<std::uint32_t> rid,
                                               std::string_view name, bool is_user) const {
  if (!rid) return {};
  const auto taken = [&](const auto& other, bool other_is_user) {
    return other.rid == rid && (other_is_user != is_user || folded(other.name) != folded(name));
  };
  const auto user = std::ranges::find_if(users_, [&](const User& it) { return taken(it, true); });
  const auto group =
      std::ranges::find_if(groups_, [&](const Group& it) { return taken(it, false); });
  if (user == users_.end() && group == groups_.end()) return {};
  return complain(fmt::format("RID {} of {} is that of {} already", *rid, name,
                              user != users_.end() ? user->name : "@" + group->name));
}

std::expected<void, Message> UserDb::put(User user) {
  if (auto good = check_user_name(user.name); !good) return complain(good.error());
  if (auto good = check_rid(user.rid, user.name, true); !good) return good;
  const std::u16string key = folded(user.name);
  const auto same =
      std::ranges::find_if(users_, [&](const User& other) { return folded(other.name) == key; });
  if (same == users_.end()) {
    users_.push_back(std::move(user));
  } else {
    *same = std::move(user);
  }
  return {};
}

bool UserDb::remove(std::string_view name) {
  const std::u16string key = folded(name);
  return std::erase_if(users_, [&](const User& user) { return folded(user.name) == key; }) != 0;
}

const User* UserDb::find(std::string_view name) const {
  const std::u16string key = folded(name);
  if (key.empty()) return nullptr;
  for (const User& user : users_) {
    if (folded(user.name) == key) return &user;
  }
  return nullptr;
}

std::expected<void, Message> UserDb::put_group(Group group) {
  if (auto good = check_group(group); !good) return good;
  if (auto good = check_rid(group.rid, group.name, false); !good) return good;
  const std::u16string key = folded(group.name);
  const auto same =
      std::ranges::find_if(groups_, [&](const Group& other) { return folded(other.name) == key; });
  if (same == groups_.end()) {
    groups_.push_back(std::move(group));
  } else {
    *same = std::move(group);
  }
  return {};
}

bool UserDb::remove_group(std::string_view name) {
  const std::u16string key = folded(name);
  return std::erase_if(groups_, [&](const Group& group) { return folded(group.name) == key; }) != 0;
}

const Group* UserDb::find_group(std::string_view name) const {
  const std::u16string key = folded(name);
  for (const Group& group : groups_) {
    if (folded(group.name) == key) return &group;
  }
  return nullptr;
}

std::expected<void, Message> UserDb::edit(
    const std::filesystem::path& path,
    const std::function<std::expected<void, Message>(UserDb&)>& change) {
  std::filesystem::path lock_path = path;
  lock_path += ".lock";
  const Fd lock(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock.ok() || ::flock(lock.get(), LOCK_EX) != 0) {
    return complain(fmt::format("{}: cannot be locked: {}", lock_path.string(), errno_text()));
  }
  auto db = load(path);
  if (!db) return complain(db.error());
  if (auto changed = change(*db); !changed) return changed;
  return db->save(path);
}

}  // namespace flotilla::auth
