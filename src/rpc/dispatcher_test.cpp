// DCE/RPC over one pipe, and srvsvc and wkssvc on it. The requests are those of Samba 4.17's
// rpcclient (wire/testdata/rpc_samba_4.17.txt).
#include "rpc/dispatcher.hpp"

#include <gtest/gtest.h>

#include "rpc/srvsvc_types.hpp"
#include "rpc/win_error.hpp"
#include "wire/testing/test_vectors.hpp"

namespace flotilla::rpc {
namespace {

using wire::RpcHeader;
using wire::RpcPacketType;

class FixedClock final : public ports::Clock {
 public:
  [[nodiscard]] MonoTime mono() const noexcept override { return MonoTime{5'000'000'000}; }
  [[nodiscard]] NtTime wall() const noexcept override { return nt_time_of(1'700'000'000, 0); }
};

class RpcPipe : public ::testing::Test {
 protected:
  RpcPipe() {
    config_.server_name = "GOLDEN";
    config_.shares.push_back({.name = "data", .path = "/srv/data", .comment = "files"});
    config_.shares.push_back({.name = "secret$", .path = "/srv/secret"});
    config_.shares.push_back({.name = "unlisted", .path = "/srv/unlisted", .hidden = true});
    open("srvsvc");
  }
  void open(std::string_view name) {
    PipeContext context;
    context.config = &config_;
    context.clock = &clock_;
    auto server = open_pipe_server(name, std::move(context),
                                   [this](Bytes pdu) { replies_.push_back(std::move(pdu)); });
    ASSERT_TRUE(server);
    server_ = std::move(*server);
  }
  void feed(ByteView bytes) { EXPECT_TRUE(server_->receive(bytes)); }

  static Bytes bind_pdu(const wire::RpcSyntaxId& interface, const wire::RpcSyntaxId& transfer,
                        std::uint16_t max_recv = 4280, RpcPacketType type = RpcPacketType::Bind,
                        std::uint16_t context = 0) {
    wire::RpcBind bind;
    bind.max_recv_frag = max_recv;
    bind.contexts.push_back({context, interface, {transfer}});
    RpcHeader header;
    header.ptype = type;
    header.call_id = 1;
    Bytes pdu;
    wire::encode_rpc_pdu(header, bind, pdu);
    return pdu;
  }
  void bind(std::uint16_t max_recv = 4280) {
    feed(bind_pdu(srvsvc_interface().syntax(), wire::ndr20_syntax(), max_recv));
    ASSERT_EQ(type_of_last(), RpcPacketType::BindAck);
    replies_.clear();
  }
  static Bytes request_pdu(std::uint16_t opnum, ByteView stub, std::uint8_t flags = 3,
                           std::uint16_t context = 0) {
    RpcHeader header;
    header.ptype = RpcPacketType::Request;
    header.pfc_flags = flags;
    header.call_id = 7;
    wire::RpcRequest request;
    request.context_id = context;
    request.opnum = opnum;
    request.stub = stub;
    Bytes pdu;
    wire::encode_rpc_pdu(header, request, pdu);
    return pdu;
  }
  RpcPacketType type_of_last() { return RpcHeader::decode(replies_.back())->ptype; }
  std::uint32_t fault_of_last() {
    const auto header = RpcHeader::decode(replies_.back());
    EXPECT_EQ(header->ptype, RpcPacketType::Fault);
    return wire::decode<wire::RpcFault>(*wire::rpc_body(*header, replies_.back()))->status;
  }
  wire::RpcBindContextResult bind_result() {
    const auto header = RpcHeader::decode(replies_.back());
    return wire::decode<wire::RpcBindAck>(*wire::rpc_body(*header, replies_.back()))->results.at(0);
  }
  /// The stub of all response fragments.
  Bytes stub() {
    Bytes all;
    for (const Bytes& pdu : replies_) {
      const auto header = RpcHeader::decode(pdu);
      EXPECT_EQ(header->ptype, RpcPacketType::Response);
      const auto body = wire::rpc_body(*header, pdu);
      const auto response = wire::decode<wire::RpcResponse>(*body);
      all.insert(all.end(), response->stub.begin(), response->stub.end());
    }
    return all;
  }
  struct EnumAnswer {
    srvsvc::ShareEnum info;
    std::uint32_t total = 0;
    std::optional<std::uint32_t> resume;
    WinError result{};
  };
  EnumAnswer share_enum(std::uint32_t level, std::uint32_t max, std::uint32_t resume) {
    Bytes in;
    wire::NdrWriter out(in);
    out(std::optional<std::u16string>());
    srvsvc::ShareEnum ask;
    ask.level = ask.union_level = level;
    out(ask);
    out(max);
    out(std::optional(resume));
    replies_.clear();
    feed(request_pdu(15, in));
    EnumAnswer answer;
    const Bytes bytes = stub();
    wire::NdrReader reader(bytes);
    reader(answer.info);
    reader(answer.total);
    reader(answer.resume);
    reader(answer.result);
    EXPECT_TRUE(reader.ok());
    EXPECT_EQ(reader.remaining(), 0U);
    return answer;
  }
  template <class T>
  std::pair<T, WinError> call(std::uint16_t opnum, ByteView in) {
    replies_.clear();
    feed(request_pdu(opnum, in));
    const Bytes bytes = stub();
    wire::NdrReader reader(bytes);
    T info;
    WinError result{};
    reader(info);
    reader(result);
    EXPECT_TRUE(reader.ok());
    return {info, result};
  }
  static Bytes name_and_level(std::u16string_view name, std::uint32_t level) {
    Bytes in;
    wire::NdrWriter out(in);
    out(std::optional<std::u16string>());
    if (!name.empty()) out(std::u16string(name));
    out(level);
    return in;
  }

  ports::ServerConfig config_;
  FixedClock clock_;
  std::unique_ptr<PipeServer> server_;
  std::vector<Bytes> replies_;
};

TEST_F(RpcPipe, UnknownPipeIsObjectNameNotFound) {
  PipeContext context;
  const auto server = open_pipe_server("netlogon", context, [](Bytes) {});
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error(), NtStatus::ObjectNameNotFound);
  EXPECT_TRUE(pipe_exists("SRVSVC"));
}

TEST_F(RpcPipe, RpcclientsBindIsAcceptedWithItsPipeAsSecondaryAddress) {
  const auto vectors = wire::test::load_vectors("rpc_samba_4.17.txt");
  feed(wire::test::find_vector(vectors, "Bind").bytes);
  ASSERT_EQ(replies_.size(), 1U);
  const auto header = RpcHeader::decode(replies_[0]);
  ASSERT_EQ(header->ptype, RpcPacketType::BindAck);
  const auto ack = wire::decode<wire::RpcBindAck>(*wire::rpc_body(*header, replies_[0]));
  EXPECT_EQ(ack->secondary_address, "\\PIPE\\srvsvc");
  EXPECT_NE(ack->assoc_group_id, 0U);
  EXPECT_EQ(ack->results.at(0).result, wire::RpcBindResult::Acceptance);
  EXPECT_EQ(ack->results.at(0).transfer_syntax, wire::ndr20_syntax());
}

TEST_F(RpcPipe, RpcclientsRequestsAreAllAnsweredWithAResponse) {
  const auto vectors = wire::test::load_vectors("rpc_samba_4.17.txt");
  bind();
  int answered = 0;
  for (const auto& vector : vectors) {
    const auto header = RpcHeader::decode(vector.bytes);
    if (!vector.name.starts_with("Request.")) continue;
    const std::string opnum = vector.name.substr(8);
    if (opnum == "0") continue;  // wkssvc
    replies_.clear();
    feed(vector.bytes);
    ASSERT_EQ(replies_.size(), 1U) << vector.name;
    EXPECT_EQ(type_of_last(), RpcPacketType::Response) << vector.name;
    EXPECT_EQ(RpcHeader::decode(replies_[0])->call_id, header->call_id);
    ++answered;
  }
  EXPECT_GE(answered, 8);
}

TEST_F(RpcPipe, ABindToAnUnknownInterfaceIsAProviderRejection) {
  feed(bind_pdu({wire::uuid_of("12345778-1234-abcd-ef00-0123456789ab"), 0, 0},
                wire::ndr20_syntax()));
  EXPECT_EQ(bind_result().result, wire::RpcBindResult::ProviderRejection);
  EXPECT_EQ(bind_result().reason,
            static_cast<std::uint16_t>(wire::RpcBindReason::AbstractSyntaxNotSupported));
}

TEST_F(RpcPipe, Ndr64AloneIsAProviderRejectionOfTheTransferSyntax) {
  feed(bind_pdu(srvsvc_interface().syntax(), wire::ndr64_syntax()));
  EXPECT_EQ(bind_result().result, wire::RpcBindResult::ProviderRejection);
  EXPECT_EQ(bind_result().reason,
            static_cast<std::uint16_t>(wire::RpcBindReason::ProposedTransferSyntaxesNotSupported));
}

TEST_F(RpcPipe, BindTimeFeaturesAreAcknowledged) {
  feed(bind_pdu(srvsvc_interface().syntax(),
                {wire::uuid_of("6cb71c2c-9812-4540-0300-000000000000"), 1, 0}));
  EXPECT_EQ(bind_result().result, wire::RpcBindResult::NegotiateAck);
  EXPECT_EQ(bind_result().reason, 2);
}

TEST_F(RpcPipe, AlterContextAddsAContext) {
  bind();
  feed(bind_pdu(srvsvc_interface().syntax(), wire::ndr20_syntax(), 4280,
                RpcPacketType::AlterContext, 9));
  EXPECT_EQ(type_of_last(), RpcPacketType::AlterContextResponse);
  replies_.clear();
  feed(request_pdu(21, name_and_level({}, 100), 3, 9));
  EXPECT_EQ(type_of_last(), RpcPacketType::Response);
}

TEST_F(RpcPipe, ASecondBindEndsThePipe) {
  bind();
  feed(bind_pdu(srvsvc_interface().syntax(), wire::ndr20_syntax()));
  EXPECT_EQ(type_of_last(), RpcPacketType::BindNak);
  const Bytes more = request_pdu(21, name_and_level({}, 100));
  EXPECT_EQ(server_->receive(more).error(), NtStatus::PipeDisconnected);
}

TEST_F(RpcPipe, AnUnknownOperationIsTheFaultOpRangeError) {
  bind();
  feed(request_pdu(200, {}));
  EXPECT_EQ(fault_of_last(), wire::rpc_fault::kOpRangeError);
}

TEST_F(RpcPipe, AnUnknownContextIsTheFaultUnknownInterface) {
  bind();
  feed(request_pdu(15, {}, 3, 5));
  EXPECT_EQ(fault_of_last(), wire::rpc_fault::kUnknownInterface);
}

TEST_F(RpcPipe, AStubThatEndsEarlyIsTheFaultBadStubData) {
  bind();
  const Bytes in = name_and_level(u"data", 1);
  feed(request_pdu(16, ByteView(in).first(in.size() - 6)));
  EXPECT_EQ(fault_of_last(), wire::rpc_fault::kBadStubData);
}

TEST_F(RpcPipe, ARequestBeforeABindEndsThePipe) {
  feed(request_pdu(21, {}));
  EXPECT_EQ(fault_of_last(), wire::rpc_fault::kProtocolError);
  EXPECT_FALSE(server_->receive(Bytes(1)));
}

TEST_F(RpcPipe, BytesThatAreNoRpcEndThePipeWithoutAnAnswer) {
  feed(Bytes(64, 0x41));
  EXPECT_TRUE(replies_.empty());
  EXPECT_FALSE(server_->receive(Bytes(1)));
}

TEST_F(RpcPipe, PdusMayComeByteByByte) {
  bind();
  for (const std::uint8_t byte : request_pdu(21, name_and_level({}, 100))) {
    EXPECT_TRUE(replies_.empty());
    feed(ByteView(&byte, 1));
  }
  EXPECT_EQ(type_of_last(), RpcPacketType::Response);
}

TEST_F(RpcPipe, ARequestInTwoFragmentsIsOneCall) {
  bind();
  const Bytes in = name_and_level(u"data", 1);
  feed(request_pdu(16, ByteView(in).first(8), wire::rpc_flags::kFirstFrag));
  EXPECT_TRUE(replies_.empty());
  feed(request_pdu(16, ByteView(in).subspan(8), wire::rpc_flags::kLastFrag));
  EXPECT_EQ(type_of_last(), RpcPacketType::Response);
}

TEST_F(RpcPipe, AMiddleFragmentWithoutAFirstOneIsAProtocolError) {
  bind();
  feed(request_pdu(16, {}, wire::rpc_flags::kLastFrag));
  EXPECT_EQ(fault_of_last(), wire::rpc_fault::kProtocolError);
}

TEST_F(RpcPipe, ALongAnswerComesInFragmentsOfTheClientsSize) {
  for (int i = 0; i < 200; ++i) {
    config_.shares.push_back({.name = "share" + std::to_string(i), .path = "/srv"});
  }
  bind(2048);
  const EnumAnswer answer = share_enum(1, 0xFFFFFFFF, 0);
  EXPECT_EQ(answer.info.level1->buffer->size(), 203U);
  ASSERT_GT(replies_.size(), 1U);
  for (std::size_t i = 0; i < replies_.size(); ++i) {
    const auto header = RpcHeader::decode(replies_[i]);
    EXPECT_LE(replies_[i].size(), 2048U);
    EXPECT_EQ((header->pfc_flags & wire::rpc_flags::kFirstFrag) != 0, i == 0);
    EXPECT_EQ((header->pfc_flags & wire::rpc_flags::kLastFrag) != 0, i + 1 == replies_.size());
  }
}

TEST_F(RpcPipe, NetrShareEnumListsDollarSharesWithTheirFlagAndNotTheUnlisted) {
  bind();
  const EnumAnswer answer = share_enum(1, 0xFFFFFFFF, 0);
  EXPECT_EQ(answer.result, WinError::Success);
  EXPECT_EQ(answer.total, 3U);
  const auto& list = *answer.info.level1->buffer;
  ASSERT_EQ(list.size(), 3U);
  EXPECT_EQ(list[0].netname, u"data");
  EXPECT_EQ(list[0].type, 0U);
  EXPECT_EQ(list[0].remark, u"files");
  EXPECT_EQ(list[1].netname, u"secret$");
  EXPECT_EQ(list[1].type, 0x80000000U);
  EXPECT_EQ(list[2].netname, u"IPC$");
  EXPECT_EQ(list[2].type, 0x80000003U);
}

TEST_F(RpcPipe, NetrShareEnumKnowsEveryLevelThatClientsUse) {
  bind();
  EXPECT_EQ(share_enum(0, 0xFFFFFFFF, 0).info.level0->buffer->size(), 3U);
  EXPECT_EQ(share_enum(2, 0xFFFFFFFF, 0).info.level2->buffer->at(0).path, u"C:\\srv\\data");
  EXPECT_EQ(share_enum(501, 0xFFFFFFFF, 0).info.level501->buffer->size(), 3U);
  EXPECT_EQ(share_enum(502, 0xFFFFFFFF, 0).info.level502->buffer->at(0).two.max_uses, 0xFFFFFFFFU);
  EXPECT_EQ(share_enum(77, 0xFFFFFFFF, 0).result, WinError::InvalidLevel);
}

TEST_F(RpcPipe, NetrShareEnumResumesWhereTheBufferEnded) {
  bind();
  const EnumAnswer first = share_enum(1, 10, 0);
  EXPECT_EQ(first.result, WinError::MoreData);
  EXPECT_EQ(first.info.level1->buffer->size(), 1U);
  EXPECT_EQ(first.resume, 1U);
  const EnumAnswer rest = share_enum(1, 0xFFFFFFFF, *first.resume);
  EXPECT_EQ(rest.result, WinError::Success);
  EXPECT_EQ(rest.info.level1->buffer->size(), 2U);
  EXPECT_EQ(rest.total, 2U);
}

TEST_F(RpcPipe, NetrShareGetInfoFindsWithoutCaseAndTheUnlistedToo) {
  bind();
  const auto [info, result] = call<srvsvc::ShareInfo>(16, name_and_level(u"DATA", 502));
  EXPECT_EQ(result, WinError::Success);
  EXPECT_EQ(info.level502->two.netname, u"data");
  EXPECT_EQ(call<srvsvc::ShareInfo>(16, name_and_level(u"unlisted", 1)).second, WinError::Success);
  const auto missing = call<srvsvc::ShareInfo>(16, name_and_level(u"none", 1));
  EXPECT_EQ(missing.second, WinError::NetNameNotFound);
  EXPECT_FALSE(missing.first.level1);
  EXPECT_EQ(call<srvsvc::ShareInfo>(16, name_and_level(u"data", 9)).second, WinError::InvalidLevel);
}

TEST_F(RpcPipe, NetrServerGetInfoTellsTheServersName) {
  bind();
  const auto [info, result] = call<srvsvc::ServerInfo>(21, name_and_level({}, 101));
  EXPECT_EQ(result, WinError::Success);
  EXPECT_EQ(info.level101->base.name, u"GOLDEN");
  EXPECT_EQ(info.level101->base.platform_id, 500U);
  EXPECT_EQ(call<srvsvc::ServerInfo>(21, name_and_level({}, 102)).first.level102->disc, 15U);
}

TEST_F(RpcPipe, NetrRemoteTodIsTheClocksTimeInUtc) {
  bind();
  Bytes in;
  wire::NdrWriter out(in);
  out(std::optional<std::u16string>());
  const auto [time, result] = call<std::optional<srvsvc::TimeOfDay>>(28, in);
  EXPECT_EQ(result, WinError::Success);
  EXPECT_EQ(time->elapsedt, 1'700'000'000U);  // Tuesday, 14 November 2023, 22:13:20
  EXPECT_EQ(time->year, 2023U);
  EXPECT_EQ(time->month, 11U);
  EXPECT_EQ(time->day, 14U);
  EXPECT_EQ(time->weekday, 2U);
  EXPECT_EQ(time->hours, 22U);
  EXPECT_EQ(time->mins, 13U);
  EXPECT_EQ(time->secs, 20U);
  EXPECT_EQ(time->msecs, 5000U);
}

TEST_F(RpcPipe, SessionsOfOthersAreAccessDenied) {
  bind();
  const auto vectors = wire::test::load_vectors("rpc_samba_4.17.txt");
  feed(wire::test::find_vector(vectors, "Request.12").bytes);
  const Bytes bytes = stub();
  EXPECT_EQ(load_le<std::uint32_t>(bytes.data() + bytes.size() - 4), 5U);
}

TEST_F(RpcPipe, WkssvcTellsTheWorkgroup) {
  open("wkssvc");
  feed(bind_pdu(wkssvc_interface().syntax(), wire::ndr20_syntax()));
  replies_.clear();
  feed(request_pdu(0, name_and_level({}, 100)));
  const Bytes bytes = stub();
  wire::NdrReader in(bytes);
  EXPECT_EQ(in.take<std::uint32_t>(), 100U);
  EXPECT_NE(in.take<std::uint32_t>(), 0U);
  EXPECT_EQ(in.take<std::uint32_t>(), 500U);
  EXPECT_EQ(load_le<std::uint32_t>(bytes.data() + bytes.size() - 4), 0U);
}

}  // namespace
}  // namespace flotilla::rpc
