// A server and its clients in one thread, on virtual time: TestNode is the node, TestClient one
// client connection that speaks whole messages. Signatures are made and checked for real.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "crypto/preauth.hpp"
#include "crypto/sealing.hpp"
#include "crypto/signing.hpp"
#include "handlers/server.hpp"
#include "pool/embedded/embedded_engine.hpp"
#include "ports/channel.hpp"
#include "runtime/manual_executor.hpp"
#include "vfs/mem/mem_backend.hpp"
#include "wire/smb2.hpp"

namespace flotilla::testing {

class TestClock final : public ports::Clock {
 public:
  [[nodiscard]] MonoTime mono() const noexcept override { return now; }
  [[nodiscard]] NtTime wall() const noexcept override {
    return nt_time_of(1'700'000'000 + now.ns / 1'000'000'000, 0);
  }
  MonoTime now{1'000'000'000};
};

/// "user:NAME" logs NAME in after one more leg ("hello" -> "challenge"); "anonymous", "guest";
/// anything else is LogonFailure. "admin" is an administrator. Session keys are made of the name.
[[nodiscard]] std::shared_ptr<ports::Identity> make_test_identity();
[[nodiscard]] Bytes test_session_key(std::string_view user);

struct TestNodeOptions {
  ports::SigningMode signing = ports::SigningMode::Required;
  ports::EncryptionMode encryption = ports::EncryptionMode::Enabled;
  ports::EncryptionMode share_encryption = ports::EncryptionMode::Off;  ///< of "team"
  bool read_only_share = true;                                          ///< also serve "ro"
  std::chrono::milliseconds break_timeout{35000};
  bool torture_fsctls = false;
  bool continuous_availability = false;  ///< of "data"
  std::uint32_t locks_max = 1000000;
  // A node that is started again: what its store had, and its files.
  std::shared_ptr<pool::KeptStore> store;
  std::vector<coherence::KeptFile> kept;
  std::shared_ptr<ports::Backend> backend;
};

/// As the engine of a node that has to prove first that it is still in the pool.
class PausingEngine final : public pool::EmbeddedEngine {
 public:
  using EmbeddedEngine::EmbeddedEngine;
  [[nodiscard]] bool serving() const override { return serves; }
  bool serves = true;
};

/// Serves "data" and "ro" (the same files, read-only), "team" for alice only, and "odd", which has
/// no streams, but snapshots in .snap/DATE.
class TestNode {
 public:
  explicit TestNode(TestNodeOptions options = {});
  ~TestNode();
  /// Runs everything that is ready, on all shards.
  void run();
  /// Time passes: break deadlines are looked at.
  void advance(std::chrono::milliseconds step);

  TestClock clock;
  std::array<runtime::ManualExecutor, 2> shards;
  runtime::ManualBlockingPool* blocking = nullptr;
  std::shared_ptr<PausingEngine> engine;
  std::shared_ptr<ports::Backend> backend;
  std::unique_ptr<handlers::Server> server;
};

/// One response as it arrived.
struct Response {
  wire::Smb2Header header;
  Bytes message;  ///< header and body
  std::size_t frame_index = 0;
  [[nodiscard]] NtStatus status() const { return header.nt_status(); }
  template <class T>
  [[nodiscard]] T as() const {
    const auto decoded = wire::decode<T>(message);
    EXPECT_TRUE(decoded) << "a response that does not decode";
    return decoded ? *decoded : T{};
  }
};

struct ClientOptions {
  std::uint16_t dialect = 0x0311;
  std::uint16_t shard = 0;
  std::uint8_t guid = 1;  ///< clients with one number are one client
  bool large_mtu = true;
  std::uint16_t cipher = 0;
  bool persistent_handles = false;  ///< negotiated
  bool posix = false;               ///< the POSIX extensions are
};

struct OpenArgs {
  std::u16string name;
  wire::CreateDisposition disposition = wire::CreateDisposition::OpenIf;
  std::uint32_t access = 0x001F01FF;
  std::uint32_t share = 7;
  std::uint32_t options = 0;
  wire::OplockLevel oplock = wire::OplockLevel::None;
  std::uint32_t attributes = 0;
  std::vector<wire::CreateContext> contexts;
};

class TestClient {
 public:
  explicit TestClient(TestNode& node, ClientOptions options = {});
  ~TestClient();

  // Requests: built, signed where a key is known, sent; answers are waited for by id.
  template <class Body>
  wire::Smb2Header prepare(wire::Command command, const Body& body, Bytes& message) {
    wire::Smb2Header header = next_header(command);
    message.clear();
    header.encode(message);
    wire::encode(body, message);
    return header;
  }
  template <class Body>
  MessageId send(wire::Command command, const Body& body) {
    Bytes message;
    const wire::Smb2Header header = prepare(command, body, message);
    send_raw(std::move(message), true);
    return header.message_id;
  }
  template <class Body>
  Response call(wire::Command command, const Body& body) {
    return wait(send(command, body));
  }
  /// One frame of several; `related` marks all but the first.
  template <class... Bodies>
  std::vector<MessageId> send_compound(bool related,
                                       const std::pair<wire::Command, Bodies>&... parts) {
    std::vector<Bytes> messages;
    std::vector<MessageId> ids;
    const auto add = [&](const auto& part) {
      Bytes message;
      wire::Smb2Header header = prepare(part.first, part.second, message);
      if (related && !messages.empty()) {
        header.flags |= wire::header_flags::kRelatedOperations;
        header.session_id = SessionId{~std::uint64_t{0}};
        header.tree_id = TreeId{~std::uint32_t{0}};
        header.encode_at(std::span<std::uint8_t, 64>(message.data(), 64));
      }
      ids.push_back(header.message_id);
      messages.push_back(std::move(message));
    };
    (add(parts), ...);
    send_frames(std::move(messages));
    return ids;
  }
  void send_frames(std::vector<Bytes> messages);
  /// `sign` false: as it is.
  void send_raw(Bytes message, bool sign);
  void cancel(MessageId id);
  void cancel_async(AsyncId id);
  void close_connection();

  /// The final answer (not STATUS_PENDING) to a request; fails the test where there is none.
  Response wait(MessageId id);
  [[nodiscard]] std::optional<Response> poll(MessageId id);
  [[nodiscard]] std::optional<Response> poll_pending(MessageId id);
  /// The oldest OPLOCK_BREAK notification not yet taken.
  [[nodiscard]] std::optional<Response> poll_break();
  [[nodiscard]] bool disconnected() const;
  [[nodiscard]] std::string disconnect_reason() const;

  // Whole steps that must succeed.
  NtStatus log_in(std::string_view user, SessionId previous = {}, std::uint8_t mode = 1);
  /// SESSION_SETUP with BINDING: this connection becomes a channel of `first`'s session.
  NtStatus bind(TestClient& first, std::string_view user);
  Response tree_connect(std::u16string path);
  void connect(std::string_view user = "alice", std::u16string share = u"data");
  Response open(const OpenArgs& args);
  MessageId send_open(const OpenArgs& args);
  Response replay(const OpenArgs& args);  ///< the same CREATE with FLAGS_REPLAY_OPERATION
  FileId must_open(const OpenArgs& args);
  NtStatus close(const FileId& id);

  wire::Smb2Header next_header(wire::Command command);

  SessionId session;
  TreeId tree;
  std::uint16_t credits_granted_last = 0;
  std::uint16_t credit_request = 1;
  std::uint16_t credit_charge = 1;
  std::uint32_t capabilities = 0;
  bool sign = true;
  bool seal = false;                ///< what is sent; what comes is opened all the same
  std::uint64_t sealed_frames = 0;  ///< that came
  crypto::Key16 signing_key{};
  std::unique_ptr<crypto::Signer> session_signer;  ///< of a binding that is refused
  std::unique_ptr<crypto::Sealer> sealer;
  std::unique_ptr<crypto::Sealer> opener;
  std::unique_ptr<crypto::Signer> signer;

 private:
  class Sink;
  void take_frames();
  void deliver(Bytes frame);

  TestNode& node_;
  ClientOptions options_;
  ports::ConnectionFacts facts_;
  std::shared_ptr<Sink> sink_;
  std::shared_ptr<ports::Channel> channel_;
  std::uint64_t next_message_ = 1;
  std::map<std::uint64_t, Response> finals_;
  std::map<std::uint64_t, Response> pendings_;
  std::deque<Response> breaks_;
  std::size_t frames_taken_ = 0;
  crypto::PreauthHash preauth_;
  bool hashing_ = false;
};

}  // namespace flotilla::testing
