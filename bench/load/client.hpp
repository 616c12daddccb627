// One SMB 3.1.1 connection of the load tool: logs in by NTLMv2, signs what it sends, and calls back
// with what comes. Answers' signatures are not checked: this measures servers, it guards nothing.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "crypto/preauth.hpp"
#include "crypto/signing.hpp"
#include "wire/smb2.hpp"

namespace flotilla::load {

struct Target {
  std::string host;  ///< numeric IPv4
  std::uint16_t port = 445;
  std::string share = "data";
  std::string user = "tester";
  std::string password = "Secret123";
};

struct Answer {
  wire::Smb2Header header;
  ByteView message;  ///< header and body; valid during the call
  [[nodiscard]] NtStatus status() const noexcept { return header.nt_status(); }
};

/// Not thread-safe; everything happens inside `connect`, `call` and `on_readable`.
class Client {
 public:
  using Done = std::function<void(const Answer&)>;

  /// Connects, logs in and connects to the share; blocks. An explanation where it cannot.
  static std::expected<std::unique_ptr<Client>, std::string> connect(const Target& target);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  [[nodiscard]] int fd() const noexcept { return fd_; }

  /// Sends at once; `done` gets the final answer, `pending` hears of an interim one.
  template <class Body>
  void send(wire::Command command, const Body& body, Done done,
            std::function<void()> pending = {}) {
    begin(command);
    wire::encode(body, out_);
    finish({std::move(done), std::move(pending)});
  }
  /// Sends, and reads until the answer is there. `take` sees it.
  template <class Body>
  NtStatus call(wire::Command command, const Body& body, const Done& take = {}) {
    bool answered = false;
    NtStatus status{};
    send(command, body, [&](const Answer& answer) {
      answered = true;
      status = answer.status();
      if (take) take(answer);
    });
    while (!answered && read_some()) continue;
    return answered ? status : NtStatus::PipeDisconnected;
  }

  /// The socket has bytes: reads once, and calls back for every whole answer.
  /// False when the server has closed the connection.
  bool read_some();

  /// Opens, or makes, a file; the caller closes it.
  std::expected<FileId, NtStatus> open(const std::u16string& name);

 private:
  explicit Client(int fd) : fd_(fd) {}
  void begin(wire::Command command);
  struct Waiting {
    Done done;
    std::function<void()> pending;
  };
  void finish(Waiting waiting);
  std::string log_in(const Target& target);
  NtStatus negotiate();
  void take_frame(ByteView message);

  int fd_;
  Bytes out_;  ///< frame being built
  Bytes in_;
  std::size_t in_have_ = 0;
  std::uint64_t next_message_ = 0;
  wire::Smb2Header header_;
  SessionId session_;
  TreeId tree_;
  bool hashing_ = true;
  crypto::PreauthHash preauth_;
  crypto::SigningAlgorithm algorithm_ = crypto::SigningAlgorithm::AesCmac;
  std::unique_ptr<crypto::Signer> signer_;
  std::unordered_map<std::uint64_t, Waiting> waiting_;
};

/// CREATE of an existing file, or a new one, for reading and writing, shared with everybody.
[[nodiscard]] wire::CreateRequest open_request(const std::u16string& name);

}  // namespace flotilla::load
