// flotilla_sim: runs seeds, or replays one with everything that was said.
#include <fmt/core.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "sim/scenario.hpp"
#include "sim/storm.hpp"

namespace {

using namespace flotilla;
using namespace flotilla::sim;

struct Arguments {
  std::string program;
  std::uint64_t first = 1;
  std::uint64_t seeds = 200;
  std::uint64_t only = 0;
  std::uint32_t nodes = 0;
  bool verbose = false;
  bool twins = false;
  bool twice = false;
  std::uint32_t jobs = 1;
  std::string scenario;
  bool write = false;
  std::vector<int> expect;
  std::string known_file;
  std::set<std::uint64_t> known;  ///< seeds whose failure is an open defect
};

std::string command_of(const Arguments& arguments, std::uint64_t seed) {
  std::string text = fmt::format("{} --seed {}", arguments.program, seed);
  if (arguments.nodes != 0) text += fmt::format(" --nodes {}", arguments.nodes);
  if (arguments.twins) text += " --twins";
  return text + " --verbose";
}

void print(const Violation& it) {
  fmt::print("  {:.3f} ms, {}: {}\n", static_cast<double>(it.at.ns) / 1e6, name_of(it.rule),
             it.what);
}

bool expected(const Arguments& arguments, Rule rule) {
  return std::find(arguments.expect.begin(), arguments.expect.end(), static_cast<int>(rule)) !=
         arguments.expect.end();
}

/// True where every seed went as it should.
bool run_seeds(const Arguments& arguments, std::uint64_t step) {
  std::map<std::string, std::uint64_t> counts;
  const auto started = std::chrono::steady_clock::now();
  std::uint64_t run = 0;
  std::uint64_t known = 0;
  for (std::uint64_t n = 0; n < arguments.seeds; n += step, ++run) {
    const std::uint64_t seed = arguments.first + n;
    StormOptions options;
    options.seed = seed;
    options.nodes = arguments.nodes;
    options.twins = arguments.twins;
    if (arguments.verbose) {
      options.trace = [](const std::string& line) { fmt::print("{}\n", line); };
    }
    Storm storm{options};
    const Report& report = storm.run();
    for (const auto& [name, count] : report.counts()) counts[name] += count;
    if (arguments.twice) {
      Storm again{options};
      if (again.run().digest() != report.digest()) {
        fmt::print("seed {}: two runs differ\n", seed);
        return false;
      }
    }
    if (report.violations().empty()) continue;
    fmt::print("seed {}:\n", seed);
    bool all_expected = true;
    for (const Violation& it : report.violations()) {
      print(it);
      all_expected = all_expected && expected(arguments, it.rule);
    }
    if (!arguments.expect.empty() && all_expected) return true;
    if (arguments.known.contains(seed)) {
      fmt::print("known: {}, an open defect\n", arguments.known_file);
      ++known;
      continue;
    }
    if (!arguments.expect.empty()) fmt::print("that was not expected\n");
    fmt::print("replay: {}\n", command_of(arguments, seed));
    return false;
  }
  if (!arguments.expect.empty()) {
    fmt::print("{} seeds and nothing is wrong, but something should be: does the patch apply?\n",
               arguments.seeds);
    return false;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
  fmt::print("{} seeds in {:.1f} s: nothing is wrong", run, took.count());
  fmt::print("{}\n", known == 0 ? "" : fmt::format(" but {} known", known));
  for (const auto& [name, count] : counts) fmt::print("  {:>12} {}\n", count, name);
  return true;
}

/// A seed and what is wrong with it in each line; # begins a comment.
bool read_known(Arguments& arguments) {
  std::ifstream file(arguments.known_file);
  if (!file) {
    fmt::print("{}: cannot be read\n", arguments.known_file);
    return false;
  }
  for (std::string line; std::getline(file, line);) {
    if (const std::uint64_t seed = std::strtoull(line.c_str(), nullptr, 10)) {
      arguments.known.insert(seed);
    }
  }
  return true;
}

/// Processes, since nothing of a simulation is shared: each takes every jobs'th seed.
bool run_jobs(const Arguments& arguments) {
  std::vector<pid_t> children;
  for (std::uint32_t job = 0; job < arguments.jobs; ++job) {
    const pid_t child = fork();
    if (child != 0) {
      children.push_back(child);
      continue;
    }
    Arguments mine = arguments;
    mine.first += job;
    mine.seeds -= std::min<std::uint64_t>(job, mine.seeds);
    const bool good = run_seeds(mine, arguments.jobs);
    std::fflush(stdout);
    _exit(good ? 0 : 1);
  }
  bool good = true;
  for (const pid_t child : children) {
    int status = 0;
    good = waitpid(child, &status, 0) == child && status == 0 && good;
  }
  return good;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  arguments.program = argv[0];
  CLI::App app{"Simulates pools from seeds and checks DESIGN.md's invariants."};
  app.add_option("--seeds", arguments.seeds, "how many seeds");
  app.add_option("--first", arguments.first, "the first of them");
  app.add_option("--seed", arguments.only, "this seed alone");
  app.add_option("--nodes", arguments.nodes, "2 to 7 nodes; by seed where not given");
  app.add_flag("--verbose", arguments.verbose, "say everything that happens");
  app.add_option("--jobs", arguments.jobs, "so many processes share the seeds");
  app.add_option("--scenario", arguments.scenario, "replays a script against its expected trace");
  app.add_flag("--write", arguments.write, "with --scenario: writes what happens as what should");
  app.add_flag("--twins", arguments.twins,
               "one client's leases are used through two nodes at once");
  app.add_flag("--twice", arguments.twice, "run every seed twice: the same must happen");
  app.add_option("--expect", arguments.expect,
                 "succeed only if something is wrong, and all of it with these invariants")
      ->delimiter(',');
  app.add_option("--known", arguments.known_file, "a file of seeds that fail for an open defect");
  CLI11_PARSE(app, argc, argv);
  log::set_sink([](log::Level, std::string_view) {});
  if (arguments.only != 0) {
    arguments.first = arguments.only;
    arguments.seeds = 1;
  }
  if (!arguments.known_file.empty() && !read_known(arguments)) return 1;
  if (!arguments.scenario.empty()) {
    return run_scenario(arguments.scenario, arguments.write) ? 0 : 1;
  }
  return (arguments.jobs > 1 ? run_jobs(arguments) : run_seeds(arguments, 1)) ? 0 : 1;
}
