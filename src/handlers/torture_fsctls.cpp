#include "handlers/torture_fsctls.hpp"

#include "handlers/channel.hpp"
#include "handlers/file_call.hpp"
#include "wire/read_write.hpp"

namespace flotilla::handlers {

void TortureFsctls::force_unacked(ConnectionId connection) {
  const std::scoped_lock lock(mutex_);
  unacked_.insert(connection);
}

bool TortureFsctls::is_unacked(ConnectionId connection) const {
  const std::scoped_lock lock(mutex_);
  return unacked_.contains(connection);
}

bool is_sessionless_torture(const Request& request) {
  if (request.server.torture() == nullptr || request.header.command != wire::Command::Ioctl) {
    return false;
  }
  const auto ioctl = wire::decode<wire::IoctlRequest>(request.message);
  return ioctl && ioctl->ctl_code == torture_fsctl::kForceUnackedTimeout;
}

void pad_read_data(Bytes& out, std::uint8_t bytes) {
  const auto data = out.begin() + kBodyOffset + wire::ReadResponse::kFixedSize;
  out.insert(data, bytes, std::uint8_t{0});
  constexpr std::size_t kDataOffsetAt = kBodyOffset + 2;
  out[kDataOffsetAt] = static_cast<std::uint8_t>(out[kDataOffsetAt] + bytes);
}

std::optional<NtStatus> torture_ioctl(Request& request, const wire::IoctlRequest& ioctl) {
  TortureFsctls* const torture = request.server.torture();
  if (torture == nullptr) return std::nullopt;
  wire::IoctlResponse response;
  response.ctl_code = ioctl.ctl_code;
  response.file_id = ioctl.file_id;
  switch (ioctl.ctl_code) {
    case torture_fsctl::kForceUnackedTimeout:
      if (!ioctl.input.empty()) return NtStatus::InvalidParameter;
      torture->force_unacked(request.channel->facts().id);
      wire::encode(response, request.out);
      return NtStatus::Success;
    case torture_fsctl::kPadReads:
      if (!ioctl.input.empty()) return NtStatus::InvalidParameter;
      request.channel->read_padding = kTorturePadding;
      wire::encode(response, request.out);
      return NtStatus::Success;
    case torture_fsctl::kPadIoctl: {
      if (!ioctl.input.empty()) return NtStatus::InvalidParameter;
      const Bytes output(ioctl.max_output_response, std::uint8_t{8});
      response.output = output;
      wire::encode(response, request.out);
      constexpr std::size_t kFixedBytes = 48;
      constexpr std::size_t kOutputOffsetAt = kBodyOffset + 32;
      const auto data = request.out.begin() + kBodyOffset + kFixedBytes;
      request.out.insert(data, kTorturePadding, std::uint8_t{0});
      std::uint8_t* const offset = request.out.data() + kOutputOffsetAt;
      store_le(offset, load_le<std::uint32_t>(offset) + kTorturePadding);
      return NtStatus::Success;
    }
    default:
      return std::nullopt;
  }
}

HandlerTask torture_sleep(Request& request, wire::IoctlRequest ioctl,
                          std::shared_ptr<session::Open> open) {
  if (ioctl.input.size() != 1) co_return NtStatus::InvalidParameter;
  const auto target = file_of(request, std::move(open));
  if (!target) co_return target.error();
  const auto slept = runtime::OneShot<bool>::make();
  request.executor().schedule_after(std::chrono::microseconds(ioctl.input[0]),
                                    [slept] { slept->set(true); });
  request.go_async([slept] { slept->set(false); });
  if (!co_await runtime::OneShot<bool>::wait(slept, request.executor())) {
    co_return NtStatus::Cancelled;
  }
  if (!target->file->facts()) co_return NtStatus::FileClosed;
  wire::IoctlResponse response;
  response.ctl_code = ioctl.ctl_code;
  response.file_id = ioctl.file_id;
  wire::encode(response, request.out);
  co_return NtStatus::Success;
}

}  // namespace flotilla::handlers
