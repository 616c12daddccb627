#include "wire/fscc_file.hpp"

#include "wire/fields.hpp"

namespace flotilla::wire {

template <>
struct Fields<FileBasicInformation> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.field("creation_time", s.creation_time);
    v.field("last_access_time", s.last_access_time);
    v.field("last_write_time", s.last_write_time);
    v.field("change_time", s.change_time);
    v.field("file_attributes", s.file_attributes);
    v.reserved(4);
  }
};
template <>
struct Fields<FileStandardInformation> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.field("allocation_size", s.allocation_size);
    v.field("end_of_file", s.end_of_file);
    v.field("number_of_links", s.number_of_links);
    v.field("delete_pending", s.delete_pending);
    v.field("directory", s.directory);
    v.reserved(2);
  }
};
template <>
struct Fields<FileInternalInformation> : PayloadLayout {
  static void visit(auto& v, auto& s) { v.field("index_number", s.index_number); }
};
template <>
struct Fields<FileEaInformation> : PayloadLayout {
  static void visit(auto& v, auto& s) { v.field("ea_size", s.ea_size); }
};
template <>
struct Fields<FileAccessInformation> : PayloadLayout {
  static void visit(auto& v, auto& s) { v.field("access_flags", s.access_flags); }
};
template <>
struct Fields<FilePositionInformation> : PayloadLayout {
  static void visit(auto& v, auto& s) { v.field("current_byte_offset", s.current_byte_offset); }
};
template <>
struct Fields<FileModeInformation> : PayloadLayout {
  static void visit(auto& v, auto& s) { v.field("mode", s.mode); }
};
template <>
struct Fields<FileAlignmentInformation> : PayloadLayout {
  static void visit(auto& v, auto& s) { v.field("alignment_requirement", s.alignment_requirement); }
};
template <>
struct Fields<FileNameInformation> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    Slot name;
    v.length32(name);
    v.tail("file_name", name, s.file_name);
  }
};
template <>
struct Fields<FileAllInformation> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.nested("basic", s.basic);
    v.nested("standard", s.standard);
    v.nested("internal", s.internal);
    v.nested("ea", s.ea);
    v.nested("access", s.access);
    v.nested("position", s.position);
    v.nested("mode", s.mode);
    v.nested("alignment", s.alignment);
    v.nested("name", s.name);
  }
};
template <>
struct Fields<FileCompressionInformation> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.field("compressed_file_size", s.compressed_file_size);
    v.field("compression_format", s.compression_format);
    v.field("compression_unit_shift", s.compression_unit_shift);
    v.field("chunk_shift", s.chunk_shift);
    v.field("cluster_shift", s.cluster_shift);
    v.reserved(3);
  }
};
template <>
struct Fields<FileNetworkOpenInformation> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.field("creation_time", s.creation_time);
    v.field("last_access_time", s.last_access_time);
    v.field("last_write_time", s.last_write_time);
    v.field("change_time", s.change_time);
    v.field("allocation_size", s.allocation_size);
    v.field("end_of_file", s.end_of_file);
    v.field("file_attributes", s.file_attributes);
    v.reserved(4);
  }
};
template <>
struct Fields<FileAttributeTagInformation> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.field("file_attributes", s.file_attributes);
    v.field("reparse_tag", s.reparse_tag);
  }
};
template <>
struct Fields<FileIdInformation> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.field("volume_serial_number", s.volume_serial_number);
    v.field("file_id", s.file_id);
  }
};
template <>
struct Fields<FileRenameInformation> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    Slot name;
    v.field("replace_if_exists", s.replace_if_exists);
    v.reserved(7);
    v.field("root_directory", s.root_directory);
    v.length32(name);
    v.tail("file_name", name, s.file_name);
  }
};
template <>
struct Fields<FileRenameInformationEx> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    Slot name;
    v.field("flags", s.flags);
    v.reserved(4);
    v.field("root_directory", s.root_directory);
    v.length32(name);
    v.tail("file_name", name, s.file_name);
  }
};
template <>
struct Fields<FileDispositionInformation> : PayloadLayout {
  static void visit(auto& v, auto& s) { v.field("delete_pending", s.delete_pending); }
};
template <>
struct Fields<FileDispositionInformationEx> : PayloadLayout {
  static void visit(auto& v, auto& s) { v.field("flags", s.flags); }
};
template <>
struct Fields<FileEndOfFileInformation> : PayloadLayout {
  static void visit(auto& v, auto& s) { v.field("end_of_file", s.end_of_file); }
};
template <>
struct Fields<FileAllocationInformation> : PayloadLayout {
  static void visit(auto& v, auto& s) { v.field("allocation_size", s.allocation_size); }
};
template <>
struct Fields<FileValidDataLengthInformation> : PayloadLayout {
  static void visit(auto& v, auto& s) { v.field("valid_data_length", s.valid_data_length); }
};
template <>
struct Fields<FilePipeInformation> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.field("read_mode", s.read_mode);
    v.field("completion_mode", s.completion_mode);
  }
};
template <>
struct Fields<FilePipeLocalInformation> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.field("named_pipe_type", s.named_pipe_type);
    v.field("named_pipe_configuration", s.named_pipe_configuration);
    v.field("maximum_instances", s.maximum_instances);
    v.field("current_instances", s.current_instances);
    v.field("inbound_quota", s.inbound_quota);
    v.field("read_data_available", s.read_data_available);
    v.field("outbound_quota", s.outbound_quota);
    v.field("write_quota_available", s.write_quota_available);
    v.field("named_pipe_state", s.named_pipe_state);
    v.field("named_pipe_end", s.named_pipe_end);
  }
};

FLOTILLA_WIRE_INSTANTIATE(FileBasicInformation);
FLOTILLA_WIRE_INSTANTIATE(FileStandardInformation);
FLOTILLA_WIRE_INSTANTIATE(FileInternalInformation);
FLOTILLA_WIRE_INSTANTIATE(FileEaInformation);
FLOTILLA_WIRE_INSTANTIATE(FileAccessInformation);
FLOTILLA_WIRE_INSTANTIATE(FilePositionInformation);
FLOTILLA_WIRE_INSTANTIATE(FileModeInformation);
FLOTILLA_WIRE_INSTANTIATE(FileAlignmentInformation);
FLOTILLA_WIRE_INSTANTIATE(FileNameInformation);
FLOTILLA_WIRE_INSTANTIATE(FileAllInformation);
FLOTILLA_WIRE_INSTANTIATE(FileCompressionInformation);
FLOTILLA_WIRE_INSTANTIATE(FileNetworkOpenInformation);
FLOTILLA_WIRE_INSTANTIATE(FileAttributeTagInformation);
FLOTILLA_WIRE_INSTANTIATE(FileIdInformation);
FLOTILLA_WIRE_INSTANTIATE(FileRenameInformation);
FLOTILLA_WIRE_INSTANTIATE(FileRenameInformationEx);
FLOTILLA_WIRE_INSTANTIATE(FileDispositionInformation);
FLOTILLA_WIRE_INSTANTIATE(FileDispositionInformationEx);
FLOTILLA_WIRE_INSTANTIATE(FileEndOfFileInformation);
FLOTILLA_WIRE_INSTANTIATE(FileAllocationInformation);
FLOTILLA_WIRE_INSTANTIATE(FileValidDataLengthInformation);
FLOTILLA_WIRE_INSTANTIATE(FilePipeInformation);
FLOTILLA_WIRE_INSTANTIATE(FilePipeLocalInformation);

}  // namespace flotilla::wire
