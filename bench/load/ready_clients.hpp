// Which of many clients have something to read: the loop that every workload turns.
#pragma once

#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <span>

#include "load/client.hpp"

namespace flotilla::load {

/// Not thread-safe. The clients outlive it.
class ReadyClients {
 public:
  explicit ReadyClients(std::span<const std::unique_ptr<Client>> clients) {
    for (const auto& client : clients) {
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.ptr = client.get();
      (void)epoll_ctl(queue_, EPOLL_CTL_ADD, client->fd(), &event);
    }
  }
  ~ReadyClients() { close(queue_); }
  ReadyClients(const ReadyClients&) = delete;
  ReadyClients& operator=(const ReadyClients&) = delete;

  /// Until there is something to read, or for `wait_ms`.
  void wait(int wait_ms) {
    count_ = epoll_wait(queue_, events_.data(), static_cast<int>(events_.size()), wait_ms);
  }
  /// Serves those that the last wait found. False: a server has closed a connection.
  [[nodiscard]] bool read_some() {
    bool alive = true;
    for (int i = 0; i < count_; ++i) {
      alive =
          static_cast<Client*>(events_[static_cast<std::size_t>(i)].data.ptr)->read_some() && alive;
    }
    return alive;
  }

 private:
  const int queue_ = epoll_create1(EPOLL_CLOEXEC);
  std::array<epoll_event, 64> events_;
  int count_ = 0;
};

}  // namespace flotilla::load
