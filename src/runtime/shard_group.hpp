// The shards: one thread and one executor per core.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "runtime/epoll_executor.hpp"

namespace flotilla::runtime {

class ShardGroup {
 public:
  /// `count` 0: as many as the machine has cores, at most 256 (a SessionId has 8 bits for it).
  /// `poll_window`: EpollExecutor.
  explicit ShardGroup(std::size_t count = 0, std::chrono::nanoseconds poll_window = {});
  ~ShardGroup();  ///< stop()
  ShardGroup(const ShardGroup&) = delete;
  ShardGroup& operator=(const ShardGroup&) = delete;

  /// Starts the threads, with all signals blocked in them. Once.
  void start();
  /// Ends and joins them; posted work has run by then. More than once is harmless. Not from a
  /// shard.
  void stop();

  [[nodiscard]] std::size_t count() const noexcept { return shards_.size(); }
  [[nodiscard]] EpollExecutor& shard(std::size_t index) noexcept { return *shards_[index]; }

  /// Runs `work` on the shard and waits for its end; inline where the caller is that shard or the
  /// threads do not run. Never from another shard: two that wait for each other would stay so.
  void run_on(std::size_t index, const std::function<void()>& work);

 private:
  std::vector<std::unique_ptr<EpollExecutor>> shards_;
  std::vector<std::thread> threads_;
};

}  // namespace flotilla::runtime
