#include "handlers/create/create_request.hpp"

#include "handlers/access.hpp"
#include "wire/fscc_constants.hpp"
#include "wire/fscc_file.hpp"
#include "wire/posix.hpp"

namespace flotilla::handlers {

namespace {

namespace o = wire::create_options;
namespace fa = wire::file_attribute;

/// What a client may name in FileAttributes; unknown bits are refused ([MS-FSA] 2.1.5.1).
constexpr std::uint32_t kAttributesKnown = 0x00007FB7;
/// What a client can set there and a file keeps.
constexpr std::uint32_t kAttributesKept = fa::kReadonly | fa::kHidden | fa::kSystem | fa::kArchive |
                                          fa::kTemporary | fa::kNotContentIndexed | fa::kOffline;
constexpr std::uint32_t kOptionsInvalid = 0xFF000000;
constexpr std::uint32_t kOptionsUnsupported =
    o::kOpenByFileId | o::kReserveOpfilter | 0x00000080 /* FILE_CREATE_TREE_CONNECTION */;

coherence::CacheRights valid_lease(std::uint32_t state) noexcept {
  const auto rights = static_cast<coherence::CacheRights>(state & 7U);
  // R, RW, RH and RWH are leases; without R nothing is granted ([MS-SMB2] 2.2.13.2.8).
  return (rights & coherence::kCacheRead) != 0 ? rights : coherence::CacheRights{0};
}

Result<coherence::CacheRequest> read_lease(const wire::CreateContext& context,
                                           std::uint16_t dialect) {
  coherence::CacheRequest cache;
  cache.kind = coherence::CacheKind::Lease;
  if (context.data.size() == wire::LeaseContextV2::kSize) {
    const auto lease = wire::decode<wire::LeaseContextV2>(context.data);
    if (!lease) return fail(NtStatus::InvalidParameter);
    cache.rights = valid_lease(lease->lease_state);
    cache.key = lease->lease_key;
    cache.version = dialect >= 0x0300 ? 2 : 1;
    cache.epoch = lease->epoch;
    cache.has_parent = (lease->lease_flags & wire::lease_flags::kParentLeaseKeySet) != 0;
    if (cache.has_parent) cache.parent_key = lease->parent_lease_key;
    return cache;
  }
  if (context.data.size() == wire::LeaseContext::kSize) {
    const auto lease = wire::decode<wire::LeaseContext>(context.data);
    if (!lease) return fail(NtStatus::InvalidParameter);
    cache.rights = valid_lease(lease->lease_state);
    cache.key = lease->lease_key;
    cache.version = 1;
    return cache;
  }
  return fail(NtStatus::InvalidParameter);
}

coherence::CacheRequest oplock_request(wire::OplockLevel level) noexcept {
  using namespace coherence;
  CacheRequest cache;
  cache.kind = CacheKind::Oplock;
  switch (level) {
    case wire::OplockLevel::LevelII:
      cache.rights = kCacheRead;
      break;
    case wire::OplockLevel::Exclusive:
      cache.rights = kCacheRead | kCacheWrite;
      break;
    case wire::OplockLevel::Batch:
      cache.rights = kCacheRead | kCacheWrite | kCacheHandle;
      break;
    default:
      cache.kind = CacheKind::None;
      break;
  }
  return cache;
}

Status read_context(const wire::CreateContext& context, bool smb3, bool posix, CreateAsks& asks) {
  namespace t = wire::create_tag;
  const std::string_view tag = context.tag();
  if (tag == t::kMxAc) {
    if (!context.data.empty() && context.data.size() != 8) return fail(NtStatus::InvalidParameter);
    asks.maximal_access =
        context.data.empty() ? NtTime{} : NtTime{load_le<std::uint64_t>(context.data.data())};
  } else if (tag == t::kQFid) {
    asks.disk_id = true;
  } else if (tag == t::kAlSi) {
    const auto size = wire::decode<wire::AllocationSize>(context.data);
    if (!size) return fail(NtStatus::InvalidParameter);
    asks.allocation_bytes = size->allocation_size;
  } else if (tag == t::kSecD) {
    auto descriptor = wire::SecurityDescriptor::decode(context.data);
    if (!descriptor) return fail(NtStatus::InvalidSecurityDescr);
    asks.security = std::move(*descriptor);
  } else if (tag == t::kTWrp) {
    const auto token = wire::decode<wire::TimewarpToken>(context.data);
    if (!token) return fail(NtStatus::InvalidParameter);
    if (token->timestamp.ticks != 0) asks.version = token->timestamp;
  } else if (tag == t::kDHnC) {
    const auto durable = wire::decode<wire::DurableHandleReconnect>(context.data);
    if (!durable) return fail(NtStatus::InvalidParameter);
    asks.reconnect_v1 = durable->data;
  } else if (tag == t::kDHnQ) {
    if (context.data.size() != 16) return fail(NtStatus::InvalidParameter);
    asks.durable_v1 = true;
  } else if (tag == t::kDH2C && smb3) {
    const auto durable = wire::decode<wire::DurableHandleReconnectV2>(context.data);
    if (!durable) return fail(NtStatus::InvalidParameter);
    asks.reconnect_v2 = *durable;
  } else if (tag == t::kDH2Q && smb3) {
    const auto durable = wire::decode<wire::DurableHandleRequestV2>(context.data);
    if (!durable) return fail(NtStatus::InvalidParameter);
    asks.durable_v2 = *durable;
  } else if (tag == t::kAppInstanceId && smb3) {
    const auto instance = wire::decode<wire::AppInstanceIdContext>(context.data);
    if (!instance) return fail(NtStatus::InvalidParameter);
    asks.app_instance = instance->app_instance_id;
  } else if (tag == t::kAppInstanceVersion && smb3) {
    const auto version = wire::decode<wire::AppInstanceVersion>(context.data);
    if (!version) return fail(NtStatus::InvalidParameter);
    asks.app_version = *version;
  } else if (tag == t::kPosix && posix) {
    const auto asked = wire::decode<wire::PosixCreateRequest>(context.data);
    if (!asked) return fail(NtStatus::InvalidParameter);
    asks.posix_mode = asked->mode & 07777;
  } else if (tag == t::kExtA) {
    auto list = wire::decode_full_ea_list(context.data);
    if (!list) return fail(NtStatus::InvalidParameter);
    for (auto& entry : *list) {
      asks.eas.push_back({std::move(entry.ea_name), std::move(entry.ea_value), entry.flags});
    }
  }
  return {};
}

}  // namespace

Result<CreateAsks> read_create_contexts(const wire::CreateRequest& body,
                                        const ports::ConnectionFacts& facts, bool leases) {
  CreateAsks asks;
  for (const wire::CreateContext& context : body.create_contexts) {
    if (context.name.size() < 4) return fail(NtStatus::InvalidParameter);
    const Status read = read_context(context, facts.dialect >= 0x0300, facts.posix, asks);
    if (!read) return fail(read.error());
  }
  // [MS-SMB2] 3.3.5.9.6, .7, .10, .12: of the four only DHnQ beside DHnC goes, and is ignored then.
  const int second = (asks.durable_v2 ? 1 : 0) + (asks.reconnect_v2 ? 1 : 0);
  const bool first = asks.durable_v1 || asks.reconnect_v1;
  if (second > 1 || (second == 1 && first)) return fail(NtStatus::InvalidParameter);
  asks.cache = oplock_request(body.requested_oplock_level);
  // A reconnect names its lease whatever level it asks for.
  const bool reconnects = asks.reconnect_v1 || asks.reconnect_v2;
  if (body.requested_oplock_level != wire::OplockLevel::Lease && !reconnects) return asks;
  const bool negotiated = leases && facts.dialect >= 0x0210 &&
                          (facts.server_capabilities & wire::capability::kLeasing) != 0;
  const wire::CreateContext* const context =
      wire::find_context(body.create_contexts, wire::create_tag::kRqLs);
  if (context == nullptr || !negotiated) return asks;
  auto lease = read_lease(*context, facts.dialect);
  if (!lease) return fail(lease.error());
  asks.cache = *lease;
  return asks;
}

Status check_create(const wire::CreateRequest& body) {
  const std::uint32_t options = body.create_options;
  if (static_cast<std::uint32_t>(body.impersonation_level) >
      static_cast<std::uint32_t>(wire::ImpersonationLevel::Delegate)) {
    return fail(NtStatus::BadImpersonationLevel);
  }
  constexpr std::uint32_t kDefined =
      wire::access::kFileAllAccess | wire::access::kAccessSystemSecurity |
      wire::access::kMaximumAllowed | wire::access::kGenericAll | wire::access::kGenericRead |
      wire::access::kGenericWrite | wire::access::kGenericExecute;
  // SYNCHRONIZE alone opens what is there for its attributes, but makes (find_or_make looks) and
  // changes nothing.
  const bool opens = body.create_disposition == wire::CreateDisposition::Open ||
                     body.create_disposition == wire::CreateDisposition::OpenIf;
  const std::uint32_t asked =
      opens ? body.desired_access : body.desired_access & ~wire::access::kSynchronize;
  if (asked == 0 || (body.desired_access & ~kDefined) != 0) return fail(NtStatus::AccessDenied);
  if ((options & kOptionsInvalid) != 0) return fail(NtStatus::InvalidParameter);
  if ((options & kOptionsUnsupported) != 0) return fail(NtStatus::NotSupported);
  if (static_cast<std::uint32_t>(body.create_disposition) >
      static_cast<std::uint32_t>(wire::CreateDisposition::OverwriteIf)) {
    return fail(NtStatus::InvalidParameter);
  }
  if (body.share_access > 7) return fail(NtStatus::InvalidParameter);
  if ((body.file_attributes & ~kAttributesKnown) != 0) return fail(NtStatus::InvalidParameter);
  if ((options & o::kDirectoryFile) != 0) {
    if ((options & o::kNonDirectoryFile) != 0 || overwrites(body.create_disposition) ||
        (body.file_attributes & fa::kTemporary) != 0) {
      return fail(NtStatus::InvalidParameter);
    }
  }
  if ((options & o::kDeleteOnClose) != 0 &&
      (body.desired_access &
       (wire::access::kDelete | wire::access::kGenericAll | wire::access::kMaximumAllowed)) == 0) {
    return fail(NtStatus::AccessDenied);
  }
  return {};
}

std::uint32_t initial_attributes(std::uint32_t asked, bool directory) noexcept {
  const std::uint32_t kept = asked & kAttributesKept;
  return directory ? (kept & ~(fa::kTemporary | fa::kArchive)) | fa::kDirectory
                   : kept | fa::kArchive;
}

Status check_existing(const wire::CreateRequest& body, const CreateName& name,
                      const ports::FileFacts& facts, coherence::AccessMask granted) {
  const bool directory = facts.type == ports::FileType::Directory;
  const std::uint32_t options = body.create_options;
  if (body.create_disposition == wire::CreateDisposition::Create) {
    return fail(NtStatus::ObjectNameCollision);
  }
  if (directory) {
    if ((options & o::kNonDirectoryFile) != 0) return fail(NtStatus::FileIsADirectory);
    // [MS-FSA] 2.1.5.1.2: a directory cannot be overwritten.
    if (overwrites(body.create_disposition)) return fail(NtStatus::InvalidParameter);
    return {};
  }
  if ((options & o::kDirectoryFile) != 0) return fail(NtStatus::NotADirectory);
  if (name.needs_directory) return fail(NtStatus::ObjectNameInvalid);
  const bool read_only = (facts.attributes & fa::kReadonly) != 0;
  if (overwrites(body.create_disposition)) {
    // A file that its name hides was not given the attribute by anybody who could repeat it.
    const std::uint32_t repeated = facts.hidden_by_name ? fa::kSystem : fa::kHidden | fa::kSystem;
    if ((facts.attributes & repeated & ~body.file_attributes) != 0 || read_only) {
      return fail(NtStatus::AccessDenied);
    }
  }
  if (read_only) {
    if ((granted & (wire::access::kWriteData | wire::access::kAppendData)) != 0) {
      return fail(NtStatus::AccessDenied);
    }
    if ((options & o::kDeleteOnClose) != 0) return fail(NtStatus::CannotDelete);
  }
  return {};
}

}  // namespace flotilla::handlers
