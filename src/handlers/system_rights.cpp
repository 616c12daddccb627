#include "handlers/system_rights.hpp"

#include <algorithm>
#include <array>

#include "wire/smb2_constants.hpp"

namespace flotilla::handlers {

namespace {

namespace a = wire::access;
namespace known = wire::well_known;

/// More are not turned into entries: ext4 keeps a block of xattrs.
constexpr std::size_t kEntriesMax = 64;

/// What a file is: `runs` where its owner may execute it already. Clients have no use for the bit
/// of others, so nothing becomes a program by being given to somebody with all rights.
struct Kind {
  bool directory = false;
  bool runs = false;
};

std::uint8_t bits_of(coherence::AccessMask mask, Kind kind) {
  std::uint8_t bits = 0;
  if ((mask & a::kReadData) != 0) bits |= 4;
  if ((mask & (a::kWriteData | a::kAppendData)) != 0) bits |= 2;
  const bool passes = (mask & a::kExecute) != 0;
  if (kind.directory ? passes || bits != 0 : passes && kind.runs) bits |= 1;
  return bits;
}

constexpr std::array kOthers{known::kEveryone, known::kAuthenticatedUsers, known::kNetwork,
                             known::kUsers};

SidSet together_with_others(std::initializer_list<wire::Sid> sids) {
  SidSet out{sids};
  out.sids.insert(out.sids.end(), kOthers.begin(), kOthers.end());
  return out;
}

bool stands_for_others(const wire::Sid& sid) {
  return std::ranges::find(kOthers, sid) != kOthers.end();
}

/// What one that is `sid` and nothing else may do, but for what an owner may by being it.
std::uint8_t bits_for(const wire::SecurityDescriptor& descriptor, const wire::Sid& sid, Kind kind) {
  return bits_of(rights_by(descriptor, together_with_others({sid})), kind);
}

coherence::AccessMask mask_of(std::uint32_t bits) noexcept {
  if (bits == 7) return a::kFileAllAccess;
  coherence::AccessMask mask = 0;
  if (bits & 4) mask |= a::kFileGenericRead;
  if (bits & 2) mask |= a::kFileGenericWrite;
  if (bits & 1) mask |= a::kFileGenericExecute;
  return mask;
}

wire::Ace allow(coherence::AccessMask mask, const wire::Sid& sid, std::uint8_t flags) {
  wire::Ace ace;
  ace.mask = mask;
  ace.sid = sid;
  ace.flags = flags;
  return ace;
}

/// All entries but the owner's. `group` is a placeholder in a default ACL.
void append_aces(wire::Acl& dacl, const ports::PosixAcl& acl, const ports::IdMap& ids,
                 const wire::Sid& group, std::uint8_t flags) {
  const std::uint8_t mask = acl.mask.value_or(7);
  const auto add = [&](std::uint8_t bits, const wire::Sid& sid) {
    if (bits != 0) dacl.aces.push_back(allow(mask_of(bits), sid, flags));
  };
  for (const auto& entry : acl.users) add(entry.rights & mask, ids.user_sid(entry.id));
  add(acl.group & mask, group);
  for (const auto& entry : acl.groups) add(entry.rights & mask, ids.group_sid(entry.id));
  add(acl.others, known::kEveryone);
}

/// An entry for each user and group that the descriptor names, but for the file's own.
void add_entries(ports::PosixAcl& out, const wire::SecurityDescriptor& descriptor,
                 const ports::IdMap& ids, Kind kind, std::optional<std::uint32_t> owner,
                 std::optional<std::uint32_t> group) {
  if (!descriptor.dacl) return;
  const auto put = [&](std::vector<ports::PosixAcl::Entry>& into, std::uint32_t id,
                       const wire::Sid& sid) {
    const std::uint8_t bits = bits_for(descriptor, sid, kind);
    const auto same = std::ranges::find(into, id, &ports::PosixAcl::Entry::id);
    if (same != into.end()) {
      same->rights |= bits;
    } else if (into.size() < kEntriesMax) {
      into.push_back({id, bits});
    }
  };
  for (const wire::Ace& ace : descriptor.dacl->aces) {
    if ((ace.flags & wire::ace_flags::kInheritOnly) != 0 || stands_for_others(ace.sid)) continue;
    const auto uid = ids.uid_of(ace.sid);
    const auto gid = ids.gid_of(ace.sid);
    if (uid && uid != owner) put(out.users, *uid, ace.sid);
    if (gid && gid != group) put(out.groups, *gid, ace.sid);
  }
  if (out.users.empty() && out.groups.empty()) return;
  std::uint8_t all = out.group;
  for (const auto& entry : out.users) all |= entry.rights;
  for (const auto& entry : out.groups) all |= entry.rights;
  out.mask = all;
}

}  // namespace

ports::PosixAcl acl_meant_by(const wire::SecurityDescriptor& descriptor, const ports::IdMap& ids,
                             const ports::FileFacts& facts, const ports::PosixAcl& present) {
  const Kind kind{facts.type == ports::FileType::Directory, (present.owner & 1) != 0};
  ports::PosixAcl out;
  out.others = bits_of(rights_by(descriptor, together_with_others({})), kind);
  out.owner = present.owner | bits_for(descriptor, ids.user_sid(facts.uid), kind);
  out.group = bits_for(descriptor, ids.group_sid(facts.gid), kind);
  add_entries(out, descriptor, ids, kind, facts.uid, facts.gid);
  return out;
}

std::optional<ports::PosixAcl> default_acl_meant_by(const wire::SecurityDescriptor& descriptor,
                                                    const ports::IdMap& ids) {
  namespace flag = wire::ace_flags;
  constexpr std::uint8_t kBoth = flag::kObjectInherit | flag::kContainerInherit;
  if (!descriptor.dacl) return std::nullopt;
  wire::SecurityDescriptor below;
  wire::Acl& dacl = below.dacl.emplace();
  bool gives = false;
  for (wire::Ace ace : descriptor.dacl->aces) {
    const bool everywhere =
        (ace.flags & kBoth) == kBoth && (ace.flags & flag::kNoPropagateInherit) == 0;
    const bool allows = ace.type == wire::AceType::AccessAllowed;
    if (!everywhere && (allows || (ace.flags & kBoth) == 0)) continue;
    gives = gives || allows;
    ace.flags = 0;
    dacl.aces.push_back(std::move(ace));
  }
  if (!gives) return std::nullopt;
  constexpr Kind kBelow{.directory = true, .runs = false};
  ports::PosixAcl out;
  out.owner = 7;
  out.group = bits_for(below, known::kCreatorGroup, kBelow);
  out.others = bits_of(rights_by(below, together_with_others({})), kBelow);
  add_entries(out, below, ids, kBelow, std::nullopt, std::nullopt);
  return out;
}

wire::SecurityDescriptor security_from_rights(const ports::FileFacts& facts,
                                              const ports::SystemRights& rights,
                                              const ports::IdMap& ids) {
  wire::SecurityDescriptor out;
  out.owner = ids.user_sid(facts.uid);
  out.group = ids.group_sid(facts.gid);
  out.control = wire::sd_control::kSelfRelative | wire::sd_control::kDaclPresent;
  wire::Acl& dacl = out.dacl.emplace();
  // The owner may always read and change the rights and the attributes, whatever the mode says.
  const coherence::AccessMask owner = mask_of(rights.access.owner) | a::kReadControl |
                                      a::kWriteDac | a::kWriteOwner | a::kReadAttributes |
                                      a::kWriteAttributes | a::kSynchronize;
  dacl.aces.push_back(allow(owner, *out.owner, 0));
  append_aces(dacl, rights.access, ids, *out.group, 0);
  if (rights.by_default) {
    namespace flag = wire::ace_flags;
    constexpr std::uint8_t kBelow =
        flag::kObjectInherit | flag::kContainerInherit | flag::kInheritOnly;
    dacl.aces.push_back(allow(mask_of(rights.by_default->owner), known::kCreatorOwner, kBelow));
    append_aces(dacl, *rights.by_default, ids, known::kCreatorGroup, kBelow);
  }
  return out;
}

Status keep_security(ports::BackendFile& file, const Requester& who,
                     const wire::SecurityDescriptor& descriptor) {
  const auto before = file.facts();
  if (!before) return fail(before.error());
  const auto rights = file.system_rights();
  if (!rights) return fail(rights.error());
  auto uid = descriptor.owner ? who.ids.uid_of(*descriptor.owner) : std::nullopt;
  auto gid = descriptor.group ? who.ids.gid_of(*descriptor.group) : std::nullopt;
  if (uid == before->uid) uid.reset();
  const bool member =
      gid && (who.kernel.gid == *gid ||
              std::ranges::find(who.kernel.groups, *gid) != who.kernel.groups.end());
  if (gid == before->gid || (!member && !who.privileged)) gid.reset();
  if (uid || gid) {
    const Status given = file.set_owner(uid, gid);
    if (!given && given.error() != NtStatus::NotSupported) return given;
    if (!given) uid = gid = std::nullopt;
  }
  const auto undo = [&] {
    (void)file.set_system_acl(rights->access);
    if (before->type == ports::FileType::Directory) (void)file.set_default_acl(rights->by_default);
    if (uid || gid) (void)file.set_owner(before->uid, before->gid);
  };
  ports::FileFacts now = *before;
  now.uid = uid.value_or(now.uid);
  now.gid = gid.value_or(now.gid);
  const ports::PosixAcl acl = acl_meant_by(descriptor, who.ids, now, rights->access);
  if (acl != rights->access) {
    const Status set = file.set_system_acl(acl);
    if (!set && set.error() != NtStatus::NotSupported) {
      undo();
      return set;
    }
  }
  if (before->type == ports::FileType::Directory) {
    const auto below = default_acl_meant_by(descriptor, who.ids);
    const Status set = below == rights->by_default ? Status{} : file.set_default_acl(below);
    if (!set && set.error() != NtStatus::NotSupported) {
      undo();
      return set;
    }
  }
  Bytes bytes;
  descriptor.encode(bytes);
  // Last: Samba believes a descriptor only as long as the rights beside it are those that were
  // there when it was stored.
  const Status stored = file.store_security(bytes);
  if (!stored) undo();
  return stored;
}

}  // namespace flotilla::handlers
