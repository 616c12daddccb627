// Pipe: an open named pipe of IPC$ as READ, WRITE and IOCTL see it: messages queue up, a reader
// takes them piece by piece. Message mode, as Windows' RPC pipes are.
// CREATE calls open(); the Pipe hangs on OpenState::pipe. Thread: the session's home executor.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "rpc/forward.hpp"
#include "rpc/pipe_server.hpp"
#include "runtime/task.hpp"

namespace flotilla::handlers {

class Pipe {
 public:
  /// `name` as in CREATE, with or without a leading backslash and "PIPE\".
  /// Errors  ObjectNameNotFound  no such pipe
  [[nodiscard]] static Result<std::unique_ptr<Pipe>> open(std::string_view name,
                                                          rpc::PipeContext context);
  /// One that is served elsewhere: what open() does not find. `forwarder` outlives the call.
  /// Errors  as rpc::PipeForwarder::open
  using Opened = runtime::OneShot<Result<std::unique_ptr<Pipe>>>;
  [[nodiscard]] static std::shared_ptr<Opened> forward(std::string_view name,
                                                       rpc::PipeContext context,
                                                       rpc::PipeForwarder& forwarder,
                                                       runtime::Executor& executor);
  ~Pipe();
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  /// A message, or the next piece of one. Errors  PipeDisconnected
  [[nodiscard]] Status write(ByteView data);

  /// `more`: the message is longer than `max`: answer BufferOverflow; the rest comes next.
  struct Piece {
    Bytes data;
    bool more = false;
  };
  /// At most `max` bytes of one message. Errors  Pending: nothing there (wait with readable());
  ///                                             PipeDisconnected: nothing will come any more
  [[nodiscard]] Result<Piece> read(std::size_t max);
  /// Spec [MS-SMB2] 3.3.5.15.10 FSCTL_PIPE_TRANSCEIVE. Errors  PipeBusy: unread data; as read()
  [[nodiscard]] Result<Piece> transceive(ByteView data, std::size_t max);

  [[nodiscard]] bool has_data() const noexcept { return !messages_.empty(); }
  /// For FSCTL_PIPE_PEEK and FilePipeLocalInformation: bytes of all messages; of the first one.
  [[nodiscard]] std::size_t data_bytes() const noexcept;
  [[nodiscard]] std::size_t first_message_bytes() const noexcept;
  [[nodiscard]] std::size_t message_count() const noexcept { return messages_.size(); }
  /// Copies without taking.
  [[nodiscard]] Bytes peek(std::size_t max) const;
  [[nodiscard]] const std::string& name() const noexcept { return name_; }

  /// Delivered (true) with the next message, or (false) when the pipe goes. `set(false)` by the
  /// waiter itself gives up.
  using Readable = std::shared_ptr<runtime::OneShot<bool>>;
  [[nodiscard]] Readable readable();

 private:
  explicit Pipe(std::string name) : name_(std::move(name)) {}
  void deliver(Bytes message);

  std::string name_;
  std::unique_ptr<rpc::PipeServer> server_;
  std::deque<Bytes> messages_;
  std::size_t taken_bytes_ = 0;  ///< of messages_.front()
  std::vector<Readable> waiters_;
  bool broken_ = false;
};

}  // namespace flotilla::handlers
