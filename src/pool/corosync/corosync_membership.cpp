#include "pool/corosync/corosync_membership.hpp"

#include <corosync/cpg.h>
#include <corosync/votequorum.h>
#include <fmt/core.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "base/log.hpp"
#include "pool/view_agreement.hpp"

namespace flotilla::pool {

namespace {

constexpr std::string_view kGroup = "flotilla";
constexpr std::chrono::milliseconds kReconnectDelay{100};
constexpr std::size_t kFactBytesMax = 4096;

enum class Kind : std::uint8_t { Hello = 1, Fact = 2, Proof = 3 };

std::int64_t clock_ns(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

std::uint64_t fresh_incarnation() { return static_cast<std::uint64_t>(clock_ns(CLOCK_REALTIME)); }

/// Seconds since 2026-01-01, which keeps epochs readable.
Epoch epoch_floor() {
  const std::int64_t seconds = clock_ns(CLOCK_REALTIME) / 1'000'000'000 - 1'767'225'600;
  return Epoch{static_cast<std::uint64_t>(std::max<std::int64_t>(seconds, 0))};
}

/// One process in the group.
struct Process {
  NodeId node;
  std::uint32_t pid = 0;
  friend auto operator<=>(const Process&, const Process&) = default;
};

}  // namespace

struct CorosyncMembership::Impl {
  explicit Impl(Timing timing_in)
      : timing(timing_in), wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  ~Impl() {
    disconnect();
    if (wake >= 0) ::close(wake);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  const Timing timing;
  const int wake;
  NodeId node;
  MembershipEvents* events = nullptr;
  std::jthread thread;

  std::mutex mutex;
  std::deque<Bytes> outgoing;  ///< guarded by mutex; sent in order

  // The thread's own:
  cpg_handle_t cpg = 0;
  votequorum_handle_t votes = 0;
  bool connected = false;
  bool failed = false;  ///< corosync went away during a callback
  std::optional<ViewAgreement> agreement;
  std::set<Process> group;
  std::map<Process, Hello> hellos;  ///< answers to the present group
  bool view_installed = false;
  bool told_lost = true;
  std::map<NodeId, std::int64_t> unclean;  ///< lost nodes, and when that was told
  std::int64_t proven_at = 0;              ///< the last time that counts as a sign of life
  bool suspected = true;                   ///< may have hung: only an ordered message counts
  std::int64_t proof_from = 0;             ///< older ones were sent before the pause

  bool connect();
  void disconnect();
  void run(const std::stop_token& stop);
  void turn();
  void prove_alive();
  [[nodiscard]] bool quorate_locally();
  void lose();
  void flush();
  void on_change(const cpg_address* members, std::size_t member_count, const cpg_address* left,
                 std::size_t left_count);
  void on_message(NodeId from, std::uint32_t pid, ByteView message);
  void say_hello();
  void install_when_complete();
  [[nodiscard]] std::optional<votequorum_info> quorum_info(NodeId of) const;
  [[nodiscard]] std::vector<NodeId> nodes() const;

  static Impl* of(cpg_handle_t handle) {
    void* context = nullptr;
    return cpg_context_get(handle, &context) == CS_OK ? static_cast<Impl*>(context) : nullptr;
  }
  static void deliver(cpg_handle_t handle, const cpg_name*, std::uint32_t nodeid, std::uint32_t pid,
                      void* message, std::size_t size_bytes) {
    if (Impl* impl = of(handle)) {
      impl->on_message(NodeId{nodeid}, pid,
                       ByteView(static_cast<const std::uint8_t*>(message), size_bytes));
    }
  }
  static void changed(cpg_handle_t handle, const cpg_name*, const cpg_address* members,
                      std::size_t member_count, const cpg_address* left, std::size_t left_count,
                      const cpg_address*, std::size_t) {
    if (Impl* impl = of(handle)) impl->on_change(members, member_count, left, left_count);
  }
};

bool CorosyncMembership::Impl::connect() {
  cpg_callbacks_t callbacks{};
  callbacks.cpg_deliver_fn = &Impl::deliver;
  callbacks.cpg_confchg_fn = &Impl::changed;
  votequorum_callbacks_t none{};
  if (cpg_initialize(&cpg, &callbacks) != CS_OK) return false;
  if (votequorum_initialize(&votes, &none) != CS_OK) {
    cpg_finalize(cpg);
    return false;
  }
  unsigned int local = 0;
  connected = cpg_context_set(cpg, this) == CS_OK && cpg_local_get(cpg, &local) == CS_OK;
  if (!connected) {
    cpg_finalize(cpg);
    votequorum_finalize(votes);
    return false;
  }
  node = NodeId{local};
  failed = false;
  return true;
}

void CorosyncMembership::Impl::disconnect() {
  if (!connected) return;
  cpg_finalize(cpg);
  votequorum_finalize(votes);
  connected = false;
}

std::vector<NodeId> CorosyncMembership::Impl::nodes() const {
  std::vector<NodeId> all;
  all.reserve(group.size());
  for (const Process& process : group) all.push_back(process.node);
  return all;
}

std::optional<votequorum_info> CorosyncMembership::Impl::quorum_info(NodeId of) const {
  votequorum_info info{};
  if (votequorum_getinfo(votes, of.raw(), &info) != CS_OK) return std::nullopt;
  return info;
}

void CorosyncMembership::Impl::on_change(const cpg_address* members, std::size_t member_count,
                                         const cpg_address* left, std::size_t left_count) {
  group.clear();
  hellos.clear();
  view_installed = false;
  for (std::size_t i = 0; i < member_count; ++i) {
    group.insert(Process{NodeId{members[i].nodeid}, members[i].pid});
  }
  for (std::size_t i = 0; i < left_count; ++i) {
    // Who left or whose process ended can do no more I/O; of a lost node nobody knows.
    if (left[i].reason != CPG_REASON_LEAVE && left[i].reason != CPG_REASON_PROCDOWN) {
      unclean[NodeId{left[i].nodeid}] = clock_ns(CLOCK_BOOTTIME);
    }
  }
  say_hello();
}

void CorosyncMembership::Impl::say_hello() {
  const auto own = quorum_info(node);
  if (!own) {
    failed = true;
    return;
  }
  std::uint64_t present = 0;
  for (const Process& process : group) {
    const auto info = quorum_info(process.node);
    present += info ? info->node_votes : 1;
  }
  const bool quorate = present >= own->quorum;
  const Epoch recovered = events->on_change_begins(quorate);
  Hello hello = agreement->hello(nodes(), recovered, fresh_incarnation());
  hello.epoch_floor = epoch_floor();
  hello.process = static_cast<std::uint32_t>(::getpid());
  // Long enough for a member of the next view to honour what this one still honours.
  const std::chrono::nanoseconds remembered = 2 * timing.grant_margin;
  const std::int64_t since = clock_ns(CLOCK_BOOTTIME) - remembered.count();
  std::erase_if(unclean, [&](const auto& it) { return it.second < since; });
  for (const auto& [lost, when] : unclean) hello.unclean.push_back(lost);
  hello.votes = own->node_votes;
  hello.quorum = own->quorum;
  Bytes message;
  ByteWriter(message).u8(static_cast<std::uint8_t>(Kind::Hello));
  encode(hello, message);
  const std::lock_guard lock(mutex);
  outgoing.push_back(std::move(message));
}

void CorosyncMembership::Impl::on_message(NodeId from, std::uint32_t pid, ByteView message) {
  ByteReader in(message);
  const auto kind = static_cast<Kind>(in.u8());
  if (kind == Kind::Proof) {
    // The group has ordered it, so this node was in when it was sent. Another process of this node
    // cannot be meant: it has another pid.
    if (from != node || pid != static_cast<std::uint32_t>(::getpid())) return;
    const auto sent_at = static_cast<std::int64_t>(in.u64());
    if (!in.ok() || sent_at < proof_from) return;
    suspected = false;
    proven_at = std::max(proven_at, sent_at);
    if (quorate_locally()) events->on_alive(sent_at);
    return;
  }
  if (kind == Kind::Fact) {
    const std::string key(as_text(in.view(in.u16())));
    const ByteView value = in.view(in.remaining());
    if (in.ok()) events->on_fact(from, key, value);
    return;
  }
  auto hello = kind == Kind::Hello ? decode_hello(in) : std::nullopt;
  if (!hello || hello->node != from) {
    log::error("pool: node {} sent the group {} bytes that this version cannot read", from.raw(),
               message.size());
    return;
  }
  if (hello->members != nodes()) return;  // an answer to a membership that has passed
  const Process process{from, pid};
  if (!group.contains(process) || view_installed) return;
  hellos.insert_or_assign(process, std::move(*hello));
  install_when_complete();
}

void CorosyncMembership::Impl::install_when_complete() {
  if (hellos.size() != group.size()) return;
  std::vector<Hello> all;
  for (const auto& [process, hello] : hellos) {
    // Two lives of one node: the former leaves in a moment.
    if (!all.empty() && all.back().node == hello.node) return;
    all.push_back(hello);
  }
  View view = agree(all);
  view_installed = true;
  agreement->installed(view);
  told_lost = false;
  log::info("pool: view {} of {} members, {}", view.epoch.raw(), view.members.size(),
            view.quorate ? "quorate" : "without quorum");
  events->on_view(view);
}

void CorosyncMembership::Impl::flush() {
  for (;;) {
    Bytes message;
    {
      const std::lock_guard lock(mutex);
      if (outgoing.empty()) return;
      message = outgoing.front();
    }
    iovec part{message.data(), message.size()};
    const cs_error_t error = cpg_mcast_joined(cpg, CPG_TYPE_AGREED, &part, 1);
    if (error == CS_ERR_TRY_AGAIN) return;
    if (error != CS_OK) {
      failed = true;
      return;
    }
    const std::lock_guard lock(mutex);
    outgoing.pop_front();
  }
}

void CorosyncMembership::Impl::prove_alive() {
  // Asked before what is waiting is dispatched: had corosync known of another membership when it
  // answered, the change would have been told before the proof counts.
  const std::int64_t asked_at = clock_ns(CLOCK_BOOTTIME);
  const auto info = quorum_info(node);
  if (!info) {
    failed = true;
    return;
  }
  if (cpg_dispatch(cpg, CS_DISPATCH_ALL) != CS_OK) {
    failed = true;
    return;
  }
  const std::chrono::nanoseconds pause = timing.pause_suspected;
  if (!suspected && asked_at - proven_at > pause.count()) {
    // This process or corosync stood still. Corosync answers from what it knew before, so its word
    // does not count until the group has ordered something of ours.
    suspected = true;
    proof_from = asked_at;
    log::warn("pool: {} ms without a sign of life from corosync; asking the group",
              (asked_at - proven_at) / 1'000'000);
  }
  // The answer came late: what it says was true when it was asked for, at the best.
  if (clock_ns(CLOCK_BOOTTIME) - asked_at > pause.count()) return;
  if (suspected) {
    Bytes message;
    ByteWriter out(message);
    out.u8(static_cast<std::uint8_t>(Kind::Proof));
    out.u64(static_cast<std::uint64_t>(asked_at));
    const std::lock_guard lock(mutex);
    outgoing.push_back(std::move(message));
    return;
  }
  proven_at = asked_at;
  if ((info->flags & VOTEQUORUM_INFO_QUORATE) != 0) events->on_alive(asked_at);
}

bool CorosyncMembership::Impl::quorate_locally() {
  const auto info = quorum_info(node);
  return info && (info->flags & VOTEQUORUM_INFO_QUORATE) != 0;
}

void CorosyncMembership::Impl::turn() {
  flush();
  int fd = -1;
  if (failed || cpg_fd_get(cpg, &fd) != CS_OK) {
    failed = true;
    return;
  }
  bool pending = false;
  {
    const std::lock_guard lock(mutex);
    pending = !outgoing.empty();
  }
  pollfd waits[2] = {{fd, POLLIN, 0}, {wake, POLLIN, 0}};
  const int limit_ms = pending ? 2 : static_cast<int>(timing.alive_interval.count());
  if (::poll(waits, 2, limit_ms) < 0 && errno != EINTR) {
    failed = true;
    return;
  }
  if ((waits[1].revents & POLLIN) != 0) {
    std::uint64_t ignored = 0;
    (void)!::read(wake, &ignored, sizeof ignored);
  }
  if ((waits[0].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0) {
    failed = true;
    return;
  }
  if ((waits[0].revents & POLLIN) != 0 && cpg_dispatch(cpg, CS_DISPATCH_ALL) != CS_OK) {
    failed = true;
  }
}

void CorosyncMembership::Impl::lose() {
  if (agreement) agreement->lost();
  disconnect();
  group.clear();
  hellos.clear();
  unclean.clear();
  view_installed = false;
  suspected = true;
  proof_from = clock_ns(CLOCK_BOOTTIME);
  {
    const std::lock_guard lock(mutex);
    outgoing.clear();
  }
  if (std::exchange(told_lost, true)) return;
  log::warn("pool: corosync is gone; connecting again every {} ms", kReconnectDelay.count());
  events->on_lost();
}

void CorosyncMembership::Impl::run(const std::stop_token& stop) {
  cpg_name name{};
  name.length = kGroup.size();
  std::memcpy(name.value, kGroup.data(), kGroup.size());
  bool joined = false;
  std::int64_t asked_at = 0;
  const std::chrono::nanoseconds interval = timing.alive_interval;
  while (!stop.stop_requested()) {
    if (!connected) {
      joined = false;
      if (!connect()) {
        pollfd wait{wake, POLLIN, 0};
        (void)::poll(&wait, 1, static_cast<int>(kReconnectDelay.count()));
        continue;
      }
    }
    if (!joined) {
      const cs_error_t error = cpg_join(cpg, &name);
      joined = error == CS_OK;
      if (!joined) {
        if (error != CS_ERR_TRY_AGAIN) disconnect();
        pollfd wait{wake, POLLIN, 0};
        (void)::poll(&wait, 1, static_cast<int>(kReconnectDelay.count()));
        continue;
      }
    }
    turn();
    const std::int64_t now = clock_ns(CLOCK_BOOTTIME);
    if (!failed && now - asked_at >= interval.count()) {
      asked_at = now;
      prove_alive();
    }
    if (failed) lose();
  }
  if (connected && joined) cpg_leave(cpg, &name);
  disconnect();
}

CorosyncMembership::CorosyncMembership(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
CorosyncMembership::~CorosyncMembership() { stop(); }

std::expected<std::unique_ptr<CorosyncMembership>, std::string> CorosyncMembership::make(
    Timing timing) {
  auto impl = std::make_unique<Impl>(timing);
  if (!impl->connect()) {
    return std::unexpected(
        std::string("no corosync answers on this machine; start it, or serve without --pool"));
  }
  return std::unique_ptr<CorosyncMembership>(new CorosyncMembership(std::move(impl)));
}

void CorosyncMembership::start(MembershipEvents& events, NodeFacts self) {
  impl_->events = &events;
  impl_->agreement.emplace(impl_->node, fresh_incarnation(), std::move(self));
  impl_->thread = std::jthread([this](const std::stop_token& stop) { impl_->run(stop); });
}

void CorosyncMembership::stop() {
  if (!impl_->thread.joinable()) return;
  impl_->thread.request_stop();
  const std::uint64_t one = 1;
  (void)!::write(impl_->wake, &one, sizeof one);
  impl_->thread.join();
}

void CorosyncMembership::publish(const std::string& key, ByteView value) {
  if (key.size() + value.size() > kFactBytesMax) {
    log::error("pool: fact {} of {} bytes is more than {}", key, value.size(), kFactBytesMax);
    return;
  }
  Bytes message;
  ByteWriter out(message);
  out.u8(static_cast<std::uint8_t>(Kind::Fact));
  out.u16(static_cast<std::uint16_t>(key.size()));
  out.bytes(as_bytes(key));
  out.bytes(value);
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->outgoing.push_back(std::move(message));
  }
  const std::uint64_t one = 1;
  (void)!::write(impl_->wake, &one, sizeof one);
}

NodeId CorosyncMembership::self() const noexcept { return impl_->node; }

}  // namespace flotilla::pool
