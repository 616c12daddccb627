#include "handlers/copychunk.hpp"

#include <algorithm>

namespace flotilla::handlers {

namespace {

// [MS-SMB2] 3.3.3: ServerSideCopyMaxNumberofChunks, -MaxChunkSize, -MaxDataSize, Windows' values
constexpr std::uint32_t kChunksMax = 256;
constexpr std::uint32_t kChunkBytesMax = 1U << 20;
constexpr std::uint32_t kTotalBytesMax = 16U << 20;
constexpr std::size_t kBufferBytes = 256 * 1024;

bool within_limits(const wire::SrvCopychunkCopy& copy) {
  if (copy.chunks.size() > kChunksMax) return false;
  std::uint64_t total = 0;
  for (const wire::SrvCopychunk& chunk : copy.chunks) {
    if (chunk.length == 0 || chunk.length > kChunkBytesMax) return false;
    total += chunk.length;
  }
  return total <= kTotalBytesMax;
}

/// `source` is where the resume key leads to; its tree may be another one of the session.
Result<FileOpen> source_of(Request& request, const std::array<std::uint8_t, 24>& key) {
  FileId id;
  id.persistent_id = load_le<std::uint64_t>(key.data());
  id.volatile_id = load_le<std::uint64_t>(key.data() + 8);
  const std::shared_ptr<session::Open> open = request.session->find_open(id);
  if (!open || open->revoked || open->pipe) return fail(NtStatus::ObjectNameNotFound);
  FileOpen source;
  const OpenState& state = state_of(*open);
  source.open = open;
  source.file = state.file;
  source.gate = state.gate;
  source.share = state.share;
  source.local = !state.share || !state.share->backend || state.share->backend->local();
  return source;
}

/// Copies one range. Blocks. A range past the source's end copies nothing.
Status copy_range(ports::BackendFile& from, ports::BackendFile& to, wire::SrvCopychunk chunk) {
  const auto facts = from.facts();
  if (!facts) return fail(facts.error());
  if (chunk.source_offset > facts->size_bytes ||
      chunk.length > facts->size_bytes - chunk.source_offset) {
    return fail(NtStatus::InvalidViewSize);
  }
  Bytes buffer(std::min<std::size_t>(kBufferBytes, chunk.length));
  std::uint64_t done = 0;
  while (done < chunk.length) {
    const std::size_t want = std::min<std::size_t>(buffer.size(), chunk.length - done);
    const auto got = from.read(chunk.source_offset + done, MutableBytes(buffer).first(want));
    if (!got) return fail(got.error());
    if (*got == 0) return fail(NtStatus::InvalidViewSize);
    const Status written =
        to.write(chunk.target_offset + done, ByteView(buffer).first(*got), false);
    if (!written) return fail(written.error());
    done += *got;
  }
  return {};
}

runtime::Task<NtStatus> copy_chunk(Request& request, FileOpen source, FileOpen target,
                                   wire::SrvCopychunk chunk) {
  constexpr std::uint64_t kEnd = INT64_MAX;
  if (chunk.source_offset > kEnd || chunk.length > kEnd - chunk.source_offset ||
      chunk.target_offset > kEnd || chunk.length > kEnd - chunk.target_offset) {
    co_return NtStatus::InvalidParameter;
  }
  auto writing = co_await admit_change(request, target, chunk.target_offset, chunk.length);
  if (!writing) co_return writing.error();
  if (const Status there = still_open(*source.open); !there) co_return there.error();
  auto reading = source.gate->admit(source.open->open_id, chunk.source_offset, chunk.length,
                                    ports::IoGate::Access::Read);
  if (!reading) co_return reading.error();
  auto call = [from = source.file, to = target.file, chunk] {
    return copy_range(*from, *to, chunk);
  };
  const Status done = co_await offload(request.server, request.executor(), false, std::move(call));
  co_return done ? NtStatus::Success : done.error();
}

}  // namespace

std::array<std::uint8_t, 24> resume_key_of(const FileId& id) noexcept {
  std::array<std::uint8_t, 24> key{};
  store_le(key.data(), id.persistent_id);
  store_le(key.data() + 8, id.volatile_id);
  return key;
}

runtime::Task<CopychunkResult> copy_chunks(Request& request, std::shared_ptr<session::Open> open,
                                           wire::SrvCopychunkCopy copy, bool write_only) {
  CopychunkResult result;
  const auto target = file_of(request, open);
  if (!target) {
    result.status = target.error();
    co_return result;
  }
  if (!within_limits(copy)) {
    result.status = NtStatus::InvalidParameter;
    result.reply = wire::SrvCopychunkResponse{kChunksMax, kChunkBytesMax, kTotalBytesMax};
    co_return result;
  }
  const auto source = source_of(request, copy.source_key);
  if (!source) {
    result.status = source.error();
    co_return result;
  }
  namespace access = wire::access;
  const bool readable = source->allows(access::kReadData | access::kExecute);
  const bool writable = target->allows(access::kWriteData | access::kAppendData);
  if (!readable || !writable || (!write_only && !target->allows(access::kReadData))) {
    result.status = NtStatus::AccessDenied;
    co_return result;
  }
  if (source->open->directory || target->open->directory) {
    result.status = NtStatus::InvalidDeviceRequest;
    co_return result;
  }
  wire::SrvCopychunkResponse reply;
  for (const wire::SrvCopychunk& chunk : copy.chunks) {
    result.status = co_await copy_chunk(request, *source, *target, chunk);
    if (is_error(result.status)) break;
    ++reply.chunks_written;
    reply.total_bytes_written += chunk.length;
    request.server.written_bytes += chunk.length;
    if (const Status there = still_open(*open); !there) {
      result.status = there.error();
      break;
    }
  }
  if (reply.chunks_written > 0 && still_open(*open)) {
    target->state().changed_data = true;
    report_change(request, *open, wire::notify_filter::kLastWrite | wire::notify_filter::kSize);
  }
  result.reply = reply;
  co_return result;
}

}  // namespace flotilla::handlers
