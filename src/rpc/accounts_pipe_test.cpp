// lsarpc and samr as a client sees them: handles, look-ups, refusals.
#include <gtest/gtest.h>

#include "rpc/access.hpp"
#include "rpc/handles.hpp"
#include "rpc/lsa/types.hpp"
#include "rpc/samr/types.hpp"

namespace flotilla::rpc {
namespace {

using ports::Account;
using ports::SidType;
using wire::NdrContextHandle;
using wire::NdrReader;
using wire::NdrString;

const wire::Sid kDomain{5, {21, 1, 2, 3}};

class TestAccounts final : public ports::Accounts {
 public:
  std::string domain_name() const override { return "HERE"; }
  wire::Sid domain_sid() const override { return kDomain; }
  std::optional<Account> find(std::string_view name) override {
    if (name == "alice" || name == "HERE\\alice") return alice();
    return std::nullopt;
  }
  std::optional<Account> find(const wire::Sid& sid) override {
    if (sid == alice().sid) return alice();
    return std::nullopt;
  }
  std::optional<Account> find_group(std::string_view) override { return std::nullopt; }
  std::vector<Account> users() override { return {alice()}; }
  std::vector<Account> groups() override { return {}; }
  std::vector<Account> aliases() override { return {}; }
  std::vector<Account> builtin_aliases() override { return {}; }
  std::vector<wire::Sid> members_of(const wire::Sid&) override { return {}; }
  std::vector<wire::Sid> aliases_with(const std::vector<wire::Sid>&) override { return {}; }

 private:
  static Account alice() {
    return {
        .name = "alice", .domain = "HERE", .sid = *kDomain.with_rid(1104), .type = SidType::User};
  }
};

class AccountsPipe : public ::testing::Test {
 protected:
  AccountsPipe() {
    context_.config = &config_;
    context_.accounts = &accounts_;
    context_.handles = std::make_shared<HandleTable>();
    log_on(false);
  }
  void log_on(bool anonymous) {
    auto token = std::make_shared<ports::Token>();
    token->user_name = "alice";
    token->domain = "HERE";
    token->anonymous = anonymous;
    context_.caller = token;
  }
  /// The [in] parameters in order.
  template <class... In>
  Bytes call(const Interface& interface, std::uint16_t opnum, const In&... in) {
    const CallResult result = interface.call(context_, opnum, reply(in...));
    fault_ = result ? 0 : result.error();
    return result.value_or(Bytes{});
  }
  static NtStatus last_status(const Bytes& stub) {
    return stub.size() < 4 ? NtStatus::InternalError
                           : NtStatus{load_le<std::uint32_t>(stub.data() + stub.size() - 4)};
  }
  static NdrContextHandle handle_in(const Bytes& stub) {
    NdrReader reader(stub);
    return reader.take<NdrContextHandle>();
  }
  NdrContextHandle open_policy(std::uint32_t access = 0x02000000) {
    return handle_in(
        call(lsarpc_interface(), 44, std::uint32_t{0}, lsa::ObjectAttributes{}, access));
  }
  NdrContextHandle open_domain() {
    const auto server =
        handle_in(call(samr_interface(), 57, std::uint32_t{0}, std::uint32_t{0x02000000}));
    return handle_in(
        call(samr_interface(), 7, server, std::uint32_t{0x02000000}, wire::NdrSid{kDomain}));
  }

  ports::ServerConfig config_;
  TestAccounts accounts_;
  PipeContext context_;
  std::uint32_t fault_ = 0;
};

TEST_F(AccountsPipe, LookupNamesGivesSomeNotMappedWhereOneIsNotKnown) {
  const auto policy = open_policy();
  const std::vector<NdrString> names{NdrString(u"alice"), NdrString(u"nobody-here")};
  const Bytes answer =
      call(lsarpc_interface(), 14, policy, std::uint32_t{2}, names,
           lsa::Counted<lsa::TranslatedSid<1>>{}, std::uint16_t{1}, std::uint32_t{0});
  EXPECT_EQ(last_status(answer), NtStatus::SomeNotMapped);
  NdrReader reader(answer);
  const auto domains = reader.take<wire::NdrUnique<lsa::ReferencedDomains>>();
  const auto sids = reader.take<lsa::Counted<lsa::TranslatedSid<1>>>();
  ASSERT_TRUE(reader.ok());
  ASSERT_EQ(domains->entries, 1U);
  EXPECT_EQ((*domains->domains)[0].name.text(), u"HERE");
  ASSERT_EQ(sids.count, 2U);
  EXPECT_EQ((*sids.items)[0].relative_id, 1104U);
  EXPECT_EQ((*sids.items)[1].domain_index, 0xFFFFFFFFU);
}

TEST_F(AccountsPipe, LookupSidsGivesTheSidAsTextForOneThatIsNotKnown) {
  const auto policy = open_policy();
  lsa::Counted<lsa::SidPointer> sids({lsa::pointer_to(wire::Sid{5, {21, 7, 7, 7, 500}})});
  const Bytes answer =
      call(lsarpc_interface(), 15, policy, sids, lsa::Counted<lsa::TranslatedName<1>>{},
           std::uint16_t{1}, std::uint32_t{0});
  EXPECT_EQ(last_status(answer), NtStatus::NoneMapped);
  NdrReader reader(answer);
  (void)reader.take<wire::NdrUnique<lsa::ReferencedDomains>>();
  const auto names = reader.take<lsa::Counted<lsa::TranslatedName<1>>>();
  EXPECT_EQ((*names.items)[0].name.text(), u"S-1-5-21-7-7-7-500");
}

TEST_F(AccountsPipe, AClosedHandleIsAContextMismatchFault) {
  const auto policy = open_policy();
  EXPECT_EQ(last_status(call(lsarpc_interface(), 0, policy)), NtStatus::Success);
  (void)call(lsarpc_interface(), 0, policy);
  EXPECT_EQ(fault_, wire::rpc_fault::kContextMismatch);
}

TEST_F(AccountsPipe, AHandleOfAnotherKindIsAContextMismatchFault) {
  const auto policy = open_policy();
  (void)call(samr_interface(), 8, policy, std::uint16_t{2});
  EXPECT_EQ(fault_, wire::rpc_fault::kContextMismatch);
}

TEST_F(AccountsPipe, OpeningWithAHandleOfAnotherKindIsInvalidHandle) {
  const auto server =
      handle_in(call(samr_interface(), 57, std::uint32_t{0}, std::uint32_t{0x02000000}));
  for (const int opnum : {19, 27, 34}) {
    const Bytes answer = call(samr_interface(), static_cast<std::uint16_t>(opnum), server,
                              std::uint32_t{0x02000000}, std::uint32_t{1104});
    EXPECT_EQ(last_status(answer), NtStatus::InvalidHandle) << opnum;
    EXPECT_EQ(handle_in(answer), NdrContextHandle{});
  }
  EXPECT_EQ(last_status(call(samr_interface(), 7, open_domain(), std::uint32_t{0x02000000},
                             wire::NdrSid{kDomain})),
            NtStatus::InvalidHandle);
}

class AccountsCallsElsewhere : public AccountsPipe {
 protected:
  AccountsCallsElsewhere() {
    context_.elsewhere = [this](auto work, auto then) {
      errands_.emplace_back(std::move(work), std::move(then));
    };
    auto server = open_pipe_server("lsarpc", context_,
                                   [this](Bytes pdu) { replies_.push_back(std::move(pdu)); });
    if (server) server_ = std::move(*server);
  }
  static Bytes bind_pdu() {
    wire::RpcBind bind;
    bind.max_recv_frag = 4280;
    bind.contexts.push_back({0, lsarpc_interface().syntax(), {wire::ndr20_syntax()}});
    wire::RpcHeader header;
    header.ptype = wire::RpcPacketType::Bind;
    Bytes pdu;
    wire::encode_rpc_pdu(header, bind, pdu);
    return pdu;
  }
  static Bytes open_policy_pdu(std::uint32_t call_id) {
    wire::RpcHeader header;
    header.ptype = wire::RpcPacketType::Request;
    header.pfc_flags = 3;
    header.call_id = call_id;
    wire::RpcRequest request;
    request.opnum = 44;
    const Bytes stub = reply(std::uint32_t{0}, lsa::ObjectAttributes{}, std::uint32_t{0x02000000});
    request.stub = stub;
    Bytes pdu;
    wire::encode_rpc_pdu(header, request, pdu);
    return pdu;
  }
  void carry_out_first() {
    auto [work, then] = std::move(errands_.front());
    errands_.erase(errands_.begin());
    work();
    then();
  }
  std::vector<std::pair<std::move_only_function<void()>, std::move_only_function<void()>>> errands_;
  std::vector<Bytes> replies_;
  std::unique_ptr<PipeServer> server_;
};

TEST_F(AccountsCallsElsewhere, AreOneAtATimeAndAnsweredInOrder) {
  Bytes all = bind_pdu();
  for (const std::uint32_t id : {7U, 8U}) {
    const Bytes pdu = open_policy_pdu(id);
    all.insert(all.end(), pdu.begin(), pdu.end());
  }
  ASSERT_TRUE(server_->receive(all));
  EXPECT_EQ(replies_.size(), 1U);  // the bind's
  for (const std::uint32_t id : {7U, 8U}) {
    ASSERT_EQ(errands_.size(), 1U);
    carry_out_first();
    EXPECT_EQ(wire::RpcHeader::decode(replies_.back())->call_id, id);
  }
  EXPECT_EQ(replies_.size(), 3U);
}

TEST_F(AccountsCallsElsewhere, AreForgottenWhenThePipeGoesMeanwhile) {
  ASSERT_TRUE(server_->receive(bind_pdu()));
  ASSERT_TRUE(server_->receive(open_policy_pdu(7)));
  server_.reset();
  carry_out_first();
  EXPECT_EQ(replies_.size(), 1U);
}

TEST_F(AccountsCallsElsewhere, HoldUpNoMoreThanSoManyBytes) {
  ASSERT_TRUE(server_->receive(bind_pdu()));
  ASSERT_TRUE(server_->receive(open_policy_pdu(7)));
  const Bytes more(1U << 20, 0);
  EXPECT_TRUE(server_->receive(more));
  EXPECT_TRUE(server_->receive(more));
  EXPECT_EQ(server_->receive(more).error(), NtStatus::InsufficientResources);
  carry_out_first();
  EXPECT_EQ(replies_.size(), 1U);
}

TEST_F(AccountsPipe, APolicyHandleThatMayWriteIsForAdministrators) {
  EXPECT_EQ(open_policy(0x00000010), NdrContextHandle{});
  auto token = std::make_shared<ports::Token>();
  token->group_sids.push_back(wire::well_known::kAdministrators);
  context_.caller = token;
  EXPECT_NE(open_policy(0x00000010), NdrContextHandle{});
}

TEST_F(AccountsPipe, NobodyIsToldAboutAccounts) {
  log_on(true);
  EXPECT_EQ(last_status(call(samr_interface(), 57, std::uint32_t{0}, std::uint32_t{0x02000000})),
            NtStatus::AccessDenied);
}

TEST_F(AccountsPipe, MakingAUserIsAccessDeniedWithAnEmptyHandle) {
  const auto domain = open_domain();
  ASSERT_NE(domain, NdrContextHandle{});
  const Bytes answer = call(samr_interface(), 50, domain, NdrString(u"mallory"),
                            std::uint32_t{0x10}, std::uint32_t{0});
  EXPECT_EQ(last_status(answer), NtStatus::AccessDenied);
  EXPECT_EQ(handle_in(answer), NdrContextHandle{});
}

TEST_F(AccountsPipe, UsersAreEnumeratedAndOpened) {
  const auto domain = open_domain();
  const Bytes users =
      call(samr_interface(), 13, domain, std::uint32_t{0}, std::uint32_t{0}, std::uint32_t{65535});
  EXPECT_EQ(last_status(users), NtStatus::Success);
  NdrReader reader(users);
  EXPECT_EQ(reader.take<std::uint32_t>(), 1U);
  const auto list = reader.take<wire::NdrUnique<lsa::Counted<samr::RidEntry>>>();
  ASSERT_EQ(list->count, 1U);
  EXPECT_EQ((*list->items)[0].name.text(), u"alice");
  const auto user =
      handle_in(call(samr_interface(), 34, domain, std::uint32_t{0x02000000}, std::uint32_t{1104}));
  EXPECT_EQ(last_status(call(samr_interface(), 36, user, std::uint16_t{21})), NtStatus::Success);
  EXPECT_EQ(last_status(call(samr_interface(), 36, user, std::uint16_t{99})),
            NtStatus::InvalidInfoClass);
  EXPECT_EQ(
      last_status(call(samr_interface(), 34, domain, std::uint32_t{0x02000000}, std::uint32_t{7})),
      NtStatus::NoSuchUser);
}

TEST_F(AccountsPipe, HandlesHaveAnEnd) {
  for (std::size_t i = 0; i < HandleTable::kHandlesMax; ++i)
    ASSERT_NE(open_policy(), NdrContextHandle{});
  EXPECT_EQ(open_policy(), NdrContextHandle{});
}

TEST_F(AccountsPipe, StubsThatDoNotDecodeAndUnknownOpnumsAreFaults) {
  (void)lsarpc_interface();
  const Bytes nothing;
  EXPECT_EQ(lsarpc_interface().call(context_, 14, nothing).error(), wire::rpc_fault::kBadStubData);
  EXPECT_EQ(samr_interface().call(context_, 17, nothing).error(), wire::rpc_fault::kBadStubData);
  EXPECT_EQ(lsarpc_interface().call(context_, 999, nothing).error(),
            wire::rpc_fault::kOpRangeError);
}

}  // namespace
}  // namespace flotilla::rpc
