// DCE/RPC PDUs and NDR, against PDUs of Samba 4.17.
#include <gtest/gtest.h>

#include "wire/ndr.hpp"
#include "wire/testing/test_vectors.hpp"

namespace flotilla::wire {
namespace {

const std::vector<test::Vector>& vectors() {
  static const auto kAll = test::load_vectors("rpc_samba_4.17.txt");
  return kAll;
}

template <class T>
void expect_same_bytes(const test::Vector& v) {
  const auto header = RpcHeader::decode(v.bytes);
  ASSERT_TRUE(header);
  ASSERT_EQ(header->frag_length, v.bytes.size());
  const auto body = rpc_body(*header, v.bytes);
  ASSERT_TRUE(body);
  const auto got = decode<T>(*body);
  ASSERT_TRUE(got) << v.name << ": " << got.error().what;
  Bytes again;
  encode_rpc_pdu(*header, *got, again);
  EXPECT_EQ(again, v.bytes) << v.name << " " << print(*got);
}

TEST(WireRpc, PdusOfSambaComeBackAsTheSameBytes) {
  for (const test::Vector& v : vectors()) {
    const auto header = RpcHeader::decode(v.bytes);
    ASSERT_TRUE(header) << v.name;
    switch (header->ptype) {
      case RpcPacketType::Bind:
        expect_same_bytes<RpcBind>(v);
        break;
      case RpcPacketType::BindAck:
        expect_same_bytes<RpcBindAck>(v);
        break;
      case RpcPacketType::Request:
        expect_same_bytes<RpcRequest>(v);
        break;
      case RpcPacketType::Response:
        expect_same_bytes<RpcResponse>(v);
        break;
      default:
        ADD_FAILURE() << v.name;
    }
  }
}

TEST(WireRpc, UuidTextIsInWireOrder) {
  const Uuid uuid = uuid_of("8a885d04-1ceb-11c9-9fe8-08002b104860");
  EXPECT_EQ(uuid[0], 0x04);
  EXPECT_EQ(uuid[15], 0x60);
  EXPECT_EQ(to_string(uuid), "8a885d04-1ceb-11c9-9fe8-08002b104860");
  EXPECT_EQ(uuid_of("8a885d04"), Uuid{});
  EXPECT_TRUE(is_bind_time_features({uuid_of("6cb71c2c-9812-4540-0300-000000000000"), 1, 0}));
  EXPECT_FALSE(is_bind_time_features(ndr20_syntax()));
}

TEST(WireRpc, LengthsThatDoNotFitAreRefused) {
  Bytes pdu;
  encode_rpc_fault(1, 0, rpc_fault::kOpRangeError, pdu);
  auto header = RpcHeader::decode(pdu);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->frag_length, 32);
  for (std::size_t n = 0; n < pdu.size(); ++n) {
    EXPECT_FALSE(rpc_body(*header, ByteView(pdu).first(n)));
  }
  store_le(pdu.data() + 10, std::uint16_t{20});  // auth_length: no room for it
  EXPECT_EQ(RpcHeader::decode(pdu).error().fault, WireFault::LengthOutOfRange);
  pdu[4] = 0;  // big-endian
  EXPECT_EQ(RpcHeader::decode(pdu).error().fault, WireFault::BadValue);
}

TEST(WireRpc, LongStubIsCutIntoFragments) {
  const Bytes stub(10000, 0x5A);
  Bytes out;
  encode_rpc_response(7, 1, stub, 4280, out);
  std::size_t total = 0;
  int count = 0;
  for (std::size_t at = 0; at < out.size(); ++count) {
    const auto header = RpcHeader::decode(ByteView(out).subspan(at));
    ASSERT_TRUE(header);
    EXPECT_LE(header->frag_length, 4280);
    EXPECT_EQ((header->pfc_flags & rpc_flags::kFirstFrag) != 0, at == 0);
    const auto body = rpc_body(*header, ByteView(out).subspan(at));
    total += decode<RpcResponse>(*body)->stub.size();
    at += header->frag_length;
    EXPECT_EQ((header->pfc_flags & rpc_flags::kLastFrag) != 0, at == out.size());
  }
  EXPECT_EQ(total, stub.size());
  EXPECT_EQ(count, 3);
}

struct ShareInfo1 {
  std::optional<std::u16string> netname;
  std::uint32_t type = 0;
  std::optional<std::u16string> remark;
  static void ndr(auto& v, auto& s) {
    v(s.netname);
    v(s.type);
    v(s.remark);
  }
};
struct ShareContainer {
  std::uint32_t entries_read = 0;
  NdrUnique<std::vector<ShareInfo1>> buffer;
  static void ndr(auto& v, auto& s) {
    v(s.entries_read);
    v(s.buffer);
  }
};
struct ShareEnum {
  std::uint32_t level = 1;
  std::uint32_t level_again = 1;
  NdrUnique<ShareContainer> info;
  static void ndr(auto& v, auto& s) {
    v(s.level);
    v(s.level_again);
    v(s.info);
  }
};

/// Referent ids are any numbers that are not 0; Samba and we count from 0x00020000.
Bytes without_referents(ByteView stub) {
  Bytes out(stub.begin(), stub.end());
  for (std::size_t at = 0; at + 4 <= out.size(); at += 4) {
    if (load_le<std::uint16_t>(out.data() + at + 2) == 2) {
      store_le(out.data() + at, std::uint32_t{0x00020000});
    }
  }
  return out;
}

TEST(WireNdr, NetShareEnumAllOfSambaDecodesAndComesBackAsTheSameBytes) {
  int found = 0;
  for (const test::Vector& v : vectors()) {
    const auto header = RpcHeader::decode(v.bytes);
    if (header->ptype != RpcPacketType::Response) continue;
    const auto response = decode<RpcResponse>(*rpc_body(*header, v.bytes));
    NdrReader reader(response->stub);
    const auto list = reader.take<ShareEnum>();
    if (!reader.ok() || !list.info || !list.info->buffer || list.level != 1 ||
        list.level_again != 1 || list.info->buffer->size() != 2) {
      continue;
    }
    const auto total = reader.take<std::uint32_t>();
    const auto resume = reader.take<NdrUnique<std::uint32_t>>();
    const auto status = reader.take<std::uint32_t>();
    ASSERT_TRUE(reader.ok());
    EXPECT_EQ(reader.remaining(), 0U);
    EXPECT_EQ(total, 2U);
    EXPECT_EQ(status, 0U);
    EXPECT_EQ(list.info->buffer->at(0).netname, u"data");
    EXPECT_EQ(list.info->buffer->at(1).netname, u"ipc$");
    EXPECT_EQ(list.info->buffer->at(1).type, 0x80000003U);
    Bytes again;
    NdrWriter writer(again);
    writer(list);
    writer(total);
    writer(resume);
    writer(status);
    EXPECT_EQ(without_referents(again), without_referents(response->stub));
    ++found;
    for (std::size_t n = 0; n < response->stub.size(); ++n) {
      const Bytes prefix(response->stub.begin(), response->stub.begin() + static_cast<long>(n));
      NdrReader cut(prefix);
      (void)cut.take<ShareEnum>();
      (void)cut.take<std::uint32_t>();
      (void)cut.take<NdrUnique<std::uint32_t>>();
      (void)cut.take<std::uint32_t>();
      EXPECT_FALSE(cut.ok()) << n;
    }
  }
  EXPECT_GE(found, 1);
}

TEST(WireNdr, ArrayCountBeyondTheStubIsRefusedWithoutAllocation) {
  Bytes stub;
  ByteWriter w(stub);
  w.u32(0xFFFFFFFF);
  NdrReader reader(stub);
  EXPECT_TRUE(reader.take<std::vector<std::uint32_t>>().empty());
  EXPECT_EQ(reader.error().fault, WireFault::CountOutOfRange);
}

TEST(WireNdr, StringWithWildCountsIsRefused) {
  for (const auto& counts :
       {std::array<std::uint32_t, 3>{4, 0, 5}, {4, 1, 4}, {0xFFFFFFFF, 0, 0xFFFFFFFF}}) {
    Bytes stub;
    ByteWriter w(stub);
    for (const std::uint32_t n : counts) w.u32(n);
    w.zeros(8);
    NdrReader reader(stub);
    EXPECT_TRUE(reader.take<std::u16string>().empty());
    EXPECT_FALSE(reader.ok());
  }
}

struct Node {
  NdrUnique<std::uint32_t> a;
  NdrUnique<std::uint32_t> b;
  static void ndr(auto& v, auto& s) {
    v(s.a);
    v(s.b);
  }
};
struct Pair {
  NdrUnique<Node> first;
  NdrUnique<Node> second;
  static void ndr(auto& v, auto& s) {
    v(s.first);
    v(s.second);
  }
};

TEST(WireNdr, PointeesFollowDepthFirst) {
  Pair pair;
  pair.first = Node{1, 2};
  pair.second = Node{3, std::nullopt};
  Bytes out;
  NdrWriter writer(out);
  writer(pair);
  ByteReader r(out);
  r.skip(8);  // the two referents
  r.skip(8);  // first's two referents
  EXPECT_EQ(r.u32(), 1U);
  EXPECT_EQ(r.u32(), 2U);
  r.skip(4);
  EXPECT_EQ(r.u32(), 0U);
  EXPECT_EQ(r.u32(), 3U);
  EXPECT_EQ(r.remaining(), 0U);
  NdrReader reader(out);
  const Pair back = reader.take<Pair>();
  EXPECT_EQ(back.first->b, 2U);
  EXPECT_EQ(back.second->a, 3U);
  EXPECT_FALSE(back.second->b);
}

}  // namespace
}  // namespace flotilla::wire
