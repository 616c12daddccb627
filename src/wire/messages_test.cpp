// Properties of every SMB2 struct, and the shapes that golden messages do not show.
#include <gtest/gtest.h>

#include "wire/testing/test_vectors.hpp"

namespace flotilla::wire {
namespace {

using test::whole;

/// A fuzz seed that differs from byte to byte.
Bytes seed_of(std::uint64_t n) {
  Bytes seed;
  for (std::uint64_t i = 0; i < 400; ++i) {
    seed.push_back(static_cast<std::uint8_t>(mix64(n * 1000 + i)));
  }
  return seed;
}

template <class T>
void expect_round_trips() {
  for (std::uint64_t n = 0; n < 64; ++n) {
    const Bytes seed = seed_of(n);
    const T value = generate<T>(seed);
    const Bytes bytes = whole(value);
    ASSERT_EQ(encoded_size(value), bytes.size() - kBytesInFront<T>);
    const Wire<T> got = decode<T>(bytes);
    ASSERT_TRUE(got) << print(value) << ": " << got.error().what << " " << got.error().offset;
    ASSERT_EQ(print(*got), print(value));
    ASSERT_EQ(whole(*got), bytes) << print(value);
  }
}
template <class T>
void expect_hostile_bytes_are_refused() {
  for (std::uint64_t n = 0; n < 4; ++n) {
    const Bytes seed = seed_of(n);
    const Bytes bytes = whole(generate<T>(seed));
    test::expect_prefixes_are_safe<T>(bytes);
    test::expect_wild_words_are_safe<T>(bytes);
  }
}

TEST(WireMessages, GeneratedValuesComeBackEqual) {
  for_each_type(MessageTypes{}, []<class T>(std::type_identity<T>) { expect_round_trips<T>(); });
  for_each_type(PayloadTypes{}, []<class T>(std::type_identity<T>) { expect_round_trips<T>(); });
}
TEST(WireMessages, TruncatedAtEachByteAndWithWildWordsIsRefusedCleanly) {
  const auto check = []<class T>(std::type_identity<T>) { expect_hostile_bytes_are_refused<T>(); };
  for_each_type(MessageTypes{}, check);
  for_each_type(PayloadTypes{}, check);
}
TEST(WireFscc, GeneratedValuesComeBackEqual) {
  for_each_type(FsccTypes{}, []<class T>(std::type_identity<T>) { expect_round_trips<T>(); });
}
TEST(WireFscc, TruncatedAtEachByteAndWithWildWordsIsRefusedCleanly) {
  for_each_type(FsccTypes{},
                []<class T>(std::type_identity<T>) { expect_hostile_bytes_are_refused<T>(); });
}
TEST(WireRpc, GeneratedValuesComeBackEqual) {
  for_each_type(RpcTypes{}, []<class T>(std::type_identity<T>) { expect_round_trips<T>(); });
}
TEST(WireRpc, TruncatedAtEachByteAndWithWildWordsIsRefusedCleanly) {
  for_each_type(RpcTypes{},
                []<class T>(std::type_identity<T>) { expect_hostile_bytes_are_refused<T>(); });
}

template <class T>
WireFault fault_after(Bytes bytes, std::size_t at, std::uint32_t value) {
  store_le(bytes.data() + at, value);
  const Wire<T> got = decode<T>(bytes);
  EXPECT_FALSE(got);
  return got ? WireFault{} : got.error().fault;
}

TEST(WireMessages, WriteWhoseDataPassesTheMessageIsLengthOutOfRange) {
  WriteRequest request;
  const Bytes data(8, 0xAB);
  request.data = data;
  EXPECT_EQ(whole(request).size(), WriteRequest::kDataOffset + 8);
  EXPECT_EQ(fault_after<WriteRequest>(whole(request), 64 + 4, 9), WireFault::LengthOutOfRange);
  EXPECT_EQ(fault_after<WriteRequest>(whole(request), 64 + 4, 0xFFFFFFFF),
            WireFault::LengthOutOfRange);
  EXPECT_EQ(fault_after<WriteRequest>(whole(request), 64, 0x00400031), WireFault::OffsetOutOfRange)
      << "data inside the fixed part";
  EXPECT_EQ(fault_after<WriteRequest>(whole(request), 64, 0xFFFF0031), WireFault::OffsetOutOfRange);
}

TEST(WireMessages, StructureSizeOfAnotherMessageIsRefused) {
  Bytes bytes = whole(CloseRequest{});
  bytes[64] = 25;
  const Wire<CloseRequest> got = decode<CloseRequest>(bytes);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error(), (WireError{WireFault::StructureSize, 64, "structure_size"}));
  EXPECT_EQ(status_of(got.error()), NtStatus::InvalidParameter);
}

TEST(WireMessages, NameOfAnOddNumberOfBytesIsObjectNameInvalid) {
  CreateRequest request;
  request.name = u"abc";
  Bytes bytes = whole(request);
  store_le(bytes.data() + 64 + 46, std::uint16_t{5});
  const Wire<CreateRequest> got = decode<CreateRequest>(bytes);
  ASSERT_FALSE(got);
  EXPECT_EQ(status_of(got.error()), NtStatus::ObjectNameInvalid);
}

TEST(WireMessages, CreateContextsKeepOrderAndAlignment) {
  CreateContextList list;
  list.add(LeaseContextV2{.lease_key = {{1, 2, 3}}, .lease_state = 7, .epoch = 9});
  list.add(QueryMaximalAccessRequest{});
  list.add(AppInstanceIdContext{.app_instance_id = {{4}}});
  CreateRequest request;
  request.name = u"a";
  request.create_contexts = list.list();
  const Bytes bytes = whole(request);
  const Wire<CreateRequest> got = decode<CreateRequest>(bytes);
  ASSERT_TRUE(got);
  ASSERT_EQ(got->create_contexts.size(), 3U);
  const CreateContext* lease = find_context(got->create_contexts, create_tag::kRqLs);
  ASSERT_NE(lease, nullptr);
  ASSERT_EQ(lease->data.size(), LeaseContextV2::kSize);
  EXPECT_EQ(decode<LeaseContextV2>(lease->data)->epoch, 9);
  EXPECT_TRUE(find_context(got->create_contexts, create_tag::kMxAc)->data.empty());
  EXPECT_EQ(find_context(got->create_contexts, create_tag::kAppInstanceId)->data.size(), 20U);
  EXPECT_EQ(find_context(got->create_contexts, create_tag::kDH2Q), nullptr);
  for (const CreateContext& context : got->create_contexts) {
    EXPECT_EQ((context.name.data() - bytes.data()) % 8, 0);
  }
}

TEST(WireMessages, CreateContextChainThatDoesNotMoveOnIsChainBroken) {
  CreateContextList list;
  list.add(QueryMaximalAccessRequest{});
  list.add(QueryMaximalAccessRequest{});
  CreateRequest request;
  request.create_contexts = list.list();
  const Bytes bytes = whole(request);
  const std::size_t chain = load_le<std::uint32_t>(bytes.data() + 64 + 48);
  EXPECT_EQ(fault_after<CreateRequest>(bytes, chain, 4), WireFault::ChainBroken);
  EXPECT_EQ(fault_after<CreateRequest>(bytes, chain, 0xFFFFFFF8), WireFault::ChainBroken);
}

TEST(WireMessages, NegotiateContextsExistOnlyWhereDialectsHave311) {
  NegotiateRequest request;
  request.dialects = {Dialect::Smb202, Dialect::Smb302};
  const Bytes data = encoded(EncryptionCapabilities{{Cipher::Aes128Gcm, Cipher::Aes128Ccm}});
  request.negotiate_contexts = {{NegotiateContextType::EncryptionCapabilities, data}};
  EXPECT_TRUE(decode<NegotiateRequest>(whole(request))->negotiate_contexts.empty());
  request.dialects.push_back(Dialect::Smb311);
  const Bytes bytes = whole(request);
  const Wire<NegotiateRequest> got = decode<NegotiateRequest>(bytes);
  ASSERT_TRUE(got);
  const NegotiateContext* context =
      find_context(got->negotiate_contexts, NegotiateContextType::EncryptionCapabilities);
  ASSERT_NE(context, nullptr);
  EXPECT_EQ(decode<EncryptionCapabilities>(context->data)->ciphers[0], Cipher::Aes128Gcm);
}

TEST(WireMessages, TreeConnectExtensionCarriesContexts) {
  const Bytes data = {1, 2, 3};
  TreeConnectRequest request;
  request.flags = tree_connect_flags::kExtensionPresent;
  request.path = u"\\\\pool\\data";
  request.tree_connect_contexts = {{1, data}, {0, {}}};
  const Bytes bytes = whole(request);
  const Wire<TreeConnectRequest> got = decode<TreeConnectRequest>(bytes);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->path, request.path);
  ASSERT_EQ(got->tree_connect_contexts.size(), 2U);
  EXPECT_EQ(got->tree_connect_contexts[0].data.size(), 3U);
}

TEST(WireMessages, ReadResponseHeadAgreesWithTheCodec) {
  const Bytes data = {9, 8, 7};
  ReadResponse response;
  response.data = data;
  const Bytes bytes = whole(response);
  std::array<std::uint8_t, ReadResponse::kFixedSize> head{};
  encode_read_response_at(head, 3);
  EXPECT_TRUE(std::equal(head.begin(), head.end(), bytes.begin() + 64));
  EXPECT_EQ(bytes[ReadResponse::kDataOffset], 9);
}

TEST(WireMessages, ErrorWithoutDataIsNineBytesLong) {
  EXPECT_EQ(encoded_size(ErrorResponse{}), 9U);
  EXPECT_EQ(whole(ErrorResponse{}).size(), 73U);
}

TEST(WireMessages, SymlinkErrorInsideAnErrorContextOf311) {
  SymbolicLinkErrorResponse link;
  link.unparsed_path_length = 8;
  link.flags = 1;
  link.substitute_name = u"..\\target";
  link.print_name = u"..\\target";
  const Bytes link_bytes = encoded(link);
  EXPECT_EQ(load_le<std::uint32_t>(link_bytes.data()), link_bytes.size() - 4) << "SymLinkLength";
  Bytes contexts;
  encode_error_contexts({{ErrorContext::kDefault, link_bytes}}, contexts);
  ErrorResponse error{1, contexts};
  const Bytes bytes = whole(error);
  const Wire<ErrorResponse> got = decode<ErrorResponse>(bytes);
  ASSERT_TRUE(got);
  const auto list = decode_error_contexts(got->error_data, got->error_context_count);
  ASSERT_TRUE(list);
  const auto back = decode<SymbolicLinkErrorResponse>(list->at(0).error_context_data);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->substitute_name, link.substitute_name);
  EXPECT_EQ(back->print_name, link.print_name);
}

TEST(WireMessages, OplockBreakKindFollowsStructureSize) {
  EXPECT_EQ(*break_kind_of(whole(OplockBreak{})), BreakKind::Oplock);
  EXPECT_EQ(*break_kind_of(whole(LeaseBreak{})), BreakKind::Lease);
  EXPECT_FALSE(break_kind_of(whole(LeaseBreakNotification{})));
  EXPECT_FALSE(break_kind_of(Bytes(65)));
}

TEST(WireMessages, NetworkInterfacesAreChainedBy152Bytes) {
  NetworkInterfaceInfo v4;
  v4.if_index = 2;
  v4.link_speed = 10'000'000'000;
  v4.address = {10, 77, 0, 1};
  NetworkInterfaceInfo v6 = v4;
  v6.family = NetworkInterfaceInfo::kInterNetworkV6;
  v6.address = {0xFE, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7};
  v6.scope_id = 3;
  Bytes bytes;
  encode_network_interfaces({v4, v6}, bytes);
  EXPECT_EQ(bytes.size(), 304U);
  const auto got = decode_network_interfaces(bytes);
  ASSERT_TRUE(got);
  EXPECT_EQ(*got, (std::vector{v4, v6}));
}

}  // namespace
}  // namespace flotilla::wire
