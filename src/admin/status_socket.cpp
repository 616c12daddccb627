#include "admin/status_socket.hpp"

#include <fmt/core.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace flotilla::admin {
namespace {

std::expected<sockaddr_un, std::string> address_of(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string text = path.string();
  if (text.size() >= sizeof address.sun_path) {
    return std::unexpected(
        fmt::format("{}: a socket's path has at most {} bytes; choose a shorter "
                    "runtime_dir",
                    text, sizeof address.sun_path - 1));
  }
  std::memcpy(address.sun_path, text.c_str(), text.size() + 1);
  return address;
}

std::unexpected<std::string> failed(const std::filesystem::path& path, const char* what) {
  return std::unexpected(fmt::format("{}: {}: {}", path.string(), what, std::strerror(errno)));
}

}  // namespace

std::expected<std::unique_ptr<StatusSocket>, std::string> StatusSocket::open(
    const std::filesystem::path& runtime_dir, std::function<std::string()> document) {
  std::error_code error;
  std::filesystem::create_directories(runtime_dir, error);
  const std::filesystem::path path = runtime_dir / kStatusSocketName;
  const auto address = address_of(path);
  if (!address) return std::unexpected(address.error());
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener < 0) return failed(path, "socket");
  unlink(address->sun_path);
  const mode_t before = umask(0177);
  const int bound = bind(listener, reinterpret_cast<const sockaddr*>(&*address), sizeof *address);
  umask(before);
  if (bound != 0 || listen(listener, 8) != 0) {
    auto message = failed(path, "cannot listen");
    close(listener);
    return message;
  }
  const int wake = eventfd(0, EFD_CLOEXEC);
  return std::unique_ptr<StatusSocket>(new StatusSocket(listener, wake, path, std::move(document)));
}

StatusSocket::StatusSocket(int listener, int wake, std::filesystem::path path,
                           std::function<std::string()> document)
    : listener_(listener),
      wake_(wake),
      path_(std::move(path)),
      document_(std::move(document)),
      thread_([this] { run(); }) {}

StatusSocket::~StatusSocket() {
  const std::uint64_t one = 1;
  (void)!write(wake_, &one, sizeof one);
  thread_.join();
  close(listener_);
  close(wake_);
  unlink(path_.c_str());
}

void StatusSocket::run() {
  for (;;) {
    pollfd wait[] = {{listener_, POLLIN, 0}, {wake_, POLLIN, 0}};
    if (poll(wait, 2, -1) < 0 && errno != EINTR) return;
    if (wait[1].revents != 0) return;
    if (wait[0].revents == 0) continue;
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) continue;
    const timeval patience{1, 0};
    setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    const std::string text = document_();
    std::size_t sent = 0;
    while (sent < text.size()) {
      const ssize_t count = send(client, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
      if (count <= 0) break;
      sent += static_cast<std::size_t>(count);
    }
    close(client);
  }
}

std::expected<std::string, std::string> fetch_status(const std::filesystem::path& runtime_dir) {
  const std::filesystem::path path = runtime_dir / kStatusSocketName;
  const auto address = address_of(path);
  if (!address) return std::unexpected(address.error());
  const int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (server < 0) return std::unexpected(failed(path, "no socket could be made"));
  const timeval patience{3, 0};
  setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (connect(server, reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0) {
    auto message = failed(path, "no daemon answers here");
    close(server);
    return message;
  }
  std::string text;
  char part[4096];
  for (;;) {
    const ssize_t count = read(server, part, sizeof part);
    if (count < 0) {
      auto message = failed(path, "the daemon stopped in the middle of its answer");
      close(server);
      return message;
    }
    if (count == 0) break;
    text.append(part, static_cast<std::size_t>(count));
  }
  close(server);
  return text;
}

}  // namespace flotilla::admin
