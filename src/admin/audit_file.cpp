#include "admin/audit_file.hpp"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/log.hpp"

namespace flotilla::admin {

namespace {

int open_for_append(const std::filesystem::path& path) {
  return ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
}

std::string time_text(NtTime time) {
  const std::uint64_t ticks = std::max(time.ticks, kUnixEpochTicks) - kUnixEpochTicks;
  constexpr std::uint64_t kTicksPerSecond = 10'000'000;
  return fmt::format("{:%FT%T}.{:03}Z",
                     fmt::gmtime(static_cast<std::time_t>(ticks / kTicksPerSecond)),
                     ticks % kTicksPerSecond / 10'000);
}

/// As administrators know it: "STATUS_LOGON_FAILURE".
std::string status_text(NtStatus status) {
  std::string text = "STATUS";
  for (const char c : name_of(status)) {
    const bool upper = c >= 'A' && c <= 'Z';
    if (upper) text += '_';
    text += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return text;
}

}  // namespace

std::string audit_line(const ports::AuditEvent& event) {
  nlohmann::ordered_json line;
  line["time"] = time_text(event.time);
  line["event"] = event.event;
  line["result"] = status_text(event.result);
  const std::pair<const char*, const std::string*> fields[] = {
      {"address", &event.address}, {"user", &event.user},           {"domain", &event.domain},
      {"sid", &event.sid},         {"mechanism", &event.mechanism}, {"session", &event.session},
      {"kind", &event.kind},       {"command", &event.command},     {"share", &event.share},
      {"path", &event.path},       {"reason", &event.reason}};
  for (const auto& [name, value] : fields) {
    if (!value->empty()) line[name] = *value;
  }
  return line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + '\n';
}

std::expected<std::unique_ptr<AuditFile>, std::string> AuditFile::open(
    const std::filesystem::path& path) {
  const int fd = open_for_append(path);
  if (fd < 0) {
    return std::unexpected(fmt::format("audit file {}: expected to append to it: {}", path.string(),
                                       std::strerror(errno)));
  }
  return std::unique_ptr<AuditFile>(new AuditFile(path, fd));
}

AuditFile::AuditFile(std::filesystem::path path, int fd)
    : path_(std::move(path)), fd_(fd), thread_([this] { run(); }) {}

AuditFile::~AuditFile() {
  {
    const std::scoped_lock lock(mutex_);
    ending_ = true;
  }
  changed_.notify_one();
  thread_.join();
  if (fd_ >= 0) ::close(fd_);
}

void AuditFile::record(ports::AuditEvent event) {
  {
    const std::scoped_lock lock(mutex_);
    if (waiting_.size() >= kLinesMax) {
      ++lost_;
      return;
    }
    waiting_.push_back(std::move(event));
  }
  changed_.notify_one();
}

bool AuditFile::still_there() const {
  struct stat named{};
  struct stat held{};
  return fd_ >= 0 && ::stat(path_.c_str(), &named) == 0 && ::fstat(fd_, &held) == 0 &&
         named.st_ino == held.st_ino && named.st_dev == held.st_dev;
}

void AuditFile::write(const std::string& text) {
  if (!still_there()) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = open_for_append(path_);
  }
  std::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t n = fd_ < 0 ? -1 : ::write(fd_, rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      // The log has the lines that the file could not take.
      log::error("audit file {}: {}; the lines are: {}", path_.string(), std::strerror(errno),
                 rest);
      return;
    }
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
}

void AuditFile::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    std::deque<ports::AuditEvent> batch;
    batch.swap(waiting_);
    const std::uint64_t lost = std::exchange(lost_, 0);
    lock.unlock();
    std::string text;
    for (const ports::AuditEvent& event : batch) text += audit_line(event);
    if (lost != 0) {
      log::error("audit file {}: {} event(s) are lost: the disk is too slow", path_.string(), lost);
      text += audit_line(
          {.time = batch.back().time, .event = "lost", .reason = fmt::format("{} event(s)", lost)});
    }
    write(text);
    lock.lock();
  }
}

}  // namespace flotilla::admin
