// smb_load: drives SMB servers and prints rates, latencies and the servers' CPU time.
#include <dirent.h>
#include <fmt/core.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "load/hold.hpp"
#include "load/stall.hpp"
#include "load/workloads.hpp"

namespace flotilla::load {
namespace {

struct Process {
  int parent = 0;
  double seconds = 0;  ///< user and system time, its ended children's too
};

std::map<int, Process> all_processes() {
  std::map<int, Process> all;
  DIR* const proc = opendir("/proc");
  if (proc == nullptr) return all;
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  while (const dirent* entry = readdir(proc)) {
    const std::string name = entry->d_name;
    int pid = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), pid).ec != std::errc{}) continue;
    std::ifstream file("/proc/" + name + "/stat");
    std::string text((std::istreambuf_iterator<char>(file)), {});
    const std::size_t end = text.rfind(')');
    if (end == std::string::npos) continue;
    // After the name: state, parent, ... utime, stime, cutime, cstime as fields 14 to 17.
    std::istringstream fields(text.substr(end + 1));
    std::vector<std::string> parts;
    for (std::string part; parts.size() < 15 && fields >> part;) parts.push_back(part);
    if (parts.size() < 15) continue;
    double spent = 0;
    for (std::size_t i = 11; i < 15; ++i) spent += std::stod(parts[i]) / ticks;
    all[pid] = Process{std::stoi(parts[1]), spent};
  }
  closedir(proc);
  return all;
}

/// Of these processes and everything they started.
double cpu_seconds(const std::vector<int>& roots) {
  const auto all = all_processes();
  const std::set<int> wanted(roots.begin(), roots.end());
  double total = 0;
  for (const auto& [pid, process] : all) {
    int walk = pid;
    while (!wanted.contains(walk) && all.contains(walk)) walk = all.at(walk).parent;
    if (wanted.contains(walk)) total += process.seconds;
  }
  return total;
}

/// Resident memory of these processes, without what they started.
double resident_bytes(const std::vector<int>& pids) {
  double total = 0;
  for (const int pid : pids) {
    std::ifstream file(fmt::format("/proc/{}/statm", pid));
    double size = 0;
    double resident = 0;
    file >> size >> resident;
    total += resident * static_cast<double>(sysconf(_SC_PAGESIZE));
  }
  return total;
}

std::expected<Target, std::string> parse(const std::string& text, const Target& defaults) {
  Target target = defaults;
  const std::size_t colon = text.find(':');
  target.host = text.substr(0, colon);
  if (colon != std::string::npos) {
    const char* const end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data() + colon + 1, end, target.port);
    if (error != std::errc{} || at != end) return std::unexpected(text + ": expected HOST[:PORT]");
  }
  return target;
}

struct Options {
  std::string workload;
  std::vector<std::string> servers;
  std::vector<int> pids;
  Target defaults;
  std::size_t clients = 1;
  std::size_t depth = 1;
  std::size_t files = 16;
  std::string other;
  std::string shared = "bench-same";
  bool leases = false;
  bool eager = false;
  bool poll = false;
  double seconds = 5;
  std::size_t count = 10000;
  std::size_t locks = 100000;
  StallPlan stall;
};

std::expected<Clients, std::string> connect_all(const Options& options) {
  Clients clients;
  for (std::size_t n = 0; n < options.clients; ++n) {
    for (const std::string& text : options.servers) {
      const auto target = parse(text, options.defaults);
      auto client = target ? Client::connect(*target) : std::unexpected(target.error());
      if (!client) return std::unexpected(client.error());
      clients.push_back(*std::move(client));
    }
  }
  return clients;
}

std::string shown(const Pause& pause) {
  return fmt::format(R"({{"ms": {:.1f}, "begun_ms": {:.1f}, "what": "{}"}})", pause.ms,
                     pause.begun_ms, pause.what);
}

int run_stall(const Options& options, Clients& clients) {
  auto holders = connect_all(options);
  if (!holders) {
    fmt::print(stderr, "smb_load: {}\n", holders.error());
    return 1;
  }
  StallPlan plan = options.stall;
  plan.count = options.count;
  plan.after = std::chrono::milliseconds(static_cast<long>(options.seconds * 1000));
  const auto stalls = stall(clients, *holders, plan);
  if (!stalls) {
    fmt::print(stderr, "smb_load: stall: {}\n", stalls.error());
    return 1;
  }
  std::string kinds;
  for (const Stalled& kind : stalls->kinds) {
    kinds += fmt::format(R"({}{{"kind": "{}", "stays": {}, "operations": {}, "refused": {}, )"
                         R"("first_refusal": "{}", "before": {}, "after": {}}})",
                         kinds.empty() ? "" : ", ", kind.kind, kind.stays, kind.operations,
                         kind.refused, kind.first_refusal, shown(kind.before), shown(kind.after));
  }
  fmt::print(R"({{"workload": "stall", "opens": {}, "killed_at": {:.4f}, "kinds": [{}]}})"
             "\n",
             stalls->opens, stalls->killed_at, kinds);
  return 0;
}

int run(const Options& options) {
  auto connected = connect_all(options);
  if (!connected) {
    fmt::print(stderr, "smb_load: {}\n", connected.error());
    return 1;
  }
  Clients& clients = *connected;
  if (options.workload == "stall") return run_stall(options, clients);
  Plan plan;
  plan.length = std::chrono::milliseconds(static_cast<long>(options.seconds * 1000));
  plan.depth = options.depth;
  plan.files = options.files;
  std::unique_ptr<Client> other;
  if (!options.other.empty()) {
    const auto target = parse(options.other, options.defaults);
    auto client = target ? Client::connect(*target) : std::unexpected(target.error());
    if (!client) {
      fmt::print(stderr, "smb_load: {}\n", client.error());
      return 1;
    }
    other = *std::move(client);
  }
  plan.other = other.get();
  plan.shared = options.shared;
  plan.leases = options.leases;
  plan.eager = options.eager;
  plan.poll = options.poll;
  if (options.workload == "hold") {
    const auto held = hold(clients, plan, options.count, options.locks,
                           [&] { return resident_bytes(options.pids); });
    if (!held) {
      fmt::print(stderr, "smb_load: hold: {}\n", held.error());
      return 1;
    }
    fmt::print(
        R"({{"workload": "hold", "opens": {}, "opens_seconds": {:.1f}, "bytes_per_open": {:.0f}, )"
        R"("locks": {}, "locks_seconds": {:.1f}, "bytes_per_lock": {:.0f}, "close_seconds": {:.1f}}})"
        "\n",
        held->opens, held->opens_seconds, held->bytes_per_open, held->locks, held->locks_seconds,
        held->bytes_per_lock, held->close_seconds);
    return 0;
  }
  double cpu_before = 0;
  plan.on_measuring = [&] { cpu_before = cpu_seconds(options.pids); };
  const auto result = options.workload == "hand-over"
                          ? hand_over(clients, plan)
                          : open_close(clients, plan, options.workload == "own-open");
  const double cpu = cpu_seconds(options.pids) - cpu_before;
  if (!result) {
    fmt::print(stderr, "smb_load: {}: {}\n", options.workload, result.error());
    return 1;
  }
  const double each = result->count == 0 ? 0 : cpu / static_cast<double>(result->count) * 1e6;
  fmt::print(
      R"({{"workload": "{}", "servers": {}, "clients": {}, "depth": {}, "rate": {:.1f}, )"
      R"("p50_us": {:.0f}, "p99_us": {:.0f}, "cpu_us": {:.1f}, "count": {}, "seconds": {:.2f}}})"
      "\n",
      options.workload, options.servers.size(), clients.size(), plan.depth, result->rate(),
      result->latency_us(0.5), result->latency_us(0.99), each, result->count, result->seconds);
  return 0;
}

}  // namespace
}  // namespace flotilla::load

int main(int argc, char** argv) {
  flotilla::load::Options options;
  CLI::App app{
      "Drives SMB servers; prints one line of JSON: operations a second, p50 and p99 of\n"
      "their latency, and the servers' CPU time (user and system) for each."};
  app.add_option(
         "workload", options.workload,
         "same-open: all clients open and close one file; own-open: each its own;\n"
         "hand-over: an exclusive lock goes round; hold: many opens and as many locks stay;\n"
         "stall: the longest operation while a node is lost (--kill) and many opens stay")
      ->required()
      ->check(CLI::IsMember({"same-open", "own-open", "hand-over", "hold", "stall"}));
  app.add_option("servers", options.servers, "HOST[:PORT] ...: clients connect to each")
      ->required();
  app.add_option("--pid", options.pids, "servers' processes; what they started counts too");
  app.add_option("--clients", options.clients, "connections to each server")->capture_default_str();
  app.add_option("--depth", options.depth, "chains of opens on each")->capture_default_str();
  app.add_option("--files", options.files, "own-open: files of each chain")->capture_default_str();
  app.add_option("--shared-before", options.other,
                 "HOST[:PORT]: the files are open through this server while they are made");
  app.add_option("--file", options.shared, "same-open, hand-over: the file that all clients use")
      ->capture_default_str();
  app.add_flag("--leases", options.leases, "own-open: ask for read, write and handle caching");
  app.add_flag("--eager", options.eager, "hand-over: give the lock back though nobody waits yet");
  app.add_flag("--poll", options.poll,
               "do not sleep while answers are awaited, but offer the core to others all the time");
  app.add_option("--seconds", options.seconds, "after half a second")->capture_default_str();
  app.add_option("--count", options.count, "hold, stall: opens of all clients")
      ->capture_default_str();
  app.add_option("--locks", options.locks, "hold: locks of all clients")->capture_default_str();
  app.add_option("--directory", options.stall.directory, "stall: what the nodes share");
  app.add_option("--nodes", options.stall.nodes, "stall: node ids")->delimiter(',');
  app.add_option("--lost", options.stall.lost, "stall: the node whose processes --kill names");
  app.add_option("--kill", options.stall.kill, "stall: processes that get SIGKILL");
  app.add_option("--share", options.defaults.share)->capture_default_str();
  app.add_option("--user", options.defaults.user)->capture_default_str();
  app.add_option("--password", options.defaults.password)->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  return flotilla::load::run(options);
}
