// What much state costs: opens and locks that stay.
#pragma once

#include <expected>
#include <functional>
#include <string>

#include "load/workloads.hpp"

namespace flotilla::load {

struct Held {
  std::size_t opens = 0;
  double opens_seconds = 0;
  double bytes_per_open = 0;  ///< of the servers' resident memory
  std::size_t locks = 0;
  double locks_seconds = 0;
  double bytes_per_lock = 0;
  double close_seconds = 0;
};

/// Makes files 0 to `files` - 1 that open_held opens. Empty, or what failed.
[[nodiscard]] std::string make_held_files(Client& client, std::size_t files);
/// Opens `count` times: file `first` modulo `files` and those after it, in turn.
[[nodiscard]] std::expected<std::vector<FileId>, std::string> open_held(Client& client,
                                                                        std::size_t files,
                                                                        std::size_t first,
                                                                        std::size_t count);

/// The clients open `count` times in all, `plan.files` files in turn, keep the opens, take `locks`
/// locks through them (one byte each, no two on the same), and close all. `resident_bytes` asks for
/// the servers'. Fails where one of them is refused.
std::expected<Held, std::string> hold(Clients& clients, const Plan& plan, std::size_t count,
                                      std::size_t locks,
                                      const std::function<double()>& resident_bytes);

}  // namespace flotilla::load
