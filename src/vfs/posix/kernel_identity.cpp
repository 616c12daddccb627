#include "vfs/posix/kernel_identity.hpp"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/check.hpp"

namespace flotilla::vfs {
namespace {

constexpr std::uint32_t kNobodyAtAll = ~std::uint32_t{0};

/// setfsuid(2) never fails loudly: asking with an impossible id tells what it is now.
bool set_fsuid(std::uint32_t uid) noexcept {
  ::syscall(SYS_setfsuid, uid);
  return static_cast<std::uint32_t>(::syscall(SYS_setfsuid, kNobodyAtAll)) == uid;
}
bool set_fsgid(std::uint32_t gid) noexcept {
  ::syscall(SYS_setfsgid, gid);
  return static_cast<std::uint32_t>(::syscall(SYS_setfsgid, kNobodyAtAll)) == gid;
}
bool set_groups(const std::vector<std::uint32_t>& groups) noexcept {
  return ::syscall(SYS_setgroups, groups.size(), groups.data()) == 0;
}

std::vector<std::uint32_t> own_groups() {
  std::vector<std::uint32_t> groups;
  const int count = ::getgroups(0, nullptr);
  if (count > 0) {
    groups.resize(static_cast<std::size_t>(count));
    const int got = ::getgroups(count, groups.data());
    groups.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  }
  return groups;
}

/// The daemon's own identity, read once before any thread switches.
struct Base {
  std::uint32_t uid = ::geteuid();
  std::uint32_t gid = ::getegid();
  std::vector<std::uint32_t> groups = own_groups();
};
const Base& base() {
  static const Base instance;
  return instance;
}

struct Current {
  std::uint32_t uid = base().uid;
  std::uint32_t gid = base().gid;
  std::vector<std::uint32_t> groups = base().groups;
};
Current& current() {
  thread_local Current instance;
  return instance;
}

}  // namespace

SwitchAbility probe_switch_ability() {
  SwitchAbility out;
  if (base().uid != 0) return out;
  constexpr std::uint32_t kProbe = 65534;
  const bool groups = set_groups(base().groups);
  const bool gid = set_fsgid(kProbe);
  const bool uid = set_fsuid(kProbe);
  const bool back = set_fsuid(base().uid) && set_fsgid(base().gid);
  out.can_switch = groups && gid && uid && back;
  if (!out.can_switch) {
    out.problem =
        "the daemon runs as root but may not act as its users: expected CAP_SETUID and CAP_SETGID "
        "(setfsuid, setfsgid, setgroups), the kernel refused; grant them or run the daemon as an "
        "ordinary user";
  }
  return out;
}

void obey_limits_of_users() noexcept {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
  if (::syscall(SYS_capget, &header, sets.data()) != 0) return;
  sets[0].effective &= ~CAP_TO_MASK(CAP_SYS_RESOURCE);
  ::syscall(SYS_capset, &header, sets.data());
}

ActAs::ActAs(bool enabled, std::uint32_t uid, std::uint32_t gid,
             const std::vector<std::uint32_t>& groups) noexcept {
  if (!enabled) return;
  Current& now = current();
  const bool groups_differ = now.groups != groups;
  if (now.uid == uid && now.gid == gid && !groups_differ) return;
  if (uid == kNobodyAtAll || gid == kNobodyAtAll) {
    ok_ = false;
    return;
  }
  switched_ = true;
  uid_before_ = now.uid;
  gid_before_ = now.gid;
  // Groups and gid change while the thread still may; uid last.
  if (groups_differ) {
    groups_switched_ = true;
    groups_before_ = now.groups;
    ok_ = set_groups(groups);
    now.groups = groups;
  }
  if (ok_ && now.gid != gid) {
    now.gid = gid;
    ok_ = set_fsgid(gid);
  }
  if (ok_ && now.uid != uid) {
    now.uid = uid;
    ok_ = set_fsuid(uid);
  }
}

ActAs::ActAs(bool enabled) noexcept : ActAs(enabled, base().uid, base().gid, base().groups) {}

ActAs::~ActAs() {
  if (!switched_) return;
  const int error = errno;
  Current& now = current();
  // Going on as somebody else would be a breach, so a refusal here ends the process.
  if (now.uid != uid_before_) {
    FLOTILLA_CHECK(set_fsuid(uid_before_));
    now.uid = uid_before_;
  }
  if (now.gid != gid_before_) {
    FLOTILLA_CHECK(set_fsgid(gid_before_));
    now.gid = gid_before_;
  }
  if (groups_switched_) {
    FLOTILLA_CHECK(set_groups(groups_before_));
    now.groups = std::move(groups_before_);
  }
  errno = error;
}

}  // namespace flotilla::vfs
