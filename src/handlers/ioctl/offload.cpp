// Copies that never leave the server: FSCTL_OFFLOAD_READ gives a token for a range of a file,
// FSCTL_OFFLOAD_WRITE writes what a token stands for.
#include <algorithm>

#include "handlers/directory_change.hpp"
#include "handlers/ioctl/ioctl_answer.hpp"
#include "handlers/offload_tokens.hpp"
#include "handlers/server.hpp"
#include "wire/fsctl.hpp"

namespace flotilla::handlers {

namespace {

constexpr std::uint64_t kSectorBytes = 512;
constexpr std::uint64_t kEnd = INT64_MAX;
constexpr std::uint64_t kTransferBytesMax = std::uint64_t{256} << 20;

std::uint64_t whole_sectors(std::uint64_t bytes) noexcept {
  return (bytes + kSectorBytes - 1) / kSectorBytes * kSectorBytes;
}

bool aligned_range(std::uint64_t offset, std::uint64_t length) noexcept {
  return offset % kSectorBytes == 0 && length % kSectorBytes == 0 && offset <= kEnd &&
         length <= kEnd - offset;
}

/// Writes `length` bytes of the source from `from` on to `to`; past the source's end that is
/// nothing. Blocks.
Status copy_data(ports::BackendFile& source, std::uint64_t from, std::uint64_t source_bytes,
                 ports::BackendFile& target, std::uint64_t to, std::uint64_t length) {
  constexpr std::size_t kBufferBytes = 256 * 1024;
  const std::uint64_t there = from >= source_bytes ? 0 : std::min(length, source_bytes - from);
  if (there == 0) return {};
  if (source.key() != target.key() && target.clone_range(source, from, {to, there})) return {};
  Bytes buffer(std::min<std::uint64_t>(kBufferBytes, there));
  for (std::uint64_t done = 0; done < there;) {
    const auto want =
        static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), there - done));
    const auto got = source.read(from + done, MutableBytes(buffer).first(want));
    if (!got) return fail(got.error());
    if (*got == 0) return fail(fsctl_status::kInvalidToken);
    const Status written = target.write(to + done, ByteView(buffer).first(*got), false);
    if (!written) return written;
    done += *got;
  }
  return {};
}

/// What a redeemed token brings into [offset, offset + length) of `file`. Blocks.
/// Output  how much of the range there was in the file
Result<std::uint64_t> redeem(ports::BackendFile& file, const std::optional<OffloadSource>& source,
                             std::uint64_t from, std::uint64_t offset, std::uint64_t length) {
  const auto facts = file.facts();
  if (!facts) return fail(facts.error());
  if (offset >= facts->size_bytes) return fail(NtStatus::EndOfFile);
  const std::uint64_t inside = std::min(length, facts->size_bytes - offset);
  if (!source) {
    const bool sparse = (facts->attributes & wire::file_attribute::kSparseFile) != 0;
    const Status done = file.zero({offset, inside}, sparse);
    if (!done) return fail(done.error());
    return inside;
  }
  const auto now = source->file->facts();
  if (!now || now->size_bytes != source->size_bytes || now->written != source->written ||
      now->changed != source->changed) {
    return fail(fsctl_status::kInvalidToken);
  }
  const Status done = copy_data(*source->file, source->range.offset + from, source->size_bytes,
                                file, offset, inside);
  if (!done) return fail(done.error());
  return inside;
}

}  // namespace

HandlerTask offload_read(Request& request, wire::IoctlRequest ioctl, FileOpen target) {
  constexpr std::uint32_t kReplyBytes = 528;
  const auto asked = wire::decode<wire::OffloadReadInput>(ioctl.input);
  if (!asked || asked->size < wire::OffloadReadInput::kBytes ||
      ioctl.max_output_response < kReplyBytes ||
      !aligned_range(asked->file_offset, asked->copy_length)) {
    co_return NtStatus::InvalidParameter;
  }
  if (target.open->directory || !target.file->stream().empty()) {
    co_return fsctl_status::kOffloadReadFileNotSupported;
  }
  if (!target.allows(wire::access::kReadData)) co_return NtStatus::AccessDenied;
  auto ticket = target.gate->admit(target.open->open_id, asked->file_offset, asked->copy_length,
                                   ports::IoGate::Access::Read);
  if (!ticket) co_return ticket.error();
  auto call = [file = target.file] { return file->facts(); };
  const auto facts =
      co_await offload(request.server, request.executor(), target.local, std::move(call));
  if (!facts) co_return facts.error();
  if (asked->file_offset >= facts->size_bytes) co_return NtStatus::EndOfFile;
  wire::OffloadReadOutput answer;
  answer.transfer_length =
      std::min({asked->copy_length, whole_sectors(facts->size_bytes - asked->file_offset),
                kTransferBytesMax});
  OffloadSource source{target.file,
                       {asked->file_offset, answer.transfer_length},
                       facts->size_bytes,
                       facts->written,
                       facts->changed};
  answer.token = request.server.offload_tokens().keep(
      std::move(source), std::chrono::milliseconds(asked->token_time_to_live_ms),
      request.server.clock().mono(), request.server.entropy());
  co_return send_ioctl(request, ioctl, wire::encoded(answer));
}

HandlerTask offload_write(Request& request, wire::IoctlRequest ioctl, FileOpen target) {
  constexpr std::uint32_t kReplyBytes = 16;
  const auto asked = wire::decode<wire::OffloadWriteInput>(ioctl.input);
  if (!asked || asked->size < wire::OffloadWriteInput::kBytes ||
      ioctl.max_output_response < kReplyBytes ||
      !aligned_range(asked->file_offset, asked->copy_length) ||
      !aligned_range(asked->transfer_offset, asked->copy_length)) {
    co_return NtStatus::InvalidParameter;
  }
  if (target.open->directory || !target.file->stream().empty()) {
    co_return fsctl_status::kOffloadWriteFileNotSupported;
  }
  if (!target.allows(wire::access::kWriteData)) co_return NtStatus::AccessDenied;
  std::optional<OffloadSource> source;
  std::uint64_t length = std::min(asked->copy_length, kTransferBytesMax);
  if (!OffloadTokens::is_zeros(asked->token)) {
    source = request.server.offload_tokens().find(asked->token, request.server.clock().mono());
    if (!source || asked->transfer_offset >= source->range.length) {
      co_return fsctl_status::kInvalidToken;
    }
    length = std::min(length, source->range.length - asked->transfer_offset);
  }
  auto ticket = co_await admit_change(request, target, asked->file_offset, length);
  if (!ticket) co_return ticket.error();
  auto call = [file = target.file, source = std::move(source), from = asked->transfer_offset,
               to = asked->file_offset, length] { return redeem(*file, source, from, to, length); };
  const auto inside = co_await offload(request.server, request.executor(), false, std::move(call));
  ticket->release();
  if (!inside) co_return inside.error();
  request.server.written_bytes += *inside;
  if (still_open(*target.open)) {
    target.state().changed_data = true;
    show_write_time(target);
  }
  report_change(request, *target.open, wire::notify_filter::kLastWrite);
  if (listings_cached(request.server)) co_await tell_parent_of(request, target.open);
  wire::OffloadWriteOutput answer;
  answer.length_written = std::min(length, whole_sectors(*inside));
  co_return send_ioctl(request, ioctl, wire::encoded(answer));
}

}  // namespace flotilla::handlers
