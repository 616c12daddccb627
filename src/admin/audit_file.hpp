// AuditFile: audit events as lines of JSON at the end of a file, written by a thread of its own.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <expected>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "ports/audit.hpp"

namespace flotilla::admin {

/// The line of one event, newline included: time as RFC 3339 UTC, result by name, fields that are
/// not empty. What is no UTF-8 is replaced.
[[nodiscard]] std::string audit_line(const ports::AuditEvent& event);

class AuditFile final : public ports::Audit {
 public:
  /// Lines that may wait for a slow disk. What comes past them is counted, and a line says so when
  /// there is room again.
  static constexpr std::size_t kLinesMax = 65536;

  /// Appends to `path`, made with mode 0600 where it is missing. The error is a sentence.
  /// A file that was moved away (logrotate) is made anew: looked at before each batch.
  [[nodiscard]] static std::expected<std::unique_ptr<AuditFile>, std::string> open(
      const std::filesystem::path& path);
  /// Writes what is waiting.
  ~AuditFile() override;
  AuditFile(const AuditFile&) = delete;
  AuditFile& operator=(const AuditFile&) = delete;

  void record(ports::AuditEvent event) override;

 private:
  AuditFile(std::filesystem::path path, int fd);
  void run();
  void write(const std::string& text);
  [[nodiscard]] bool still_there() const;

  const std::filesystem::path path_;
  int fd_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<ports::AuditEvent> waiting_;
  std::uint64_t lost_ = 0;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace flotilla::admin
