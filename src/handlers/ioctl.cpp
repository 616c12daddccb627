// SMB2 IOCTL. Spec [MS-SMB2] 3.3.5.15 Receiving an SMB2 IOCTL Request
#include "wire/ioctl.hpp"

#include <algorithm>

#include "handlers/channel.hpp"
#include "handlers/copychunk.hpp"
#include "handlers/file_call.hpp"
#include "handlers/pipe.hpp"
#include "handlers/share_path.hpp"
#include "wire/fsctl.hpp"
#include "wire/utf16.hpp"

namespace flotilla::handlers {

namespace {

namespace fsctl = wire::fsctl;

/// Encodes the response around `output`; `status` Success or a warning, or an error that carries
/// data (SRV_COPYCHUNK's limits).
NtStatus send(Request& request, const wire::IoctlRequest& ioctl, ByteView output,
              NtStatus status = NtStatus::Success) {
  wire::IoctlResponse response;
  response.ctl_code = ioctl.ctl_code;
  response.file_id =
      ioctl.file_id == kRelatedFileId && request.related ? request.chain.file : ioctl.file_id;
  response.output = output;
  wire::encode(response, request.out);
  return status;
}

/// The whole answer or none of it.
NtStatus send_whole(Request& request, const wire::IoctlRequest& ioctl, ByteView output) {
  if (output.size() > ioctl.max_output_response) return NtStatus::BufferTooSmall;
  return send(request, ioctl, output);
}

/// [MS-SMB2] 3.3.5.15.12 Handling a Validate Negotiate Info Request. A mismatch means that somebody
/// changed the NEGOTIATE on its way: the connection ends without an answer.
NtStatus validate_negotiate(Request& request, const wire::IoctlRequest& ioctl) {
  const ports::ConnectionFacts& facts = request.channel->facts();
  const auto asked = wire::decode<wire::ValidateNegotiateInfoRequest>(ioctl.input);
  const auto as_numbers = [](const std::vector<wire::Dialect>& dialects) {
    std::vector<std::uint16_t> numbers;
    for (const wire::Dialect dialect : dialects) {
      numbers.push_back(static_cast<std::uint16_t>(dialect));
    }
    return numbers;
  };
  const bool room = ioctl.max_output_response >= 24;
  if (facts.dialect == 0x0311 || !asked || !room || asked->guid != facts.client_guid ||
      asked->capabilities != facts.client_capabilities ||
      asked->security_mode != facts.client_security_mode ||
      as_numbers(asked->dialects) != facts.client_dialects) {
    request.channel->disconnect("VALIDATE_NEGOTIATE_INFO differs from the NEGOTIATE that came");
    return NtStatus::AccessDenied;
  }
  wire::ValidateNegotiateInfoResponse answer;
  answer.capabilities = facts.server_capabilities;
  answer.guid = request.server.config().guid;
  answer.security_mode = facts.server_security_mode;
  answer.dialect = static_cast<wire::Dialect>(facts.dialect);
  return send(request, ioctl, wire::encoded(answer));
}

/// [MS-SMB2] 3.3.5.15.11 Handling a Query Network Interface Request
NtStatus network_interfaces(Request& request, const wire::IoctlRequest& ioctl) {
  if (request.session->dialect < 0x0300) return NtStatus::NotSupported;
  std::vector<wire::NetworkInterfaceInfo> list;
  for (const InterfaceFacts& facts : request.server.interfaces()) {
    wire::NetworkInterfaceInfo info;
    info.if_index = facts.index;
    info.link_speed = facts.link_speed_bits;
    info.family = facts.ipv6 ? wire::NetworkInterfaceInfo::kInterNetworkV6
                             : wire::NetworkInterfaceInfo::kInterNetwork;
    info.address = facts.address;
    list.push_back(info);
  }
  if (list.empty()) return NtStatus::NotSupported;
  Bytes output;
  wire::encode_network_interfaces(list, output);
  return send_whole(request, ioctl, output);
}

/// [MS-SMB2] 3.3.5.15.3 Handling a Pipe Wait Request: an instance of a known pipe is always free.
NtStatus pipe_wait(Request& request, const wire::IoctlRequest& ioctl) {
  if (!request.tree->ipc) return NtStatus::InvalidDeviceRequest;
  const auto wait = wire::decode<wire::PipeWaitRequest>(ioctl.input);
  if (!wait) return NtStatus::InvalidParameter;
  const auto name = wire::utf8_of(wait->name);
  if (!name || !rpc::pipe_exists(*name)) return NtStatus::ObjectNameNotFound;
  return send(request, ioctl, {});
}

/// Control codes that name no file ([MS-SMB2] 3.3.5.15).
std::optional<NtStatus> without_file(Request& request, const wire::IoctlRequest& ioctl) {
  const bool names_none = ioctl.file_id == kRelatedFileId;
  switch (ioctl.ctl_code) {
    case fsctl::kDfsGetReferrals:
    case fsctl::kDfsGetReferralsEx:
      return NtStatus::FsDriverRequired;  // [MS-SMB2] 3.3.5.15.2: this server is no DFS server
    case fsctl::kValidateNegotiateInfo:
      if (!names_none) return NtStatus::InvalidParameter;
      return validate_negotiate(request, ioctl);
    case fsctl::kQueryNetworkInterfaceInfo:
      if (!names_none) return NtStatus::InvalidParameter;
      return network_interfaces(request, ioctl);
    case fsctl::kPipeWait:
      if (!names_none) return NtStatus::InvalidParameter;
      return pipe_wait(request, ioctl);
    default:
      return std::nullopt;
  }
}

/// [MS-FSCC] 2.3.46 FSCTL_PIPE_PEEK Reply
NtStatus pipe_peek(Request& request, const wire::IoctlRequest& ioctl, const Pipe& pipe) {
  constexpr std::size_t kFixedBytes = 16;
  constexpr std::uint32_t kConnected = 3;
  if (ioctl.max_output_response < kFixedBytes) return NtStatus::BufferTooSmall;
  const Bytes data = pipe.peek(ioctl.max_output_response - kFixedBytes);
  Bytes output;
  ByteWriter out(output);
  out.u32(kConnected);
  out.u32(static_cast<std::uint32_t>(pipe.data_bytes()));
  out.u32(static_cast<std::uint32_t>(pipe.message_count()));
  out.u32(static_cast<std::uint32_t>(pipe.first_message_bytes()));
  out.bytes(data);
  const bool more = pipe.first_message_bytes() > data.size();
  return send(request, ioctl, output, more ? NtStatus::BufferOverflow : NtStatus::Success);
}

/// [MS-SMB2] 3.3.5.15.10 Handling a Pipe Transceive Request
HandlerTask pipe_transceive(Request& request, wire::IoctlRequest ioctl,
                            std::shared_ptr<session::Open> open) {
  auto piece = state_of(*open).pipe->transceive(ioctl.input, ioctl.max_output_response);
  while (!piece && piece.error() == NtStatus::Pending) {
    const Pipe::Readable readable = state_of(*open).pipe->readable();
    auto cancelled = std::make_shared<bool>(false);
    request.go_async([readable, cancelled] {
      *cancelled = true;
      readable->set(false);
    });
    const bool there = co_await runtime::OneShot<bool>::wait(readable, request.executor());
    if (*cancelled) co_return NtStatus::Cancelled;
    if (!there || !still_open(*open)) co_return NtStatus::PipeDisconnected;
    piece = state_of(*open).pipe->read(ioctl.max_output_response);
  }
  if (!piece) co_return piece.error();
  co_return send(request, ioctl, piece->data,
                 piece->more ? NtStatus::BufferOverflow : NtStatus::Success);
}

HandlerTask on_pipe(Request& request, wire::IoctlRequest ioctl,
                    std::shared_ptr<session::Open> open) {
  switch (ioctl.ctl_code) {
    case fsctl::kPipeTransceive:
      co_return co_await pipe_transceive(request, ioctl, std::move(open));
    case fsctl::kPipePeek:
      co_return pipe_peek(request, ioctl, *state_of(*open).pipe);
    default:
      co_return NtStatus::InvalidDeviceRequest;
  }
}

/// [MS-SMB2] 3.3.5.15.6 Handling a Server-Side Data Copy Request
HandlerTask copychunk(Request& request, wire::IoctlRequest ioctl,
                      std::shared_ptr<session::Open> open) {
  constexpr std::uint32_t kReplyBytes = 12;
  if (ioctl.max_output_response < kReplyBytes) co_return NtStatus::InvalidParameter;
  const auto copy = wire::decode<wire::SrvCopychunkCopy>(ioctl.input);
  if (!copy) co_return NtStatus::InvalidParameter;
  const CopychunkResult result = co_await copy_chunks(request, std::move(open), *copy,
                                                      ioctl.ctl_code == fsctl::kSrvCopychunkWrite);
  if (!result.reply) co_return result.status;
  // With an error too: the client learns how far the copy came.
  co_return send(request, ioctl, wire::encoded(*result.reply), result.status);
}

/// [MS-SMB2] 3.3.5.15.5 Handling a Source File Key Request
NtStatus resume_key(Request& request, const wire::IoctlRequest& ioctl, const session::Open& open) {
  wire::SrvRequestResumeKeyResponse answer;
  answer.resume_key = resume_key_of(open.id);
  return send_whole(request, ioctl, wire::encoded(answer));
}

/// [MS-SMB2] 3.3.5.15.1 Handling an Enumeration of Previous Versions Request: there are none.
NtStatus no_snapshots(Request& request, const wire::IoctlRequest& ioctl) {
  constexpr std::uint32_t kSmallestBytes = 16;
  if (ioctl.max_output_response < kSmallestBytes) return NtStatus::InvalidParameter;
  return send_whole(request, ioctl, wire::encoded(wire::SrvSnapshotArray{}));
}

HandlerTask on_file(Request& request, wire::IoctlRequest ioctl,
                    std::shared_ptr<session::Open> open) {
  switch (ioctl.ctl_code) {
    case fsctl::kSrvRequestResumeKey:
      co_return resume_key(request, ioctl, *open);
    case fsctl::kSrvCopychunk:
    case fsctl::kSrvCopychunkWrite:
      co_return co_await copychunk(request, ioctl, std::move(open));
    case fsctl::kSrvEnumerateSnapshots:
      co_return no_snapshots(request, ioctl);
    case fsctl::kGetReparsePoint:
      co_return NtStatus::NotAReparsePoint;
    case fsctl::kIsPathnameValid:
      co_return send(request, ioctl, {});
    case fsctl::kGetCompression: {
      if (ioctl.max_output_response < 2) co_return NtStatus::InvalidParameter;
      co_return send_whole(request, ioctl, wire::encoded(wire::CompressionFormat{}));
    }
    case fsctl::kSetCompression: {
      // Nothing is compressed: COMPRESSION_FORMAT_NONE holds already.
      const auto asked = wire::decode<wire::CompressionFormat>(ioctl.input);
      if (!asked) co_return NtStatus::InvalidParameter;
      if (asked->compression_format != 0) co_return NtStatus::NotSupported;
      co_return send(request, ioctl, {});
    }
    case fsctl::kLmrRequestResiliency:
    case fsctl::kSrvReadHash:
      co_return NtStatus::NotSupported;
    default:
      // Sparse files, zeroing, allocated ranges, object ids, reparse points, trimming, offload,
      // integrity: what the backend has no word for ([MS-FSA] 2.1.5.10).
      co_return NtStatus::InvalidDeviceRequest;
  }
}

}  // namespace

HandlerTask handle_ioctl(Request& request) {
  const auto decoded = wire::decode<wire::IoctlRequest>(request.message);
  if (!decoded) co_return wire::status_of(decoded.error());
  const wire::IoctlRequest ioctl = *decoded;
  if (ioctl.flags != wire::ioctl_flags::kIsFsctl) co_return NtStatus::NotSupported;
  const std::uint32_t most = max_transaction_bytes(request);
  if (ioctl.max_output_response > most || ioctl.max_input_response > most ||
      ioctl.input.size() > most) {
    co_return NtStatus::InvalidParameter;
  }
  if (const auto status = without_file(request, ioctl)) co_return *status;
  auto found = request.find_open(ioctl.file_id);
  if (!found) co_return found.error();
  if ((*found)->pipe) co_return co_await on_pipe(request, ioctl, *found);
  co_return co_await on_file(request, ioctl, *found);
}

}  // namespace flotilla::handlers
