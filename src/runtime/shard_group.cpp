#include "runtime/shard_group.hpp"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <future>
#include <string>

#include "runtime/serving_thread.hpp"

namespace flotilla::runtime {

ShardGroup::ShardGroup(std::size_t count, std::chrono::nanoseconds poll_window) {
  if (count == 0) count = std::max(1U, std::thread::hardware_concurrency());
  count = std::min<std::size_t>(count, 256);
  for (std::size_t i = 0; i < count; ++i) {
    shards_.push_back(std::make_unique<EpollExecutor>(poll_window));
  }
}

ShardGroup::~ShardGroup() { stop(); }

void ShardGroup::start() {
  if (!threads_.empty()) return;
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // threads inherit the mask
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    threads_.emplace_back([executor = shards_[i].get(), i] {
      begin_serving_thread(("shard-" + std::to_string(i)).c_str());
      executor->run();
    });
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void ShardGroup::stop() {
  if (threads_.empty()) return;
  for (auto& shard : shards_) shard->stop();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  // What one shard posted to another that had ended by then; what that posts in turn.
  for (int round = 0; round < 100; ++round) {
    std::size_t ran = 0;
    for (auto& shard : shards_) ran += shard->drain();
    if (ran == 0) break;
  }
}

void ShardGroup::run_on(std::size_t index, const std::function<void()>& work) {
  EpollExecutor& executor = *shards_[index];
  if (threads_.empty() || executor.in_thread()) {
    work();
    return;
  }
  // Shared, not referenced: the promise must outlive set_value()'s last touch on the other thread.
  auto done = std::make_shared<std::promise<void>>();
  std::future<void> ended = done->get_future();
  executor.post([&work, done] {
    work();
    done->set_value();
  });
  ended.wait();
}

}  // namespace flotilla::runtime
