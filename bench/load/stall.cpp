#include "load/stall.hpp"

#include <fmt/core.h>
#include <signal.h>

#include <algorithm>
#include <queue>

#include "load/hold.hpp"
#include "load/ready_clients.hpp"
#include "pool/owner/placement.hpp"
#include "vfs/posix/posix_backend.hpp"
#include "wire/utf16.hpp"

namespace flotilla::load {
namespace {

using Clock = std::chrono::steady_clock;

/// A chain rests so long after each round.
constexpr std::chrono::milliseconds kRest{20};
/// Chains of each kind of files.
constexpr std::size_t kChains = 4;
constexpr std::size_t kBytes = 4096;

double ms_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

/// When rounds begin, and when the node was lost.
struct Schedule {
  struct Round {
    Clock::time_point at;
    std::function<void()> begin;
    friend bool operator>(const Round& a, const Round& b) { return a.at > b.at; }
  };
  std::priority_queue<Round, std::vector<Round>, std::greater<>> rounds;
  Clock::time_point killed_at = Clock::time_point::max();
  bool ending = false;
};

/// One client's rounds on one file: CREATE, WRITE, READ, CLOSE, or only the middle two.
class Chain {
 public:
  Chain(Schedule& schedule, Stalled& into, Client& client, std::string name, bool keeps_open)
      : schedule_(schedule),
        into_(into),
        client_(client),
        name_(std::move(name)),
        keeps_open_(keeps_open),
        data_(kBytes, 0x5A) {}

  void round() {
    if (is_open_) return write();
    wire::CreateRequest request = open_request({});
    request.create_disposition = wire::CreateDisposition::OpenIf;
    const bool made = into_.kind == "made";
    if (made) {
      request.desired_access |= wire::access::kDelete;
      request.create_options |= wire::create_options::kDeleteOnClose;
    }
    const auto name = wire::utf16_of(made ? fmt::format("{}-{}", name_, ++count_) : name_);
    request.name = *name;
    send(wire::Command::Create, request, [this](const Answer& answer) {
      const auto response = wire::decode<wire::CreateResponse>(answer.message);
      if (!response || answer.status() != NtStatus::Success) return rest();
      id_ = response->file_id;
      is_open_ = true;
      write();
    });
  }

  /// An operation that is still under way counts up to now.
  void end() {
    if (busy_) note();
  }

 private:
  void write() {
    wire::WriteRequest request;
    request.file_id = id_;
    request.data = data_;
    send(wire::Command::Write, request, [this](const Answer& answer) {
      if (answer.status() != NtStatus::Success) return close();
      read();
    });
  }
  void read() {
    wire::ReadRequest request;
    request.file_id = id_;
    request.length = kBytes;
    send(wire::Command::Read, request, [this](const Answer&) {
      if (keeps_open_) return rest();
      close();
    });
  }
  void close() {
    wire::CloseRequest request;
    request.file_id = id_;
    is_open_ = false;
    send(wire::Command::Close, request, [this](const Answer&) { rest(); });
  }
  void rest() {
    if (!schedule_.ending) schedule_.rounds.push({Clock::now() + kRest, [this] { round(); }});
  }

  template <class Body>
  void send(wire::Command command, const Body& body, std::function<void(const Answer&)> then) {
    begun_ = Clock::now();
    busy_ = true;
    command_ = command;
    client_.send(command, body, [this, then = std::move(then)](const Answer& answer) {
      note();
      busy_ = false;
      ++into_.operations;
      if (answer.status() != NtStatus::Success && into_.refused++ == 0) {
        into_.first_refusal = fmt::format("{} {}", name_of(command_), name_of(answer.status()));
      }
      then(answer);
    });
  }

  void note() {
    const Clock::time_point now = Clock::now();
    const bool killed = schedule_.killed_at <= now;
    Pause& longest = killed ? into_.after : into_.before;
    const double ms = ms_between(begun_, now);
    if (ms <= longest.ms) return;
    longest.ms = ms;
    longest.begun_ms = killed ? ms_between(schedule_.killed_at, begun_) : 0;
    longest.what = fmt::format("{} {}", name_of(command_), name_);
  }

  Schedule& schedule_;
  Stalled& into_;
  Client& client_;
  const std::string name_;
  const bool keeps_open_;
  Bytes data_;
  FileId id_;
  bool is_open_ = false;
  bool busy_ = false;
  std::size_t count_ = 0;
  wire::Command command_{};
  Clock::time_point begun_;
};

/// Files that are made, until there are enough of those whose node stays and of those whose is
/// lost.
class Files {
 public:
  Files(Client& client, const StallPlan& plan) : client_(client), plan_(plan) {
    for (const std::uint32_t node : plan.nodes) {
      members_.emplace_back().id.node = NodeId{node};
    }
  }

  std::expected<std::string, std::string> next(bool stays) {
    auto& ready = ready_[stays ? 1 : 0];
    while (ready.empty()) {
      const std::string name = fmt::format("bench-stall-{}", made_++);
      const auto id = client_.open(*wire::utf16_of(name));
      if (!id) return std::unexpected(fmt::format("making {}: {}", name, name_of(id.error())));
      wire::CloseRequest request;
      request.file_id = *id;
      (void)client_.call(wire::Command::Close, request);
      const auto lost = lost_with(name);
      if (!lost) return std::unexpected(lost.error());
      ready_[*lost ? 0 : 1].push_back(name);
    }
    std::string name = std::move(ready.back());
    ready.pop_back();
    return name;
  }

 private:
  std::expected<bool, std::string> lost_with(const std::string& name) {
    if (!backend_) {
      vfs::PosixOptions options;
      options.path = plan_.directory;
      auto opened = vfs::open_posix_backend(std::move(options));
      if (!opened) return std::unexpected(opened.error());
      backend_ = *std::move(opened);
    }
    const auto file = backend_->locate(ports::Credentials{0, 0, {}}, name);
    if (!file) return std::unexpected(fmt::format("{}/{} is not there", plan_.directory, name));
    return pool::owner_among(members_, (*file)->key()).id.node == NodeId{plan_.lost};
  }

  Client& client_;
  const StallPlan& plan_;
  std::vector<pool::Member> members_;
  std::unique_ptr<vfs::PosixBackend> backend_;
  std::array<std::vector<std::string>, 2> ready_;
  std::size_t made_ = 0;
};

struct Setup {
  Schedule schedule;
  std::vector<std::unique_ptr<Stalled>> kinds;
  std::vector<std::unique_ptr<Chain>> chains;
};

std::string set_up(Setup& setup, Clients& clients, const StallPlan& plan) {
  Files files(*clients.front(), plan);
  for (const bool stays : {true, false}) {
    for (const char* kind : {"alone", "both", "held", "made"}) {
      const std::string_view name(kind);
      if (name == "made" && !stays) continue;
      setup.kinds.push_back(std::make_unique<Stalled>());
      Stalled& into = *setup.kinds.back();
      into.kind = kind;
      into.stays = stays;
      std::expected<std::string, std::string> file;
      for (std::size_t i = 0; i < kChains; ++i) {
        // Of "both" every client in turn uses the same file.
        if (name != "both" || i % clients.size() == 0) file = files.next(stays);
        if (!file) return file.error();
        setup.chains.push_back(std::make_unique<Chain>(
            setup.schedule, into, *clients[i % clients.size()],
            name == "made" ? fmt::format("bench-stall-new-{}", i) : *file, name == "held"));
      }
    }
  }
  return {};
}

}  // namespace

std::expected<Stalls, std::string> stall(Clients& clients, Clients& holders,
                                         const StallPlan& plan) {
  Stalls all;
  const std::size_t each = plan.count / holders.size();
  if (std::string error = make_held_files(*holders.front(), plan.count); !error.empty()) {
    return std::unexpected(error);
  }
  for (std::size_t i = 0; i < holders.size(); ++i) {
    const auto opened = open_held(*holders[i], plan.count, i * each, each);
    if (!opened) return std::unexpected(opened.error());
    all.opens += opened->size();
  }
  Setup setup;
  if (std::string error = set_up(setup, clients, plan); !error.empty()) {
    return std::unexpected(error);
  }
  Schedule& schedule = setup.schedule;
  ReadyClients ready(clients);
  const Clock::time_point begin = Clock::now();
  for (std::size_t i = 0; i < setup.chains.size(); ++i) {
    Chain* const chain = setup.chains[i].get();
    schedule.rounds.push({begin + i * kRest / setup.chains.size(), [chain] { chain->round(); }});
  }
  bool lost = false;
  for (;;) {
    const Clock::time_point now = Clock::now();
    if (now >= begin + plan.before && schedule.killed_at == Clock::time_point::max()) {
      schedule.killed_at = Clock::now();
      all.killed_at =
          std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch())
              .count();
      for (const int pid : plan.kill) (void)::kill(pid, SIGKILL);
    }
    if (now >= begin + plan.before + plan.after || lost) break;
    while (!schedule.rounds.empty() && schedule.rounds.top().at <= now) {
      const auto round = schedule.rounds.top().begin;
      schedule.rounds.pop();
      round();
    }
    ready.wait(1);
    lost = !ready.read_some();
  }
  if (lost) return std::unexpected("a server that should stay closed the connection");
  for (const auto& chain : setup.chains) chain->end();
  for (const auto& kind : setup.kinds) all.kinds.push_back(std::move(*kind));
  return all;
}

}  // namespace flotilla::load
