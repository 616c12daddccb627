#include "wire/read_write.hpp"

#include "wire/fields.hpp"
#include "wire/oplock_break.hpp"
#include "wire/smb2_header.hpp"

namespace flotilla::wire {

template <>
struct Fields<ReadRequest> : PaddedMessageLayout {
  static void visit(auto& v, auto& s) {
    v.struct_size(49);
    v.field("padding", s.padding);
    v.field("flags", s.flags);
    v.field("length", s.length);
    v.field("offset", s.offset);
    v.field("file_id", s.file_id);
    v.field("minimum_count", s.minimum_count);
    v.field("channel", s.channel);
    v.field("remaining_bytes", s.remaining_bytes);
    v.reserved(4);  // ReadChannelInfoOffset, ReadChannelInfoLength: for RDMA
  }
};

template <>
struct Fields<ReadResponse> : MessageLayout {
  static void visit(auto& v, auto& s) {
    Slot data;
    v.struct_size(17);
    v.offset8(data);
    v.reserved(1);
    v.length32(data);
    v.field("data_remaining", s.data_remaining);
    v.field("flags", s.flags);
    v.data("data", data, s.data);
  }
};

template <>
struct Fields<WriteRequest> : PaddedMessageLayout {
  static void visit(auto& v, auto& s) {
    Slot data;
    v.struct_size(49);
    v.offset16(data);
    v.length32(data);
    v.field("offset", s.offset);
    v.field("file_id", s.file_id);
    v.field("channel", s.channel);
    v.field("remaining_bytes", s.remaining_bytes);
    v.reserved(4);  // WriteChannelInfoOffset, WriteChannelInfoLength: for RDMA
    v.field("flags", s.flags);
    v.data("data", data, s.data, 8);
  }
};

template <>
struct Fields<WriteResponse> : MessageLayout {
  static void visit(auto& v, auto& s) {
    v.struct_size(17);
    v.reserved(2);
    v.field("count", s.count);
    v.field("remaining", s.remaining);
    v.reserved(4);  // WriteChannelInfoOffset, WriteChannelInfoLength
  }
};

template <>
struct Fields<LockElement> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.field("offset", s.offset);
    v.field("length", s.length);
    v.field("flags", s.flags);
    v.reserved(4);
  }
};

template <>
struct Fields<LockRequest> : PaddedMessageLayout {
  static void visit(auto& v, auto& s) {
    Slot locks;
    v.struct_size(48);
    v.length16(locks);
    v.field("lock_sequence", s.lock_sequence);
    v.field("file_id", s.file_id);
    v.elements("locks", locks, s.locks, 24);
  }
};

template <>
struct Fields<LockResponse> : MessageLayout {
  static void visit(auto& v, auto&) {
    v.struct_size(4);
    v.reserved(2);
  }
};

template <>
struct Fields<OplockBreak> : MessageLayout {
  static void visit(auto& v, auto& s) {
    v.struct_size(24);
    v.field("oplock_level", s.oplock_level);
    v.reserved(5);
    v.field("file_id", s.file_id);
  }
};

template <>
struct Fields<LeaseBreakNotification> : MessageLayout {
  static void visit(auto& v, auto& s) {
    v.struct_size(44);
    v.field("new_epoch", s.new_epoch);
    v.field("flags", s.flags);
    v.field("lease_key", s.lease_key);
    v.field("current_lease_state", s.current_lease_state);
    v.field("new_lease_state", s.new_lease_state);
    v.reserved(12);  // BreakReason, AccessMaskHint, ShareMaskHint
  }
};

template <>
struct Fields<LeaseBreak> : MessageLayout {
  static void visit(auto& v, auto& s) {
    v.struct_size(36);
    v.reserved(2);
    v.field("flags", s.flags);
    v.field("lease_key", s.lease_key);
    v.field("lease_state", s.lease_state);
    v.reserved(8);  // LeaseDuration
  }
};

FLOTILLA_WIRE_INSTANTIATE(ReadRequest);
FLOTILLA_WIRE_INSTANTIATE(ReadResponse);
FLOTILLA_WIRE_INSTANTIATE(WriteRequest);
FLOTILLA_WIRE_INSTANTIATE(WriteResponse);
FLOTILLA_WIRE_INSTANTIATE(LockRequest);
FLOTILLA_WIRE_INSTANTIATE(LockResponse);
FLOTILLA_WIRE_INSTANTIATE(OplockBreak);
FLOTILLA_WIRE_INSTANTIATE(LeaseBreakNotification);
FLOTILLA_WIRE_INSTANTIATE(LeaseBreak);

void encode_read_response_at(std::span<std::uint8_t, ReadResponse::kFixedSize> out,
                             std::uint32_t data_length, std::uint32_t data_remaining) noexcept {
  store_le(out.data(), std::uint16_t{17});
  out[2] = static_cast<std::uint8_t>(ReadResponse::kDataOffset);
  out[3] = 0;
  store_le(out.data() + 4, data_length);
  store_le(out.data() + 8, data_remaining);
  store_le(out.data() + 12, std::uint32_t{0});
}

Wire<BreakKind> break_kind_of(ByteView message) noexcept {
  if (message.size() < kSmb2HeaderSize + 2) {
    return std::unexpected(WireError{WireFault::Truncated, message.size(), "structure_size"});
  }
  switch (load_le<std::uint16_t>(message.data() + kSmb2HeaderSize)) {
    case 24:
      return BreakKind::Oplock;
    case 36:
      return BreakKind::Lease;
    default:
      return std::unexpected(
          WireError{WireFault::StructureSize, kSmb2HeaderSize, "structure_size"});
  }
}

}  // namespace flotilla::wire
