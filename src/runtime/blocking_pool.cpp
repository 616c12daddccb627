#include "runtime/blocking_pool.hpp"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <utility>

namespace flotilla::runtime {

ThreadBlockingPool::ThreadBlockingPool(std::size_t threads_max)
    : threads_max_(std::max<std::size_t>(1, threads_max)) {}

ThreadBlockingPool::~ThreadBlockingPool() { stop(); }

void ThreadBlockingPool::run(Work work) {
  const std::scoped_lock lock(mutex_);
  if (stopping_) return;
  queue_.push_back(std::move(work));
  if (idle_ < queue_.size() && threads_.size() < threads_max_) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    threads_.emplace_back([this] {
      pthread_setname_np(pthread_self(), "blocking");
      serve();
    });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  wake_.notify_one();
}

void ThreadBlockingPool::serve() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    --idle_;
    if (queue_.empty()) return;  // stopping
    {
      Work work = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      work();
    }  // what the work owns dies outside of the lock
    lock.lock();
  }
}

void ThreadBlockingPool::stop() {
  std::vector<std::thread> threads;
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    threads.swap(threads_);
  }
  wake_.notify_all();
  for (std::thread& thread : threads) thread.join();
}

}  // namespace flotilla::runtime
