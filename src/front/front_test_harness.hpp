// What the front's tests share: a server of fake channels, a client that speaks frames over a real
// socket, and a node that puts them together. Test code only.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "crypto/hash.hpp"
#include "front/front.hpp"
#include "runtime/buffer_cache.hpp"
#include "wire/negotiate.hpp"
#include "wire/smb2_header.hpp"

namespace flotilla::front::testing {

struct FakeIdentity final : ports::Identity {
  Bytes negotiate_token() override { return {0x60, 0x00}; }
  std::unique_ptr<ports::AuthExchange> begin() override { return nullptr; }
};
struct FakeClock final : ports::Clock {
  MonoTime mono() const noexcept override { return {}; }
  NtTime wall() const noexcept override { return NtTime{132000000000000000ULL}; }
};
struct FakeEntropy final : ports::Entropy {
  std::atomic<std::uint8_t> next{1};
  void fill(MutableBytes out) noexcept override {
    for (auto& byte : out) byte = next.fetch_add(1);
  }
};

inline wire::Smb2Header header_of(wire::Command command, std::uint64_t message_id,
                                  SessionId session) {
  wire::Smb2Header header;
  header.command = command;
  header.message_id = MessageId{message_id};
  header.session_id = session;
  header.credit_charge = 1;
  header.credits = 1;
  return header;
}

/// SESSION_SETUP makes a session; WRITE is answered with the SHA-256 of its body; READ with as many
/// bytes as its body's first four say; TREE_CONNECT disconnects; FLUSH is never answered.
struct FakeServer final : ports::ChannelServer {
  explicit FakeServer(NodeId its_node) : node(its_node) {}
  const NodeId node;
  std::atomic<std::uint64_t> next_session{1};
  std::atomic<int> open_channels{0};
  std::atomic<int> frames{0};
  std::mutex mutex;
  std::vector<ports::ConnectionFacts> facts;
  std::set<std::uint16_t> shards_used;

  struct FakeChannel final : ports::Channel {
    FakeServer& server;
    runtime::Executor& executor;
    std::uint16_t shard;
    std::shared_ptr<ports::FrameSink> sink;
    bool closed = false;
    FakeChannel(FakeServer& its_server, runtime::Executor& its_executor, std::uint16_t its_shard,
                std::shared_ptr<ports::FrameSink> its_sink)
        : server(its_server), executor(its_executor), shard(its_shard), sink(std::move(its_sink)) {
      ++server.open_channels;
    }
    ~FakeChannel() override { EXPECT_TRUE(closed) << "a channel died without on_closed()"; }
    void on_closed() override {
      EXPECT_TRUE(executor.in_thread());
      EXPECT_FALSE(closed);
      closed = true;
      --server.open_channels;
    }
    void on_frame(Bytes frame) override {
      EXPECT_TRUE(executor.in_thread());
      EXPECT_FALSE(closed);
      ++server.frames;
      const auto request = wire::Smb2Header::decode(frame);
      if (!request) {
        sink->disconnect("fake: bad header");
        return;
      }
      wire::Smb2Header answer = *request;
      answer.flags |= wire::header_flags::kServerToRedir;
      answer.status = 0;
      const ByteView body = ByteView(frame).subspan(wire::kSmb2HeaderSize);
      Bytes reply;
      switch (request->command) {
        case wire::Command::SessionSetup:
          if (request->session_id.raw() == 0)
            answer.session_id = ports::make_session_id(
                {static_cast<std::uint16_t>(server.node.raw()), static_cast<std::uint8_t>(shard)},
                server.next_session++);
          if (!body.empty() && body[0] == 'x')
            answer.status = static_cast<std::uint32_t>(NtStatus::LogonFailure);
          break;
        case wire::Command::Write: {
          const auto hash = crypto::sha256(body);
          reply.assign(hash.begin(), hash.end());
          break;
        }
        case wire::Command::Read:
          reply = pattern(load_le<std::uint32_t>(body.data()));
          break;
        case wire::Command::TreeConnect:
          sink->disconnect("fake: told to disconnect");
          return;
        case wire::Command::Flush:
          return;
        default:
          break;
      }
      Bytes out = runtime::take_buffer(4 + wire::kSmb2HeaderSize + reply.size());
      answer.encode_at(std::span<std::uint8_t, 64>(out.data() + 4, 64));
      if (!reply.empty()) std::memcpy(out.data() + 68, reply.data(), reply.size());
      sink->send(std::move(out));
    }
  };

  static Bytes pattern(std::size_t size) {
    Bytes out(size);
    for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::uint8_t>(i * 7 + (i >> 8));
    return out;
  }
  std::shared_ptr<ports::Channel> open_channel(ports::ConnectionFacts its_facts,
                                               runtime::Executor& executor, std::uint16_t shard,
                                               std::shared_ptr<ports::FrameSink> sink) override {
    EXPECT_TRUE(executor.in_thread());
    const std::scoped_lock lock(mutex);
    facts.push_back(std::move(its_facts));
    shards_used.insert(shard);
    return std::make_shared<FakeChannel>(*this, executor, shard, std::move(sink));
  }
  std::uint32_t session_count() const noexcept override { return 0; }
};

/// Blocking, with a deadline: a test that waits in vain fails, it does not hang.
class Client {
 public:
  explicit Client(std::uint16_t port, int receive_buffer = 0) {
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_buffer != 0)
      setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    const timeval patience{20, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected = connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
  }
  ~Client() { close_now(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  void close_now() {
    if (fd_ >= 0) close(std::exchange(fd_, -1));
  }

  bool send_raw(ByteView bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes = bytes.subspan(static_cast<std::size_t>(n));
    }
    return true;
  }
  static Bytes framed(ByteView message) {
    Bytes out(4);
    wire::encode_frame_length(static_cast<std::uint32_t>(message.size()),
                              std::span<std::uint8_t, 4>(out.data(), 4));
    out.insert(out.end(), message.begin(), message.end());
    return out;
  }
  static Bytes request(wire::Command command, std::uint64_t id, SessionId session,
                       ByteView body = {}) {
    Bytes message;
    header_of(command, id, session).encode(message);
    message.insert(message.end(), body.begin(), body.end());
    return framed(message);
  }
  bool send_request(wire::Command command, SessionId session, ByteView body = {}) {
    return send_raw(request(command, next_id++, session, body));
  }
  bool receive_exactly(MutableBytes into) {
    while (!into.empty()) {
      const ssize_t n = recv(fd_, into.data(), into.size(), 0);
      if (n <= 0) return false;
      into = into.subspan(static_cast<std::size_t>(n));
    }
    return true;
  }
  std::optional<Bytes> receive() {
    Bytes length(4);
    if (!receive_exactly(length) || length[0] != 0) return std::nullopt;
    Bytes frame((std::size_t{length[1]} << 16) | (std::size_t{length[2]} << 8) | length[3]);
    if (!receive_exactly(frame)) return std::nullopt;
    return frame;
  }
  std::optional<wire::Smb2Header> receive_header() {
    last = receive();
    if (!last) return std::nullopt;
    const auto header = wire::Smb2Header::decode(*last);
    if (!header) return std::nullopt;
    return *header;
  }
  [[nodiscard]] ByteView last_body() const { return ByteView(*last).subspan(64); }
  /// True where the server ended the connection.
  bool sees_end() {
    std::uint8_t byte;
    for (;;) {
      const ssize_t n = recv(fd_, &byte, 1, 0);
      if (n == 0 || (n < 0 && errno == ECONNRESET)) return true;
      if (n < 0) return false;
    }
  }
  static Bytes negotiate_request(std::uint64_t id = 0) {
    wire::NegotiateRequest request;
    request.security_mode = 1;
    request.dialects = {wire::Dialect::Smb210, wire::Dialect::Smb302};
    Bytes message;
    header_of(wire::Command::Negotiate, id, {}).encode(message);
    wire::encode(request, message);
    return framed(message);
  }
  bool negotiate() {
    if (!send_raw(negotiate_request(next_id++))) return false;
    const auto header = receive_header();
    return header && header->nt_status() == NtStatus::Success;
  }
  SessionId set_up_session() {
    if (!send_request(wire::Command::SessionSetup, {})) return {};
    const auto header = receive_header();
    return header && header->nt_status() == NtStatus::Success ? header->session_id : SessionId{};
  }

  bool connected = false;
  std::uint64_t next_id = 0;
  std::optional<Bytes> last;

 private:
  int fd_ = -1;
};

struct ListPlacement final : Placement {
  mutable std::mutex mutex;
  std::vector<Member> list;
  std::vector<Member> members() const override {
    const std::scoped_lock lock(mutex);
    return list;
  }
  void set(std::vector<Member> now) {
    const std::scoped_lock lock(mutex);
    list = std::move(now);
  }
};

struct Node {
  runtime::ShardGroup shards{2};
  FakeServer server;
  FakeIdentity identity;
  FakeClock clock;
  FakeEntropy entropy;
  ListPlacement placement;
  ports::ServerConfig config;
  FrontOptions options;
  std::unique_ptr<Front> front;

  explicit Node(std::uint32_t id = 1) : server(NodeId{id}) {
    options.self = NodeId{id};
    options.listen = {{"127.0.0.1", 0}};
    options.link_listen = ListenAddress{"127.0.0.1", 0};
    options.pool_key.fill(0x42);
  }
  ~Node() { stop(); }
  void start() {
    shards.start();
    front = std::make_unique<Front>(options, config, shards, server, identity, clock, entropy,
                                    placement);
    const auto started = front->start();
    ASSERT_TRUE(started) << started.error();
  }
  void stop() {
    if (front) front->stop();
    front.reset();
    shards.stop();
    EXPECT_EQ(server.open_channels, 0);
  }
  [[nodiscard]] Member member() const { return {options.self, "127.0.0.1", front->link_port()}; }
  [[nodiscard]] std::uint16_t port() const { return front->port(); }
};

/// Waits for something that another thread does; yields instead of sleeping.
inline bool eventually(const std::function<bool()>& holds) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{20};
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

}  // namespace flotilla::front::testing
