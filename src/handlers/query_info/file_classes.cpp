// One file's information classes. Calls into the backend block: run where that is allowed.
#include <algorithm>

#include "base/ascii.hpp"
#include "handlers/pipe.hpp"
#include "handlers/posix.hpp"
#include "handlers/query_info/info_answer.hpp"
#include "handlers/share_path.hpp"
#include "handlers/wildcard.hpp"
#include "ports/short_name.hpp"
#include "wire/fscc.hpp"
#include "wire/posix.hpp"
#include "wire/utf16.hpp"

namespace flotilla::handlers {

namespace {

using Class = wire::FileInformationClass;

/// All that the classes select from.
struct View {
  const session::Open& open;
  const ports::FileFacts& facts;
  const std::string& path;
  bool delete_pending;
  std::uint16_t dialect;
};

wire::FileBasicInformation basic_of(const View& view) {
  return {view.facts.created, view.facts.accessed, view.facts.written, view.facts.changed,
          view.facts.attributes};
}

wire::FileStandardInformation standard_of(const View& view) {
  wire::FileStandardInformation info;
  info.directory = view.open.directory ? 1 : 0;
  info.allocation_size = info.directory ? 0 : view.facts.allocation_bytes;
  info.end_of_file = info.directory ? 0 : view.facts.size_bytes;
  info.delete_pending = view.delete_pending ? 1 : 0;
  // A name that is about to go does not count ([MS-FSA] 2.1.5.12.27).
  info.number_of_links = view.facts.links - (view.delete_pending && view.facts.links > 0 ? 1U : 0U);
  return info;
}

wire::FileNameInformation full_name_of(const View& view) { return {u"\\" + wire_path(view.path)}; }

wire::FileAllInformation all_of(const View& view) {
  wire::FileAllInformation info;
  info.basic = basic_of(view);
  info.standard = standard_of(view);
  info.internal.index_number = view.facts.key.inode;
  info.ea.ea_size = view.facts.ea_size_bytes;
  info.access.access_flags = view.open.granted_access;
  info.position.current_byte_offset = view.open.position;
  info.mode.mode = view.open.mode;
  info.name = full_name_of(view);
  return info;
}

wire::FileNetworkOpenInformation network_open_of(const View& view) {
  const auto standard = standard_of(view);
  return {view.facts.created,       view.facts.accessed,  view.facts.written,   view.facts.changed,
          standard.allocation_size, standard.end_of_file, view.facts.attributes};
}

wire::FileIdInformation id_of(const View& view) {
  wire::FileIdInformation info;
  info.volume_serial_number = view.facts.key.volume;
  store_le(info.file_id.data(), view.facts.key.inode);
  return info;
}

wire::FileCompressionInformation compression_of(const View& view) {
  wire::FileCompressionInformation info;
  info.compressed_file_size = standard_of(view).end_of_file;
  return info;
}

/// [MS-FSA] 2.1.5.12.4 FileAlternateNameInformation
Result<InfoAnswer> alternate_name(const View& view) {
  std::string_view name = last_component(view.path);
  if (name.empty()) return fail(NtStatus::ObjectNameNotFound);
  const std::string made = ports::short_name_of(name.substr(0, name.find(':')));
  return InfoAnswer{wire::encoded(wire::FileNameInformation{wire_path(made)}), 8};
}

/// The unnamed stream, which directories have not, and the named ones.
/// Spec    [MS-FSA] 2.1.5.12.29 FileStreamInformation
InfoAnswer streams(const FileData& data, std::size_t room_bytes) {
  InfoAnswer answer;
  answer.fixed_bytes = 32;
  std::vector<wire::FileStreamEntry> list;
  if (data.unnamed) {
    list.push_back({data.unnamed_bytes, data.unnamed_allocation_bytes, u"::$DATA"});
  }
  for (const ports::StreamFacts& stream : data.streams) {
    const auto name = wire::utf16_of(stream.name);
    if (!name) continue;
    list.push_back({stream.size_bytes, stream.allocation_bytes, u":" + *name + u":$DATA"});
  }
  if (list.empty()) answer.fixed_bytes = 0;
  if (room_bytes < answer.fixed_bytes) return answer;
  const std::size_t written = wire::encode_streams(list, room_bytes, answer.data);
  if (written < list.size()) answer.status = NtStatus::BufferOverflow;
  return answer;
}

/// [MS-FSA] 2.1.5.12.14 FileFullEaInformation
Result<InfoAnswer> full_eas(const std::vector<ports::ExtendedAttribute>& stored,
                            const wire::QueryInfoRequest& query) {
  std::vector<wire::FileFullEaEntry> list;
  if (!query.input_buffer.empty()) {
    const auto names = wire::decode_get_ea_list(query.input_buffer);
    if (!names) return fail(wire::status_of(names.error()));
    for (const std::string& name : *names) {
      const auto ea = std::ranges::find_if(
          stored, [&](const auto& each) { return ascii::equal_without_case(each.name, name); });
      // A name that is not there is answered with an empty value.
      if (ea == stored.end()) {
        list.push_back({0, name, {}});
      } else {
        list.push_back({ea->flags, ea->name, ea->value});
      }
    }
  } else {
    for (const auto& ea : stored) list.push_back({ea.flags, ea.name, ea.value});
  }
  if (list.empty()) return fail(NtStatus::NoEasOnFile);
  if (query.flags & wire::query_info_flags::kReturnSingleEntry) list.resize(1);
  InfoAnswer answer;
  const std::size_t written =
      wire::encode_full_ea_list(list, query.output_buffer_length, answer.data);
  if (written == 0) return fail(NtStatus::BufferTooSmall);
  if (written < list.size()) answer.status = NtStatus::BufferOverflow;
  return answer;
}

std::uint32_t access_needed(Class c) noexcept {
  switch (c) {
    case Class::FileBasicInformation:
    case Class::FileAllInformation:
    case Class::FileNetworkOpenInformation:
    case Class::FileAttributeTagInformation:
    case Class::FilePipeInformation:
    case Class::FilePipeLocalInformation:
    case Class::FilePipeRemoteInformation:
      return wire::access::kReadAttributes;
    case Class::FileFullEaInformation:
      return wire::access::kReadEa;
    default:
      return 0;
  }
}

/// For what query_file does not answer.
/// Spec    [MS-SMB2] 3.3.5.20.1: NotSupported for classes of [MS-FSCC] 2.4 that SMB2 does not list,
///         InvalidInfoClass for what [MS-FSCC] does not know or does not let query
NtStatus refusal_of(Class c) noexcept {
  switch (c) {
    case Class::FileNameInformation:
    case Class::FileHardLinkInformation:
    case Class::FileObjectIdInformation:
    case Class::FileQuotaInformation:
    case Class::FileReparsePointInformation:
    case Class::FileSfioReserveInformation:
    case Class::FileStandardLinkInformation:
    case Class::FileMailslotQueryInformation:
      return NtStatus::NotSupported;
    case Class::FilePipeInformation:
    case Class::FilePipeLocalInformation:
    case Class::FilePipeRemoteInformation:
      return NtStatus::InvalidParameter;
    default:
      return NtStatus::InvalidInfoClass;
  }
}

template <class T>
InfoAnswer fixed(const T& info, std::size_t fixed_bytes) {
  return {wire::encoded(info), fixed_bytes};
}

Result<InfoAnswer> answer_of(Class c, const View& view) {
  switch (c) {
    case Class::FileBasicInformation:
      return fixed(basic_of(view), 40);
    case Class::FileStandardInformation:
      return fixed(standard_of(view), 24);
    case Class::FileInternalInformation:
      return fixed(wire::FileInternalInformation{view.facts.key.inode}, 8);
    case Class::FileEaInformation:
      return fixed(wire::FileEaInformation{view.facts.ea_size_bytes}, 4);
    case Class::FileAccessInformation:
      return fixed(wire::FileAccessInformation{view.open.granted_access}, 4);
    case Class::FilePositionInformation:
      return fixed(wire::FilePositionInformation{view.open.position}, 8);
    case Class::FileModeInformation:
      return fixed(wire::FileModeInformation{view.open.mode}, 4);
    case Class::FileAlignmentInformation:
      return fixed(wire::FileAlignmentInformation{}, 4);
    case Class::FileAllInformation:
      return fixed(all_of(view), 104);
    case Class::FileNormalizedNameInformation:
      if (view.dialect < 0x0311) return fail(NtStatus::NotSupported);
      return fixed(wire::FileNameInformation{wire_path(view.path)}, 8);
    case Class::FileAlternateNameInformation:
      return alternate_name(view);
    case Class::FileCompressionInformation:
      return fixed(compression_of(view), 16);
    case Class::FileNetworkOpenInformation:
      return fixed(network_open_of(view), 56);
    case Class::FileAttributeTagInformation:
      return fixed(wire::FileAttributeTagInformation{view.facts.attributes, view.facts.reparse_tag},
                   8);
    case Class::FileIdInformation:
      if (view.dialect < 0x0300) return fail(NtStatus::NotSupported);
      return fixed(id_of(view), 24);
    default:
      return fail(refusal_of(c));
  }
}

}  // namespace

Status may_query_file(const FileOpen& target, const wire::QueryInfoRequest& query) {
  const std::uint32_t needed = access_needed(static_cast<Class>(query.file_info_class));
  if (needed && !target.allows(needed)) return fail(NtStatus::AccessDenied);
  return {};
}

Result<FileData> read_file_data(ports::BackendFile& file, ports::BackendFile* base,
                                std::uint8_t file_info_class) {
  FileData data;
  if (static_cast<Class>(file_info_class) == Class::FileFullEaInformation) {
    auto eas = file.eas();
    if (!eas) return fail(eas.error());
    data.eas = std::move(*eas);
    return data;
  }
  auto facts = file.facts();
  if (!facts) return fail(facts.error());
  data.facts = *facts;
  if (static_cast<Class>(file_info_class) == Class::FileStreamInformation) {
    auto streams = file.streams();
    if (!streams) return fail(streams.error());
    data.streams = std::move(*streams);
    const auto main = base != nullptr ? base->facts() : facts;
    if (!main) return fail(main.error());
    data.unnamed = main->type == ports::FileType::File;
    data.unnamed_bytes = main->size_bytes;
    data.unnamed_allocation_bytes = main->allocation_bytes;
  }
  return data;
}

Result<InfoAnswer> query_file(Request& request, const FileOpen& target, const FileData& data,
                              const wire::QueryInfoRequest& query) {
  const auto c = static_cast<Class>(query.file_info_class);
  if (c == Class::FileFullEaInformation) return full_eas(data.eas, query);
  if (c == Class::FileStreamInformation) return streams(data, query.output_buffer_length);
  const std::string& path = refresh_path(*target.open);
  const OpenState& state = target.state();
  const bool delete_pending = state.open_file && state.open_file->delete_pending;
  ports::FileFacts facts = data.facts;
  request.server.open_files().show_times(facts, request.server.clock().wall());
  if (c == Class::FilePosixInformation && speaks_posix(request)) {
    wire::DirectoryEntry entry;
    entry.creation_time = facts.created;
    entry.last_access_time = facts.accessed;
    entry.last_write_time = facts.written;
    entry.change_time = facts.changed;
    if (!target.open->directory) {
      entry.end_of_file = facts.size_bytes;
      entry.allocation_size = facts.allocation_bytes;
    }
    entry.file_attributes = facts.attributes;
    entry.file_id = facts.key.inode;
    InfoAnswer answer;
    wire::encode_posix_information(entry, posix_facts_of(facts), answer.data);
    answer.fixed_bytes = answer.data.size();
    return answer;
  }
  const View view{*target.open, facts, path, delete_pending, request.session->dialect};
  return answer_of(c, view);
}

Result<InfoAnswer> query_pipe(session::Open& open, const wire::QueryInfoRequest& query) {
  constexpr std::uint32_t kDuplex = 2;
  constexpr std::uint32_t kConnected = 3;
  constexpr std::uint32_t kServerEnd = 1;
  constexpr std::uint32_t kQuotaBytes = 4096;
  const Pipe& pipe = *state_of(open).pipe;
  switch (static_cast<Class>(query.file_info_class)) {
    case Class::FileStandardInformation: {
      // As Windows says it of its pipes: one page, to be deleted with the last handle.
      wire::FileStandardInformation info;
      info.allocation_size = kQuotaBytes;
      info.delete_pending = 1;
      return fixed(info, 24);
    }
    case Class::FileBasicInformation: {
      wire::FileBasicInformation info;
      info.file_attributes = wire::file_attribute::kNormal;
      return fixed(info, 40);
    }
    case Class::FilePipeInformation:
      return fixed(wire::FilePipeInformation{1, 0}, 8);
    case Class::FilePipeLocalInformation: {
      wire::FilePipeLocalInformation info;
      info.named_pipe_type = 1;  // messages
      info.named_pipe_configuration = kDuplex;
      info.maximum_instances = 0xFFFFFFFF;
      info.current_instances = 1;
      info.inbound_quota = info.outbound_quota = info.write_quota_available = kQuotaBytes;
      info.read_data_available = static_cast<std::uint32_t>(pipe.data_bytes());
      info.named_pipe_state = kConnected;
      info.named_pipe_end = kServerEnd;
      return fixed(info, 40);
    }
    case Class::FileAccessInformation:
      return fixed(wire::FileAccessInformation{open.granted_access}, 4);
    default:
      return fail(NtStatus::NotSupported);
  }
}

}  // namespace flotilla::handlers
