#include <algorithm>

#include "handlers/access.hpp"
#include "handlers/ioctl/ioctl_answer.hpp"
#include "handlers/server.hpp"
#include "wire/fsctl.hpp"

namespace flotilla::handlers {

namespace {

namespace fsctl = wire::fsctl;

constexpr std::size_t kIdBytes = 16;
constexpr std::size_t kBufferBytes = 64;

/// What a file without an id of its own is known by.
Bytes made_id(const FileKey& key) {
  wire::FileObjectIdBuffer id;
  store_le(id.object_id.data(), key.volume);
  store_le(id.object_id.data() + 8, key.inode);
  store_le(id.birth_volume_id.data(), key.volume);
  id.birth_object_id = id.object_id;
  return wire::encoded(id);
}

HandlerTask get(Request& request, wire::IoctlRequest ioctl, FileOpen target) {
  auto call = [file = target.file] { return file->object_id(); };
  const auto stored =
      co_await offload(request.server, request.executor(), target.local, std::move(call));
  if (!stored) co_return stored.error();
  const bool there = *stored && (*stored)->size() == kBufferBytes;
  const Bytes id = there ? **stored : made_id(target.open->key);
  if (id.size() > ioctl.max_output_response) co_return NtStatus::BufferTooSmall;
  co_return send_ioctl(request, ioctl, id);
}

HandlerTask change(Request& request, wire::IoctlRequest ioctl, FileOpen target) {
  const bool whole = ioctl.ctl_code == fsctl::kSetObjectId;
  const bool extended = ioctl.ctl_code == fsctl::kSetObjectIdExtended;
  if (whole && !is_privileged(*request.session, *target.share)) co_return NtStatus::AccessDenied;
  if (!target.allows(wire::access::kWriteData | wire::access::kWriteAttributes)) {
    co_return NtStatus::AccessDenied;
  }
  const std::size_t expected = whole ? kBufferBytes : extended ? kBufferBytes - kIdBytes : 0;
  if (ioctl.input.size() < expected) co_return NtStatus::InvalidParameter;
  auto ticket = target.gate->admit(target.open->open_id, 0, 0, ports::IoGate::Access::Write);
  if (!ticket) co_return ticket.error();
  auto call = [file = target.file, key = target.open->key, whole, extended,
               input = Bytes(ioctl.input.begin(), ioctl.input.end())]() -> Status {
    if (!whole && !extended) return file->set_object_id({});
    const auto stored = file->object_id();
    if (!stored) return fail(stored.error());
    Bytes id = *stored && (*stored)->size() == kBufferBytes ? **stored : made_id(key);
    const std::size_t at = whole ? 0 : kIdBytes;
    std::copy_n(input.begin(), kBufferBytes - at, id.begin() + static_cast<std::ptrdiff_t>(at));
    return file->set_object_id(id);
  };
  const Status done =
      co_await offload(request.server, request.executor(), target.local, std::move(call));
  if (!done) {
    // Where nothing can be kept there is no such FSCTL.
    co_return done.error() == NtStatus::NotSupported ? NtStatus::InvalidDeviceRequest
                                                     : done.error();
  }
  co_return send_ioctl(request, ioctl, {});
}

}  // namespace

HandlerTask object_id(Request& request, wire::IoctlRequest ioctl, FileOpen target) {
  if (ioctl.ctl_code == fsctl::kCreateOrGetObjectId || ioctl.ctl_code == fsctl::kGetObjectId) {
    return get(request, ioctl, std::move(target));
  }
  return change(request, ioctl, std::move(target));
}

}  // namespace flotilla::handlers
