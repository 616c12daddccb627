// Threads for calls that may block. Grows with demand up to a bound; work beyond it waits its turn.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "runtime/executor.hpp"

namespace flotilla::runtime {

class ThreadBlockingPool final : public BlockingPool {
 public:
  explicit ThreadBlockingPool(std::size_t threads_max = 64);
  ~ThreadBlockingPool() override;  ///< stop()

  void run(Work work) override;  ///< after stop() the work is dropped
  /// Runs what waits, joins the threads.
  void stop();

 private:
  void serve();

  const std::size_t threads_max_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Work> queue_;
  std::vector<std::thread> threads_;
  std::size_t idle_ = 0;
  bool stopping_ = false;
};

}  // namespace flotilla::runtime
