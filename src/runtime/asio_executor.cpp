#include "runtime/asio_executor.hpp"

#include <time.h>

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <limits>
#include <utility>

#include "runtime/asio_native.hpp"
#include "runtime/timer_queue.hpp"

namespace flotilla::runtime {
namespace asio = boost::asio;

namespace {

thread_local const AsioExecutor* current_executor = nullptr;

MonoTime boot_time() noexcept {
  timespec at{};
  clock_gettime(CLOCK_BOOTTIME, &at);
  return MonoTime{static_cast<std::int64_t>(at.tv_sec) * 1'000'000'000 + at.tv_nsec};
}

/// What the pending waits hold; outlives the watch until they are through.
struct WatchState : std::enable_shared_from_this<WatchState> {
  WatchState(asio::io_context& io, FdEvents& who) : descriptor(io), events(&who) {}

  void wait(asio::posix::descriptor_base::wait_type what, bool& armed, void (FdEvents::*event)()) {
    if (armed) return;
    armed = true;
    descriptor.async_wait(
        what, [self = shared_from_this(), &armed, event](const boost::system::error_code& error) {
          armed = false;  // a member of *self
          if (self->events != nullptr && error != asio::error::operation_aborted)
            (self->events->*event)();
        });
  }

  asio::posix::stream_descriptor descriptor;
  FdEvents* events;
  bool read_armed = false;
  bool write_armed = false;
};

class AsioFdWatch final : public FdWatch {
 public:
  explicit AsioFdWatch(std::shared_ptr<WatchState> state) : state_(std::move(state)) {}
  ~AsioFdWatch() override {
    state_->events = nullptr;
    state_->descriptor.release();
  }
  void await_readable() override {
    state_->wait(asio::posix::descriptor_base::wait_read, state_->read_armed,
                 &FdEvents::on_readable);
  }
  void await_writable() override {
    state_->wait(asio::posix::descriptor_base::wait_write, state_->write_armed,
                 &FdEvents::on_writable);
  }

 private:
  std::shared_ptr<WatchState> state_;
};

}  // namespace

struct AsioExecutor::Impl {
  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> guard{io.get_executor()};
  TimerQueue timers;
  asio::steady_timer timer{io};
  std::int64_t armed_for_ns = std::numeric_limits<std::int64_t>::max();

  /// One Asio timer serves the whole queue: it waits for the earliest deadline.
  void arm() {
    const std::optional<MonoTime> due = timers.next_due();
    if (!due || due->ns >= armed_for_ns) return;
    armed_for_ns = due->ns;
    timer.expires_after(std::max(*due - boot_time(), std::chrono::nanoseconds{0}));
    timer.async_wait([this](const boost::system::error_code& error) {
      if (error == asio::error::operation_aborted) return;
      armed_for_ns = std::numeric_limits<std::int64_t>::max();
      const MonoTime now = boot_time();
      while (std::optional<Work> work = timers.pop_due(now)) (*work)();
      arm();
    });
  }
};

AsioExecutor::AsioExecutor() : impl_(std::make_unique<Impl>()) {}
AsioExecutor::~AsioExecutor() = default;

void AsioExecutor::run() {
  current_executor = this;
  impl_->io.run();
  current_executor = nullptr;
  drain();
}

std::size_t AsioExecutor::drain() {
  const AsioExecutor* const before = std::exchange(current_executor, this);
  impl_->io.restart();
  std::size_t count = 0;
  // Bounded, so that work that posts itself again cannot hold up the end of the process.
  for (int round = 0; round < 1000; ++round) {
    const std::size_t ran = impl_->io.poll();
    if (ran == 0) break;
    count += ran;
  }
  current_executor = before;
  return count;
}

void AsioExecutor::stop() {
  // Posted, so that what was posted before runs before.
  asio::post(impl_->io, [this] { impl_->io.stop(); });
}

void AsioExecutor::post(Work work) { asio::post(impl_->io, std::move(work)); }

TimerId AsioExecutor::schedule_after(std::chrono::nanoseconds delay, Work work) {
  const TimerId id = impl_->timers.add(boot_time() + delay, std::move(work));
  impl_->arm();
  return id;
}

void AsioExecutor::cancel(TimerId timer) { impl_->timers.cancel(timer); }

bool AsioExecutor::in_thread() const noexcept { return current_executor == this; }

MonoTime AsioExecutor::now() const noexcept { return boot_time(); }

std::unique_ptr<FdWatch> AsioExecutor::watch(int fd, FdEvents& events) {
  auto state = std::make_shared<WatchState>(impl_->io, events);
  boost::system::error_code error;
  state->descriptor.assign(fd, error);
  if (error) return nullptr;
  return std::make_unique<AsioFdWatch>(std::move(state));
}

boost::asio::io_context& native(AsioExecutor& executor) noexcept { return executor.impl().io; }

}  // namespace flotilla::runtime
