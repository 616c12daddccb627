// What the load tool makes servers do, and what it counts. Each workload runs on one thread over
// connections that are open already, one or more per server.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "load/client.hpp"

namespace flotilla::load {

struct Plan {
  std::chrono::milliseconds warm_up{500};
  std::chrono::milliseconds length{5000};
  std::size_t depth = 1;                 ///< open+close chains at once on each connection
  std::size_t files = 16;                ///< of its own that a chain goes through
  Client* other = nullptr;               ///< has the files open while they are made; borrowed
  std::string shared = "bench-same";     ///< the file that all clients use
  bool leases = false;                   ///< own files: ask for RWH, one lease for each file
  bool eager = false;                    ///< locks: give back at once
  bool poll = false;                     ///< do not sleep while answers are awaited
  std::function<void()> on_measuring{};  ///< the warm-up is over
};

struct Result {
  std::uint64_t count = 0;  ///< operations that ended within `seconds`
  double seconds = 0;
  std::vector<double> latencies_us;  ///< one for each, sorted
  [[nodiscard]] double rate() const { return static_cast<double>(count) / seconds; }
  /// `part` in [0, 1]; 0 where nothing was counted.
  [[nodiscard]] double latency_us(double part) const;
};

using Clients = std::vector<std::unique_ptr<Client>>;

/// Every chain opens and closes in turn, for reading and writing and sharing all: the same file,
/// or (`own`) files of its own in turn. An operation is an open with its close, timed from request
/// to answer.
std::expected<Result, std::string> open_close(Clients& clients, const Plan& plan, bool own);

/// All clients ask for one exclusive lock on byte 0; who has it gives it back as soon as another
/// one is known to wait (has its interim answer), and asks again when somebody else has had it. An
/// operation is a grant to
/// another client than the last holder, timed from that one's unlock (request sent) to the grant
/// (answer here). Fails where two hold it at once.
std::expected<Result, std::string> hand_over(Clients& clients, const Plan& plan);

}  // namespace flotilla::load
