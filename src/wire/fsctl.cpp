#include "wire/fsctl.hpp"

#include "wire/fields.hpp"

namespace flotilla::wire {

template <>
struct Fields<ValidateNegotiateInfoRequest> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    Slot dialects;
    v.field("capabilities", s.capabilities);
    v.field("guid", s.guid);
    v.field("security_mode", s.security_mode);
    v.length16(dialects);
    v.scalars("dialects", dialects, s.dialects);
  }
};
template <>
struct Fields<ValidateNegotiateInfoResponse> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.field("capabilities", s.capabilities);
    v.field("guid", s.guid);
    v.field("security_mode", s.security_mode);
    v.field("dialect", s.dialect);
  }
};
template <>
struct Fields<NetworkInterfaceInfo> : PayloadLayout {  // behind its Next field
  static constexpr std::size_t kAlignment = 8;
  static constexpr std::size_t kCountMax = 1024;
  static void visit(auto& v, auto& s) {
    v.field("if_index", s.if_index);
    v.field("capability", s.capability);
    v.reserved(4);
    v.field("link_speed", s.link_speed);
    v.field("family", s.family);
    v.field("port", s.port);
    if (s.family == NetworkInterfaceInfo::kInterNetworkV6) {
      v.reserved(4);  // FlowInfo
      v.field("address", s.address);
      v.field("scope_id", s.scope_id);
      v.reserved(100);
    } else {
      v.part("address", s.address, 4);
      v.reserved(120);
    }
  }
};
template <>
struct Fields<SrvCopychunk> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.field("source_offset", s.source_offset);
    v.field("target_offset", s.target_offset);
    v.field("length", s.length);
    v.reserved(4);
  }
};
template <>
struct Fields<SrvCopychunkCopy> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    Slot chunks;
    v.field("source_key", s.source_key);
    v.length32(chunks);
    v.reserved(4);
    v.elements("chunks", chunks, s.chunks, 24);
  }
};
template <>
struct Fields<SrvCopychunkResponse> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.field("chunks_written", s.chunks_written);
    v.field("chunk_bytes_written", s.chunk_bytes_written);
    v.field("total_bytes_written", s.total_bytes_written);
  }
};
template <>
struct Fields<SrvRequestResumeKeyResponse> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.field("resume_key", s.resume_key);
    v.reserved(8);  // ContextLength, Context
  }
};
template <>
struct Fields<SrvSnapshotArray> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    Slot snapshots;
    v.field("number_of_snapshots", s.number_of_snapshots);
    v.field("number_of_snapshots_returned", s.number_of_snapshots_returned);
    v.length32(snapshots);
    v.tail("snapshots", snapshots, s.snapshots);
  }
};
template <>
struct Fields<NetworkResiliencyRequest> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.field("timeout_ms", s.timeout_ms);
    v.reserved(4);
  }
};
template <>
struct Fields<PipeWaitRequest> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    Slot name;
    v.field("timeout", s.timeout);
    v.length32(name);
    v.field("timeout_specified", s.timeout_specified);
    v.reserved(1);
    v.tail("name", name, s.name);
  }
};
template <>
struct Fields<ReparseDataBuffer> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    Slot data;
    v.field("reparse_tag", s.reparse_tag);
    v.length16(data);
    v.reserved(2);
    v.tail("data", data, s.data);
  }
};
template <>
struct Fields<SymbolicLinkReparseDataBuffer> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    Slot substitute;
    Slot print;
    v.field("reparse_tag", s.reparse_tag);
    v.computed16(12 + 2 * (s.substitute_name.size() + s.print_name.size()));
    v.reserved(2);
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
struct Fields<FileZeroDataInformation> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.field("file_offset", s.file_offset);
    v.field("beyond_final_zero", s.beyond_final_zero);
  }
};
template <>
struct Fields<FileAllocatedRange> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.field("file_offset", s.file_offset);
    v.field("length", s.length);
  }
};
template <>
struct Fields<FileSetSparseBuffer> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    if (v.present(true)) v.field("set_sparse", s.set_sparse);
  }
};
template <>
struct Fields<CompressionFormat> : PayloadLayout {
  static void visit(auto& v, auto& s) { v.field("compression_format", s.compression_format); }
};
template <>
struct Fields<DuplicateExtentsData> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.field("source_file_id", s.source_file_id);
    v.field("source_file_offset", s.source_file_offset);
    v.field("target_file_offset", s.target_file_offset);
    v.field("byte_count", s.byte_count);
  }
};
template <>
struct Fields<FileObjectIdBuffer> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.field("object_id", s.object_id);
    v.field("birth_volume_id", s.birth_volume_id);
    v.field("birth_object_id", s.birth_object_id);
    v.field("domain_id", s.domain_id);
  }
};
template <>
struct Fields<FileLevelTrim> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    Slot ranges;
    v.field("key", s.key);
    v.length32(ranges);
    v.elements("ranges", ranges, s.ranges, 16);
  }
};
template <>
struct Fields<OffloadReadInput> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.field("size", s.size);
    v.field("flags", s.flags);
    v.field("token_time_to_live_ms", s.token_time_to_live_ms);
    v.reserved(4);
    v.field("file_offset", s.file_offset);
    v.field("copy_length", s.copy_length);
  }
};
template <>
struct Fields<OffloadReadOutput> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.field("size", s.size);
    v.field("flags", s.flags);
    v.field("transfer_length", s.transfer_length);
    v.field("token", s.token);
  }
};
template <>
struct Fields<OffloadWriteInput> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.field("size", s.size);
    v.field("flags", s.flags);
    v.field("file_offset", s.file_offset);
    v.field("copy_length", s.copy_length);
    v.field("transfer_offset", s.transfer_offset);
    v.field("token", s.token);
  }
};
template <>
struct Fields<OffloadWriteOutput> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.field("size", s.size);
    v.field("flags", s.flags);
    v.field("length_written", s.length_written);
  }
};
template <>
struct Fields<DfsReferralRequest> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.field("max_referral_level", s.max_referral_level);
    v.rest("request_file_name", s.request_file_name);
  }
};

FLOTILLA_WIRE_INSTANTIATE(ValidateNegotiateInfoRequest);
FLOTILLA_WIRE_INSTANTIATE(ValidateNegotiateInfoResponse);
FLOTILLA_WIRE_INSTANTIATE(SrvCopychunkCopy);
FLOTILLA_WIRE_INSTANTIATE(SrvCopychunkResponse);
FLOTILLA_WIRE_INSTANTIATE(SrvRequestResumeKeyResponse);
FLOTILLA_WIRE_INSTANTIATE(SrvSnapshotArray);
FLOTILLA_WIRE_INSTANTIATE(NetworkResiliencyRequest);
FLOTILLA_WIRE_INSTANTIATE(PipeWaitRequest);
FLOTILLA_WIRE_INSTANTIATE(ReparseDataBuffer);
FLOTILLA_WIRE_INSTANTIATE(SymbolicLinkReparseDataBuffer);
FLOTILLA_WIRE_INSTANTIATE(FileZeroDataInformation);
FLOTILLA_WIRE_INSTANTIATE(FileAllocatedRange);
FLOTILLA_WIRE_INSTANTIATE(FileSetSparseBuffer);
FLOTILLA_WIRE_INSTANTIATE(CompressionFormat);
FLOTILLA_WIRE_INSTANTIATE(DuplicateExtentsData);
FLOTILLA_WIRE_INSTANTIATE(FileObjectIdBuffer);
FLOTILLA_WIRE_INSTANTIATE(FileLevelTrim);
FLOTILLA_WIRE_INSTANTIATE(OffloadReadInput);
FLOTILLA_WIRE_INSTANTIATE(OffloadReadOutput);
FLOTILLA_WIRE_INSTANTIATE(OffloadWriteInput);
FLOTILLA_WIRE_INSTANTIATE(OffloadWriteOutput);
FLOTILLA_WIRE_INSTANTIATE(DfsReferralRequest);

void encode_network_interfaces(const std::vector<NetworkInterfaceInfo>& list, Bytes& out) {
  BytesSink sink(out);
  Encoder<BytesSink>::write_chain(sink, list);
}
Wire<std::vector<NetworkInterfaceInfo>> decode_network_interfaces(ByteView bytes) {
  std::vector<NetworkInterfaceInfo> list;
  if (auto error = Decoder::read_chain(bytes, list)) return std::unexpected(*error);
  return list;
}

}  // namespace flotilla::wire
