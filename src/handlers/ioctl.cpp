// SMB2 IOCTL. Spec [MS-SMB2] 3.3.5.15 Receiving an SMB2 IOCTL Request
#include "wire/ioctl.hpp"

#include <algorithm>

#include "handlers/channel.hpp"
#include "handlers/copychunk.hpp"
#include "handlers/dfs.hpp"
#include "handlers/directory_change.hpp"
#include "handlers/durable/durable_opens.hpp"
#include "handlers/engine_call.hpp"
#include "handlers/file_call.hpp"
#include "handlers/ioctl/ioctl_answer.hpp"
#include "handlers/pipe.hpp"
#include "handlers/reparse.hpp"
#include "handlers/share_path.hpp"
#include "handlers/snapshots.hpp"
#include "handlers/torture_fsctls.hpp"
#include "wire/fsctl.hpp"
#include "wire/utf16.hpp"

namespace flotilla::handlers {

NtStatus send_ioctl(Request& request, const wire::IoctlRequest& ioctl, ByteView output,
                    NtStatus status) {
  wire::IoctlResponse response;
  response.ctl_code = ioctl.ctl_code;
  response.file_id =
      ioctl.file_id == kRelatedFileId && request.related ? request.chain.file : ioctl.file_id;
  response.output = output;
  wire::encode(response, request.out);
  return status;
}

namespace {

namespace fsctl = wire::fsctl;

/// The whole answer or none of it.
NtStatus send_whole(Request& request, const wire::IoctlRequest& ioctl, ByteView output) {
  if (output.size() > ioctl.max_output_response) return NtStatus::BufferTooSmall;
  return send_ioctl(request, ioctl, output);
}

/// [MS-SMB2] 3.3.5.15.12 Handling a Validate Negotiate Info Request. A mismatch means that somebody
/// changed the NEGOTIATE on its way: the connection ends without an answer.
NtStatus validate_negotiate(Request& request, const wire::IoctlRequest& ioctl) {
  const ports::ConnectionFacts& facts = request.channel->facts();
  const auto asked = wire::decode<wire::ValidateNegotiateInfoRequest>(ioctl.input);
  const auto as_numbers = [](const std::vector<wire::Dialect>& dialects) {
    std::vector<std::uint16_t> numbers;
    numbers.reserve(dialects.size());
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
  return send_ioctl(request, ioctl, wire::encoded(answer));
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
  return send_ioctl(request, ioctl, {});
}

/// [MS-SMB2] 3.3.5.15.2 Handling a DFS Referral Information Request
NtStatus dfs_referral(Request& request, const wire::IoctlRequest& ioctl) {
  const auto asked = wire::decode<wire::DfsReferralRequest>(ioctl.input);
  const auto referral =
      refer(request.server, asked ? std::u16string_view(asked->request_file_name) : u"");
  if (!referral) return referral.error();
  if (asked->max_referral_level < 3) return NtStatus::NotSupported;  // Windows 2000 and before
  Bytes output;
  wire::encode_dfs_referral(*referral, std::min<std::uint16_t>(asked->max_referral_level, 4),
                            output);
  if (output.size() > ioctl.max_output_response) return NtStatus::BufferOverflow;
  return send_ioctl(request, ioctl, output);
}

/// Control codes that name no file ([MS-SMB2] 3.3.5.15).
std::optional<NtStatus> without_file(Request& request, const wire::IoctlRequest& ioctl) {
  const bool names_none = ioctl.file_id == kRelatedFileId;
  switch (ioctl.ctl_code) {
    case fsctl::kDfsGetReferrals:
      if (!names_none) return NtStatus::InvalidParameter;
      return dfs_referral(request, ioctl);
    case fsctl::kDfsGetReferralsEx:
      return NtStatus::FsDriverRequired;  // sites mean nothing here: the client asks without them
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
  return send_ioctl(request, ioctl, output, more ? NtStatus::BufferOverflow : NtStatus::Success);
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
  co_return send_ioctl(request, ioctl, piece->data,
                       piece->more ? NtStatus::BufferOverflow : NtStatus::Success);
}

HandlerTask on_pipe(Request& request, wire::IoctlRequest ioctl,
                    std::shared_ptr<session::Open> open) {
  if (!state_of(*open).pipe) co_return NtStatus::InvalidDeviceRequest;  // the quota index
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
  co_return send_ioctl(request, ioctl, wire::encoded(*result.reply), result.status);
}

/// [MS-SMB2] 3.3.5.15.5 Handling a Source File Key Request
NtStatus resume_key(Request& request, const wire::IoctlRequest& ioctl, const session::Open& open) {
  wire::SrvRequestResumeKeyResponse answer;
  answer.resume_key = resume_key_of(open.id);
  return send_whole(request, ioctl, wire::encoded(answer));
}

/// [MS-SMB2] 3.3.5.15.1 Handling an Enumeration of Previous Versions Request: all of them, or how
/// many there are.
HandlerTask snapshots(Request& request, wire::IoctlRequest ioctl, FileOpen target) {
  constexpr std::uint32_t kSmallestBytes = 16;
  constexpr std::uint32_t kFixedBytes = 12;
  if (ioctl.max_output_response < kSmallestBytes) co_return NtStatus::InvalidParameter;
  wire::SrvSnapshotArray answer;
  if (!target.share->config.snapshots.empty()) {
    auto call = [backend = target.share->backend, pattern = target.share->config.snapshots,
                 who = kernel_credentials(*request.session, *target.share)] {
      return snapshot_tokens(*backend, who, pattern);
    };
    const auto tokens =
        co_await offload(request.server, request.executor(), target.local, std::move(call));
    if (!tokens) co_return tokens.error();
    answer.number_of_snapshots = static_cast<std::uint32_t>(tokens->size());
    for (const std::u16string& token : *tokens) (answer.snapshots += token) += u'\0';
    answer.snapshots += u'\0';
    if (kFixedBytes + answer.snapshots.size() * 2 <= ioctl.max_output_response) {
      answer.number_of_snapshots_returned = answer.number_of_snapshots;
    } else {
      answer.snapshots.clear();
    }
  }
  co_return send_whole(request, ioctl, wire::encoded(answer));
}

/// [MS-FSA] 2.1.5.10.37 FSCTL_SET_COMPRESSION
HandlerTask set_compression(Request& request, wire::IoctlRequest ioctl, FileOpen target) {
  const auto asked = wire::decode<wire::CompressionFormat>(ioctl.input);
  if (!asked || asked->compression_format > wire::CompressionFormat::kLznt1) {
    co_return NtStatus::InvalidParameter;
  }
  if (!target.allows(wire::access::kWriteData)) co_return NtStatus::AccessDenied;
  const bool compressed = asked->compression_format != wire::CompressionFormat::kNone;
  auto call = [file = target.file, compressed] { return file->set_compressed(compressed); };
  const Status done =
      co_await offload(request.server, request.executor(), target.local, std::move(call));
  // Where nothing can be compressed, nothing is.
  if (!done && (compressed || done.error() != NtStatus::NotSupported)) co_return done.error();
  co_return send_ioctl(request, ioctl, {});
}

/// [MS-FSA] 2.1.5.10.6 FSCTL_GET_COMPRESSION
HandlerTask get_compression(Request& request, wire::IoctlRequest ioctl, FileOpen target) {
  if (ioctl.max_output_response < 2) co_return NtStatus::InvalidParameter;
  auto call = [file = target.file] { return file->facts(); };
  const auto facts =
      co_await offload(request.server, request.executor(), target.local, std::move(call));
  if (!facts) co_return facts.error();
  wire::CompressionFormat answer;
  if ((facts->attributes & wire::file_attribute::kCompressed) != 0) {
    answer.compression_format = wire::CompressionFormat::kLznt1;
  }
  co_return send_whole(request, ioctl, wire::encoded(answer));
}

/// [MS-FSA] 2.1.5.10.38 FSCTL_SET_SPARSE
HandlerTask set_sparse(Request& request, wire::IoctlRequest ioctl, FileOpen target) {
  if (target.open->directory) co_return NtStatus::InvalidParameter;
  if (!target.allows(wire::access::kWriteData | wire::access::kWriteAttributes |
                     wire::access::kAppendData)) {
    co_return NtStatus::AccessDenied;
  }
  const bool sparse = ioctl.input.empty() || ioctl.input.front() != 0;
  auto call = [file = target.file, who = credentials_of(*request.session, target.state()), sparse] {
    return file->set_sparse(who, sparse);
  };
  const Status done =
      co_await offload(request.server, request.executor(), target.local, std::move(call));
  if (!done) co_return done.error();
  report_change(request, *target.open, wire::notify_filter::kAttributes);
  if (listings_cached(request.server)) co_await tell_parent_of(request, target.open);
  co_return send_ioctl(request, ioctl, {});
}

/// [MS-FSA] 2.1.5.10.40 FSCTL_SET_ZERO_DATA
HandlerTask set_zero_data(Request& request, wire::IoctlRequest ioctl, FileOpen target) {
  if (target.open->directory) co_return NtStatus::InvalidParameter;
  if (!target.allows(wire::access::kWriteData)) co_return NtStatus::AccessDenied;
  const auto asked = wire::decode<wire::FileZeroDataInformation>(ioctl.input);
  if (!asked || asked->file_offset > INT64_MAX || asked->beyond_final_zero > INT64_MAX ||
      asked->file_offset > asked->beyond_final_zero) {
    co_return NtStatus::InvalidParameter;
  }
  const ports::DataRange range{asked->file_offset, asked->beyond_final_zero - asked->file_offset};
  auto ticket = co_await admit_change(request, target, range.offset, range.length);
  if (!ticket) co_return ticket.error();
  auto call = [file = target.file, range]() -> Status {
    const auto facts = file->facts();
    if (!facts) return fail(facts.error());
    return file->zero(range, (facts->attributes & wire::file_attribute::kSparseFile) != 0);
  };
  const Status done = co_await offload(request.server, request.executor(), false, std::move(call));
  ticket->release();
  if (!done) co_return done.error();
  if (still_open(*target.open)) show_write_time(target);
  report_change(request, *target.open, wire::notify_filter::kLastWrite);
  if (listings_cached(request.server)) co_await tell_parent_of(request, target.open);
  co_return send_ioctl(request, ioctl, {});
}

/// [MS-FSA] 2.1.5.10.22 FSCTL_QUERY_ALLOCATED_RANGES
HandlerTask allocated_ranges(Request& request, wire::IoctlRequest ioctl, FileOpen target) {
  constexpr std::size_t kEntryBytes = 16;
  if (target.open->directory) co_return NtStatus::InvalidParameter;
  if (!target.allows(wire::access::kReadData)) co_return NtStatus::AccessDenied;
  const auto asked = wire::decode<wire::FileAllocatedRange>(ioctl.input);
  if (!asked || ioctl.input.size() < kEntryBytes || asked->file_offset > INT64_MAX ||
      asked->length > INT64_MAX - asked->file_offset) {
    co_return NtStatus::InvalidParameter;
  }
  auto call = [file = target.file,
               range = ports::DataRange{asked->file_offset,
                                        asked->length}]() -> Result<std::vector<ports::DataRange>> {
    const auto facts = file->facts();
    if (!facts) return fail(facts.error());
    if ((facts->attributes & wire::file_attribute::kSparseFile) != 0) {
      return file->allocated_ranges(range);
    }
    // A file that is not sparse is allocated as far as it goes.
    std::vector<ports::DataRange> whole;
    if (range.offset < facts->size_bytes && range.length > 0) {
      whole.push_back({range.offset, std::min(range.length, facts->size_bytes - range.offset)});
    }
    return whole;
  };
  const auto ranges = co_await offload(request.server, request.executor(), false, std::move(call));
  if (!ranges) co_return ranges.error();
  if (!ranges->empty() && ioctl.max_output_response < kEntryBytes) {
    co_return NtStatus::BufferTooSmall;
  }
  Bytes output;
  ByteWriter out(output);
  for (const ports::DataRange& range : *ranges) {
    if (output.size() + kEntryBytes > ioctl.max_output_response) {
      co_return send_ioctl(request, ioctl, output, NtStatus::BufferOverflow);
    }
    out.u64(range.offset);
    out.u64(range.length);
  }
  co_return send_ioctl(request, ioctl, output);
}

/// [MS-FSA] 2.1.5.10.4 FSCTL_DUPLICATE_EXTENTS_TO_FILE
HandlerTask duplicate_extents(Request& request, wire::IoctlRequest ioctl, FileOpen target) {
  const auto asked = wire::decode<wire::DuplicateExtentsData>(ioctl.input);
  if (!asked) co_return NtStatus::InvalidParameter;
  if (!target.allows(wire::access::kWriteData)) co_return NtStatus::AccessDenied;
  const std::shared_ptr<session::Open> from = request.session->find_open(asked->source_file_id);
  if (!from || from->pipe || from->revoked || from->directory || target.open->directory) {
    co_return NtStatus::InvalidHandle;
  }
  if (!(from->granted_access & wire::access::kReadData)) co_return NtStatus::AccessDenied;
  constexpr std::uint64_t kEnd = INT64_MAX;
  if (asked->byte_count > kEnd || asked->source_file_offset > kEnd - asked->byte_count ||
      asked->target_file_offset > kEnd - asked->byte_count) {
    co_return NtStatus::InvalidParameter;
  }
  const ports::DataRange to{asked->target_file_offset, asked->byte_count};
  // [MS-FSA] asks no byte-range locks here, and Windows' file systems do not.
  auto writing = co_await admit_change(request, target, to.offset, 0);
  if (!writing) co_return writing.error();
  if (const Status there = still_open(*from); !there) co_return there.error();
  const OpenState& source = state_of(*from);
  auto reading =
      source.gate->admit(from->open_id, asked->source_file_offset, 0, ports::IoGate::Access::Read);
  if (!reading) co_return reading.error();
  auto call = [from_file = source.file, file = target.file, offset = asked->source_file_offset,
               to]() -> Status {
    const auto there = from_file->facts();
    const auto here = file->facts();
    if (!there || !here) return fail(NtStatus::UnexpectedIoError);
    namespace fa = wire::file_attribute;
    if ((there->attributes & fa::kSparseFile) != 0 && (here->attributes & fa::kSparseFile) == 0) {
      return fail(NtStatus::NotSupported);
    }
    if (from_file->key() == file->key() && offset < to.offset + to.length &&
        to.offset < offset + to.length) {
      return fail(NtStatus::NotSupported);
    }
    if (offset > there->size_bytes || to.length > there->size_bytes - offset) {
      return fail(NtStatus::NotSupported);
    }
    // A sparse file grows; another one must have been made large enough.
    if ((here->attributes & fa::kSparseFile) == 0 &&
        (to.offset > here->size_bytes || to.length > here->size_bytes - to.offset)) {
      return fail(NtStatus::NotSupported);
    }
    if (to.length == 0) return {};
    const Status done = file->clone_range(*from_file, offset, to);
    if (!done && done.error() == NtStatus::NotSupported) {
      return fail(NtStatus::InvalidDeviceRequest);
    }
    return done;
  };
  const Status done = co_await offload(request.server, request.executor(), false, std::move(call));
  if (!done) co_return done.error();
  report_change(request, *target.open, wire::notify_filter::kLastWrite);
  if (listings_cached(request.server)) co_await tell_parent_of(request, target.open);
  co_return send_ioctl(request, ioctl, {});
}

/// [MS-SMB2] 3.3.5.15.9 Handling a Resiliency Request
HandlerTask request_resiliency(Request& request, wire::IoctlRequest ioctl, FileOpen target) {
  if (request.channel->facts().dialect == 0x0202) co_return NtStatus::InvalidDeviceRequest;
  if (target.open->directory) co_return NtStatus::InvalidParameter;
  const auto asked = wire::decode<wire::NetworkResiliencyRequest>(ioctl.input);
  const ports::ServerConfig& config = request.server.config();
  if (!asked || std::chrono::milliseconds(asked->timeout_ms) > config.durable_timeout_max) {
    co_return NtStatus::InvalidParameter;
  }
  const std::chrono::milliseconds timeout = asked->timeout_ms != 0
                                                ? std::chrono::milliseconds(asked->timeout_ms)
                                                : config.durable_timeout;
  DurableTraits& durable = target.state().durable;
  if (!durable.persistent) {
    coherence::Body update = kept_update(*target.open, coherence::DurableKind::Resilient, timeout);
    const coherence::Outcome outcome = co_await engine_submit(request.server, request.executor(),
                                                              target.open->key, std::move(update));
    if (outcome.status != NtStatus::Success) co_return outcome.status;
    durable.durable = false;
    durable.resilient = true;
    durable.timeout = timeout;
  }
  co_return send_ioctl(request, ioctl, {});
}

HandlerTask on_file(Request& request, wire::IoctlRequest ioctl,
                    std::shared_ptr<session::Open> open) {
  const auto target = file_of(request, open);
  if (!target) co_return target.error();
  switch (ioctl.ctl_code) {
    case fsctl::kSrvRequestResumeKey:
      co_return resume_key(request, ioctl, *open);
    case fsctl::kSrvCopychunk:
    case fsctl::kSrvCopychunkWrite:
      co_return co_await copychunk(request, ioctl, std::move(open));
    case fsctl::kSrvEnumerateSnapshots:
      co_return co_await snapshots(request, ioctl, *target);
    case fsctl::kGetReparsePoint: {
      const auto buffer = co_await get_reparse_point(request, *target, ioctl.max_output_response);
      if (!buffer) co_return buffer.error();
      co_return send_ioctl(request, ioctl, *buffer);
    }
    case fsctl::kSetReparsePoint:
    case fsctl::kDeleteReparsePoint: {
      const bool sets = ioctl.ctl_code == fsctl::kSetReparsePoint;
      const NtStatus done = sets ? co_await set_reparse_point(request, *target, ioctl.input)
                                 : co_await delete_reparse_point(request, *target, ioctl.input);
      if (is_error(done)) co_return done;
      co_return send_ioctl(request, ioctl, {});
    }
    case fsctl::kSetSparse:
      co_return co_await set_sparse(request, ioctl, *target);
    case fsctl::kSetZeroData:
      co_return co_await set_zero_data(request, ioctl, *target);
    case fsctl::kQueryAllocatedRanges:
      co_return co_await allocated_ranges(request, ioctl, *target);
    case fsctl::kDuplicateExtentsToFile:
      co_return co_await duplicate_extents(request, ioctl, *target);
    case fsctl::kCreateOrGetObjectId:
    case fsctl::kGetObjectId:
    case fsctl::kSetObjectId:
    case fsctl::kSetObjectIdExtended:
    case fsctl::kDeleteObjectId:
      co_return co_await object_id(request, ioctl, *target);
    case fsctl::kOffloadRead:
      co_return co_await offload_read(request, ioctl, *target);
    case fsctl::kOffloadWrite:
      co_return co_await offload_write(request, ioctl, *target);
    case fsctl::kFileLevelTrim:
      co_return co_await file_level_trim(request, ioctl, *target);
    case fsctl::kQueryFileRegions:
      co_return co_await query_file_regions(request, ioctl, *target);
    case fsctl::kIsPathnameValid:
      co_return send_ioctl(request, ioctl, {});
    case fsctl::kGetCompression:
      co_return co_await get_compression(request, ioctl, *target);
    case fsctl::kSetCompression:
      co_return co_await set_compression(request, ioctl, *target);
    case fsctl::kLmrRequestResiliency:
      co_return co_await request_resiliency(request, ioctl, *target);
    case fsctl::kSrvReadHash:
      co_return NtStatus::NotSupported;
    case torture_fsctl::kAsyncSleep:
      if (request.server.torture() == nullptr) co_return NtStatus::InvalidDeviceRequest;
      co_return co_await torture_sleep(request, ioctl, std::move(open));
    default:
      // Integrity streams, encryption, USN, retrieval pointers and the like: what NTFS or ReFS has
      // and the backend has no word for ([MS-FSA] 2.1.5.10).
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
  if (const auto status = torture_ioctl(request, ioctl)) co_return *status;
  if (const auto status = without_file(request, ioctl)) co_return *status;
  auto found = request.find_open(ioctl.file_id);
  if (!found) co_return found.error();
  if ((*found)->pipe) co_return co_await on_pipe(request, ioctl, *found);
  co_return co_await on_file(request, ioctl, *found);
}

}  // namespace flotilla::handlers
