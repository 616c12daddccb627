// The opens and requests of this node's own clients: whom to tell what, and the I/O gates. Shared
// by both engines. Effects of one file are delivered one after another in the order they were
// queued, by whichever thread comes by; callbacks run without any lock held and may call the engine
// again. Must not know who decides about a file.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "pool/local/effects.hpp"
#include "ports/clock.hpp"
#include "ports/engine.hpp"

namespace flotilla::pool {

/// Files are spread over lanes by their key; a lane has one order.
inline constexpr std::size_t kLaneCount = 16;
[[nodiscard]] constexpr std::size_t lane_of(const FileKey& key) noexcept {
  return hash_of(key) % kLaneCount;
}

/// OpenIds: bits 63..48 node, below a number that starts from the wall clock (10 ms since 1970,
/// 28 bits, then 20 bits of count), so that a restarted node does not repeat itself.
class OpenIdSource {
 public:
  OpenIdSource(NodeId node, NtTime now) noexcept;
  [[nodiscard]] OpenId next() noexcept {
    return OpenId{prefix_ | (count_.fetch_add(1, std::memory_order_relaxed) & 0xFFFFFFFFFFFFULL)};
  }
  /// A number that is in use since before a restart, maybe from a clock that was ahead. Before the
  /// first next().
  void avoid(OpenId used) noexcept;

 private:
  std::uint64_t prefix_;
  std::atomic<std::uint64_t> count_;
};

class LocalOpens {
 public:
  using Confirmed = std::function<void(const FileKey&, ConfirmId)>;

  /// `lease` outlives nothing: every gate shares it. `confirmed` is called without locks, on any
  /// thread, once for each effect with a ConfirmId.
  LocalOpens(std::shared_ptr<const ports::ServeLease> lease, Confirmed confirmed);

  /// Registers an open that is about to be submitted, and gives its request a number.
  [[nodiscard]] RequestId add_open(const FileKey& key, OpenId open,
                                   std::shared_ptr<ports::OpenEvents> events,
                                   std::move_only_function<void(ports::OpenOutcome)> done,
                                   std::move_only_function<void()> pending);
  /// The same for an open that exists: its breaks and restrictions arrive from now on, and go to
  /// nobody again if the request fails.
  [[nodiscard]] RequestId add_reclaim(const FileKey& key, OpenId open,
                                      std::shared_ptr<ports::OpenEvents> events,
                                      std::move_only_function<void(ports::OpenOutcome)> done);
  /// The open of a Close, or of a Detach that closed it, is forgotten with the answer.
  [[nodiscard]] RequestId add_command(const FileKey& key, const coherence::Body& body,
                                      ports::Completion completion);
  /// A command that gives an open back must not overtake the open's I/O, which others may forbid
  /// from then on; nor a Reclaim the Detach that waits for that here: it would take the open from
  /// the client that has come back. The gate that it has to pass first; nothing for other
  /// commands, and where no I/O is under way.
  [[nodiscard]] std::shared_ptr<ports::IoGate> gate_to_drain(const FileKey& key,
                                                             const coherence::Body& body);
  /// Runs `then` with `body` when the I/O that the gate has admitted has ended: maybe at once.
  static void drained(const std::shared_ptr<ports::IoGate>& gate, coherence::Body body,
                      std::function<void(const coherence::Body&)> then);
  /// Answers a request that was never submitted.
  void refuse(const FileKey& key, RequestId request, NtStatus status);

  /// Appends to the order of the file's lane. Call with the lock held under which the order was
  /// decided; then, without it, drain().
  void queue(LocalEffect effect);
  void drain(std::size_t lane);
  void drain_all();

  [[nodiscard]] std::uint64_t open_count() const;

 private:
  struct Request {
    OpenId open;      ///< of an Open or a Reclaim
    OpenId closes;    ///< of a Close
    OpenId detaches;  ///< of a Detach
    bool reclaims = false;
    bool new_here = false;  ///< of a Reclaim: the open was not known before it
    std::shared_ptr<ports::OpenEvents> events;
    std::move_only_function<void(ports::OpenOutcome)> opened;
    ports::Completion completion;
    bool pending_told = false;
  };
  struct Open {
    FileKey key;
    std::shared_ptr<ports::OpenEvents> events;
    std::shared_ptr<ports::IoGate> gate;
  };
  /// Opens hold it, and every ticket of an I/O under way: a gate that is still there when nobody
  /// has the file open is waited for like any other.
  struct Gate {
    std::weak_ptr<ports::IoGate> gate;
    std::uint32_t open_count = 0;
    coherence::Restrictions known;  ///< as last installed, for DeliverUnsettled
  };
  struct Lane {
    mutable std::mutex mutex;  ///< guards all below; never held in a callback
    std::deque<LocalEffect> effects;
    bool draining = false;
    std::unordered_map<RequestId, Request> requests;
    std::unordered_map<OpenId, Open> opens;
    std::unordered_map<FileKey, Gate> gates;
  };

  RequestId add(const FileKey& key, Request request);
  void deliver(Lane& lane, const FileKey& key, DeliverBreak& effect);
  void deliver(Lane& lane, const FileKey& key, DeliverRevoke& effect);
  void deliver(Lane& lane, const FileKey& key, DeliverRestrictions& effect);
  void deliver(Lane& lane, const FileKey& key, DeliverUnsettled& effect);
  void deliver(Lane& lane, const FileKey& key, DeliverPending& effect);
  void deliver(Lane& lane, const FileKey& key, DeliverReply& effect);
  void confirm(const FileKey& key, ConfirmId id) const;
  // With lane.mutex held; the gate goes with the result.
  static std::shared_ptr<ports::IoGate> forget_open(Lane& lane, OpenId open);
  static std::shared_ptr<ports::IoGate> gate_of(Lane& lane, const FileKey& key);
  std::shared_ptr<ports::IoGate> register_open(Lane& lane, const FileKey& key, OpenId open,
                                               std::shared_ptr<ports::OpenEvents> events) const;

  std::shared_ptr<const ports::ServeLease> lease_;
  Confirmed confirmed_;
  std::atomic<std::uint64_t> next_request_{1};
  std::array<Lane, kLaneCount> lanes_;
};

}  // namespace flotilla::pool
