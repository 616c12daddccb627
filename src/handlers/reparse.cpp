#include "handlers/reparse.hpp"

#include <algorithm>

#include "handlers/channel.hpp"
#include "handlers/directory_change.hpp"
#include "handlers/share_path.hpp"
#include "wire/error_response.hpp"
#include "wire/reparse.hpp"
#include "wire/utf16.hpp"

namespace flotilla::handlers {

namespace {

/// [MS-FSCC] 2.1.2.1: the tags below this are reserved.
constexpr std::uint32_t kTagReservedMax = 1;

/// A reparse point in a path.
struct InTheWay {
  Bytes buffer;
  std::size_t unparsed_bytes = 0;  ///< of the name behind it, in UTF-16, its separator included
};

/// The first reparse point that `path` leads over. Blocks.
Result<InTheWay> first_on(ports::Backend& backend, const ports::Credentials& who,
                          const std::string& path) {
  for (std::size_t end = 0; end < path.size();) {
    end = std::min(path.find('/', end + 1), path.size());
    const auto file = backend.locate(who, std::string_view(path).substr(0, end));
    if (!file) return fail(file.error());
    auto buffer = (*file)->reparse_point();
    if (!buffer) return fail(buffer.error());
    if (*buffer) {
      const auto rest = wire::utf16_of(std::string_view(path).substr(end));
      return InTheWay{std::move(**buffer), rest ? rest->size() * 2 : 0};
    }
  }
  return fail(NtStatus::ObjectPathNotFound);
}

void append_link(Request& request, const wire::ReparseMeaning& link, std::size_t unparsed_bytes) {
  wire::SymbolicLinkErrorResponse answer;
  answer.unparsed_path_length = static_cast<std::uint16_t>(unparsed_bytes);
  if (link.relative) answer.flags = wire::SymbolicLinkReparseDataBuffer::kFlagRelative;
  answer.substitute_name = link.target;
  answer.print_name = link.print_name;
  const Bytes data = wire::encoded(answer);
  wire::ErrorResponse error;
  Bytes contexts;
  if (request.channel->facts().dialect >= 0x0311) {
    wire::encode_error_contexts({{wire::ErrorContext::kDefault, data}}, contexts);
    error.error_context_count = 1;
    error.error_data = contexts;
  } else {
    error.error_data = data;
  }
  wire::encode(error, request.out);
}

bool may_change(const FileOpen& target) {
  return (target.open->granted_access &
          (wire::access::kWriteData | wire::access::kWriteAttributes)) != 0;
}

/// Phase 1 of [MS-FSA] 2.1.5.10.37: what the buffer alone tells.
Status check_buffer(ByteView input, bool directory) {
  const auto meaning = wire::decode_reparse(input);
  if (!meaning) return fail(NtStatus::IoReparseDataInvalid);
  if (meaning->tag <= kTagReservedMax) return fail(NtStatus::IoReparseTagInvalid);
  if (meaning->kind == wire::ReparseKind::Mount && !directory) {
    return fail(NtStatus::NotADirectory);
  }
  // To a client that mounts the share this would be a device of its own machine's.
  if (meaning->kind == wire::ReparseKind::Device) return fail(NtStatus::AccessDenied);
  return {};
}

/// Whether `asked` names the reparse point that is `present`: same tag, and same GUID where the tag
/// has one.
/// Deviation: another GUID is IoReparseTagMismatch too, not STATUS_REPARSE_ATTRIBUTE_CONFLICT.
bool same_kind(ByteView present, ByteView asked) {
  const std::uint32_t tag = load_le<std::uint32_t>(asked.data());
  if (present.size() < wire::kReparseHeaderBytes || load_le<std::uint32_t>(present.data()) != tag) {
    return false;
  }
  if ((tag & 0x80000000U) != 0) return true;
  return present.size() >= wire::kReparseGuidHeaderBytes &&
         asked.size() >= wire::kReparseGuidHeaderBytes &&
         std::ranges::equal(present.subspan(wire::kReparseHeaderBytes, 16),
                            asked.subspan(wire::kReparseHeaderBytes, 16));
}

/// Blocks.
Status put_reparse_point(ports::BackendFile& file, const ports::Credentials& who, ByteView buffer,
                         bool directory) {
  const auto present = file.reparse_point();
  if (!present) return fail(present.error());
  if (*present && !same_kind(**present, buffer)) return fail(NtStatus::IoReparseTagMismatch);
  const auto empty = [&]() -> Result<bool> {
    return directory ? file.empty_directory() : Result<bool>(true);
  };
  const auto before = empty();
  if (!before) return fail(before.error());
  if (!*before) return fail(NtStatus::DirectoryNotEmpty);
  if (const Status done = file.set_reparse_point(who, buffer); !done) return done;
  // Somebody may have made a file in it meanwhile; from now on nobody does.
  const auto after = empty();
  if (after && *after) return {};
  (void)file.set_reparse_point(who, {});
  return fail(NtStatus::DirectoryNotEmpty);
}

/// Runs `change` under the file's gate and tells who watches.
template <class Change>
runtime::Task<NtStatus> carry_out(Request& request, FileOpen target, Change change) {
  auto ticket = target.gate->admit(target.open->open_id, 0, 0, ports::IoGate::Access::Write);
  if (!ticket) co_return ticket.error();
  const Status done =
      co_await offload(request.server, request.executor(), target.local, std::move(change));
  ticket->release();
  if (!done) co_return done.error();
  report_change(request, *target.open, wire::notify_filter::kAttributes);
  if (listings_cached(request.server)) co_await tell_parent_of(request, target.open);
  co_return NtStatus::Success;
}

}  // namespace

runtime::Task<NtStatus> stop_on_reparse_point(Request& request, const Share* share,
                                              ports::Credentials who, std::string path) {
  auto call = [backend = share->backend, who, path] { return first_on(*backend, who, path); };
  const auto found = co_await offload(request.server, request.executor(), share->backend->local(),
                                      std::move(call));
  if (!found)
    co_return found.error() == NtStatus::StoppedOnSymlink ? NtStatus::ObjectPathNotFound
                                                          : found.error();
  const auto meaning = wire::decode_reparse(found->buffer);
  if (!meaning || !meaning->windows || found->unparsed_bytes > UINT16_MAX) {
    co_return NtStatus::IoReparseTagNotHandled;
  }
  append_link(request, *meaning, found->unparsed_bytes);
  co_return NtStatus::StoppedOnSymlink;
}

runtime::Task<Result<Bytes>> get_reparse_point(Request& request, FileOpen target,
                                               std::uint32_t room_bytes) {
  auto call = [file = target.file] { return file->reparse_point(); };
  auto buffer = co_await offload(request.server, request.executor(), target.local, std::move(call));
  if (!buffer) co_return fail(buffer.error());
  if (!*buffer) co_return fail(NtStatus::NotAReparsePoint);
  if ((*buffer)->size() > room_bytes) co_return fail(NtStatus::BufferTooSmall);
  co_return std::move(**buffer);
}

runtime::Task<NtStatus> set_reparse_point(Request& request, FileOpen target, ByteView input) {
  if (!may_change(target)) co_return NtStatus::AccessDenied;
  if (!target.file->stream().empty()) co_return NtStatus::InvalidParameter;
  const bool directory = target.open->directory;
  if (refresh_path(*target.open).empty()) co_return NtStatus::AccessDenied;  // the share's root
  if (const Status good = check_buffer(input, directory); !good) co_return good.error();
  auto change = [file = target.file, who = credentials_of(*request.session, target.state()),
                 buffer = Bytes(input.begin(), input.end()),
                 directory] { return put_reparse_point(*file, who, buffer, directory); };
  co_return co_await carry_out(request, std::move(target), std::move(change));
}

runtime::Task<NtStatus> delete_reparse_point(Request& request, FileOpen target, ByteView input) {
  if (!may_change(target)) co_return NtStatus::AccessDenied;
  const bool fits =
      input.size() == wire::kReparseHeaderBytes || input.size() == wire::kReparseGuidHeaderBytes;
  if (!fits || load_le<std::uint16_t>(input.data() + 4) != 0) {
    co_return NtStatus::IoReparseDataInvalid;
  }
  auto change = [file = target.file, who = credentials_of(*request.session, target.state()),
                 asked = Bytes(input.begin(), input.end())]() -> Status {
    const auto present = file->reparse_point();
    if (!present) return fail(present.error());
    if (!*present) return fail(NtStatus::NotAReparsePoint);
    if (!same_kind(**present, asked)) return fail(NtStatus::IoReparseTagMismatch);
    return file->set_reparse_point(who, {});
  };
  co_return co_await carry_out(request, std::move(target), std::move(change));
}

}  // namespace flotilla::handlers
