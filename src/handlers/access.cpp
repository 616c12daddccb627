#include "handlers/access.hpp"

#include <algorithm>

#include "handlers/open_state.hpp"
#include "handlers/security_view.hpp"
#include "wire/smb2_constants.hpp"

namespace flotilla::handlers {

namespace a = wire::access;

static_assert(kWritingAccess == (a::kWriteData | a::kAppendData | a::kWriteEa | a::kDeleteChild |
                                 a::kWriteAttributes | a::kDelete | a::kWriteDac | a::kWriteOwner));

std::string_view parent_of(std::string_view path) noexcept {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view{} : path.substr(0, slash);
}

namespace {

/// rights_on, by what the backend has said: `kernel` as Backend::granted_access.
Rights rights_by_mode(const ports::Credentials& who, std::uint32_t kernel,
                      const ports::FileFacts& facts, std::string_view path) {
  const bool directory = facts.type == ports::FileType::Directory;
  const bool owner = who.uid == 0 || who.uid == facts.uid || who.use_share_owner;
  coherence::AccessMask maximal = a::kReadAttributes | a::kReadControl | a::kSynchronize;
  if ((kernel & a::kReadData) != 0) {
    maximal |= a::kReadData | a::kReadEa;
    if (!directory) maximal |= a::kExecute;
  }
  if ((kernel & a::kExecute) != 0) maximal |= a::kExecute;
  if ((kernel & a::kWriteData) != 0) {
    maximal |= a::kWriteData | a::kAppendData | a::kWriteEa | a::kWriteAttributes;
    if (directory) maximal |= a::kDeleteChild;
  }
  if (owner) maximal |= a::kWriteDac | a::kWriteOwner | a::kWriteAttributes;
  if (path.empty()) {
    // The share's root is never removed, but a writer may ask for the right as on any directory.
    if ((kernel & a::kWriteData) != 0) maximal |= a::kDelete;
    return Rights{maximal};
  }
  maximal |= kernel & a::kDelete;
  if (owner && (kernel & a::kWriteData) != 0) {
    // All that an owner with full mode bits would see on Windows.
    maximal |= a::kDeleteChild;
  }
  return Rights{maximal};
}

/// Nothing where none is stored, or none that can be read.
std::optional<wire::SecurityDescriptor> decoded(const std::optional<Bytes>& bytes) {
  std::optional<wire::SecurityDescriptor> out;
  if (!bytes) return out;
  if (auto descriptor = wire::SecurityDescriptor::decode(*bytes)) out = std::move(*descriptor);
  return out;
}
Result<std::optional<wire::SecurityDescriptor>> stored_of(ports::BackendFile& file) {
  const auto bytes = file.stored_security();
  if (!bytes) return fail(bytes.error());
  return decoded(*bytes);
}

/// A user's (1) or group's (2) as Linux clients write it: see IdMap::uid_of.
wire::Sid nfs_sid(std::uint32_t kind, std::uint32_t id) { return wire::Sid{5, {88, kind, id}}; }

}  // namespace

Result<Rights> rights_on(ports::Backend& backend, const ports::Credentials& who,
                         ports::BackendFile& file, std::string_view path) {
  const auto kernel = backend.granted_access(who, file);
  if (!kernel) return fail(kernel.error());
  const auto facts = file.facts();
  if (!facts) return fail(facts.error());
  return rights_by_mode(who, *kernel, *facts, path);
}

bool is_privileged(const session::Session& session, const Share& share) {
  const auto& credentials = static_cast<const SessionCredentials&>(*session.credentials);
  return !share.forced_user && is_administrator(*credentials.token);
}

static_assert(kBackupAccess ==
              (a::kReadControl | a::kAccessSystemSecurity | a::kFileGenericRead | a::kExecute));
static_assert(kRestoreAccess == (a::kWriteDac | a::kWriteOwner | a::kAccessSystemSecurity |
                                 a::kFileGenericWrite | a::kDelete));

bool may_back_up(const session::Session& session, const Share& share) {
  const auto& credentials = static_cast<const SessionCredentials&>(*session.credentials);
  if (share.forced_user) return false;
  return is_administrator(*credentials.token) ||
         holds(*credentials.token, wire::well_known::kBackupOperators);
}

void act_by_privilege(ports::Credentials& who) {
  who.uid = who.gid = 0;
  who.groups = {0};
  who.use_share_owner = false;
}

Requester requester_of(Server& server, const session::Session& session, const Share& share) {
  const auto& credentials = static_cast<const SessionCredentials&>(*session.credentials);
  const ports::Token& token = *credentials.token;
  Requester out{kernel_credentials(session, share), {}, server.ids(), {}, {},
                is_privileged(session, share)};
  std::uint32_t uid = out.kernel.uid;
  std::uint32_t gid = out.kernel.gid;
  std::vector<std::uint32_t> groups = out.kernel.groups;
  if (out.kernel.use_share_owner && share.backend) {
    uid = share.backend->owner_uid();
    gid = share.backend->owner_gid();
    groups = {gid};
  }
  auto& sids = out.sids.sids;
  if (!share.forced_user) sids.push_back(token.user_sid);
  for (const wire::Sid& sid : token.group_sids) {
    // Who acts as somebody else is not in its own groups, but in Everyone and its like.
    if (!share.forced_user || sid.sub_authorities().size() == 1) sids.push_back(sid);
  }
  out.owner = out.ids.user_sid(uid);
  out.group = out.ids.group_sid(gid);
  sids.push_back(out.owner);
  sids.push_back(wire::well_known::unix_user(uid));
  sids.push_back(nfs_sid(1, uid));
  sids.push_back(out.group);
  for (const std::uint32_t each : groups) {
    sids.push_back(out.ids.group_sid(each));
    sids.push_back(wire::well_known::unix_group(each));
    sids.push_back(nfs_sid(2, each));
  }
  return out;
}

const std::shared_ptr<const Requester>& requester_for(Server& server,
                                                      const session::Session& session,
                                                      const Share& share) {
  const auto& credentials = static_cast<const SessionCredentials&>(*session.credentials);
  std::shared_ptr<const Requester>& known = credentials.requesters[&share];
  if (!known) known = std::make_shared<const Requester>(requester_of(server, session, share));
  return known;
}

namespace {

/// What the file itself says of a user, without its directory.
struct OwnRights {
  coherence::AccessMask kernel = 0;  ///< as rights_on has it
  coherence::AccessMask rights = 0;  ///< by the descriptor, within what the kernel does
  bool stored = false;               ///< there is a descriptor
};

OwnRights judge_own(const Requester& who, Rights kernel, const std::optional<Bytes>& security) {
  const auto own = decoded(security);
  if (!own) return OwnRights{kernel.maximal, kernel.maximal, false};
  const coherence::AccessMask given = rights_by(*own, who.sids);
  if (who.kernel.use_share_owner) return OwnRights{kernel.maximal, given, true};
  constexpr coherence::AccessMask kData = a::kReadData | a::kWriteData | a::kAppendData;
  return OwnRights{kernel.maximal, given & (kernel.maximal | ~kData), true};
}

}  // namespace

Result<Rights> own_rights_for(ports::Backend& backend, const Requester& who,
                              ports::BackendFile& file, std::string_view path) {
  const auto kernel = rights_on(backend, who.kernel, file, path);
  if (!kernel) return fail(kernel.error());
  const auto security = file.stored_security();
  if (!security) return fail(security.error());
  return Rights{judge_own(who, *kernel, *security).rights};
}

Rights rights_by_facts(const Requester& who, const ports::AccessFacts& facts,
                       std::string_view path) {
  const Rights kernel = rights_by_mode(who.kernel, facts.granted, facts.file, path);
  const OwnRights own = judge_own(who, kernel, facts.security);
  coherence::AccessMask maximal = own.rights | (who.privileged ? a::kWriteOwner : 0U);
  if (who.backs_up) return Rights{maximal | kBackupAccess | kRestoreAccess};
  if (!facts.reaches_above) return Rights{maximal};
  if (const auto above = decoded(facts.above)) {
    const coherence::AccessMask there = rights_by(*above, who.sids);
    if (!own.stored) maximal &= ~a::kDelete;
    if ((there & a::kDeleteChild) != 0) maximal |= a::kDelete;
    if ((there & a::kListDirectory) != 0) maximal |= a::kReadAttributes;
  } else if (own.stored) {
    maximal |= own.kernel & (a::kDelete | a::kReadAttributes);
  }
  return Rights{maximal};
}

Result<std::optional<wire::SecurityDescriptor>> security_of_new(
    ports::Backend& backend, const Requester& who, std::string_view path, bool directory,
    const std::optional<wire::SecurityDescriptor>& asked) {
  namespace info = wire::security_information;
  std::optional<wire::SecurityDescriptor> out;
  if (const auto parent = backend.locate(who.kernel, parent_of(path))) {
    const auto above = stored_of(**parent);
    if (!above) return fail(above.error());
    if (*above) {
      const coherence::AccessMask needed = directory ? a::kAddSubdirectory : a::kAddFile;
      if ((rights_by(**above, who.sids) & needed) == 0 && !who.backs_up)
        return fail(NtStatus::AccessDenied);
      out = inherited(**above, who.owner, who.group, directory);
    }
  }
  if (!asked) return out;
  std::uint32_t parts = 0;
  if (asked->owner) parts |= info::kOwner;
  if (asked->group) parts |= info::kGroup;
  if (asked->control & wire::sd_control::kDaclPresent) parts |= info::kDacl;
  if (who.privileged && (asked->control & wire::sd_control::kSaclPresent)) parts |= info::kSacl;
  if (!out) {
    out.emplace();
    out->owner = who.owner;
    out->group = who.group;
    if (!(parts & info::kDacl)) {
      // Only an owner or a group: the rights of a plain new file, which are the maker's.
      wire::Ace ace;
      ace.mask = a::kFileAllAccess;
      ace.sid = who.owner;
      out->dacl.emplace().aces.push_back(ace);
      out->control |= wire::sd_control::kDaclPresent;
    }
  }
  auto merged = with_parts(*out, *asked, parts, who.sids, who.privileged);
  if (!merged) return fail(merged.error());
  return std::optional(std::move(*merged));
}

coherence::AccessMask map_generic(coherence::AccessMask desired) noexcept {
  coherence::AccessMask mapped =
      desired & ~(a::kGenericAll | a::kGenericRead | a::kGenericWrite | a::kGenericExecute);
  if ((desired & a::kGenericAll) != 0) mapped |= a::kFileAllAccess;
  if ((desired & a::kGenericRead) != 0) mapped |= a::kFileGenericRead;
  if ((desired & a::kGenericWrite) != 0) mapped |= a::kFileGenericWrite;
  if ((desired & a::kGenericExecute) != 0) mapped |= a::kFileGenericExecute;
  return mapped;
}

Result<coherence::AccessMask> grant_access(coherence::AccessMask desired,
                                           coherence::AccessMask maximal,
                                           bool privileged) noexcept {
  coherence::AccessMask wanted = map_generic(desired);
  if ((wanted & a::kAccessSystemSecurity) != 0) {
    if (!privileged) return fail(NtStatus::PrivilegeNotHeld);
    maximal |= a::kAccessSystemSecurity;
  }
  const bool maximum = (wanted & a::kMaximumAllowed) != 0;
  wanted &= ~a::kMaximumAllowed;
  if ((wanted & ~(a::kFileAllAccess | a::kAccessSystemSecurity)) != 0) {
    return fail(NtStatus::AccessDenied);
  }
  if (!maximum && wanted == 0) return fail(NtStatus::AccessDenied);
  if ((wanted & ~maximal) != 0) return fail(NtStatus::AccessDenied);
  return maximum ? wanted | maximal : wanted;
}

}  // namespace flotilla::handlers
