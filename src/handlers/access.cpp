#include "handlers/access.hpp"

#include "wire/smb2_constants.hpp"

namespace flotilla::handlers {

namespace a = wire::access;

static_assert(kWritingAccess == (a::kWriteData | a::kAppendData | a::kWriteEa | a::kDeleteChild |
                                 a::kWriteAttributes | a::kDelete | a::kWriteDac | a::kWriteOwner));

std::string_view parent_of(std::string_view path) noexcept {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view{} : path.substr(0, slash);
}

Result<Rights> rights_on(ports::Backend& backend, const ports::Credentials& who,
                         ports::BackendFile& file, std::string_view path) {
  const auto kernel = backend.granted_access(who, file);
  if (!kernel) return fail(kernel.error());
  const auto facts = file.facts();
  if (!facts) return fail(facts.error());
  const bool directory = facts->type == ports::FileType::Directory;
  const bool owner = who.uid == 0 || who.uid == facts->uid || who.use_share_owner;
  coherence::AccessMask maximal = a::kReadAttributes | a::kReadControl | a::kSynchronize;
  if ((*kernel & a::kReadData) != 0) {
    maximal |= a::kReadData | a::kReadEa;
    if (!directory) maximal |= a::kExecute;
  }
  if ((*kernel & a::kExecute) != 0) maximal |= a::kExecute;
  if ((*kernel & a::kWriteData) != 0) {
    maximal |= a::kWriteData | a::kAppendData | a::kWriteEa | a::kWriteAttributes;
    if (directory) maximal |= a::kDeleteChild;
  }
  if (owner) maximal |= a::kWriteDac | a::kWriteOwner | a::kWriteAttributes;
  if (path.empty()) {
    // The share's root is never removed, but a writer may ask for the right as on any directory.
    if ((*kernel & a::kWriteData) != 0) maximal |= a::kDelete;
    return Rights{maximal};
  }
  bool may_delete = false;
  if (const auto parent = backend.locate(who, parent_of(path))) {
    const auto above = backend.granted_access(who, **parent);
    may_delete = above && (*above & a::kWriteData) != 0;
  }
  if (may_delete) maximal |= a::kDelete;
  if (owner && (*kernel & a::kWriteData) != 0) {
    // All that an owner with full mode bits would see on Windows.
    maximal |= a::kDeleteChild;
  }
  return Rights{maximal};
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
                                           coherence::AccessMask maximal) noexcept {
  coherence::AccessMask wanted = map_generic(desired);
  if ((wanted & a::kAccessSystemSecurity) != 0) return fail(NtStatus::PrivilegeNotHeld);
  const bool maximum = (wanted & a::kMaximumAllowed) != 0;
  wanted &= ~a::kMaximumAllowed;
  if ((wanted & ~a::kFileAllAccess) != 0) return fail(NtStatus::AccessDenied);
  if (!maximum && wanted == 0) return fail(NtStatus::AccessDenied);
  if ((wanted & ~maximal) != 0) return fail(NtStatus::AccessDenied);
  return maximum ? wanted | maximal : wanted;
}

}  // namespace flotilla::handlers
