#include "handlers/posix.hpp"

#include <sys/stat.h>

#include "handlers/channel.hpp"
#include "handlers/open_state.hpp"
#include "wire/utf16.hpp"

namespace flotilla::handlers {

namespace {

constexpr std::uint32_t kModeBits = 07777;
/// What kind of file it is, above the mode's bits (smb3_posix_extensions).
/// Deviation: of what is neither file nor directory only. FILE_ATTRIBUTE_DIRECTORY tells
/// directories apart, and Linux 6.1 takes their type for bits of its own mode: it would not mount
/// the share.
constexpr unsigned kTypeShift = 12;
constexpr std::uint32_t kTypeLink = 2;
constexpr std::uint32_t kTypeFifo = 5;
constexpr std::uint32_t kTypeSocket = 6;
constexpr wire::Sid kModeSids{5, {88, 3}};

std::uint32_t bits_of(std::uint32_t mask) noexcept {
  using namespace wire::access;
  return ((mask & (kReadData | kGenericRead | kGenericAll)) != 0 ? 4U : 0U) |
         ((mask & (kWriteData | kGenericWrite | kGenericAll)) != 0 ? 2U : 0U) |
         ((mask & (kExecute | kGenericExecute | kGenericAll)) != 0 ? 1U : 0U);
}

std::uint32_t type_of(const ports::FileFacts& facts) noexcept {
  if (facts.type == ports::FileType::Symlink || S_ISLNK(facts.mode)) return kTypeLink;
  if (facts.reparse_tag == 0) return 0;
  if (S_ISFIFO(facts.mode)) return kTypeFifo;
  return S_ISSOCK(facts.mode) ? kTypeSocket : 0;
}

}  // namespace

bool speaks_posix(const Request& request) {
  return request.session && request.session->credentials &&
         static_cast<const SessionCredentials&>(*request.session->credentials).kernel.posix_names;
}

void learn_posix(Request& request) {
  auto& credentials = static_cast<SessionCredentials&>(*request.session->credentials);
  if (credentials.kernel.posix_names) return;
  credentials.kernel.posix_names = true;
  credentials.forced.clear();
  credentials.requesters.clear();
}

wire::PosixFacts posix_facts_of(const ports::FileFacts& facts) {
  wire::PosixFacts out;
  out.hard_links = facts.links;
  out.reparse_tag = facts.reparse_tag;
  out.mode = facts.mode & kModeBits;
  const std::uint32_t type = type_of(facts);
  if (type == kTypeLink) out.mode = 0777;
  out.mode |= type << kTypeShift;
  out.owner = wire::well_known::unix_user(facts.uid);
  out.group = wire::well_known::unix_group(facts.gid);
  return out;
}

Result<CreateName> parse_posix_name(std::u16string_view name) {
  CreateName out;
  while (name.starts_with(u'/')) name.remove_prefix(1);
  if (name.ends_with(u'/')) {
    name.remove_suffix(1);
    out.needs_directory = true;
  }
  auto text = wire::utf8_of(name);
  if (!text || text->find('\0') != std::string::npos) return fail(NtStatus::ObjectNameInvalid);
  out.path = *std::move(text);
  for (std::string_view rest = out.path; !rest.empty();) {
    const std::size_t slash = rest.find('/');
    const std::string_view component = rest.substr(0, slash);
    if (component.empty() || component.size() > 255) return fail(NtStatus::ObjectNameInvalid);
    if (component == "." || component == "..") return fail(NtStatus::ObjectPathSyntaxBad);
    if (slash == std::string_view::npos) break;
    rest.remove_prefix(slash + 1);
  }
  return out;
}

Result<CreateName> parse_name(const Request& request, std::u16string_view name) {
  if (speaks_posix(request) && name.find(u'\\') == std::u16string_view::npos) {
    return parse_posix_name(name);
  }
  return parse_create_name(name);
}

std::optional<std::uint32_t> mode_meant_by(const wire::SecurityDescriptor& asked,
                                           const wire::Sid& owner, const wire::Sid& group) {
  if (!asked.dacl) return std::nullopt;
  std::uint32_t mode = 0;
  bool any = false;
  for (const wire::Ace& ace : asked.dacl->aces) {
    if (ace.sid.is_in(kModeSids)) return ace.sid.rid() & kModeBits;
    if (ace.type != wire::AceType::AccessAllowed) continue;
    const bool owners = ace.sid == owner;
    const bool groups = ace.sid == group;
    const bool everyones = ace.sid == wire::well_known::kEveryone;
    any = any || owners || groups || everyones;
    if (owners) mode |= bits_of(ace.mask) << 6;
    if (groups) mode |= bits_of(ace.mask) << 3;
    if (everyones) mode |= bits_of(ace.mask);
  }
  return any ? std::optional(mode) : std::nullopt;
}

}  // namespace flotilla::handlers
