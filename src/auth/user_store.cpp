#include "auth/user_store.hpp"

#include <sys/stat.h>

#include "auth/tokens.hpp"
#include "base/log.hpp"

namespace flotilla::auth {

namespace {

std::optional<std::uint32_t> uid_of_name(std::string_view name) {
  const auto account = find_unix_account(name);
  return account ? std::optional(account->uid) : std::nullopt;
}

}  // namespace

UserStore::UserStore(std::filesystem::path file, std::vector<User> fixed)
    : file_(std::move(file)), rids_(std::make_shared<GivenRids>(uid_of_name)) {
  for (User& user : fixed) {
    const std::string name = user.name;
    if (auto put = fixed_.put(std::move(user)); !put) {
      log::error("user {} of the command line is left out: {}", name, put.error());
    }
  }
}

UserStore::FileStamp UserStore::stamp() const {
  struct stat info{};
  if (file_.empty() || ::stat(file_.c_str(), &info) != 0) return {};
  constexpr std::int64_t kNs = 1000000000;
  return {info.st_ino, info.st_size, info.st_mtim.tv_sec * kNs + info.st_mtim.tv_nsec,
          info.st_ctim.tv_sec * kNs + info.st_ctim.tv_nsec};
}

std::expected<void, Message> UserStore::load() {
  const std::lock_guard lock(mutex_);
  if (file_.empty()) return {};
  const FileStamp now = stamp();
  auto db = UserDb::load(file_);
  if (!db) return std::unexpected(db.error());
  take(*std::move(db));
  loaded_ = now;
  return {};
}

void UserStore::take(UserDb db) {
  from_file_ = std::move(db);
  rids_->set(from_file_.users(), from_file_.groups());
}

void UserStore::refresh() {
  if (file_.empty()) return;
  const FileStamp now = stamp();
  if (now == loaded_) return;
  loaded_ = now;  // a bad file is complained about once
  auto db = UserDb::load(file_);
  if (!db) {
    log::error("users stay as they were, the changed file is refused: {}", db.error());
    return;
  }
  take(*std::move(db));
  log::info("users: {} read from {}", from_file_.users().size(), file_.string());
}

std::optional<User> UserStore::find(std::string_view name) {
  if (const User* user = fixed_.find(name)) return *user;
  const std::lock_guard lock(mutex_);
  refresh();
  if (const User* user = from_file_.find(name)) return *user;
  return std::nullopt;
}

std::vector<User> UserStore::all() {
  std::vector<User> out = fixed_.users();
  const std::lock_guard lock(mutex_);
  refresh();
  for (const User& user : from_file_.users()) {
    if (fixed_.find(user.name) == nullptr) out.push_back(user);
  }
  return out;
}

std::vector<Group> UserStore::groups() {
  const std::lock_guard lock(mutex_);
  refresh();
  return from_file_.groups();
}

}  // namespace flotilla::auth
