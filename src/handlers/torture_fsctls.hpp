// TortureFsctls: control codes by which Samba's smbtorture makes a server misbehave on purpose, so
// that it can test clients and the retrying of breaks. Only for test servers: without
// `torture_fsctls` in the configuration there is no object of this class, and the codes are
// unknown.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <set>

#include "base/ids.hpp"
#include "handlers/request.hpp"
#include "wire/ioctl.hpp"

namespace flotilla::handlers {

namespace torture_fsctl {
inline constexpr std::uint32_t kForceUnackedTimeout = 0x83848003;  ///< of this connection
inline constexpr std::uint32_t kPadIoctl = 0x83848013;             ///< this answer
inline constexpr std::uint32_t kPadReads = 0x83848023;             ///< every READ from now on
inline constexpr std::uint32_t kAsyncSleep = 0x83848043;  ///< input: one byte, microseconds
}  // namespace torture_fsctl

/// How many bytes kPadIoctl and kPadReads put between an answer's fixed part and its data.
inline constexpr std::uint8_t kTorturePadding = 8;

/// Thread-safe.
class TortureFsctls {
 public:
  /// Breaks that need an answer are sent through this connection as if nobody were there: after
  /// kUnackedTimeout it is ended, and they go to the next channel.
  void force_unacked(ConnectionId connection);
  [[nodiscard]] bool is_unacked(ConnectionId connection) const;
  static constexpr std::chrono::milliseconds kUnackedTimeout{500};

 private:
  mutable std::mutex mutex_;
  std::set<ConnectionId> unacked_;  ///< never taken back: as long as the test server
};

/// kForceUnackedTimeout comes without a session.
[[nodiscard]] bool is_sessionless_torture(const Request& request);

/// kForceUnackedTimeout, kPadIoctl and kPadReads. Nothing: another code, or none of them is known.
[[nodiscard]] std::optional<NtStatus> torture_ioctl(Request& request,
                                                    const wire::IoctlRequest& ioctl);

/// kAsyncSleep: the answer waits, and the open's file with it, though a CLOSE overtakes it.
HandlerTask torture_sleep(Request& request, wire::IoctlRequest ioctl,
                          std::shared_ptr<session::Open> open);

/// Puts `bytes` zeros in front of the data of the READ response (16 fixed bytes) or IOCTL response
/// in `out`.
void pad_read_data(Bytes& out, std::uint8_t bytes);

}  // namespace flotilla::handlers
