// A seed's fate: random clients on few files, and random troubles; then everything heals, comes to
// rest, and is put away.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "sim/world.hpp"

namespace flotilla::sim {

/// `nodes`  2 to 7; zero: by seed
/// `kept`   some opens are durable, resilient or persistent
/// `trace`  as in WorldOptions
struct StormOptions {
  std::uint64_t seed = 1;
  std::uint32_t nodes = 0;
  bool kept = true;
  bool twins = false;  ///< as in WorldOptions
  std::function<void(const std::string&)> trace;
};

class Storm {
 public:
  explicit Storm(const StormOptions& options);
  /// Runs it all, or up to the first violation.
  [[nodiscard]] Report& run();

 private:
  static WorldOptions world_of(const StormOptions& options);
  void client_acts(std::size_t index);
  void act(Client& client);
  void ask_open(Client& client);
  void ask_to_keep(coherence::Open& how);
  [[nodiscard]] bool come_back(Client& client);
  void act_on(const OpenPtr& open);
  void trouble_comes();
  void trouble();
  void look();
  void come_to_rest();
  void wait_until(std::chrono::milliseconds at_most, const char* what, bool (Storm::*done)());
  [[nodiscard]] bool all_serve();
  [[nodiscard]] bool nothing_asked();
  [[nodiscard]] bool only_patience_asked();
  [[nodiscard]] bool nobody_away();
  [[nodiscard]] bool nothing_left();
  [[nodiscard]] NodeId some_node();

  World world_;
  Random& random_;
  const bool kept_;
  bool raging_ = true;
  bool calm_;  ///< no troubles: clients alone
  std::chrono::milliseconds lasts_;
  std::chrono::microseconds thinks_;  ///< between two acts of a client, at most
  std::chrono::milliseconds troubles_every_;
};

}  // namespace flotilla::sim
