#include "load/workloads.hpp"

#include <fmt/core.h>
#include <sched.h>

#include <algorithm>
#include <functional>

#include "load/ready_clients.hpp"
#include "wire/utf16.hpp"

namespace flotilla::load {

namespace {

using Clock = std::chrono::steady_clock;

/// Where the workloads' steps report, and what ends them.
class Run {
 public:
  explicit Run(const Plan& plan) : plan_(plan) {}

  /// Serves the sockets until the plan's time is over or somebody failed.
  std::expected<Result, std::string> drive(Clients& clients) {
    ReadyClients ready(clients);
    const Clock::time_point begin = Clock::now();
    measuring_from_ = begin + plan_.warm_up;
    const Clock::time_point end = measuring_from_ + plan_.length;
    bool told = false;
    while (error_.empty()) {
      if (plan_.poll) sched_yield();
      ready.wait(plan_.poll ? 0 : 100);
      now_ = Clock::now();
      if (now_ >= end) break;
      if (!told && now_ >= measuring_from_) {
        told = true;
        if (plan_.on_measuring) plan_.on_measuring();
      }
      if (!ready.read_some()) error_ = "a server closed the connection";
    }
    if (!error_.empty()) return std::unexpected(error_);
    result_.seconds = std::chrono::duration<double>(now_ - measuring_from_).count();
    std::ranges::sort(result_.latencies_us);
    return std::move(result_);
  }

  void ended(Clock::time_point since) {
    const Clock::time_point now = Clock::now();
    if (now < measuring_from_) return;
    ++result_.count;
    result_.latencies_us.push_back(std::chrono::duration<double, std::micro>(now - since).count());
  }
  void failed(std::string_view what, NtStatus status) {
    error_ = fmt::format("{}: {}", what, name_of(status));
  }
  void failed(std::string_view what) { error_ = what; }

 private:
  const Plan& plan_;
  Clock::time_point measuring_from_ = Clock::time_point::max();
  Clock::time_point now_;
  Result result_;
  std::string error_;
};

/// One chain of opens and closes.
class OpenClose {
 public:
  /// Opens the files in turn.
  OpenClose(Run& run, Client& client, std::vector<std::u16string> names, bool lease)
      : run_(run), client_(client), names_(std::move(names)), request_(open_request({})) {
    if (!lease) return;
    request_.requested_oplock_level = wire::OplockLevel::Lease;
    lease_.resize(52);
    request_.create_contexts = {{as_bytes(wire::create_tag::kRqLs), lease_}};
  }

  void open() {
    const std::size_t file = next_++ % names_.size();
    request_.name = names_[file];
    if (!lease_.empty()) {
      wire::LeaseContextV2 lease;
      store_le(lease.lease_key.bytes.data(), reinterpret_cast<std::uintptr_t>(this));
      store_le(lease.lease_key.bytes.data() + 8, file);
      lease.lease_state = wire::lease_state::kReadCaching | wire::lease_state::kHandleCaching |
                          wire::lease_state::kWriteCaching;
      lease_ = wire::encoded(lease);
      request_.create_contexts.front().data = lease_;
    }
    begun_ = Clock::now();
    client_.send(wire::Command::Create, request_, [this](const Answer& answer) {
      const auto response = wire::decode<wire::CreateResponse>(answer.message);
      if (!response || answer.status() != NtStatus::Success) {
        return run_.failed("CREATE", answer.status());
      }
      close(response->file_id);
    });
  }

 private:
  void close(const FileId& id) {
    wire::CloseRequest request;
    request.file_id = id;
    client_.send(wire::Command::Close, request, [this](const Answer& answer) {
      if (answer.status() != NtStatus::Success) return run_.failed("CLOSE", answer.status());
      run_.ended(begun_);
      open();
    });
  }

  Run& run_;
  Client& client_;
  std::vector<std::u16string> names_;
  std::size_t next_ = 0;
  Bytes lease_;  ///< the context's data; empty where no lease is asked for
  wire::CreateRequest request_;
  Clock::time_point begun_;
};

class Locker;

class Locker;

/// What those who want the lock share.
struct Baton {
  Locker* holder = nullptr;
  Locker* last = nullptr;   ///< who was granted it last
  std::size_t waiting = 0;  ///< asked, and told that it takes time
  Clock::time_point given_back;
  bool eager = false;
};

class Locker {
 public:
  Locker(Run& run, Baton& baton, Client& client, const FileId& id)
      : run_(run), baton_(baton), client_(client), id_(id) {}

  void lock() {
    client_.send(
        wire::Command::Lock, request(wire::lock_flags::kExclusiveLock),
        [this](const Answer& answer) {
          if (answer.status() != NtStatus::Success) return run_.failed("LOCK", answer.status());
          granted();
        },
        [this] {
          waits_ = true;
          ++baton_.waiting;
          if (!baton_.eager && baton_.holder != nullptr) baton_.holder->give_back();
        });
  }

 private:
  void granted() {
    if (baton_.holder != nullptr) return run_.failed("two clients hold an exclusive lock at once");
    baton_.holder = this;
    if (std::exchange(waits_, false)) --baton_.waiting;
    Locker* const before = std::exchange(baton_.last, this);
    if (before != nullptr && before != this) {
      run_.ended(baton_.given_back);
      before->may_ask();
    }
    if (baton_.eager || baton_.waiting != 0) give_back();
  }

  void give_back() {
    baton_.holder = nullptr;
    baton_.given_back = Clock::now();
    steps_left_ = 2;
    client_.send(wire::Command::Lock, request(wire::lock_flags::kUnlock),
                 [this](const Answer& answer) {
                   if (answer.status() != NtStatus::Success) {
                     return run_.failed("unlock", answer.status());
                   }
                   may_ask();
                 });
  }

  /// Who gave the lock back asks again when that is answered and somebody else has had it.
  void may_ask() {
    if (--steps_left_ == 0) lock();
  }

  [[nodiscard]] wire::LockRequest request(std::uint32_t flags) const {
    wire::LockRequest request;
    request.file_id = id_;
    request.locks = {{0, 1, flags}};
    return request;
  }

  Run& run_;
  Baton& baton_;
  Client& client_;
  FileId id_;
  bool waits_ = false;
  int steps_left_ = 0;
};

std::expected<std::vector<FileId>, std::string> open_all(Client& client,
                                                         const std::vector<std::u16string>& names) {
  std::vector<FileId> ids;
  for (const std::u16string& name : names) {
    const auto id = client.open(name);
    if (!id) return std::unexpected(fmt::format("opening a file: {}", name_of(id.error())));
    ids.push_back(*id);
  }
  return ids;
}

void close_all(Client& client, const std::vector<FileId>& ids) {
  for (const FileId& id : ids) {
    wire::CloseRequest request;
    request.file_id = id;
    (void)client.call(wire::Command::Close, request);
  }
}

/// Makes the files. Where there is another client they are open through it meanwhile.
std::string make_files(Client& client, Client* other, const std::vector<std::u16string>& names) {
  std::expected<std::vector<FileId>, std::string> first;
  if (other != nullptr) first = open_all(*other, names);
  const auto ids = open_all(client, names);
  if (!first || !ids) return first ? ids.error() : first.error();
  close_all(client, *ids);
  if (other != nullptr) close_all(*other, *first);
  return {};
}

}  // namespace

double Result::latency_us(double part) const {
  if (latencies_us.empty()) return 0;
  const auto last = static_cast<double>(latencies_us.size() - 1);
  return latencies_us[static_cast<std::size_t>(last * part)];
}

std::expected<Result, std::string> open_close(Clients& clients, const Plan& plan, bool own) {
  Run run(plan);
  std::vector<std::unique_ptr<OpenClose>> chains;
  for (std::size_t i = 0; i < clients.size() * plan.depth; ++i) {
    std::vector<std::u16string> names;
    if (!own) {
      names.push_back(wire::utf16_of(plan.shared).value_or(u"bench-same"));
    } else {
      for (std::size_t n = 0; n < plan.files; ++n) {
        names.push_back(*wire::utf16_of(fmt::format("bench-own-{}-{}", i, n)));
      }
    }
    Client& client = *clients[i / plan.depth];
    if (const std::string error = make_files(client, plan.other, names); !error.empty()) {
      return std::unexpected(error);
    }
    chains.push_back(
        std::make_unique<OpenClose>(run, client, std::move(names), own && plan.leases));
  }
  for (const auto& chain : chains) chain->open();
  return run.drive(clients);
}

std::expected<Result, std::string> hand_over(Clients& clients, const Plan& plan) {
  Run run(plan);
  Baton baton;
  baton.eager = plan.eager;
  std::vector<std::unique_ptr<Locker>> lockers;
  for (const auto& client : clients) {
    const auto id = client->open(wire::utf16_of(plan.shared).value_or(u"bench-same"));
    if (!id) return std::unexpected(fmt::format("opening: {}", name_of(id.error())));
    lockers.push_back(std::make_unique<Locker>(run, baton, *client, *id));
  }
  for (const auto& locker : lockers) locker->lock();
  return run.drive(clients);
}

}  // namespace flotilla::load
