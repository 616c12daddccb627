#include "wire/posix.hpp"

#include "wire/fields.hpp"

namespace flotilla::wire {

template <>
struct Fields<PosixCreateRequest> : PayloadLayout {
  static void visit(auto& v, auto& s) { v.field("mode", s.mode); }
};

template <>
struct Fields<PosixFsInformation> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.field("optimal_transfer_size", s.optimal_transfer_size);
    v.field("block_size", s.block_size);
    v.field("total_blocks", s.total_blocks);
    v.field("free_blocks", s.free_blocks);
    v.field("available_blocks", s.available_blocks);
    v.field("total_inodes", s.total_inodes);
    v.field("free_inodes", s.free_inodes);
    v.field("file_system_id", s.file_system_id);
  }
};

FLOTILLA_WIRE_INSTANTIATE(PosixCreateRequest);
FLOTILLA_WIRE_INSTANTIATE(PosixFsInformation);

void encode_posix_created(const PosixFacts& facts, Bytes& out) {
  ByteWriter writer(out);
  writer.u32(facts.hard_links);
  writer.u32(facts.reparse_tag);
  writer.u32(facts.mode);
  facts.owner.encode(out);
  facts.group.encode(out);
}

void encode_posix_information(const DirectoryEntry& facts, const PosixFacts& posix, Bytes& out) {
  ByteWriter writer(out);
  for (const NtTime time :
       {facts.creation_time, facts.last_access_time, facts.last_write_time, facts.change_time}) {
    writer.u64(time.ticks);
  }
  writer.u64(facts.end_of_file);
  writer.u64(facts.allocation_size);
  writer.u32(facts.file_attributes);
  writer.u64(facts.file_id);
  writer.u32(posix.device);
  writer.u32(0);
  encode_posix_created(posix, out);
}

}  // namespace flotilla::wire
