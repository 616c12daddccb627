// FrameSocket: one TCP socket that carries frames (a zero byte, a big-endian 24-bit length, then so
// many bytes) in both directions. Cuts the input into frames, queues the output, and passes a large
// frame on to another FrameSocket by splice(2), so that its body never comes to user space.
// Clients' sockets and links are FrameSockets. Must not know what a frame means.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "runtime/io_executor.hpp"

namespace flotilla::front {

class FrameSocket;

/// Bytes at the start of a frame that its owner sees before it decides.
inline constexpr std::size_t kFrameHeadBytes = 64;

/// What to do with a frame whose first bytes have arrived.
struct FrameVerdict {
  enum class Action : std::uint8_t {
    Take,   ///< collect it; on_frame() gets it without the 4-byte length
    Relay,  ///< for `target`: splice it there if it is large; else on_frame() gets it with 4 bytes
            ///< in front, ready to be sent
    End,    ///< fail the socket with `reason`
  };
  Action action = Action::Take;
  std::uint64_t tag = 0;  ///< handed back in on_frame()
  std::shared_ptr<FrameSocket> target;
  std::string reason;
};

/// Whose socket it is. Called on the socket's executor. on_ended() comes once and from the
/// executor's queue, never from inside a call to the socket; after close() nothing comes.
class FrameOwner {
 public:
  virtual ~FrameOwner() = default;
  /// `head` has the frame's first min(size_bytes, kFrameHeadBytes) bytes; borrowed for the call.
  [[nodiscard]] virtual FrameVerdict on_frame_head(std::uint32_t size_bytes, ByteView head) = 0;
  virtual void on_frame(Bytes frame, std::uint64_t tag) = 0;
  /// After FrameSocket::tell_when_drained(). Must not do more than resume().
  virtual void on_drained() = 0;
  virtual void on_connected() {}
  /// The peer closed, or an error, or End. `orderly`: between two frames and by the peer's own
  /// will.
  virtual void on_ended(std::string_view reason, bool orderly) = 0;
};

/// Counts over all sockets of a front.
struct RelayCounters {
  std::atomic<std::uint64_t> spliced_bytes{0};
};

class FrameSocket final : public std::enable_shared_from_this<FrameSocket>,
                          private runtime::FdEvents {
 public:
  /// Why reading stands still; it goes on when no reason is left.
  enum Pause : std::uint8_t {
    kPauseOwnOutput = 1,  ///< the peer does not read what we answer
    kPauseOtherSide = 2,  ///< where the frames go is full
    kPauseNotReady = 4,
  };
  static constexpr std::size_t kQueueHighBytes = 4U << 20;
  static constexpr std::size_t kQueueLowBytes = 1U << 20;
  static constexpr std::uint32_t kSpliceBytesMin = 16U << 10;

  /// Takes `fd` over (non-blocking). `owner` is borrowed until close(). `connecting`: connect(2) is
  /// under way; what is sent waits for it. Null where the descriptor cannot be watched (fd closed).
  static std::shared_ptr<FrameSocket> make(runtime::IoExecutor& executor, int fd, FrameOwner& owner,
                                           RelayCounters& counters, bool connecting);
  ~FrameSocket() override;

  /// Begins to read. `frame_bytes_max` of a frame; one that is larger fails the socket.
  void start(std::uint32_t frame_bytes_max);
  void set_frame_bytes_max(std::uint32_t bytes) noexcept { frame_bytes_max_ = bytes; }
  /// An untrusted peer's frame gets memory as its bytes arrive, a trusted one's at once.
  void set_trusted() noexcept { trusted_ = true; }

  /// Queues one frame, first four bytes reserved for the length; at most 16 MiB - 1 follow them.
  void send(Bytes frame);
  /// Sends are gathered until the last uncork(): one system call for many answers.
  void cork() noexcept { ++corks_; }
  void uncork();

  void pause(Pause why) noexcept { paused_ |= why; }
  void resume(Pause why);

  [[nodiscard]] std::size_t queued_bytes() const noexcept {
    return queued_bytes_.load(std::memory_order_relaxed);  // other shards' sinks ask too
  }
  /// on_drained() once, when the queue is below kQueueLowBytes.
  void tell_when_drained() noexcept { tell_drained_ = true; }

  /// Ends without on_ended(); what the kernel has taken is still sent. `abort`: by a reset.
  void close(bool abort = false);
  [[nodiscard]] bool closed() const noexcept { return fd_ < 0; }

  /// True where neither direction has moved for `timeout` while it should have. Call it regularly.
  [[nodiscard]] bool stalled(MonoTime now, std::chrono::nanoseconds timeout) noexcept;

 private:
  struct Item {
    Bytes data;
    std::size_t offset = 0;
    std::shared_ptr<FrameSocket> source;  ///< where `remaining` more bytes of this frame come from
    std::uint64_t remaining = 0;
    std::size_t in_pipe = 0;
  };
  struct Pipe {
    int in = -1;
    int out = -1;
  };
  struct Progress {
    std::uint64_t bytes = 0;
    std::uint64_t seen = 0;
    MonoTime since;
  };

  FrameSocket(runtime::IoExecutor& executor, int fd, FrameOwner& owner, RelayCounters& counters,
              bool connecting);
  void on_readable() override;
  void on_writable() override;
  void read_some();
  [[nodiscard]] bool may_read() const noexcept;
  /// Bytes read, 0 where the loop ends (blocked, failed).
  std::size_t receive();
  void process(ByteView bytes);
  /// One frame's start at bytes[0]; gives how many bytes it used, 0 where more are needed.
  std::size_t begin_frame(ByteView bytes);
  std::size_t take_into_frame(ByteView bytes);
  void deliver();
  void begin_stream(std::shared_ptr<FrameSocket> source, Bytes prefix, std::uint64_t remaining);
  void flush();
  [[nodiscard]] bool write_queue();  ///< false: blocked or failed
  [[nodiscard]] bool pump_stream();  ///< head item; false: blocked or failed
  void advance(std::size_t sent_bytes);
  void pop_head();
  void source_gone(const FrameSocket* source);
  void fail(std::string reason, bool orderly = false);
  void shut(bool abort);
  [[nodiscard]] bool queue_empty() const noexcept { return head_ == queue_.size(); }
  static Pipe take_pipe();
  static void give_pipe(Pipe pipe, bool empty);

  runtime::IoExecutor& executor_;
  FrameOwner* owner_;
  RelayCounters& counters_;
  int fd_;
  std::unique_ptr<runtime::FdWatch> watch_;
  bool connecting_;
  bool started_ = false;
  bool trusted_ = false;
  bool write_blocked_ = false;
  bool flushing_ = false;
  bool tell_drained_ = false;
  bool framed_ = false;  ///< the frame being collected keeps its 4 bytes
  bool collecting_ = false;
  std::uint8_t paused_ = 0;
  std::uint8_t head_have_ = 0;
  std::uint16_t corks_ = 0;
  std::uint32_t frame_bytes_max_ = 0;
  std::array<std::uint8_t, 4 + kFrameHeadBytes> head_bytes_{};
  Bytes frame_;
  std::size_t frame_filled_ = 0;
  std::size_t frame_total_ = 0;
  std::uint64_t frame_tag_ = 0;
  std::shared_ptr<FrameSocket> stream_target_;  ///< where the frame being read is spliced to
  std::vector<Item> queue_;
  std::size_t head_ = 0;
  std::atomic<std::size_t> queued_bytes_{0};
  Pipe pipe_;
  Progress in_;
  Progress out_;
};

}  // namespace flotilla::front
