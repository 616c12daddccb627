#include "wire/query_directory.hpp"

#include "wire/error_response.hpp"
#include "wire/fields.hpp"
#include "wire/ioctl.hpp"

namespace flotilla::wire {

template <>
struct Fields<QueryDirectoryRequest> : PaddedMessageLayout {
  static void visit(auto& v, auto& s) {
    Slot pattern;
    v.struct_size(33);
    v.field("file_information_class", s.file_information_class);
    v.field("flags", s.flags);
    v.field("file_index", s.file_index);
    v.field("file_id", s.file_id);
    v.offset16(pattern);
    v.length16(pattern);
    v.field("output_buffer_length", s.output_buffer_length);
    v.data("search_pattern", pattern, s.search_pattern);
  }
};

template <class T>
struct OutputBufferOnly : MessageLayout {
  static void visit(auto& v, auto& s) {
    Slot buffer;
    v.struct_size(9);
    v.offset16(buffer);
    v.length32(buffer);
    v.data("output_buffer", buffer, s.output_buffer);
  }
};
template <>
struct Fields<QueryDirectoryResponse> : OutputBufferOnly<QueryDirectoryResponse> {};
template <>
struct Fields<ChangeNotifyResponse> : OutputBufferOnly<ChangeNotifyResponse> {};
template <>
struct Fields<QueryInfoResponse> : OutputBufferOnly<QueryInfoResponse> {};

template <>
struct Fields<ChangeNotifyRequest> : PaddedMessageLayout {
  static void visit(auto& v, auto& s) {
    v.struct_size(32);
    v.field("flags", s.flags);
    v.field("output_buffer_length", s.output_buffer_length);
    v.field("file_id", s.file_id);
    v.field("completion_filter", s.completion_filter);
    v.reserved(4);
  }
};

template <>
struct Fields<QueryInfoRequest> : PaddedMessageLayout {
  static void visit(auto& v, auto& s) {
    Slot input;
    v.struct_size(41);
    v.field("info_type", s.info_type);
    v.field("file_info_class", s.file_info_class);
    v.field("output_buffer_length", s.output_buffer_length);
    v.offset16(input);
    v.reserved(2);
    v.length32(input);
    v.field("additional_information", s.additional_information);
    v.field("flags", s.flags);
    v.field("file_id", s.file_id);
    v.data("input_buffer", input, s.input_buffer, 8, WhenEmpty::Zero);
  }
};

template <>
struct Fields<SetInfoRequest> : PaddedMessageLayout {
  static void visit(auto& v, auto& s) {
    Slot buffer;
    v.struct_size(33);
    v.field("info_type", s.info_type);
    v.field("file_info_class", s.file_info_class);
    v.length32(buffer);
    v.offset16(buffer);
    v.reserved(2);
    v.field("additional_information", s.additional_information);
    v.field("file_id", s.file_id);
    v.data("buffer", buffer, s.buffer);
  }
};

template <>
struct Fields<SetInfoResponse> : MessageLayout {
  static void visit(auto& v, auto&) { v.struct_size(2); }
};

template <>
struct Fields<IoctlRequest> : PaddedMessageLayout {
  static void visit(auto& v, auto& s) {
    Slot input;
    Slot output;
    v.struct_size(57);
    v.reserved(2);
    v.field("ctl_code", s.ctl_code);
    v.field("file_id", s.file_id);
    v.offset32(input);
    v.length32(input);
    v.field("max_input_response", s.max_input_response);
    v.offset32(output);
    v.length32(output);
    v.field("max_output_response", s.max_output_response);
    v.field("flags", s.flags);
    v.reserved(4);
    v.data("input", input, s.input, 8);
    v.data("output", output, s.output, 8, WhenEmpty::Zero);
  }
};

template <>
struct Fields<IoctlResponse> : MessageLayout {
  static void visit(auto& v, auto& s) {
    Slot input;
    Slot output;
    v.struct_size(49);
    v.reserved(2);
    v.field("ctl_code", s.ctl_code);
    v.field("file_id", s.file_id);
    v.offset32(input);
    v.length32(input);
    v.offset32(output);
    v.length32(output);
    v.field("flags", s.flags);
    v.reserved(4);
    v.data("input", input, s.input, 8);
    v.data("output", output, s.output, 8);
  }
};

template <>
struct Fields<ErrorResponse> : PaddedMessageLayout {
  static void visit(auto& v, auto& s) {
    Slot data;
    v.struct_size(9);
    v.field("error_context_count", s.error_context_count);
    v.reserved(1);
    v.length32(data);
    v.tail("error_data", data, s.error_data);
  }
};

template <>
struct Fields<ErrorContext> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    Slot data;
    v.length32(data);
    v.field("error_id", s.error_id);
    v.tail("error_context_data", data, s.error_context_data);
  }
};

template <>
struct Fields<SymbolicLinkErrorResponse> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    const std::size_t names = 2 * (s.substitute_name.size() + s.print_name.size());
    Slot substitute;
    Slot print;
    v.computed32(24 + names);  // SymLinkLength
    v.magic("symlink_error_tag", 0x4C4D5953);
    v.magic("reparse_tag", reparse_tag::kSymlink);
    v.computed16(12 + names);  // ReparseDataLength
    v.field("unparsed_path_length", s.unparsed_path_length);
    v.offset16(substitute);
    v.length16(substitute);
    v.offset16(print);
    v.length16(print);
    v.field("flags", s.flags);
    v.rebase();
    v.data("substitute_name", substitute, s.substitute_name);
    v.data("print_name", print, s.print_name);
  }
};

template <>
struct Fields<BufferTooSmallErrorData> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.field("required_buffer_length", s.required_buffer_length);
  }
};

FLOTILLA_WIRE_INSTANTIATE(QueryDirectoryRequest);
FLOTILLA_WIRE_INSTANTIATE(QueryDirectoryResponse);
FLOTILLA_WIRE_INSTANTIATE(ChangeNotifyRequest);
FLOTILLA_WIRE_INSTANTIATE(ChangeNotifyResponse);
FLOTILLA_WIRE_INSTANTIATE(QueryInfoRequest);
FLOTILLA_WIRE_INSTANTIATE(QueryInfoResponse);
FLOTILLA_WIRE_INSTANTIATE(SetInfoRequest);
FLOTILLA_WIRE_INSTANTIATE(SetInfoResponse);
FLOTILLA_WIRE_INSTANTIATE(IoctlRequest);
FLOTILLA_WIRE_INSTANTIATE(IoctlResponse);
FLOTILLA_WIRE_INSTANTIATE(ErrorResponse);
FLOTILLA_WIRE_INSTANTIATE(SymbolicLinkErrorResponse);
FLOTILLA_WIRE_INSTANTIATE(BufferTooSmallErrorData);

void encode_error_contexts(const std::vector<ErrorContext>& contexts, Bytes& out) {
  BytesSink sink(out);
  Encoder<BytesSink> e(sink, out.size());
  Slot count;
  e.elements("error_contexts", count, contexts, 8, 8);
}

Wire<std::vector<ErrorContext>> decode_error_contexts(ByteView bytes, std::size_t count) {
  Decoder d(bytes, 0);
  std::vector<ErrorContext> contexts;
  Slot slot;
  slot.length = count;
  d.elements("error_contexts", slot, contexts, 8, 8);
  if (d.error()) return std::unexpected(*d.error());
  return contexts;
}

}  // namespace flotilla::wire
