#include "auth/winbind.hpp"

#include <dlfcn.h>
#include <sys/types.h>

#include <algorithm>
#include <mutex>
#include <string>

namespace flotilla::auth {

namespace {

// libwbclient's stable interface (version 0): its header is not needed to call it.
constexpr int kSuccess = 0;
struct WbcSid {
  std::uint8_t revision;
  std::uint8_t count;
  std::uint8_t authority[6];
  std::uint32_t subs[15];
};

WbcSid wbc_sid(const wire::Sid& sid) {
  WbcSid out{};
  out.revision = 1;
  for (std::size_t i = 0; i < sizeof out.authority; ++i) {
    out.authority[i] = static_cast<std::uint8_t>(sid.identifier_authority() >> (8 * (5 - i)));
  }
  for (const std::uint32_t sub : sid.sub_authorities()) out.subs[out.count++] = sub;
  return out;
}

std::optional<wire::Sid> sid_of_wbc(const WbcSid& given) {
  std::uint64_t authority = 0;
  for (const std::uint8_t byte : given.authority) authority = authority << 8 | byte;
  wire::Sid out{authority, {}};
  for (std::size_t i = 0; i < std::min<std::size_t>(given.count, std::size(given.subs)); ++i) {
    const auto longer = out.with_rid(given.subs[i]);
    if (!longer) return std::nullopt;
    out = *longer;
  }
  return out;
}

}  // namespace

struct Winbind::Library {
  void* handle = nullptr;
  int (*sid_to_uid)(const WbcSid*, uid_t*) = nullptr;
  int (*sid_to_gid)(const WbcSid*, gid_t*) = nullptr;
  int (*uid_to_sid)(uid_t, WbcSid*) = nullptr;
  int (*gid_to_sid)(gid_t, WbcSid*) = nullptr;
  int (*lookup_name)(const char*, const char*, WbcSid*, int*) = nullptr;
  int (*lookup_sid)(const WbcSid*, char**, char**, int*) = nullptr;
  void (*free_memory)(void*) = nullptr;

  ~Library() {
    if (handle != nullptr) ::dlclose(handle);
  }
  template <class F>
  bool find(F& into, const char* name) {
    into = reinterpret_cast<F>(::dlsym(handle, name));
    return into != nullptr;
  }
};

Winbind::Winbind(std::unique_ptr<Library> library) : library_(std::move(library)) {}
Winbind::~Winbind() = default;

std::unique_ptr<Winbind> Winbind::open() {
  auto library = std::make_unique<Library>();
  library->handle = ::dlopen("libwbclient.so.0", RTLD_NOW | RTLD_LOCAL);
  if (library->handle == nullptr) return nullptr;
  if (!library->find(library->sid_to_uid, "wbcSidToUid") ||
      !library->find(library->sid_to_gid, "wbcSidToGid") ||
      !library->find(library->uid_to_sid, "wbcUidToSid") ||
      !library->find(library->gid_to_sid, "wbcGidToSid") ||
      !library->find(library->lookup_name, "wbcLookupName") ||
      !library->find(library->lookup_sid, "wbcLookupSid") ||
      !library->find(library->free_memory, "wbcFreeMemory")) {
    return nullptr;
  }
  return std::unique_ptr<Winbind>(new Winbind(std::move(library)));
}

std::optional<std::uint32_t> Winbind::uid_of(const wire::Sid& sid) const {
  const WbcSid given = wbc_sid(sid);
  uid_t uid = 0;
  if (library_->sid_to_uid(&given, &uid) != kSuccess) return std::nullopt;
  answered_.store(true, std::memory_order_relaxed);
  return uid;
}

std::optional<std::uint32_t> Winbind::gid_of(const wire::Sid& sid) const {
  const WbcSid given = wbc_sid(sid);
  gid_t gid = 0;
  if (library_->sid_to_gid(&given, &gid) != kSuccess) return std::nullopt;
  return gid;
}

std::optional<wire::Sid> Winbind::sid_of(std::uint32_t id, bool is_user) const {
  constexpr std::uint64_t kUnixAuthority = 22;
  WbcSid found{};
  const int code = is_user ? library_->uid_to_sid(id, &found) : library_->gid_to_sid(id, &found);
  const auto sid = code == kSuccess ? sid_of_wbc(found) : std::nullopt;
  return sid && sid->identifier_authority() != kUnixAuthority ? sid : std::nullopt;
}

std::optional<ports::Account> Winbind::find(std::string_view domain, std::string_view name) const {
  WbcSid found{};
  int type = 0;
  const std::string domain_text(domain);
  const std::string name_text(name);
  if (library_->lookup_name(domain_text.c_str(), name_text.c_str(), &found, &type) != kSuccess) {
    return std::nullopt;
  }
  const auto sid = sid_of_wbc(found);
  if (!sid) return std::nullopt;
  return ports::Account{.name = name_text,
                        .domain = domain_text,
                        .sid = *sid,
                        .type = static_cast<ports::SidType>(type)};
}

std::optional<ports::Account> Winbind::find(const wire::Sid& sid) const {
  const WbcSid given = wbc_sid(sid);
  char* domain = nullptr;
  char* name = nullptr;
  int type = 0;
  if (library_->lookup_sid(&given, &domain, &name, &type) != kSuccess) return std::nullopt;
  ports::Account out{.name = name != nullptr ? name : "",
                     .domain = domain != nullptr ? domain : "",
                     .sid = sid,
                     .type = static_cast<ports::SidType>(type)};
  library_->free_memory(domain);
  library_->free_memory(name);
  return out;
}

std::optional<wire::Sid> WinbindIds::sid_of(std::uint32_t id, bool is_user) const {
  if (!winbind_->has_answered()) return std::nullopt;
  const std::uint64_t key = std::uint64_t{id} * 2 + (is_user ? 1 : 0);
  const Time now = std::chrono::steady_clock::now();
  {
    const std::shared_lock lock(mutex_);
    const auto found = sids_.find(key);
    if (found != sids_.end() && (found->second.sid || now - found->second.asked < kUnknownFor)) {
      return found->second.sid;
    }
  }
  auto sid = winbind_->sid_of(id, is_user);
  const std::unique_lock lock(mutex_);
  if (sids_.size() >= kRememberedMax) sids_.clear();
  sids_.insert_or_assign(key, Entry{sid, now});
  return sid;
}

std::optional<std::uint32_t> WinbindIds::id_of(const wire::Sid& sid, bool is_user) const {
  if (!winbind_->has_answered() || sid.identifier_authority() != 5) return std::nullopt;
  return is_user ? winbind_->uid_of(sid) : winbind_->gid_of(sid);
}

}  // namespace flotilla::auth
