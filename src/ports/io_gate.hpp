// IoGate: the purely local check on the read and write path. One per file that this node has an
// open on; the engine keeps its restrictions up to date, handlers pass every I/O through it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/result.hpp"
#include "coherence/types.hpp"

namespace flotilla::ports {

/// Until when this node may serve at all: a node that hung past its lease, or lost quorum, finds
/// itself out before it does I/O. Embedded: never ends. Written by the engine, read by every I/O.
class ServeLease {
 public:
  [[nodiscard]] bool valid() const noexcept;  ///< compares CLOCK_BOOTTIME with the end
  void extend_until(std::int64_t boottime_ns) noexcept {
    until_ns_.store(boottime_ns, std::memory_order_release);
  }
  void revoke() noexcept { until_ns_.store(0, std::memory_order_release); }

 private:
  std::atomic<std::int64_t> until_ns_{INT64_MAX};
};

class IoGate : public std::enable_shared_from_this<IoGate> {
 public:
  explicit IoGate(std::shared_ptr<const ServeLease> lease) : lease_(std::move(lease)) {}

  /// Leave to carry out one I/O; hold it until the system call has returned.
  class Ticket {
   public:
    Ticket() = default;
    Ticket(Ticket&& other) noexcept
        : gate_(std::move(other.gate_)), generation_(other.generation_) {}
    Ticket& operator=(Ticket&& other) noexcept;
    ~Ticket() { release(); }
    void release() noexcept;

   private:
    friend class IoGate;
    Ticket(std::shared_ptr<IoGate> gate, std::uint64_t generation)
        : gate_(std::move(gate)), generation_(generation) {}
    std::shared_ptr<IoGate> gate_;
    std::uint64_t generation_ = 0;
  };

  enum class Access : std::uint8_t { Read, Write };

  /// Errors  FileLockConflict  a lock of another open forbids it ([MS-FSA] 2.1.4.10); a shared lock
  ///                           of the same open forbids its writes too
  ///         FileClosed        the open was revoked
  ///         DeviceNotReady    this node may not serve now (no quorum, stale view)
  /// A zero-length I/O conflicts with nothing.
  [[nodiscard]] Result<Ticket> admit(OpenId open, std::uint64_t offset, std::uint64_t length_bytes,
                                     Access access);

  /// True where a write through this open must first break somebody's read caching: a lease other
  /// than its own, or any level II oplock, its own too ([MS-FSA] 2.1.5.3). Cheap when nobody
  /// caches. Asked while the write's ticket is held: a caching right granted later waits for the
  /// ticket, one granted before is seen here. Where true, the caller releases the ticket, submits
  /// coherence::Modify, and starts over with its answer.
  [[nodiscard]] bool must_break_readers(OpenId open, const ClientGuid& client,
                                        const LeaseKey& key) const;

  /// Installs newer restrictions. `drained` runs once every I/O admitted before this call has been
  /// released: maybe at once, maybe on the releasing thread. A stale version is confirmed, not
  /// kept.
  void restrict(coherence::Restrictions restrictions, std::function<void()> drained);
  /// No I/O of `open` is admitted after this; `drained` as above.
  void revoke(OpenId open, std::function<void()> drained);
  /// True where no I/O is under way: revoke() would not have to wait.
  [[nodiscard]] bool idle() const;
  /// The open has come back to this node by a reclaim.
  void readmit(OpenId open);
  /// Restrictions of a new owner or epoch: versions start anew.
  void reset_version();

 private:
  struct Drain {
    std::uint64_t generation;  ///< waits for all I/O admitted in this generation or earlier
    std::function<void()> done;
  };
  void release(std::uint64_t generation);
  [[nodiscard]] bool forbidden(OpenId open, std::uint64_t offset, std::uint64_t length_bytes,
                               Access access) const;  // with mutex_ held
  void drain(std::unique_lock<std::mutex> lock, std::function<void()> done);
  std::vector<std::function<void()>> take_drained();  // with mutex_ held

  std::shared_ptr<const ServeLease> lease_;
  mutable std::mutex mutex_;
  std::atomic<bool> restricted_{false};  ///< false: no cacher is known, must_break_readers is cheap
  coherence::Restrictions restrictions_;
  std::vector<OpenId> revoked_;
  std::uint64_t generation_ = 0;
  std::vector<std::pair<std::uint64_t, std::uint32_t>>
      inflight_;  ///< generation -> count, ascending
  std::vector<Drain> drains_;
};

}  // namespace flotilla::ports
