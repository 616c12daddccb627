#include "handlers/quota/quota.hpp"

#include <algorithm>

#include "base/log.hpp"
#include "handlers/access.hpp"
#include "handlers/engine_call.hpp"
#include "handlers/file_call.hpp"
#include "handlers/open_state.hpp"
#include "handlers/server.hpp"
#include "wire/fscc.hpp"
#include "wire/quota.hpp"

namespace flotilla::handlers {

namespace {

/// Who asks: its own uid, and whether others' records concern it.
struct Asker {
  std::uint32_t uid = 0;
  bool administrator = false;
};

Asker asker_of(const session::Session& session, const Share& share) {
  const ports::Credentials& kernel = kernel_credentials(session, share);
  return {kernel.use_share_owner ? share.backend->owner_uid() : kernel.uid,
          is_privileged(session, share)};
}

/// [MS-FSCC] 2.4.40: no limit is -1. Samba's clients mean the same by 0, and to the kernel it is.
std::uint64_t limit_shown(std::uint64_t bytes) noexcept {
  return bytes == 0 ? wire::FileQuotaEntry::kNoLimit : bytes;
}
std::uint64_t limit_meant(std::uint64_t shown) noexcept {
  return shown > static_cast<std::uint64_t>(INT64_MAX) ? 0 : shown;
}

wire::FileQuotaEntry entry_of(const ports::UserQuota& quota, const wire::Sid& sid) {
  wire::FileQuotaEntry entry;
  entry.used_bytes = quota.used_bytes;
  entry.threshold_bytes = limit_shown(quota.soft_bytes);
  entry.limit_bytes = limit_shown(quota.hard_bytes);
  entry.sid = sid;
  return entry;
}

/// The records of the users that were named. One without any has an empty record.
Result<std::vector<wire::FileQuotaEntry>> named_quotas(ports::Backend& backend,
                                                       const ports::IdMap& ids, Asker asker,
                                                       const std::vector<wire::Sid>& sids) {
  std::vector<wire::FileQuotaEntry> out;
  for (const wire::Sid& sid : sids) {
    const auto uid = ids.uid_of(sid);
    if (!asker.administrator && uid != asker.uid) return fail(NtStatus::AccessDenied);
    if (!uid) {
      out.push_back(entry_of({}, sid));
      continue;
    }
    const auto quota = backend.quota_of(*uid);
    if (!quota) return fail(quota.error());
    out.push_back(entry_of(*quota, sid));
  }
  return out;
}

/// A piece of the enumeration, and where the next one begins after each record.
struct Piece {
  std::vector<wire::FileQuotaEntry> entries;
  std::vector<std::uint32_t> uids;
};

Result<Piece> enumerate(ports::Backend& backend, const ports::IdMap& ids, Asker asker,
                        std::optional<std::uint32_t> from, std::size_t count_max) {
  Piece piece;
  while (from && piece.entries.size() < count_max) {
    const auto quota = backend.next_quota(*from);
    if (!quota) return fail(quota.error());
    if (!*quota) break;
    const std::uint32_t uid = (*quota)->uid;
    if (asker.administrator || uid == asker.uid) {
      piece.entries.push_back(entry_of(**quota, ids.user_sid(uid)));
      piece.uids.push_back(uid);
    }
    from = uid == UINT32_MAX ? std::nullopt : std::optional(uid + 1);
  }
  return piece;
}

/// For opens of files and pipes.
NtStatus not_the_index(Request& request) {
  const std::shared_ptr<ports::Backend>& backend = share_of(*request.tree).backend;
  return backend && backend->quota_state() ? NtStatus::InvalidHandle : NtStatus::NotSupported;
}

NtStatus send(Request& request, ByteView data) {
  wire::encode(wire::QueryInfoResponse{data}, request.out);
  return NtStatus::Success;
}

}  // namespace

bool names_quota_index(std::u16string_view name) noexcept {
  constexpr std::u16string_view kName = u"$EXTEND\\$QUOTA:$Q:$INDEX_ALLOCATION";
  const auto upper = [](char16_t c) {
    return c >= u'a' && c <= u'z' ? static_cast<char16_t>(c - 32) : c;
  };
  return std::ranges::equal(name, kName, {}, upper);
}

void limit_to_quota(ports::Backend& backend, std::uint32_t uid, ports::VolumeFacts& volume) {
  const auto quota = backend.quota_of(uid);
  if (!quota) return;
  const std::uint64_t limit = quota->hard_bytes != 0 ? quota->hard_bytes : quota->soft_bytes;
  if (limit == 0) return;
  const std::uint64_t left = limit - std::min(limit, quota->used_bytes);
  volume.total_bytes = std::min(volume.total_bytes, limit);
  volume.available_bytes = std::min(volume.available_bytes, left);
}

HandlerTask query_quota(Request& request, std::shared_ptr<session::Open> open,
                        wire::QueryInfoRequest query) {
  const std::shared_ptr<QuotaIndex> index = state_of(*open).quota;
  if (!index) co_return not_the_index(request);
  const Share& share = share_of(*request.tree);
  auto asked = wire::decode_query_quota(query.input_buffer);
  std::shared_ptr<ports::Backend> backend = share.backend;
  const Asker asker = asker_of(*request.session, share);
  if (asked && (asked->restart_scan || asked->start)) index->next_uid = 0;
  const ports::IdMap& ids = request.server.ids();
  if (asked && asked->start) {
    const auto uid = ids.uid_of(*asked->start);
    index->next_uid = uid ? *uid : 0;
  }
  constexpr std::size_t kSmallestBytes = 56;  // of a record
  const std::size_t count_max =
      asked && asked->return_single
          ? 1
          : std::max<std::size_t>(query.output_buffer_length / kSmallestBytes, 1);
  const bool local = backend->local();
  const bool by_name = asked && asked->sids;
  auto call = [backend, ids, asker, asked, from = index->next_uid, count_max,
               by_name]() -> Result<Piece> {
    if (const auto state = backend->quota_state(); !state) return fail(NtStatus::NotSupported);
    if (!asked) return fail(NtStatus::InvalidParameter);
    if (!by_name) return enumerate(*backend, ids, asker, from, count_max);
    auto entries = named_quotas(*backend, ids, asker, *asked->sids);
    if (!entries) return fail(entries.error());
    return Piece{std::move(*entries), {}};
  };
  const Result<Piece> piece =
      co_await offload(request.server, request.executor(), local, std::move(call));
  if (!piece) co_return piece.error();
  std::vector<wire::FileQuotaEntry> entries = piece->entries;
  if (asked->return_single && entries.size() > 1) entries.resize(1);
  if (entries.empty()) {
    if (!by_name) index->next_uid.reset();
    co_return NtStatus::NoMoreEntries;
  }
  Bytes data;
  const std::size_t written = wire::encode_quotas(entries, query.output_buffer_length, data);
  if (written == 0) co_return NtStatus::BufferTooSmall;
  if (!by_name) {
    const std::uint32_t last = piece->uids[written - 1];
    index->next_uid = last == UINT32_MAX ? std::nullopt : std::optional(last + 1);
  }
  co_return send(request, data);
}

HandlerTask set_quota(Request& request, std::shared_ptr<session::Open> open,
                      wire::SetInfoRequest set) {
  if (!state_of(*open).quota) co_return not_the_index(request);
  const Share& share = share_of(*request.tree);
  std::shared_ptr<ports::Backend> backend = share.backend;
  const Asker asker = asker_of(*request.session, share);
  const bool may = asker.administrator && !request.tree->read_only;
  auto entries = wire::decode_quotas(set.buffer);
  std::vector<std::uint32_t> uids;
  if (entries && may) {
    for (const wire::FileQuotaEntry& entry : *entries) {
      const auto uid = request.server.ids().uid_of(entry.sid);
      if (!uid) co_return NtStatus::NoSuchUser;
      uids.push_back(*uid);
    }
  }
  const bool local = backend->local();
  auto call = [backend, may, entries, uids]() -> Status {
    if (const auto state = backend->quota_state(); !state) return fail(NtStatus::NotSupported);
    if (!may) return fail(NtStatus::AccessDenied);
    if (!entries) return fail(NtStatus::InvalidParameter);
    for (std::size_t i = 0; i < uids.size(); ++i) {
      const wire::FileQuotaEntry& entry = (*entries)[i];
      const ports::UserQuota quota{uids[i], 0, limit_meant(entry.threshold_bytes),
                                   limit_meant(entry.limit_bytes)};
      if (const Status done = backend->set_quota(quota); !done) return done;
      log::info("quota of uid {}: soft {} bytes, hard {} bytes (0: none)", quota.uid,
                quota.soft_bytes, quota.hard_bytes);
    }
    return {};
  };
  const Status done = co_await offload(request.server, request.executor(), local, std::move(call));
  co_return done ? NtStatus::Success : done.error();
}

HandlerTask set_quota_control(Request& request, const Share& share, ByteView buffer) {
  constexpr std::uint32_t kTrack = 0x00000001;
  constexpr std::uint32_t kEnforce = 0x00000002;
  constexpr std::size_t kBytes = 48;
  if (!asker_of(*request.session, share).administrator || request.tree->read_only) {
    co_return NtStatus::AccessDenied;
  }
  if (buffer.size() < kBytes) co_return NtStatus::InfoLengthMismatch;
  const auto asked = wire::decode<wire::FileFsControlInformation>(buffer);
  if (!asked) co_return wire::status_of(asked.error());
  std::shared_ptr<ports::Backend> backend = share.backend;
  const bool local = backend->local();
  auto call = [backend] { return backend->quota_state(); };
  const auto state = co_await offload(request.server, request.executor(), local, std::move(call));
  if (!state) co_return state.error();
  const std::uint32_t present = (state->tracked ? kTrack : 0U) | (state->enforced ? kEnforce : 0U);
  const std::uint32_t wanted = asked->file_system_control_flags & (kTrack | kEnforce);
  const bool limits = limit_meant(asked->default_quota_limit) != 0 ||
                      limit_meant(asked->default_quota_threshold) != 0;
  // Enforcing counts too.
  const bool same = wanted == present || ((wanted & kEnforce) != 0 && state->enforced);
  co_return !limits && same ? NtStatus::Success : NtStatus::NotSupported;
}

}  // namespace flotilla::handlers
