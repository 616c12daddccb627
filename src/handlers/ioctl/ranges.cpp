// FSCTLs about ranges of a file's data: trim and regions.
#include <algorithm>

#include "handlers/directory_change.hpp"
#include "handlers/ioctl/ioctl_answer.hpp"
#include "handlers/server.hpp"
#include "wire/fsctl.hpp"

namespace flotilla::handlers {

HandlerTask file_level_trim(Request& request, wire::IoctlRequest ioctl, FileOpen target) {
  constexpr std::uint64_t kClusterBytes = 4096;
  constexpr std::size_t kSmallestBytes = 24;  // a FILE_LEVEL_TRIM with one range
  constexpr std::uint32_t kReplyBytes = 4;
  if (ioctl.input.size() < kSmallestBytes) co_return NtStatus::InvalidParameter;
  if (ioctl.max_output_response != 0 && ioctl.max_output_response < kReplyBytes) {
    co_return NtStatus::InvalidParameter;
  }
  const auto asked = wire::decode<wire::FileLevelTrim>(ioctl.input);
  if (!asked || asked->ranges.empty() || target.open->directory) {
    co_return NtStatus::InvalidParameter;
  }
  if (!target.allows(wire::access::kWriteData)) co_return NtStatus::AccessDenied;
  for (const wire::FileAllocatedRange& range : asked->ranges) {
    if (range.length > ~range.file_offset) co_return fsctl_status::kIntegerOverflow;
  }
  std::uint32_t processed = 0;
  for (const wire::FileAllocatedRange& range : asked->ranges) {
    // What a range covers only in part stays.
    const std::uint64_t first = (range.file_offset + kClusterBytes - 1) / kClusterBytes;
    const std::uint64_t last = (range.file_offset + range.length) / kClusterBytes;
    if (last <= first || last > INT64_MAX / kClusterBytes) continue;
    const ports::DataRange whole{first * kClusterBytes, (last - first) * kClusterBytes};
    auto ticket = co_await admit_change(request, target, whole.offset, whole.length);
    if (!ticket) co_return ticket.error();
    auto call = [file = target.file, whole]() -> Status {
      const auto facts = file->facts();
      if (!facts) return fail(facts.error());
      if ((facts->attributes & wire::file_attribute::kCompressed) != 0) {
        return fail(NtStatus::InvalidParameter);
      }
      return file->zero(whole, true);
    };
    const Status done =
        co_await offload(request.server, request.executor(), false, std::move(call));
    if (!done) co_return done.error();
    ++processed;
    if (const Status there = still_open(*target.open); !there) co_return there.error();
  }
  if (processed != 0) report_change(request, *target.open, wire::notify_filter::kLastWrite);
  Bytes output;
  if (ioctl.max_output_response != 0) ByteWriter(output).u32(processed);
  if (processed == 0) co_return fsctl_status::kNoRangesProcessed;
  co_return send_ioctl(request, ioctl, output);
}

HandlerTask query_file_regions(Request& request, wire::IoctlRequest ioctl, FileOpen target) {
  constexpr std::uint32_t kValidCachedData = 0x00000001;
  constexpr std::uint32_t kHeaderBytes = 16;
  constexpr std::uint32_t kRegionBytes = 24;
  if (target.open->directory) co_return NtStatus::InvalidParameter;
  if (!target.allows(wire::access::kReadData)) co_return NtStatus::AccessDenied;
  std::uint64_t offset = 0;
  std::uint64_t length = INT64_MAX;
  if (!ioctl.input.empty()) {
    ByteReader in(ioctl.input);
    offset = in.u64();
    length = in.u64();
    const std::uint32_t usage = in.u32();
    if (!in.ok() || offset > INT64_MAX || length > INT64_MAX - offset || usage == 0) {
      co_return NtStatus::InvalidParameter;
    }
    if ((usage & kValidCachedData) == 0) co_return NtStatus::NotSupported;
  }
  if (ioctl.max_output_response < kHeaderBytes) co_return NtStatus::BufferTooSmall;
  auto call = [file = target.file] { return file->facts(); };
  const auto facts =
      co_await offload(request.server, request.executor(), target.local, std::move(call));
  if (!facts) co_return facts.error();
  const std::uint64_t size = facts->size_bytes;
  const bool some = offset < size && length != 0;
  const bool fits = !some || ioctl.max_output_response >= kHeaderBytes + kRegionBytes;
  Bytes output;
  ByteWriter out(output);
  out.u32(0);
  out.u32(some ? 1 : 0);
  out.u32(some && fits ? 1 : 0);
  out.u32(0);
  if (some && fits) {
    out.u64(offset);
    out.u64(std::min(length, size - offset));
    out.u32(kValidCachedData);
    out.u32(0);
  }
  co_return send_ioctl(request, ioctl, output, fits ? NtStatus::Success : NtStatus::BufferOverflow);
}

}  // namespace flotilla::handlers
