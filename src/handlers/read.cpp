// SMB2 READ. Spec [MS-SMB2] 3.3.5.12 Receiving an SMB2 READ Request; [MS-FSA] 2.1.5.3
// Data goes from the file into the answer's frame: no copy and, with reused frames, no allocation.
#include <algorithm>
#include <limits>

#include "handlers/channel.hpp"
#include "handlers/file_call.hpp"
#include "handlers/pipe.hpp"
#include "handlers/torture_fsctls.hpp"
#include "runtime/buffer_cache.hpp"
#include "wire/read_write.hpp"

namespace flotilla::handlers {

namespace {

constexpr std::size_t kDataAt = kBodyOffset + wire::ReadResponse::kFixedSize;

/// What is smaller goes as it is: the frame would still be one packet.
constexpr std::size_t kCompressBytesMin = 1024;

void finish(Request& request, std::size_t data_bytes) {
  request.out.resize(kDataAt + data_bytes);
  wire::encode_read_response_at(
      std::span<std::uint8_t, wire::ReadResponse::kFixedSize>(request.out.data() + kBodyOffset,
                                                              wire::ReadResponse::kFixedSize),
      static_cast<std::uint32_t>(data_bytes));
  if (request.channel->read_padding != 0) pad_read_data(request.out, request.channel->read_padding);
}

/// Room for `data_bytes` in the answer, from a frame that was sent before where there is one. What
/// it held is overwritten or cut off by finish().
MutableBytes make_room(Request& request, std::size_t data_bytes) {
  Bytes frame = runtime::take_buffer(kDataAt + data_bytes);
  std::copy(request.out.begin(), request.out.begin() + kBodyOffset, frame.begin());
  request.out = std::move(frame);
  return {request.out.data() + kDataAt, data_bytes};
}

/// READ on a pipe waits for a message; CANCEL and CLOSE end the wait.
HandlerTask read_pipe(Request& request, std::shared_ptr<session::Open> open,
                      std::uint32_t length_bytes) {
  for (;;) {
    auto piece = state_of(*open).pipe->read(length_bytes);
    if (piece) {
      request.out.resize(kDataAt);
      request.out.insert(request.out.end(), piece->data.begin(), piece->data.end());
      finish(request, piece->data.size());
      co_return piece->more ? NtStatus::BufferOverflow : NtStatus::Success;
    }
    if (piece.error() != NtStatus::Pending) co_return piece.error();
    const Pipe::Readable readable = state_of(*open).pipe->readable();
    auto cancelled = std::make_shared<bool>(false);
    request.go_async([readable, cancelled] {
      *cancelled = true;
      readable->set(false);
    });
    const bool there = co_await runtime::OneShot<bool>::wait(readable, request.executor());
    if (*cancelled) co_return NtStatus::Cancelled;
    if (!there || !still_open(*open)) co_return NtStatus::PipeDisconnected;
  }
}

}  // namespace

HandlerTask handle_read(Request& request) {
  const auto read = wire::decode<wire::ReadRequest>(request.message);
  if (!read) co_return wire::status_of(read.error());
  auto found = request.find_open(read->file_id);
  if (!found) co_return found.error();
  if (read->length > max_transaction_bytes(request)) co_return NtStatus::InvalidParameter;
  if (wants_rdma(request, read->channel)) co_return NtStatus::InvalidParameter;
  if ((*found)->pipe && !state_of(**found).pipe) co_return NtStatus::InvalidDeviceRequest;
  if ((*found)->pipe) co_return co_await read_pipe(request, *found, read->length);
  if ((*found)->directory) co_return NtStatus::InvalidDeviceRequest;
  const auto target = file_of(request, *found);
  if (!target) co_return target.error();
  // Deviation: FILE_EXECUTE opens may be read too, as Windows and Samba have it (loading programs).
  if (!target->allows(wire::access::kReadData | wire::access::kExecute)) {
    co_return NtStatus::AccessDenied;
  }
  constexpr std::uint64_t kEnd = std::numeric_limits<std::int64_t>::max();
  if (read->offset > kEnd || read->length > kEnd - read->offset) {
    co_return NtStatus::InvalidParameter;
  }

  auto ticket = target->gate->admit(target->open->open_id, read->offset, read->length,
                                    ports::IoGate::Access::Read);
  if (!ticket) co_return ticket.error();
  std::size_t got = 0;
  if (read->length > 0) {
    const MutableBytes into = make_room(request, read->length);
    const auto cached = target->file->try_read(read->offset, into);
    if (!cached) {
      request.out.resize(kBodyOffset);
      co_return cached.error();
    }
    if (*cached) {
      got = **cached;
    } else {
      // `request.out` outlives the call: the request lives as long as this coroutine.
      auto call = [file = target->file, offset = read->offset, into] {
        return file->read(offset, into);
      };
      const auto done =
          co_await offload(request.server, request.executor(), false, std::move(call));
      if (!done) {
        request.out.resize(kBodyOffset);
        co_return done.error();
      }
      got = *done;
    }
  }
  ticket->release();
  if (got < read->minimum_count || (got == 0 && read->length > 0)) {
    request.out.resize(kBodyOffset);
    co_return NtStatus::EndOfFile;
  }
  finish(request, got);
  if ((read->flags & wire::read_flags::kRequestCompressed) != 0 &&
      !request.channel->facts().compression.empty() && got >= kCompressBytesMin) {
    request.reply->compress_from(kDataAt - kFramePrefixBytes);
  }
  target->open->position = read->offset + got;  // [MS-FSA] 2.1.5.3: CurrentByteOffset
  request.server.read_bytes += got;
  co_return NtStatus::Success;
}

}  // namespace flotilla::handlers
