// What the loss of a node costs the clients of the others: the longest time that one operation
// took.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "load/workloads.hpp"

namespace flotilla::load {

/// `directory`     what the nodes share, to tell which node decides about a file
/// `nodes`         all of them, `lost` among them
/// `kill`          processes that get SIGKILL after `before`
/// `count`         opens that `holders` keep meanwhile, each of a file of its own
struct StallPlan {
  std::string directory;
  std::vector<std::uint32_t> nodes;
  std::uint32_t lost = 0;
  std::vector<int> kill;
  std::size_t count = 30000;
  std::chrono::milliseconds before{4000};
  std::chrono::milliseconds after{6000};
};

struct Pause {
  double ms = 0;
  double begun_ms = 0;  ///< after the kill; negative: before it
  std::string what;     ///< command and file
};

/// Longest operations on one kind of files; `before` ended before the kill, `after` did not.
/// `stays`  the file's node stays
/// `kind`   "alone": opened, written, read and closed through one node, which may have a claim;
///          "both": through two; "held": written and read through an open that stays; "made": new
///          files, whoever their node is (`stays` says nothing)
struct Stalled {
  std::string kind;
  bool stays = false;
  std::size_t operations = 0;
  std::size_t refused = 0;
  std::string first_refusal;
  Pause before;
  Pause after;
};

struct Stalls {
  double killed_at = 0;  ///< Unix time, seconds
  std::size_t opens = 0;
  std::vector<Stalled> kinds;
};

/// `clients` do the operations, `holders` keep the opens: each a connection to every server that
/// stays. Fails where the files are not to be made, or a server is lost.
std::expected<Stalls, std::string> stall(Clients& clients, Clients& holders, const StallPlan& plan);

}  // namespace flotilla::load
