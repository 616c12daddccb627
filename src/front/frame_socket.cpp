#include "front/frame_socket.hpp"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "runtime/buffer_cache.hpp"

namespace flotilla::front {
namespace {

constexpr std::size_t kScratchBytes = 64U << 10;
constexpr int kReadRounds = 8;  // then other connections of the shard have their turn
constexpr std::size_t kIovMax = 64;
constexpr std::size_t kPumpBytesMax = 4U << 20;
constexpr std::size_t kPipeBytes = 1U << 20;
constexpr std::size_t kPipesKept = 16;
constexpr std::size_t kUntrustedStartBytes = 4U << 10;
constexpr std::size_t kTrustedStartBytes = 9U << 20;  // all that a cached buffer holds

/// One per thread: a connection that waits for input owns no read buffer.
MutableBytes scratch() {
  thread_local const auto bytes = std::make_unique<std::uint8_t[]>(kScratchBytes);
  return {bytes.get(), kScratchBytes};
}

std::string error_text(const char* what, int error) {
  return fmt::format("{}: {}", what, std::strerror(error));
}

}  // namespace

std::shared_ptr<FrameSocket> FrameSocket::make(runtime::IoExecutor& executor, int fd,
                                               FrameOwner& owner, RelayCounters& counters,
                                               bool connecting) {
  std::shared_ptr<FrameSocket> socket(new FrameSocket(executor, fd, owner, counters, connecting));
  socket->watch_ = executor.watch(fd, *socket);
  if (!socket->watch_) {
    socket->close();
    return nullptr;
  }
  if (connecting) socket->watch_->await_writable();
  return socket;
}

FrameSocket::FrameSocket(runtime::IoExecutor& executor, int fd, FrameOwner& owner,
                         RelayCounters& counters, bool connecting)
    : executor_(executor), owner_(&owner), counters_(counters), fd_(fd), connecting_(connecting) {
  in_.since = out_.since = executor.now();
}

FrameSocket::~FrameSocket() { shut(false); }

void FrameSocket::start(std::uint32_t frame_bytes_max) {
  frame_bytes_max_ = frame_bytes_max;
  started_ = true;
  if (!connecting_ && may_read()) watch_->await_readable();
}

bool FrameSocket::may_read() const noexcept {
  return fd_ >= 0 && started_ && !connecting_ && paused_ == 0 && !stream_target_;
}

void FrameSocket::resume(Pause why) {
  if ((paused_ & why) == 0) return;
  paused_ = static_cast<std::uint8_t>(paused_ & ~why);
  if (may_read()) watch_->await_readable();
}

// --- input ----------------------------------------------------------------------------------

void FrameSocket::on_readable() {
  const auto self = shared_from_this();
  if (stream_target_) {
    const auto target = stream_target_;
    target->flush();
    return;
  }
  read_some();
}

void FrameSocket::read_some() {
  cork();
  bool more = false;
  for (int round = 0; round < kReadRounds && may_read(); ++round) {
    const std::size_t count = receive();
    more = count != 0;
    if (!more) break;
    // A short read means that the socket is empty: do not ask again only to hear EAGAIN.
    if (count < kScratchBytes / 2 && !collecting_) break;
  }
  uncork();
  if (may_read()) watch_->await_readable();
}

std::size_t FrameSocket::receive() {
  const MutableBytes room = scratch();
  iovec parts[2];
  std::size_t part_count = 0;
  std::size_t direct = 0;
  const std::size_t held = collecting_ ? 0 : head_have_;
  if (collecting_) {
    if (frame_filled_ == frame_.size())
      frame_.resize(std::min(frame_total_, std::max<std::size_t>(frame_.size() * 2, 4096)));
    direct = frame_.size() - frame_filled_;
    parts[part_count++] = {frame_.data() + frame_filled_, direct};
    // Bytes of the next frame may follow, but only where this one's memory is all there.
    if (frame_.size() == frame_total_) parts[part_count++] = {room.data(), room.size()};
  } else {
    std::memcpy(room.data(), head_bytes_.data(), held);
    parts[part_count++] = {room.data() + held, room.size() - held};
  }
  ssize_t got;
  do {
    got = readv(fd_, parts, static_cast<int>(part_count));
  } while (got < 0 && errno == EINTR);
  if (got < 0) {
    if (errno == EAGAIN || errno == EWOULDBLOCK) return 0;
    fail(error_text("read", errno));
    return 0;
  }
  if (got == 0) {
    const bool between = !collecting_ && head_have_ == 0;
    fail(between ? "closed by the peer" : "closed by the peer in the middle of a frame", between);
    return 0;
  }
  const auto count = static_cast<std::size_t>(got);
  in_.bytes += count;
  if (direct != 0) {
    const std::size_t into_frame = std::min(count, direct);
    frame_filled_ += into_frame;
    if (frame_filled_ == frame_total_) deliver();
    if (count > into_frame) process(ByteView(room).first(count - into_frame));
  } else {
    head_have_ = 0;
    process(ByteView(room).first(held + count));
  }
  return count;
}

void FrameSocket::process(ByteView bytes) {
  while (!bytes.empty() && fd_ >= 0) {
    const std::size_t used = collecting_ ? take_into_frame(bytes) : begin_frame(bytes);
    if (fd_ < 0) return;
    if (used == 0) {
      // Less than a head: at most 67 bytes, kept for the next read.
      head_have_ = static_cast<std::uint8_t>(bytes.size());
      std::memcpy(head_bytes_.data(), bytes.data(), bytes.size());
      return;
    }
    bytes = bytes.subspan(used);
  }
}

std::size_t FrameSocket::begin_frame(ByteView bytes) {
  if (bytes[0] != 0) {
    fail(fmt::format("NetBIOS message type 0x{:02x}, expected 0 (session message)", bytes[0]));
    return 0;
  }
  if (bytes.size() < 4) return 0;
  const std::uint32_t size_bytes =
      std::uint32_t{bytes[1]} << 16 | std::uint32_t{bytes[2]} << 8 | std::uint32_t{bytes[3]};
  if (size_bytes > frame_bytes_max_) {
    fail(fmt::format("frame of {} bytes, at most {} are taken here", size_bytes, frame_bytes_max_));
    return 0;
  }
  const std::size_t head = 4 + std::min<std::size_t>(size_bytes, kFrameHeadBytes);
  if (bytes.size() < head) return 0;
  FrameVerdict verdict = owner_->on_frame_head(size_bytes, bytes.subspan(4, head - 4));
  if (fd_ < 0) return 0;
  if (verdict.action == FrameVerdict::Action::End) {
    fail(std::move(verdict.reason));
    return 0;
  }
  const std::size_t whole = 4 + std::size_t{size_bytes};
  const bool relay = verdict.action == FrameVerdict::Action::Relay;
  if (relay && verdict.target && !verdict.target->closed() && !verdict.target->connecting_ &&
      whole > bytes.size() && whole - bytes.size() >= kSpliceBytesMin) {
    Bytes prefix = runtime::take_buffer(bytes.size());
    std::memcpy(prefix.data(), bytes.data(), bytes.size());
    stream_target_ = verdict.target;
    stream_target_->begin_stream(shared_from_this(), std::move(prefix), whole - bytes.size());
    return bytes.size();
  }
  collecting_ = true;
  framed_ = relay;
  frame_tag_ = verdict.tag;
  frame_total_ = framed_ ? whole : size_bytes;
  const std::size_t at_once = trusted_ ? kTrustedStartBytes : kUntrustedStartBytes;
  frame_ = runtime::take_buffer(std::min(frame_total_, at_once));
  const std::size_t skip = framed_ ? 0 : 4;
  frame_filled_ = 0;
  if (frame_total_ == 0) {
    deliver();
    return skip;
  }
  return skip + take_into_frame(bytes.subspan(skip));
}

std::size_t FrameSocket::take_into_frame(ByteView bytes) {
  const std::size_t count = std::min(bytes.size(), frame_total_ - frame_filled_);
  if (frame_.size() < frame_filled_ + count)
    frame_.resize(std::min(frame_total_, std::max(frame_.size() * 2, frame_filled_ + count)));
  if (count != 0) std::memcpy(frame_.data() + frame_filled_, bytes.data(), count);
  frame_filled_ += count;
  if (frame_filled_ == frame_total_) deliver();
  return count;
}

void FrameSocket::deliver() {
  collecting_ = false;
  owner_->on_frame(std::exchange(frame_, {}), frame_tag_);
}

// --- output ---------------------------------------------------------------------------------

void FrameSocket::send(Bytes frame) {
  if (fd_ < 0 || frame.size() < 4) return;
  const std::size_t size_bytes = frame.size() - 4;
  if (size_bytes > 0xFFFFFF) {
    fail(fmt::format("an answer of {} bytes does not fit a frame", size_bytes));
    return;
  }
  frame[0] = 0;
  frame[1] = static_cast<std::uint8_t>(size_bytes >> 16);
  frame[2] = static_cast<std::uint8_t>(size_bytes >> 8);
  frame[3] = static_cast<std::uint8_t>(size_bytes);
  queued_bytes_.fetch_add(frame.size(), std::memory_order_relaxed);
  Item& item = queue_.emplace_back();
  item.data = std::move(frame);
  if (corks_ == 0 || queued_bytes() > (256U << 10)) flush();
}

void FrameSocket::uncork() {
  if (--corks_ == 0) flush();
}

void FrameSocket::begin_stream(std::shared_ptr<FrameSocket> source, Bytes prefix,
                               std::uint64_t remaining) {
  queued_bytes_.fetch_add(prefix.size(), std::memory_order_relaxed);
  Item& item = queue_.emplace_back();
  item.data = std::move(prefix);
  item.source = std::move(source);
  item.remaining = remaining;
  flush();
}

void FrameSocket::flush() {
  if (fd_ < 0 || connecting_ || flushing_ || write_blocked_) return;
  const auto self = shared_from_this();
  flushing_ = true;
  while (fd_ >= 0 && !queue_empty()) {
    const Item& item = queue_[head_];
    const bool streaming = item.source && item.offset == item.data.size();
    if (!(streaming ? pump_stream() : write_queue())) break;
  }
  flushing_ = false;
  if (queue_empty() && !queue_.empty()) {
    queue_.clear();
    head_ = 0;
    if (queue_.capacity() > 64) queue_.shrink_to_fit();
  }
  if (tell_drained_ && owner_ != nullptr && queued_bytes() < kQueueLowBytes) {
    tell_drained_ = false;
    owner_->on_drained();
  }
}

bool FrameSocket::write_queue() {
  iovec parts[kIovMax];
  std::size_t count = 0;
  for (std::size_t i = head_; i < queue_.size() && count < kIovMax; ++i) {
    Item& item = queue_[i];
    parts[count++] = {item.data.data() + item.offset, item.data.size() - item.offset};
    if (item.source) break;  // its body comes before what is queued behind it
  }
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = count;
  const ssize_t sent = sendmsg(fd_, &message, MSG_NOSIGNAL);
  if (sent < 0) {
    if (errno == EINTR) return true;
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      write_blocked_ = true;
      watch_->await_writable();
    } else {
      fail(error_text("write", errno));
    }
    return false;
  }
  advance(static_cast<std::size_t>(sent));
  return true;
}

void FrameSocket::advance(std::size_t sent_bytes) {
  out_.bytes += sent_bytes;
  queued_bytes_.fetch_sub(sent_bytes, std::memory_order_relaxed);
  while (sent_bytes != 0 && !queue_empty()) {
    Item& item = queue_[head_];
    const std::size_t part = std::min(sent_bytes, item.data.size() - item.offset);
    item.offset += part;
    sent_bytes -= part;
    if (item.offset < item.data.size() || item.source) return;
    pop_head();
  }
}

void FrameSocket::pop_head() {
  runtime::recycle_buffer(std::move(queue_[head_].data));
  queue_[head_].source.reset();
  ++head_;
  // A queue that never runs empty must not grow by what it has sent.
  if (head_ >= 256 && head_ * 2 >= queue_.size()) {
    queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
}

bool FrameSocket::pump_stream() {
  Item& item = queue_[head_];
  const std::shared_ptr<FrameSocket> source = item.source;
  if (pipe_.in < 0) pipe_ = take_pipe();
  if (pipe_.in < 0) {
    fail(error_text("pipe2", errno));
    return false;
  }
  for (std::size_t pumped = 0;;) {
    if (item.in_pipe == 0) {
      if (item.remaining == 0) {
        give_pipe(std::exchange(pipe_, {}), true);
        pop_head();
        source->stream_target_.reset();
        if (source->may_read()) source->watch_->await_readable();
        return true;
      }
      if (pumped >= kPumpBytesMax) {  // let others have their turn
        write_blocked_ = true;
        watch_->await_writable();
        return false;
      }
      const ssize_t got = splice(source->fd_, nullptr, pipe_.in, nullptr,
                                 std::min<std::uint64_t>(item.remaining, kPipeBytes),
                                 SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 && errno == EAGAIN) {
        source->watch_->await_readable();
        return false;
      }
      if (got <= 0) {
        source->fail(got == 0 ? "closed by the peer in the middle of a frame"
                              : error_text("splice", errno));
        return false;  // the source's end has ended this socket too
      }
      item.in_pipe = static_cast<std::size_t>(got);
      item.remaining -= item.in_pipe;
      source->in_.bytes += item.in_pipe;
    }
    const ssize_t put =
        splice(pipe_.out, nullptr, fd_, nullptr, item.in_pipe,
               SPLICE_F_MOVE | SPLICE_F_NONBLOCK | (item.remaining != 0 ? SPLICE_F_MORE : 0U));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && errno == EAGAIN) {
      write_blocked_ = true;
      watch_->await_writable();
      return false;
    }
    if (put <= 0) {
      fail(error_text("splice", errno));
      return false;
    }
    const auto moved = static_cast<std::size_t>(put);
    item.in_pipe -= moved;
    pumped += moved;
    out_.bytes += moved;
    counters_.spliced_bytes.fetch_add(moved, std::memory_order_relaxed);
  }
}

void FrameSocket::on_writable() {
  const auto self = shared_from_this();
  write_blocked_ = false;
  if (connecting_) {
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    if (error != 0) {
      fail(error_text("connect", error));
      return;
    }
    connecting_ = false;
    owner_->on_connected();
    if (may_read()) watch_->await_readable();
  }
  flush();
}

// --- the end --------------------------------------------------------------------------------

void FrameSocket::fail(std::string reason, bool orderly) {
  if (fd_ < 0) return;
  FrameOwner* const owner = owner_;
  shut(false);
  // owner_ stays: it is who the posted end is for, unless close() comes before.
  owner_ = owner;
  executor_.post([self = shared_from_this(), text = std::move(reason), orderly] {
    if (FrameOwner* const who = std::exchange(self->owner_, nullptr)) who->on_ended(text, orderly);
  });
}

void FrameSocket::close(bool abort) {
  owner_ = nullptr;
  if (!abort) flush();  // what was corked
  shut(abort);
}

void FrameSocket::shut(bool abort) {
  if (fd_ < 0) return;
  watch_.reset();
  if (abort) {
    const linger now{1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  }
  ::close(std::exchange(fd_, -1));
  if (pipe_.in >= 0) give_pipe(std::exchange(pipe_, {}), false);
  frame_ = {};
  collecting_ = false;
  std::vector<Item> queue = std::exchange(queue_, {});
  head_ = 0;
  queued_bytes_.store(0, std::memory_order_relaxed);
  for (Item& item : queue) {
    if (!item.source || item.source->stream_target_.get() != this) continue;
    item.source->stream_target_.reset();
    item.source->fail("the way of a frame ended in the middle of it");
  }
  if (const auto target = std::exchange(stream_target_, nullptr)) target->source_gone(this);
}

void FrameSocket::source_gone(const FrameSocket* source) {
  for (std::size_t i = head_; i < queue_.size(); ++i) {
    Item& item = queue_[i];
    if (item.source.get() != source) continue;
    if (i == head_ && (item.offset != 0 || flushing_)) {
      fail("the source of a frame ended in the middle of it");
    } else {
      queued_bytes_.fetch_sub(item.data.size(), std::memory_order_relaxed);
      queue_.erase(queue_.begin() + static_cast<std::ptrdiff_t>(i));
    }
    return;
  }
}

bool FrameSocket::stalled(MonoTime now, std::chrono::nanoseconds timeout) noexcept {
  const auto check = [now, timeout](Progress& progress, bool busy) {
    if (!busy || progress.bytes != progress.seen) {
      progress.seen = progress.bytes;
      progress.since = now;
      return false;
    }
    return now - progress.since > timeout;
  };
  const bool in = check(in_, (collecting_ || head_have_ != 0) && may_read());
  const bool out = check(out_, !queue_empty());
  return in || out;
}

// --- pipes ----------------------------------------------------------------------------------

namespace {
struct PipeCache {
  std::vector<std::pair<int, int>> kept;
  ~PipeCache() {
    for (const auto& [in, out] : kept) {
      ::close(in);
      ::close(out);
    }
  }
};
PipeCache& pipe_cache() {
  thread_local PipeCache cache;
  return cache;
}
}  // namespace

FrameSocket::Pipe FrameSocket::take_pipe() {
  PipeCache& cache = pipe_cache();
  if (!cache.kept.empty()) {
    const auto [in, out] = cache.kept.back();
    cache.kept.pop_back();
    return {in, out};
  }
  int ends[2];
  if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) return {};
  (void)fcntl(ends[1], F_SETPIPE_SZ, static_cast<int>(kPipeBytes));  // smaller works too
  return {ends[1], ends[0]};
}

void FrameSocket::give_pipe(Pipe pipe, bool empty) {
  PipeCache& cache = pipe_cache();
  if (empty && cache.kept.size() < kPipesKept) {
    cache.kept.emplace_back(pipe.in, pipe.out);
    return;
  }
  ::close(pipe.in);
  ::close(pipe.out);
}

}  // namespace flotilla::front
