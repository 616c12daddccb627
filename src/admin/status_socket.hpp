// The daemon's answer to `flotilla status`: a Unix socket in the runtime directory, one JSON
// document per connection. Knows nothing of what the document says.
#pragma once

#include <expected>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>

namespace flotilla::admin {

/// File name of the socket below the runtime directory.
inline constexpr const char* kStatusSocketName = "status.sock";

class StatusSocket {
 public:
  /// Listens (mode 0600; an earlier daemon's socket is replaced) and answers each connection with
  /// `document()`, called on the socket's own thread.
  /// Errors  a sentence that names the path and what the system said
  [[nodiscard]] static std::expected<std::unique_ptr<StatusSocket>, std::string> open(
      const std::filesystem::path& runtime_dir, std::function<std::string()> document);
  ~StatusSocket();

 private:
  StatusSocket(int listener, int wake, std::filesystem::path path,
               std::function<std::string()> document);
  void run();

  int listener_;
  int wake_;
  std::filesystem::path path_;
  std::function<std::string()> document_;
  std::thread thread_;
};

/// The document of the daemon whose runtime directory this is.
[[nodiscard]] std::expected<std::string, std::string> fetch_status(
    const std::filesystem::path& runtime_dir);

}  // namespace flotilla::admin
