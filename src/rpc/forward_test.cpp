// Forwarding to a server on a Unix socket, here one that greets as Samba 4.17's samba-dcerpcd does
// and sends every message back as it came, its length in front.
#include "rpc/forward.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <thread>

#include "runtime/manual_executor.hpp"
#include "wire/dcerpc.hpp"

namespace flotilla::rpc {
namespace {

/// named_pipe_auth_rep as samba-dcerpcd 4.17.12 sent it to smbd for \PIPE\spoolss.
const Bytes kReply{0,    0, 0, 0x20, 'N', 'P', 'A', 'M',  7, 0, 0, 0, 7, 0, 0, 0, 2, 0,
                   0xFF, 5, 0, 0,    0,   0,   0,   0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};

Bytes a_pdu() {
  Bytes pdu;
  wire::RpcHeader header;
  header.ptype = wire::RpcPacketType::BindNak;
  header.call_id = 42;
  wire::encode_rpc_pdu(header, wire::RpcBindNak{1}, pdu);
  return pdu;
}

class Forward : public ::testing::Test {
 protected:
  Forward() {
    directory_ =
        std::filesystem::temp_directory_path() / ("flotilla-np-" + std::to_string(::getpid()));
    std::filesystem::create_directories(directory_ / "np");
    auto token = std::make_shared<ports::Token>();
    token->user_name = "alice";
    token->user_sid = wire::Sid{5, {21, 1, 2, 3, 1104}};
    token->groups = {100};
    context_.caller = token;
    context_.config = &config_;
    context_.peer_address = "10.0.0.7";
  }
  ~Forward() override {
    if (server_.joinable()) server_.join();
    std::filesystem::remove_all(directory_);
  }
  /// One client: its greeting is answered with `reply`, the rest goes back as it came.
  void serve(const char* name, Bytes reply) {
    const int listening = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = (directory_ / "np" / name).string();
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    ASSERT_EQ(::bind(listening, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(::listen(listening, 1), 0);
    server_ = std::thread([this, listening, reply = std::move(reply)] {
      const int client = ::accept(listening, nullptr, nullptr);
      ::close(listening);
      std::uint8_t length[4];
      (void)!::recv(client, length, sizeof length, MSG_WAITALL);
      greeting_.resize(std::size_t{length[2]} << 8 | length[3]);
      (void)!::recv(client, greeting_.data(), greeting_.size(), MSG_WAITALL);
      (void)!::send(client, reply.data(), reply.size(), MSG_NOSIGNAL);
      std::uint8_t buffer[4096];
      for (ssize_t n = 0; (n = ::recv(client, buffer, sizeof buffer, 0)) > 0;) {
        // In two pieces, as it came with its length: a message is put together again.
        (void)!::send(client, buffer, 5, MSG_NOSIGNAL);
        (void)!::send(client, buffer + 5, static_cast<std::size_t>(n) - 5, MSG_NOSIGNAL);
      }
      ::close(client);
    });
  }
  Result<std::unique_ptr<PipeServer>> open(const std::string& name) {
    Result<std::unique_ptr<PipeServer>> got = fail(NtStatus::Pending);
    make_local_forwarder(directory_)
        ->open(
            name, context_, executor_,
            [this](Bytes message) { messages_.push_back(std::move(message)); },
            [&got](auto opened) { got = std::move(opened); });
    executor_.run_ready();
    return got;
  }
  void wait_for_message() {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (messages_.empty() && std::chrono::steady_clock::now() < end) {
      if (executor_.run_ready() == 0) std::this_thread::yield();
    }
    ASSERT_FALSE(messages_.empty());
  }

  ports::ServerConfig config_;
  PipeContext context_;
  std::filesystem::path directory_;
  runtime::ManualExecutor executor_;
  std::vector<Bytes> messages_;
  std::thread server_;
  Bytes greeting_;
};

TEST_F(Forward, ThePipesServerIsToldWhoCallsAndPdusGoBothWaysWhole) {
  serve("spoolss", kReply);
  auto pipe = open("spoolss");
  ASSERT_TRUE(pipe);
  ASSERT_TRUE((*pipe)->receive(a_pdu()));
  wait_for_message();
  EXPECT_EQ(messages_.front(), a_pdu());
  pipe->reset();
  server_.join();
  EXPECT_EQ(as_text(ByteView(greeting_).first(4)), "NPAM");
  EXPECT_NE(as_text(greeting_).find("alice"), std::string_view::npos);
  EXPECT_NE(as_text(greeting_).find("10.0.0.7"), std::string_view::npos);
}

TEST_F(Forward, ARefusedCallerFindsThePipeOver) {
  Bytes refusal = kReply;
  store_le(refusal.data() + 32, static_cast<std::uint32_t>(NtStatus::AccessDenied));
  serve("spoolss", refusal);
  auto pipe = open("spoolss");
  ASSERT_TRUE(pipe);
  wait_for_message();
  EXPECT_TRUE(messages_.front().empty());
  EXPECT_EQ((*pipe)->receive(a_pdu()).error(), NtStatus::PipeDisconnected);
  pipe->reset();
}

TEST_F(Forward, NamesThatAreNotThereOrThatClimbAreObjectNameNotFound) {
  for (const char* name : {"nothing", "..", "../np/x", "", ".hidden"}) {
    EXPECT_EQ(open(name).error(), NtStatus::ObjectNameNotFound) << name;
  }
}

TEST(NamedPipeAuth, TheGreetingsLengthCountsWhatFollowsIt) {
  ports::ServerConfig config;
  PipeContext context;
  context.config = &config;
  auto token = std::make_shared<ports::Token>();
  token->group_sids.assign(3, wire::Sid{5, {21, 1, 2, 3, 513}});
  token->groups = {1, 2};
  context.caller = token;
  context.session_key.assign(16, 0xAB);
  const Bytes bytes = encode_named_pipe_auth(context);
  EXPECT_EQ((std::size_t{bytes[2]} << 8 | bytes[3]) + 4, bytes.size());
  EXPECT_EQ(load_le<std::uint32_t>(bytes.data() + 8), 7U);
}

}  // namespace
}  // namespace flotilla::rpc
