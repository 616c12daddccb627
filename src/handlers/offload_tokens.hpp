// What OFFLOAD_READ promised and OFFLOAD_WRITE may redeem. Whoever knows a token may write what it
// stands for, so none can be guessed, and none outlives a change of its file.
#pragma once

#include <array>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "base/time.hpp"
#include "ports/backend.hpp"
#include "ports/clock.hpp"

namespace flotilla::handlers {

/// A range of a file as it was. `file` is readable and holds the inode.
struct OffloadSource {
  std::shared_ptr<ports::BackendFile> file;
  ports::DataRange range;
  std::uint64_t size_bytes = 0;  ///< the file's, when it was read
  NtTime written, changed;       ///< its times then
};

/// Thread-safe. This node's only: a token of another node is unknown here, and the client copies.
class OffloadTokens {
 public:
  static constexpr std::size_t kTokenBytes = 512;
  static constexpr std::size_t kTokensMax = 1024;
  static constexpr std::chrono::milliseconds kLifeDefault{30'000};
  static constexpr std::chrono::milliseconds kLifeMax{300'000};
  using Token = std::array<std::uint8_t, kTokenBytes>;

  /// Where kTokensMax live already, the one that would end first ends now.
  /// Input   `life` 0: kLifeDefault; longer than kLifeMax: that
  [[nodiscard]] Token keep(OffloadSource source, std::chrono::milliseconds life, MonoTime now,
                           ports::Entropy& entropy);
  /// Nothing: never made here, or ended.
  [[nodiscard]] std::optional<OffloadSource> find(const Token& token, MonoTime now);

  /// The well-known token that stands for zeros without end.
  [[nodiscard]] static bool is_zeros(const Token& token) noexcept;

 private:
  using Id = std::array<std::uint8_t, 32>;
  struct Kept {
    OffloadSource source;
    MonoTime ends;
  };
  void expire(MonoTime now);

  std::mutex mutex_;
  std::map<Id, Kept> tokens_;
};

}  // namespace flotilla::handlers
