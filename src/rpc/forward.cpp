#include "rpc/forward.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <thread>

#include "base/log.hpp"

namespace flotilla::rpc {

namespace {

std::atomic<std::size_t> open_count{0};

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) noexcept : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const noexcept { return fd_; }

 private:
  int fd_;
};

/// What both threads see. The pipe's thread lives until `ended` or the other side hangs up.
struct Shared {
  std::mutex mutex;
  Bytes to_server;      ///< not written yet
  bool ended = false;   ///< the client's side is gone
  bool broken = false;  ///< the server's side is
  ReplySink sink;       ///< used on the executor only
};

class ForwardedPipe final : public PipeServer {
 public:
  static constexpr std::size_t kQueuedBytesMax = 8U << 20;
  static constexpr std::size_t kMessageBytesMax = 65535;
  static constexpr std::size_t kLengthBytes = 2;

  ForwardedPipe(std::string name, Descriptor socket, Descriptor wake, Bytes greeting,
                runtime::Executor& executor, ReplySink sink)
      : shared_(std::make_shared<Shared>()), wake_(std::move(wake)) {
    shared_->to_server = std::move(greeting);
    shared_->sink = std::move(sink);
    // The thread has its own name for the event descriptor: this one goes with the pipe.
    thread_ = std::thread(&run, std::move(name), std::move(socket), Descriptor(::dup(wake_.get())),
                          std::ref(executor), shared_);
  }
  ~ForwardedPipe() override {
    {
      const std::scoped_lock lock(shared_->mutex);
      shared_->ended = true;
    }
    wake();
    thread_.join();  // it waits for nothing but its descriptors
    open_count.fetch_sub(1, std::memory_order_relaxed);
  }

  [[nodiscard]] Status receive(ByteView data) override {
    {
      const std::scoped_lock lock(shared_->mutex);
      if (shared_->broken) return fail(NtStatus::PipeDisconnected);
      if (shared_->to_server.size() + data.size() > kQueuedBytesMax) {
        return fail(NtStatus::InsufficientResources);
      }
      // A message of the pipe has its length in front, two bytes.
      for (ByteView rest = data; !rest.empty();) {
        const ByteView part = rest.first(std::min(rest.size(), kMessageBytesMax));
        ByteWriter(shared_->to_server).u16(static_cast<std::uint16_t>(part.size()));
        shared_->to_server.insert(shared_->to_server.end(), part.begin(), part.end());
        rest = rest.subspan(part.size());
      }
    }
    wake();
    return {};
  }

 private:
  void wake() const {
    const std::uint64_t one = 1;
    (void)!::write(wake_.get(), &one, sizeof one);
  }

  /// Gives a message to the client, or (empty) tells that none will come.
  static void post(runtime::Executor& executor, const std::shared_ptr<Shared>& shared,
                   Bytes message) {
    executor.post([weak = std::weak_ptr(shared), message = std::move(message)]() mutable {
      const auto alive = weak.lock();
      if (!alive) return;
      {
        const std::scoped_lock lock(alive->mutex);
        if (alive->ended) return;
      }
      alive->sink(std::move(message));
    });
  }

  /// Takes whole messages from the front of `from`. False: the stream makes no sense.
  static bool take_messages(Bytes& from, bool& greeted, const std::string& name,
                            runtime::Executor& executor, const std::shared_ptr<Shared>& shared) {
    for (;;) {
      if (!greeted) {
        if (from.size() < kNamedPipeAuthReplyBytes) return true;
        if (const Status good =
                check_named_pipe_auth_reply(ByteView(from).first(kNamedPipeAuthReplyBytes));
            !good) {
          log::warn("rpc: {}: the server behind [rpc] forward refuses the caller: {}", name,
                    name_of(good.error()));
          return false;
        }
        greeted = true;
        from.erase(from.begin(), from.begin() + kNamedPipeAuthReplyBytes);
        continue;
      }
      if (from.size() < kLengthBytes) return true;
      const std::size_t size_bytes = load_le<std::uint16_t>(from.data());
      if (size_bytes == 0) return false;
      if (from.size() - kLengthBytes < size_bytes) return true;
      const auto begin = from.begin() + kLengthBytes;
      const auto end = begin + static_cast<std::ptrdiff_t>(size_bytes);
      post(executor, shared, Bytes(begin, end));
      from.erase(from.begin(), end);
    }
  }

  static void run(std::string name, Descriptor socket, Descriptor wake, runtime::Executor& executor,
                  std::shared_ptr<Shared> shared) {
    Bytes out;
    Bytes in;
    bool greeted = false;
    for (;;) {
      {
        const std::scoped_lock lock(shared->mutex);
        if (shared->ended) return;
        out.insert(out.end(), shared->to_server.begin(), shared->to_server.end());
        shared->to_server.clear();
      }
      pollfd fds[2] = {{socket.get(), POLLIN, 0}, {wake.get(), POLLIN, 0}};
      if (!out.empty()) fds[0].events |= POLLOUT;
      if (::poll(fds, 2, -1) < 0 && errno != EINTR) break;
      if ((fds[1].revents & POLLIN) != 0) {
        std::uint64_t count = 0;
        (void)!::read(wake.get(), &count, sizeof count);
      }
      if ((fds[0].revents & POLLOUT) != 0) {
        const ssize_t n = ::send(socket.get(), out.data(), out.size(), MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR) break;
        if (n > 0) out.erase(out.begin(), out.begin() + n);
      }
      if ((fds[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
        std::uint8_t buffer[16384];
        const ssize_t n = ::recv(socket.get(), buffer, sizeof buffer, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) break;
        if (n > 0) in.insert(in.end(), buffer, buffer + n);
        if (!take_messages(in, greeted, name, executor, shared)) break;
      }
    }
    {
      const std::scoped_lock lock(shared->mutex);
      shared->broken = true;
    }
    post(executor, shared, {});
  }

  std::shared_ptr<Shared> shared_;
  Descriptor wake_;
  std::thread thread_;
};

class LocalForwarder final : public PipeForwarder {
 public:
  explicit LocalForwarder(std::filesystem::path directory) : directory_(std::move(directory)) {}

  void open(const std::string& name, PipeContext context, runtime::Executor& executor,
            ReplySink sink, Opened done) override {
    auto pipe = connect(name, context, executor, std::move(sink));
    executor.post(
        [done = std::move(done), pipe = std::move(pipe)]() mutable { done(std::move(pipe)); });
  }

 private:
  Result<std::unique_ptr<PipeServer>> connect(const std::string& name, const PipeContext& context,
                                              runtime::Executor& executor, ReplySink sink) {
    // The name comes from a client: it is one component of a path or nothing.
    constexpr std::size_t kNameBytesMax = 64;
    if (name.empty() || name.size() > kNameBytesMax || name.front() == '.' ||
        name.find_first_of(std::string_view("/\\\0", 3)) != name.npos) {
      return fail(NtStatus::ObjectNameNotFound);
    }
    const std::string path = (directory_ / "np" / name).string();
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) return fail(NtStatus::ObjectNameNotFound);
    std::memcpy(address.sun_path, path.data(), path.size());
    Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    Descriptor wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (socket.get() < 0 || wake.get() < 0) return fail(NtStatus::InsufficientResources);
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      if (errno == ENOENT) return fail(NtStatus::ObjectNameNotFound);
      log::warn("rpc: {}: expected samba-dcerpcd to listen there: {}", path, std::strerror(errno));
      return fail(NtStatus::PipeNotAvailable);
    }
    if (open_count.fetch_add(1, std::memory_order_relaxed) >= kForwardedMax) {
      open_count.fetch_sub(1, std::memory_order_relaxed);
      return fail(NtStatus::InsufficientResources);
    }
    return std::make_unique<ForwardedPipe>(name, std::move(socket), std::move(wake),
                                           encode_named_pipe_auth(context), executor,
                                           std::move(sink));
  }

  const std::filesystem::path directory_;
};

}  // namespace

std::shared_ptr<PipeForwarder> make_local_forwarder(std::filesystem::path directory) {
  return std::make_shared<LocalForwarder>(std::move(directory));
}

}  // namespace flotilla::rpc
