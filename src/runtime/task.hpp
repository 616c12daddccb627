// Task<T>: a lazy coroutine with one awaiter; OneShot<T>: the bridge from callbacks of other
// threads. No reference or view may live across a co_await unless its owner provably outlives it
// (shared/STYLE.md).
#pragma once

#include <coroutine>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "base/check.hpp"
#include "runtime/executor.hpp"

namespace flotilla::runtime {

template <class T>
class Task;

namespace detail {

struct FinalAwaiter {
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <class Promise>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> done) noexcept {
    const std::coroutine_handle<> waiter = done.promise().continuation;
    return waiter ? waiter : std::noop_coroutine();
  }
  void await_resume() const noexcept {}
};

struct PromiseBase {
  std::coroutine_handle<> continuation;
  std::suspend_always initial_suspend() noexcept { return {}; }
  FinalAwaiter final_suspend() noexcept { return {}; }
  /// Exceptions do not cross a folder; one that reaches a coroutine's edge is a bug.
  void unhandled_exception() noexcept { std::terminate(); }
};

template <class T>
struct Promise : PromiseBase {
  std::optional<T> value;
  Task<T> get_return_object() noexcept;
  template <class U>
  void return_value(U&& result) {
    value.emplace(std::forward<U>(result));
  }
  T take() { return std::move(*value); }
};

template <>
struct Promise<void> : PromiseBase {
  Task<void> get_return_object() noexcept;
  void return_void() noexcept {}
  void take() noexcept {}
};

}  // namespace detail

/// Starts when awaited; the awaiter is resumed where the task ends. Destroying an unfinished task
/// destroys its frame.
template <class T = void>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::Promise<T>;
  using Handle = std::coroutine_handle<promise_type>;

  explicit Task(Handle handle) noexcept : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Task& operator=(Task&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  ~Task() {
    if (handle_) handle_.destroy();
  }

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiter) noexcept {
    handle_.promise().continuation = waiter;
    return handle_;
  }
  T await_resume() { return handle_.promise().take(); }

 private:
  Handle handle_;
};

namespace detail {
template <class T>
Task<T> Promise<T>::get_return_object() noexcept {
  return Task<T>(std::coroutine_handle<Promise<T>>::from_promise(*this));
}
inline Task<void> Promise<void>::get_return_object() noexcept {
  return Task<void>(std::coroutine_handle<Promise<void>>::from_promise(*this));
}

struct Detached {
  struct promise_type {
    Detached get_return_object() noexcept { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { std::terminate(); }
  };
};
inline Detached run_detached(Task<void> task) { co_await std::move(task); }
}  // namespace detail

/// Runs the task now, on this thread, up to its first suspension; nobody waits for it.
inline void spawn(Task<void> task) { detail::run_detached(std::move(task)); }

/// A value that arrives once, from any thread, for one awaiting coroutine. The coroutine resumes on
/// `executor` (given to `wait`), or goes on at once where the value is there already.
/// Both sides hold the state by shared_ptr: a sender may outlive the waiter and the reverse.
template <class T>
class OneShot {
 public:
  static std::shared_ptr<OneShot> make() { return std::make_shared<OneShot>(); }

  /// Delivers the value; later deliveries are dropped (first wins), and false is returned.
  bool set(T value) {
    std::unique_lock lock(mutex_);
    if (value_ || taken_) return false;
    value_.emplace(std::move(value));
    if (waiter_) {
      Executor* const executor = executor_;
      const std::coroutine_handle<> waiter = std::exchange(waiter_, {});
      lock.unlock();
      executor->post([waiter] { waiter.resume(); });
    }
    return true;
  }
  [[nodiscard]] bool is_set() const {
    const std::scoped_lock lock(mutex_);
    return value_.has_value();
  }

  struct Awaiter {
    std::shared_ptr<OneShot> shot;
    Executor* executor;
    [[nodiscard]] bool await_ready() const { return shot->is_set(); }
    bool await_suspend(std::coroutine_handle<> waiter) {
      const std::scoped_lock lock(shot->mutex_);
      if (shot->value_) return false;
      FLOTILLA_CHECK(!shot->waiter_);
      shot->waiter_ = waiter;
      shot->executor_ = executor;
      return true;
    }
    T await_resume() {
      const std::scoped_lock lock(shot->mutex_);
      shot->taken_ = true;
      T value = std::move(*shot->value_);
      shot->value_.reset();
      return value;
    }
  };
  static Awaiter wait(std::shared_ptr<OneShot> shot, Executor& executor) {
    return Awaiter{std::move(shot), &executor};
  }

 private:
  mutable std::mutex mutex_;
  std::optional<T> value_;
  std::coroutine_handle<> waiter_;
  Executor* executor_ = nullptr;
  bool taken_ = false;
};

}  // namespace flotilla::runtime
