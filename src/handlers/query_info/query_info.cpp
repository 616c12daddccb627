// SMB2 QUERY_INFO. Spec [MS-SMB2] 3.3.5.20 Receiving an SMB2 QUERY_INFO Request
#include "handlers/query_info/info_answer.hpp"
#include "handlers/quota/quota.hpp"
#include "handlers/security_view.hpp"
#include "wire/error_response.hpp"
#include "wire/fscc.hpp"

namespace flotilla::handlers {

namespace {

constexpr auto kStreamInformation =
    static_cast<std::uint8_t>(wire::FileInformationClass::FileStreamInformation);

/// An error that says how many bytes would do.
/// Spec    [MS-SMB2] 2.2.2 SMB2 ERROR Response: BUFFER_TOO_SMALL carries four bytes, in 3.1.1
///         inside an error context
NtStatus too_small(Request& request, std::size_t needed_bytes) {
  wire::BufferTooSmallErrorData needed;
  needed.required_buffer_length = static_cast<std::uint32_t>(needed_bytes);
  Bytes data;
  wire::encode(needed, data);
  wire::ErrorResponse error;
  Bytes contexts;
  if (request.session->dialect >= 0x0311) {
    wire::encode_error_contexts({wire::ErrorContext{wire::ErrorContext::kDefault, data}}, contexts);
    error.error_context_count = 1;
    error.error_data = contexts;
  } else {
    error.error_data = data;
  }
  wire::encode(error, request.out);
  return NtStatus::BufferTooSmall;
}

NtStatus send(Request& request, ByteView data, NtStatus status) {
  wire::encode(wire::QueryInfoResponse{data}, request.out);
  return status;
}

NtStatus send(Request& request, const InfoAnswer& answer, std::size_t room_bytes) {
  if (room_bytes < answer.fixed_bytes) return NtStatus::InfoLengthMismatch;
  if (answer.data.size() > room_bytes) {
    return send(request, ByteView(answer.data).first(room_bytes), NtStatus::BufferOverflow);
  }
  return send(request, answer.data, answer.status);
}

HandlerTask answer_filesystem(Request& request, FileOpen target, wire::QueryInfoRequest query) {
  const ports::Credentials& who = kernel_credentials(*request.session, *target.share);
  const std::uint32_t uid = who.use_share_owner ? target.share->backend->owner_uid() : who.uid;
  const bool local = target.share->backend->local();
  auto call = [open = std::move(target), query, uid] { return query_filesystem(open, query, uid); };
  const auto answer = co_await offload(request.server, request.executor(), local, std::move(call));
  if (!answer) co_return answer.error();
  co_return send(request, *answer, query.output_buffer_length);
}

}  // namespace

Result<Bytes> query_security(Request& request, const FileOpen& target,
                             const wire::QueryInfoRequest& query) {
  namespace info = wire::security_information;
  const std::uint32_t wanted = query.additional_information;
  if ((wanted & info::kSacl) && !target.allows(wire::access::kAccessSystemSecurity)) {
    return fail(NtStatus::AccessDenied);
  }
  if ((wanted & ~info::kSacl) && !target.allows(wire::access::kReadControl)) {
    return fail(NtStatus::AccessDenied);
  }
  const ports::IdMap& ids = request.server.ids();
  const auto whole = security_of(*target.file, ids);
  if (!whole) return fail(whole.error());
  Bytes data;
  select_parts(*whole, wanted).encode(data);
  return data;
}

HandlerTask handle_query_info(Request& request) {
  const auto decoded = wire::decode<wire::QueryInfoRequest>(request.message);
  if (!decoded) co_return wire::status_of(decoded.error());
  const wire::QueryInfoRequest query = *decoded;
  auto found = request.find_open(query.file_id);
  if (!found) co_return found.error();
  const std::uint32_t most = max_transaction_bytes(request);
  if (query.output_buffer_length > most || query.input_buffer.size() > most) {
    co_return NtStatus::InvalidParameter;
  }
  if (query.info_type == wire::InfoType::Quota) {
    co_return co_await query_quota(request, *found, query);
  }
  if (state_of(**found).quota) {
    if (query.info_type != wire::InfoType::Filesystem) co_return NtStatus::InvalidDeviceRequest;
    FileOpen index;
    index.open = *found;
    index.share = &share_of(*request.tree);
    co_return co_await answer_filesystem(request, std::move(index), query);
  }
  if ((*found)->pipe) {
    if (query.info_type != wire::InfoType::File) co_return NtStatus::NotSupported;
    const auto answer = query_pipe(**found, query);
    co_return answer ? send(request, *answer, query.output_buffer_length) : answer.error();
  }
  const auto target = file_of(request, *found);
  if (!target) co_return target.error();
  switch (query.info_type) {
    case wire::InfoType::File: {
      if (const Status may = may_query_file(*target, query); !may) co_return may.error();
      auto call = [file = target->file, c = query.file_info_class, share = target->share,
                   who =
                       kernel_credentials(*request.session, *target->share)]() -> Result<FileData> {
        std::unique_ptr<ports::BackendFile> base;
        if (!file->stream().empty() && c == kStreamInformation) {
          const std::string& path = file->located_path();
          auto located = share->backend->locate(who, path.substr(0, path.rfind(':')));
          if (!located) return fail(located.error());
          base = std::move(*located);
        }
        return read_file_data(*file, base.get(), c);
      };
      const auto data =
          co_await offload(request.server, request.executor(), target->local, std::move(call));
      if (!data) co_return data.error();
      const auto answer = query_file(request, *target, *data, query);
      if (!answer) co_return answer.error();
      co_return send(request, *answer, query.output_buffer_length);
    }
    case wire::InfoType::Filesystem:
      co_return co_await answer_filesystem(request, *target, query);
    case wire::InfoType::Security: {
      auto call = [&request, open = *target, query] {
        return query_security(request, open, query);
      };
      const auto answer =
          co_await offload(request.server, request.executor(), target->local, std::move(call));
      if (!answer) co_return answer.error();
      if (answer->size() > query.output_buffer_length) co_return too_small(request, answer->size());
      co_return send(request, *answer, NtStatus::Success);
    }
    case wire::InfoType::Quota:
      break;
  }
  co_return NtStatus::InvalidParameter;
}

}  // namespace flotilla::handlers
