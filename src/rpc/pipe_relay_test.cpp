// Two nodes' relays, joined by a queue that the test delivers: what the rpc_node serves is answered
// on the node of the client, and ends with either.
#include "rpc/pipe_relay.hpp"

#include <gtest/gtest.h>

#include <deque>

#include "runtime/manual_executor.hpp"

namespace flotilla::rpc {
namespace {

using runtime::ManualExecutor;

/// Sends every message back in capitals' stead: with "echo " in front.
class EchoServer final : public PipeServer {
 public:
  EchoServer(ReplySink sink, int& alive) : sink_(std::move(sink)), alive_(alive) { ++alive_; }
  ~EchoServer() override { --alive_; }
  [[nodiscard]] Status receive(ByteView data) override {
    if (as_text(data) == "die") return fail(NtStatus::PipeDisconnected);
    Bytes answer{'e', 'c', 'h', 'o', ' '};
    answer.insert(answer.end(), data.begin(), data.end());
    sink_(std::move(answer));
    return {};
  }

 private:
  ReplySink sink_;
  int& alive_;
};

class EchoForwarder final : public PipeForwarder {
 public:
  void open(const std::string& name, PipeContext context, runtime::Executor& executor,
            ReplySink sink, Opened done) override {
    seen = std::move(context);
    Result<std::unique_ptr<PipeServer>> opened = fail(NtStatus::ObjectNameNotFound);
    if (name == "spoolss") opened = std::make_unique<EchoServer>(std::move(sink), alive);
    executor.post([done = std::move(done), opened = std::move(opened)]() mutable {
      done(std::move(opened));
    });
  }
  PipeContext seen;
  int alive = 0;
};

class Relay : public ::testing::Test {
 protected:
  struct Flight {
    NodeId from;
    NodeId to;
    Bytes message;
    std::move_only_function<void()> lost;
  };
  Relay() {
    auto token = std::make_shared<ports::Token>();
    token->user_name = "alice";
    token->domain = "ADDOM";
    token->user_sid = wire::Sid{5, {21, 1, 2, 3, 1104}};
    token->group_sids = {wire::Sid{5, {21, 1, 2, 3, 513}}, wire::well_known::kEveryone};
    token->uid = 1000;
    token->gid = 100;
    token->groups = {100, 101};
    token->foreign = true;
    caller_ = token;
    for (const std::uint32_t node : {1U, 2U}) {
      const NodeId self{node};
      relays_.push_back(std::make_shared<PipeRelay>(PipeRelay::Parts{
          .self = self,
          .server = NodeId{2},
          .all_pipes = false,
          .local = node == 2 ? samba_ : nullptr,
          .send =
              [this, self](NodeId to, Bytes message, auto lost) {
                flights_.push_back({self, to, std::move(message), std::move(lost)});
              },
          .executor = [this]() -> runtime::Executor& { return server_; },
          .context = [](runtime::Executor&) { return PipeContext{}; }}));
    }
    join({{NodeId{1}, 7}, {NodeId{2}, 8}});
  }
  ~Relay() override {
    pipe_.reset();
    for (const auto& relay : relays_) relay->stop();
    run();
  }
  void join(const std::vector<PipeRelay::Life>& members) {
    for (const auto& relay : relays_) relay->on_members(members);
  }
  void run() {
    while (client_.run_ready() + server_.run_ready() > 0 || !flights_.empty()) {
      while (!flights_.empty()) {
        Flight flight = std::move(flights_.front());
        flights_.pop_front();
        relays_[flight.to.raw() - 1]->receive(flight.from, flight.message);
      }
    }
  }
  /// What the client's open came to; what the pipe says is in said_.
  NtStatus open(const std::string& name, NodeId on = NodeId{1}) {
    NtStatus status = NtStatus::Pending;
    PipeContext context;
    context.caller = caller_;
    context.peer_address = "10.0.0.7";
    context.session_key = Bytes(16, 0x5A);
    relays_[on.raw() - 1]->open(
        name, std::move(context), client_,
        [this](Bytes message) { said_.emplace_back(as_text(message)); },
        [this, &status](Result<std::unique_ptr<PipeServer>> opened) {
          status = opened ? NtStatus::Success : opened.error();
          if (opened) pipe_ = std::move(*opened);
        });
    run();
    return status;
  }

  ManualExecutor client_;
  ManualExecutor server_;
  std::deque<Flight> flights_;
  ports::TokenPtr caller_;
  std::shared_ptr<EchoForwarder> samba_ = std::make_shared<EchoForwarder>();
  std::vector<std::shared_ptr<PipeRelay>> relays_;
  std::unique_ptr<PipeServer> pipe_;
  std::vector<std::string> said_;
};

TEST_F(Relay, APipeIsServedByTheOtherNodeAsItsCaller) {
  ASSERT_EQ(open("spoolss"), NtStatus::Success);
  ASSERT_TRUE(samba_->seen.caller);
  EXPECT_EQ(samba_->seen.caller->user_name, "alice");
  EXPECT_EQ(samba_->seen.caller->user_sid, caller_->user_sid);
  EXPECT_EQ(samba_->seen.caller->group_sids, caller_->group_sids);
  EXPECT_EQ(samba_->seen.caller->groups, caller_->groups);
  EXPECT_TRUE(samba_->seen.caller->foreign);
  EXPECT_FALSE(samba_->seen.caller->guest);
  EXPECT_EQ(samba_->seen.session_key, Bytes(16, 0x5A));
  EXPECT_EQ(samba_->seen.peer_address, "10.0.0.7");
  ASSERT_TRUE(pipe_->receive(as_bytes("hello")));
  run();
  EXPECT_EQ(said_, std::vector<std::string>{"echo hello"});
  pipe_.reset();
  run();
  EXPECT_EQ(samba_->alive, 0);
  EXPECT_EQ(relays_[0]->sent_away() + relays_[1]->served(), 0U);
}

TEST_F(Relay, ANameThatNobodyServesIsToldSo) {
  EXPECT_EQ(open("nothing"), NtStatus::ObjectNameNotFound);
  EXPECT_EQ(relays_[0]->sent_away() + relays_[1]->served(), 0U);
}

TEST_F(Relay, TheRpcNodeItselfServesWithoutAMessage) {
  EXPECT_EQ(open("spoolss", NodeId{2}), NtStatus::Success);
  EXPECT_EQ(relays_[1]->served(), 0U);
}

TEST_F(Relay, WithoutTheRpcNodePipesAreNotAvailableAndOpenOnesEnd) {
  ASSERT_EQ(open("spoolss"), NtStatus::Success);
  relays_[0]->on_members({{NodeId{1}, 7}});
  run();
  EXPECT_EQ(said_, std::vector<std::string>{""});  // nothing will come any more
  EXPECT_EQ(pipe_->receive(as_bytes("hello")).error(), NtStatus::PipeDisconnected);
  EXPECT_EQ(open("spoolss"), NtStatus::PipeNotAvailable);
  join({{NodeId{1}, 7}, {NodeId{2}, 9}});
  EXPECT_EQ(open("spoolss"), NtStatus::Success);
}

TEST_F(Relay, AnotherLifeOfTheRpcNodeKnowsNothingOfPipesOfTheOneBefore) {
  ASSERT_EQ(open("spoolss"), NtStatus::Success);
  relays_[0]->on_members({{NodeId{1}, 7}, {NodeId{2}, 9}});
  run();
  EXPECT_EQ(said_, std::vector<std::string>{""});
}

TEST_F(Relay, PipesOfANodeThatLeavesEndOnTheRpcNode) {
  ASSERT_EQ(open("spoolss"), NtStatus::Success);
  relays_[1]->on_members({{NodeId{2}, 8}});
  run();
  EXPECT_EQ(samba_->alive, 0);
  EXPECT_EQ(relays_[1]->served(), 0U);
}

TEST_F(Relay, AnOpenThatDoesNotArriveIsNotAvailable) {
  NtStatus status = NtStatus::Pending;
  PipeContext context;
  context.caller = caller_;
  relays_[0]->open(
      "spoolss", std::move(context), client_, [](Bytes) {},
      [&](auto opened) { status = opened ? NtStatus::Success : opened.error(); });
  ASSERT_EQ(flights_.size(), 1U);
  flights_.front().lost();
  flights_.clear();
  run();
  EXPECT_EQ(status, NtStatus::PipeNotAvailable);
}

TEST_F(Relay, APipeThatItsServerEndsIsDisconnected) {
  ASSERT_EQ(open("spoolss"), NtStatus::Success);
  ASSERT_TRUE(pipe_->receive(as_bytes("die")));
  run();
  EXPECT_EQ(said_, std::vector<std::string>{""});
}

TEST_F(Relay, BytesThatAreNoMessageChangeNothing) {
  const Bytes whole =
      encode_pipe_message(PipeOpen{.pipe = 1, .name = "spoolss", .caller = *caller_});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(decode_pipe_message(ByteView(whole).first(size))) << size;
  }
  relays_[1]->receive(NodeId{1}, ByteView(whole).first(20));
  run();
  EXPECT_EQ(relays_[1]->served(), 0U);
  EXPECT_TRUE(decode_pipe_message(whole));
}

}  // namespace
}  // namespace flotilla::rpc
