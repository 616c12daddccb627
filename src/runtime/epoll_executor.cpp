#include "runtime/epoll_executor.hpp"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <utility>
#include <vector>

#include "base/check.hpp"
#include "runtime/idle_poll.hpp"
#include "runtime/timer_queue.hpp"

namespace flotilla::runtime {
namespace {

thread_local const EpollExecutor* current_executor = nullptr;

/// What one look at the kernel takes; more of them wait for the next.
constexpr int kEventsMax = 64;
constexpr std::size_t kWorkKeptMax = 4096;

MonoTime boot_time() noexcept {
  timespec at{};
  clock_gettime(CLOCK_BOOTTIME, &at);
  return MonoTime{static_cast<std::int64_t>(at.tv_sec) * 1'000'000'000 + at.tv_nsec};
}

/// A watched descriptor. The kernel is asked level-triggered, and keeps what it was asked while
/// events and waits alternate: in the steady state no call tells it anything.
struct WatchState {
  int fd = -1;
  FdEvents* events = nullptr;  ///< null once the watch is gone
  std::uint32_t wanted = 0;    ///< waits of the owner
  std::uint32_t asked = 0;     ///< what the kernel was told; 0: it does not know the descriptor
};

}  // namespace

struct EpollExecutor::Impl {
  explicit Impl(std::chrono::nanoseconds poll_window)
      : epoll(epoll_create1(EPOLL_CLOEXEC)),
        wake(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        idle(poll_window) {
    FLOTILLA_CHECK(epoll >= 0 && wake >= 0);
    epoll_event event{};
    event.events = EPOLLIN;
    FLOTILLA_CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, wake, &event) == 0);
  }
  ~Impl() {
    close(wake);
    close(epoll);
  }

  const int epoll;
  const int wake;
  bool stopped = false;
  TimerQueue timers;
  IdlePoll idle;
  std::array<epoll_event, kEventsMax> ready;
  std::vector<std::unique_ptr<WatchState>> gone;  ///< `ready` may still name them

  std::mutex mutex;
  std::vector<Work> posted;
  std::vector<Work> running;  ///< the thread's; keeps its memory
  std::atomic<bool> has_posted{false};
  std::atomic<bool> sleeping{false};

  void post(Work work) {
    {
      const std::scoped_lock lock(mutex);
      posted.push_back(std::move(work));
      has_posted.store(true);
    }
    // Either the thread sees has_posted before it sleeps, or this sees that it does.
    if (sleeping.load() && sleeping.exchange(false)) {
      const std::uint64_t one = 1;
      (void)!write(wake, &one, sizeof one);
    }
  }

  std::size_t run_posted() {
    if (!has_posted.load()) return 0;
    {
      const std::scoped_lock lock(mutex);
      running.swap(posted);
      has_posted.store(false);
    }
    const std::size_t count = running.size();
    for (Work& work : running) {
      work();
      work = nullptr;  // what it owns dies before the next one runs
    }
    running.clear();
    if (running.capacity() > kWorkKeptMax) running.shrink_to_fit();
    return count;
  }

  void run_timers() {
    if (timers.count() == 0) return;
    const MonoTime now = boot_time();
    while (std::optional<Work> work = timers.pop_due(now)) (*work)();
  }

  /// Milliseconds until the next timer, rounded up; -1: there is none.
  [[nodiscard]] int timeout_ms() const {
    const std::optional<MonoTime> due = timers.next_due();
    if (!due) return -1;
    const std::int64_t left_ns = due->ns - boot_time().ns;
    if (left_ns <= 0) return 0;
    return static_cast<int>(std::min<std::int64_t>((left_ns + 999'999) / 1'000'000, 60'000));
  }

  int look(int wait_ms) {
    const int count = epoll_wait(epoll, ready.data(), kEventsMax, wait_ms);
    FLOTILLA_CHECK(count >= 0 || errno == EINTR);
    return std::max(count, 0);
  }

  /// Nothing is left to do: waits until something is. Gives the events.
  int wait() {
    const int sleep_ms = timeout_ms();
    if (sleep_ms == 0) return 0;
    int count = 0;
    if (idle.look([this, &count] { return (count = look(0)) > 0 || has_posted.load(); })) {
      return count;
    }
    sleeping.store(true);
    count = has_posted.load() ? 0 : look(sleep_ms);
    sleeping.store(false);
    idle.slept();
    return count;
  }

  void deliver(int count) {
    for (int i = 0; i < count; ++i) {
      auto* const state = static_cast<WatchState*>(ready[static_cast<std::size_t>(i)].data.ptr);
      if (state == nullptr) {
        std::uint64_t ignored = 0;
        (void)!read(wake, &ignored, sizeof ignored);
        continue;
      }
      deliver(*state, ready[static_cast<std::size_t>(i)].events);
    }
    gone.clear();
  }

  void deliver(WatchState& state, std::uint32_t events) {
    constexpr std::uint32_t kBoth = EPOLLERR | EPOLLHUP;
    const bool readable = (events & (EPOLLIN | kBoth)) != 0;
    const bool writable = (events & (EPOLLOUT | kBoth)) != 0;
    if (readable && state.events != nullptr && (state.wanted & EPOLLIN) != 0) {
      state.wanted &= ~EPOLLIN;
      state.events->on_readable();
    }
    if (writable && state.events != nullptr && (state.wanted & EPOLLOUT) != 0) {
      state.wanted &= ~EPOLLOUT;
      state.events->on_writable();
    }
    // Nobody waits for it any more: it would come again and again.
    if (state.events != nullptr && state.wanted != state.asked) ask(state);
  }

  /// With nothing wanted the kernel forgets the descriptor: it reports errors unasked.
  void ask(WatchState& state) const {
    epoll_event event{};
    event.events = state.wanted;
    event.data.ptr = &state;
    const int how = state.wanted == 0  ? EPOLL_CTL_DEL
                    : state.asked == 0 ? EPOLL_CTL_ADD
                                       : EPOLL_CTL_MOD;
    const int failed = epoll_ctl(epoll, how, state.fd, &event);
    FLOTILLA_CHECK(failed == 0 || how == EPOLL_CTL_DEL);
    state.asked = state.wanted;
  }

  void want(WatchState& state, std::uint32_t what) const {
    state.wanted |= what;
    if ((state.asked & what) == 0) ask(state);
  }

  void run() {
    while (!stopped) {
      const bool ran = run_posted() > 0;
      run_timers();
      if (stopped) break;
      deliver(ran || has_posted.load() ? look(0) : wait());
    }
  }
};

namespace {

template <class Impl>
class EpollFdWatch final : public FdWatch {
 public:
  EpollFdWatch(Impl& impl, std::unique_ptr<WatchState> state)
      : impl_(impl), state_(std::move(state)) {}
  ~EpollFdWatch() override {
    state_->events = nullptr;
    state_->wanted = 0;
    if (state_->asked != 0) impl_.ask(*state_);
    impl_.gone.push_back(std::move(state_));
  }
  void await_readable() override { impl_.want(*state_, EPOLLIN); }
  void await_writable() override { impl_.want(*state_, EPOLLOUT); }

 private:
  Impl& impl_;
  std::unique_ptr<WatchState> state_;
};

}  // namespace

EpollExecutor::EpollExecutor(std::chrono::nanoseconds poll_window)
    : impl_(std::make_unique<Impl>(poll_window)) {}
EpollExecutor::~EpollExecutor() = default;

void EpollExecutor::run() {
  current_executor = this;
  impl_->run();
  current_executor = nullptr;
  drain();
}

std::size_t EpollExecutor::drain() {
  const EpollExecutor* const before = std::exchange(current_executor, this);
  std::size_t count = 0;
  // Bounded, so that work that posts itself again cannot hold up the end of the process.
  for (int round = 0; round < 1000; ++round) {
    const std::size_t ran = impl_->run_posted();
    if (ran == 0) break;
    count += ran;
  }
  current_executor = before;
  return count;
}

void EpollExecutor::stop() {
  // Posted, so that what was posted before runs before.
  post([this] { impl_->stopped = true; });
}

void EpollExecutor::post(Work work) { impl_->post(std::move(work)); }

TimerId EpollExecutor::schedule_after(std::chrono::nanoseconds delay, Work work) {
  return impl_->timers.add(boot_time() + delay, std::move(work));
}

void EpollExecutor::cancel(TimerId timer) { impl_->timers.cancel(timer); }

bool EpollExecutor::in_thread() const noexcept { return current_executor == this; }

MonoTime EpollExecutor::now() const noexcept { return boot_time(); }

std::unique_ptr<FdWatch> EpollExecutor::watch(int fd, FdEvents& events) {
  auto state = std::make_unique<WatchState>();
  state->fd = fd;
  state->events = &events;
  // Whether the kernel takes it shows at once, not at the first wait.
  state->wanted = EPOLLIN;
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = state.get();
  if (epoll_ctl(impl_->epoll, EPOLL_CTL_ADD, fd, &event) != 0) return nullptr;
  state->asked = EPOLLIN;
  state->wanted = 0;
  return std::make_unique<EpollFdWatch<Impl>>(*impl_, std::move(state));
}

}  // namespace flotilla::runtime
