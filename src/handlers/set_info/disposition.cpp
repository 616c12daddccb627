// Deleting by handle: FileDispositionInformation.
#include "handlers/pool_lookup.hpp"
#include "handlers/posix.hpp"
#include "handlers/set_info/set_info.hpp"
#include "wire/fscc.hpp"

namespace flotilla::handlers {

namespace {

struct Wish {
  bool delete_it = false;
  bool ignore_readonly = false;
  bool posix = false;  ///< the name goes with this open, whoever else has the file open
};

Result<Wish> wish_of(ByteView buffer, bool extended, bool posix) {
  namespace flags = wire::disposition_flags;
  if (!extended) {
    if (buffer.empty()) return fail(NtStatus::InfoLengthMismatch);
    const auto info = wire::decode<wire::FileDispositionInformation>(buffer);
    if (!info) return fail(wire::status_of(info.error()));
    return Wish{info->delete_pending != 0, false, posix};
  }
  if (buffer.size() < 4) return fail(NtStatus::InfoLengthMismatch);
  const auto info = wire::decode<wire::FileDispositionInformationEx>(buffer);
  if (!info) return fail(wire::status_of(info.error()));
  if (info->flags & flags::kOnClose) return fail(NtStatus::NotSupported);
  return Wish{(info->flags & flags::kDelete) != 0,
              (info->flags & flags::kIgnoreReadonlyAttribute) != 0,
              posix || (info->flags & flags::kPosixSemantics) != 0};
}

/// Whether the file may go. Blocks.
/// Spec    [MS-FSA] 2.1.5.15.3: read-only is CannotDelete, entries are DirectoryNotEmpty; what the
///         file system would refuse at the last close is refused now, while the client listens
Status may_delete(ports::Backend& backend, const ports::Credentials& who, const std::string& path,
                  ports::BackendFile& file, bool directory, bool ignore_readonly) {
  const Status removable = backend.may_remove(who, path, file);
  if (!removable) return removable;
  const auto facts = file.facts();
  if (!facts) return fail(facts.error());
  if (!ignore_readonly && (facts->attributes & wire::file_attribute::kReadonly)) {
    return fail(NtStatus::CannotDelete);
  }
  if (!directory) return {};
  const auto empty = file.empty_directory();
  if (!empty) return fail(empty.error());
  return *empty ? Status{} : Status(fail(NtStatus::DirectoryNotEmpty));
}

}  // namespace

SetInfoTask set_disposition(Request& request, FileOpen target, ByteView buffer, bool extended) {
  const auto wish = wish_of(buffer, extended, speaks_posix(request));
  if (!wish) co_return wish.error();
  if (!target.allows(wire::access::kDelete)) co_return NtStatus::AccessDenied;
  const std::shared_ptr<session::Open> open = target.open;
  if (wish->delete_it) {
    if (refresh_path(*open).empty()) co_return NtStatus::AccessDenied;  // the share's root
    auto call = [file = target.file, backend = target.share->backend, path = open->path,
                 who = credentials_of(*request.session, target.state()),
                 directory = open->directory, ignore = wish->ignore_readonly] {
      return may_delete(*backend, who, path, *file, directory, ignore);
    };
    const Status may =
        co_await offload(request.server, request.executor(), target.local, std::move(call));
    if (!may) co_return may.error();
    if (const Status there = still_open(*open); !there) co_return there.error();
  }
  coherence::Body body = coherence::SetDeletePending{open->open_id, wish->delete_it};
  const coherence::Outcome outcome =
      co_await engine_submit(request.server, request.executor(), open->key, std::move(body));
  if (is_error(outcome.status)) co_return outcome.status;
  if (!still_open(*open)) co_return NtStatus::Success;
  const auto& entry = target.state().open_file;
  if (entry && entry->delete_pending.exchange(wish->delete_it) != wish->delete_it) {
    co_await tell_delete_pending(request.server, request.executor(), open->key, wish->delete_it);
    if (!still_open(*open)) co_return NtStatus::Success;
  }
  target.state().asked_deletion = wish->delete_it;
  target.state().name_goes_at_close = wish->delete_it && wish->posix;
  if (open->directory && wish->delete_it) {
    request.server.notify().report_delete_pending(target.share, refresh_path(*open));
  }
  co_return NtStatus::Success;
}

}  // namespace flotilla::handlers
