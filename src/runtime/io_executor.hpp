// Readiness of file descriptors on an executor: the part of an event loop that rooms with sockets
// of their own use. Keeps Asio out of headers. Knows nothing of what the descriptors carry.
#pragma once

#include <memory>

#include "runtime/executor.hpp"

namespace flotilla::runtime {

/// What a watched descriptor tells. Called on the executor's thread. An error or a hang-up counts
/// as ready: the following read or write names it.
class FdEvents {
 public:
  virtual ~FdEvents() = default;
  virtual void on_readable() = 0;
  virtual void on_writable() = 0;
};

/// One watched descriptor. Does not own it: destroy the watch, then close the descriptor. No event
/// is delivered after the destructor; an event may destroy its own watch.
/// Calls   the executor's thread only; destroy before the executor
class FdWatch {
 public:
  virtual ~FdWatch() = default;
  /// One on_readable() when there is something to read (now or later). A second call before that
  /// changes nothing. Allocates nothing in the steady state.
  virtual void await_readable() = 0;
  virtual void await_writable() = 0;
};

/// An executor that can also wait for descriptors.
class IoExecutor : public Executor {
 public:
  /// `fd` is non-blocking and pollable; `events` outlives the watch. Null where the kernel refuses.
  /// Calls   this executor's thread only
  [[nodiscard]] virtual std::unique_ptr<FdWatch> watch(int fd, FdEvents& events) = 0;
};

}  // namespace flotilla::runtime
