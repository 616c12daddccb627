#include "pool/pool_engine.hpp"

#include <algorithm>
#include <atomic>
#include <bitset>
#include <chrono>
#include <condition_variable>
#include <iterator>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "base/log.hpp"
#include "coherence/codec.hpp"
#include "coherence/state.hpp"
#include "pool/local/local_opens.hpp"
#include "pool/owner/machine.hpp"
#include "pool/peer/mesh.hpp"
#include "pool/service_calls.hpp"

namespace flotilla::pool {

namespace {
/// The engine's own question to other members; services of other rooms have other numbers.
constexpr std::uint16_t kFindKeptService = 0xF001;
/// How long work in slices lets others go first, at most: they may be waiting for something else.
constexpr int kYieldsMax = 200;

/// Writes the longest of all its lives down.
class Stopwatch {
 public:
  explicit Stopwatch(std::chrono::steady_clock::duration& longest) : longest_(longest) {}
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;
  ~Stopwatch() { longest_ = std::max(longest_, std::chrono::steady_clock::now() - begin_); }

 private:
  std::chrono::steady_clock::duration& longest_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};
}  // namespace

struct PoolEngine::Impl final : MembershipEvents {
  Impl(const ports::Clock& clock_in, PoolOptions options_in, PoolCallbacks callbacks_in)
      : clock(clock_in),
        options(std::move(options_in)),
        callbacks(std::move(callbacks_in)),
        ids(options.node, clock.wall()),
        lease(std::make_shared<ports::ServeLease>()),
        local(lease, [this](const FileKey& key, ConfirmId id) { run(LocalConfirm{key, id}); }),
        machine(options.node, options.limits, options.timing, options.claims, options.tolerate),
        services(options.node, [this](NodeId to, PeerTraffic traffic, Bytes body) {
          if (links) links->send(to, traffic, std::move(body));
        }) {
    lease->revoke();
  }

  const ports::Clock& clock;
  const PoolOptions options;
  const PoolCallbacks callbacks;
  OpenIdSource ids;
  std::shared_ptr<ports::ServeLease> lease;
  LocalOpens local;
  OrphanHandler orphan;
  std::mutex orphans_mutex;
  std::vector<OwnerOutbox::Orphan> orphans;  ///< until this node serves: it may remove no name now
  std::atomic<bool> orphans_left{false};

  mutable std::mutex mutex;  ///< guards machine and view; never held in a callback
  OwnerMachine machine;
  View view;
  bool fenced = false;    ///< a change has begun that leaves this node without quorum
  bool changing = false;  ///< a change has begun: who is still in is not known
  std::atomic<bool> in_view{false};
  std::atomic<bool> work_left{false};
  std::atomic<int> waiting{0};  ///< callers that want the mutex
  std::chrono::steady_clock::duration slice_longest{0};

  std::unique_ptr<PeerLinks> links;
  ServiceCalls services;
  Membership* membership = nullptr;

  std::mutex timer_mutex;
  std::condition_variable_any timer_wake;
  std::jthread timer;

  using Nodes = std::vector<NodeId>;

  /// One step, and what it led to: messages leave and effects are queued in the step's order.
  void run(Input input) {
    Nodes touched;
    run(std::move(input), touched);
    push(touched);
  }

  /// The same; what it queued for other nodes leaves with a push to `touched`.
  void run(Input input, Nodes& touched) {
    OwnerOutbox out;
    Lanes lanes;
    {
      waiting.fetch_add(1, std::memory_order_relaxed);
      const std::lock_guard lock(mutex);
      waiting.fetch_sub(1, std::memory_order_relaxed);
      machine.step(std::move(input), clock.mono(), out);
      lanes = take(out);
    }
    note(out, touched);
    finish(out, lanes);
  }

  static void note(const OwnerOutbox& out, Nodes& touched) {
    for (const OwnerOutbox::ToPeer& message : out.messages) {
      if (std::ranges::find(touched, message.to) == touched.end()) touched.push_back(message.to);
    }
  }
  /// Without the mutex: this writes to the network.
  void push(const Nodes& touched) {
    for (const NodeId node : touched) links->push(node);
  }

  /// What a view change or a lost node left to do about many files, slice by slice: whoever waits
  /// for the mutex meanwhile goes first.
  void run_work() {
    while (work_left.load(std::memory_order_acquire)) {
      for (int i = 0; i < kYieldsMax && waiting.load(std::memory_order_relaxed) > 0; ++i) {
        std::this_thread::yield();
      }
      OwnerOutbox out;
      Lanes lanes;
      {
        const std::lock_guard lock(mutex);
        const Stopwatch watch(slice_longest);
        machine.step(Work{}, clock.mono(), out);
        lanes = take(out);
      }
      Nodes touched;
      note(out, touched);
      push(touched);
      finish(out, lanes);
    }
  }

  using Lanes = std::bitset<kLaneCount>;

  /// With the mutex held. Returns the lanes that have effects to deliver.
  Lanes take(OwnerOutbox& out) {
    for (OwnerOutbox::ToPeer& message : out.messages) {
      Bytes bytes;
      encode(message.message, bytes);
      links->queue(message.to, PeerTraffic::Machine, std::move(bytes));
    }
    Lanes lanes;
    for (LocalEffect& effect : out.effects) {
      lanes.set(lane_of(effect.key));
      local.queue(std::move(effect));
    }
    out.effects.clear();
    if (out.lost) lease->revoke();
    in_view.store(machine.serving(), std::memory_order_release);
    work_left.store(machine.has_work(), std::memory_order_release);
    return lanes;
  }

  /// Without the mutex.
  void finish(OwnerOutbox& out, const Lanes& lanes) {
    for (std::size_t lane = 0; lane < kLaneCount; ++lane) {
      if (lanes.test(lane)) local.drain(lane);
    }
    if (!out.orphans.empty() || orphans_left.load(std::memory_order_acquire)) {
      hand_over_orphans(out);
    }
    if (out.lost) {
      log::warn("pool: node {} serves nothing: no quorum, or it was taken for dead",
                options.node.raw());
      if (callbacks.on_lost_quorum) callbacks.on_lost_quorum();
    }
  }

  void hand_over_orphans(OwnerOutbox& out) {
    std::vector<OwnerOutbox::Orphan> ready;
    {
      const std::lock_guard lock(orphans_mutex);
      if (out.lost) orphans.clear();
      std::ranges::move(out.orphans, std::back_inserter(orphans));
      if (lease->valid()) ready.swap(orphans);
      orphans_left.store(!orphans.empty(), std::memory_order_release);
    }
    if (!ready.empty()) {
      // What has another owner since is that one's.
      const std::lock_guard lock(mutex);
      std::erase_if(ready, [&](const OwnerOutbox::Orphan& it) {
        const coherence::FileState* file = machine.table().inspect(it.key);
        return file == nullptr || !file->unlinking || file->unlink_open != it.open;
      });
    }
    for (const OwnerOutbox::Orphan& it : ready) {
      if (orphan) {
        orphan(it.key, it.open, it.path);
      } else {
        submit(it.key, coherence::Unlinked{it.open, false}, {});
      }
    }
  }

  void receive(MemberId from, std::vector<PeerDelivery>& batch) {
    Nodes touched;
    for (PeerDelivery& delivery : batch) {
      if (delivery.traffic != PeerTraffic::Machine) {
        services.receive(from.node, delivery.traffic, delivery.body);
        continue;
      }
      auto message = decode_peer_message(delivery.body);
      if (!message) {
        log::error("pool: node {} sent a message of {} bytes that this version cannot read",
                   from.node.raw(), delivery.body.size());
        continue;
      }
      run(FromPeer{from, std::move(*message)}, touched);
    }
    push(touched);

    run_work();
  }

  RequestId submit(const FileKey& key, coherence::Body body, ports::Completion completion) {
    const RequestId request = local.add_command(key, body, std::move(completion));
    if (!lease->valid() && !gives_up(body)) {
      local.refuse(key, request, NtStatus::DeviceNotReady);
      return request;
    }
    run_drained(key, request, std::move(body));
    return request;
  }

  void run_drained(const FileKey& key, RequestId request, coherence::Body body) {
    if (const auto gate = local.gate_to_drain(key, body)) {
      LocalOpens::drained(gate, body, [this, key, request](const coherence::Body& what) {
        run(LocalCommand{key, request, what});
      });
      return;
    }
    run(LocalCommand{key, request, std::move(body)});
  }

  /// What only gives rights back, or has happened, is taken even from a node that may serve nothing
  /// right now.
  static bool gives_up(const coherence::Body& body) {
    const auto* lock = std::get_if<coherence::Lock>(&body);
    const auto* renamed = std::get_if<coherence::Renamed>(&body);
    return std::holds_alternative<coherence::Close>(body) ||
           std::holds_alternative<coherence::Unlinked>(body) ||
           std::holds_alternative<coherence::AcknowledgeBreak>(body) ||
           (renamed != nullptr && renamed->stage != coherence::RenameStage::Begins) ||
           (lock != nullptr && lock->unlock);
  }

  // MembershipEvents
  Epoch on_change_begins(bool quorate) override {
    const std::lock_guard lock(mutex);
    changing = true;
    fenced = !quorate;
    if (fenced) lease->revoke();
    return machine.freeze();
  }

  void on_view(const View& installed) override {
    OwnerOutbox out;
    Lanes lanes;
    {
      const std::lock_guard lock(mutex);
      const Stopwatch watch(slice_longest);
      view = installed;
      const Member* me = installed.find(options.node);
      const bool in = installed.quorate && me != nullptr;
      fenced = !in;
      changing = false;
      if (!in) lease->revoke();
      if (in) {
        links->set_view(me->id, installed.members);
      } else {
        links->set_view(MemberId{}, {});
      }
      machine.step(ViewChange{installed}, clock.mono(), out);
      lanes = take(out);
    }
    Nodes touched;
    note(out, touched);
    push(touched);
    finish(out, lanes);
    run_work();
    services.on_view(installed);
    if (callbacks.on_view) callbacks.on_view(installed);
  }

  void on_lost() override {
    OwnerOutbox out;
    Lanes lanes;
    {
      const std::lock_guard lock(mutex);
      fenced = true;
      lease->revoke();
      view = View{};
      links->set_view(MemberId{}, {});
      if (machine.serving()) machine.step(Lost{}, clock.mono(), out);
      lanes = take(out);
    }
    finish(out, lanes);
    services.on_view(View{});
    if (callbacks.on_view) callbacks.on_view(View{});
  }

  void on_alive(std::int64_t boottime_ns) override {
    const std::lock_guard lock(mutex);
    if (fenced || changing || !machine.serving() || machine.fencing()) return;
    const std::chrono::nanoseconds valid = options.timing.serve_lease;
    lease->extend_until(boottime_ns + valid.count());
  }

  void on_fact(NodeId from, const std::string& key, ByteView value) override {
    if (callbacks.on_fact) callbacks.on_fact(from, key, value);
  }

  void run_timer(const std::stop_token& stop) {
    std::unique_lock lock(timer_mutex);
    while (!stop.stop_requested()) {
      timer_wake.wait_for(lock, stop, options.tick_interval, [] { return false; });
      if (stop.stop_requested()) return;
      lock.unlock();
      run(TimePasses{});
      run_work();
      lock.lock();
    }
  }

  void start(Membership& joined, std::unique_ptr<PeerLinks> made, std::string peer_address) {
    links = std::move(made);
    services.serve(kFindKeptService, [this](NodeId, ByteView request) {
      Bytes reply;
      ByteReader in(request);
      const auto query = coherence::decode_kept_query(in);
      if (!query) return reply;
      const std::lock_guard lock(mutex);
      encode(machine.find_kept(*query), reply);
      return reply;
    });
    membership = &joined;
    links->start([this](MemberId from, std::vector<PeerDelivery>& batch) { receive(from, batch); });
    membership->start(
        *this, NodeFacts{options.name, std::move(peer_address), options.front_listen, options.ids});
    if (options.tick_interval.count() > 0) {
      timer = std::jthread([this](const std::stop_token& stop) { run_timer(stop); });
    }
  }

  void stop() {
    timer = {};
    if (membership != nullptr) membership->stop();
    membership = nullptr;
    if (links) links->stop();
  }
};

PoolEngine::PoolEngine(const ports::Clock& clock, PoolOptions options, PoolCallbacks callbacks)
    : impl_(std::make_unique<Impl>(clock, std::move(options), std::move(callbacks))) {}

PoolEngine::~PoolEngine() { stop(); }

std::expected<void, std::string> PoolEngine::start(Membership& membership) {
  auto key = load_pool_key(impl_->options.key_file);
  if (!key) return std::unexpected(key.error());
  auto mesh = PeerMesh::make(impl_->options.peer_listen, *key, impl_->options.poll_window);
  if (!mesh) return std::unexpected(mesh.error());
  std::string address = (*mesh)->address();
  impl_->start(membership, std::move(*mesh), std::move(address));
  return {};
}

void PoolEngine::start(Membership& membership, std::unique_ptr<PeerLinks> links) {
  impl_->start(membership, std::move(links), impl_->options.peer_listen);
}

void PoolEngine::stop() { impl_->stop(); }

OpenId PoolEngine::next_open_id() { return impl_->ids.next(); }

RequestId PoolEngine::open(const FileKey& key, coherence::Open command,
                           std::shared_ptr<ports::OpenEvents> events,
                           std::move_only_function<void(ports::OpenOutcome)> done,
                           std::move_only_function<void()> pending) {
  const RequestId request = impl_->local.add_open(key, command.open, std::move(events),
                                                  std::move(done), std::move(pending));
  if (!serving()) {
    impl_->local.refuse(key, request, NtStatus::DeviceNotReady);
    return request;
  }
  impl_->run(LocalCommand{key, request, std::move(command)});
  return request;
}

RequestId PoolEngine::submit(const FileKey& key, coherence::Body body,
                             ports::Completion completion) {
  return impl_->submit(key, std::move(body), std::move(completion));
}

RequestId PoolEngine::reclaim(const FileKey& key, coherence::Reclaim command,
                              std::shared_ptr<ports::OpenEvents> events,
                              std::move_only_function<void(ports::OpenOutcome)> done) {
  const RequestId request =
      impl_->local.add_reclaim(key, command.open, std::move(events), std::move(done));
  if (!serving()) {
    impl_->local.refuse(key, request, NtStatus::DeviceNotReady);
    return request;
  }
  impl_->run_drained(key, request, command);
  return request;
}

void PoolEngine::find_kept(const coherence::KeptQuery& query,
                           std::move_only_function<void(std::vector<coherence::KeptFound>)> done) {
  struct Asking {
    std::mutex mutex;
    std::size_t missing = 1;
    std::vector<FoundHere> answers;
    std::move_only_function<void(std::vector<coherence::KeptFound>)> done;
    void take(std::optional<FoundHere> answer) {
      std::unique_lock lock(mutex);
      if (answer) answers.push_back(std::move(*answer));
      if (--missing > 0) return;
      lock.unlock();
      done(united(std::move(answers)));
    }
  };
  const auto asking = std::make_shared<Asking>();
  asking->done = std::move(done);
  FoundHere here;
  std::vector<NodeId> others;
  {
    const std::lock_guard lock(impl_->mutex);
    here = impl_->machine.find_kept(query);
    for (const Member& member : impl_->view.members) {
      if (member.id.node != impl_->options.node) others.push_back(member.id.node);
    }
  }
  Bytes request;
  coherence::encode(query, request);
  asking->missing += others.size();
  for (const NodeId node : others) {
    call(node, kFindKeptService, request, [asking](std::optional<Bytes> reply) {
      std::optional<FoundHere> found;
      if (reply) {
        ByteReader in(*reply);
        found = decode_found_here(in);
      }
      asking->take(std::move(found));
    });
  }
  asking->take(std::move(here));
}

void PoolEngine::cancel(const FileKey& key, RequestId request) {
  impl_->run(LocalCommand{key, RequestId{}, coherence::Cancel{request}});
}

void PoolEngine::set_orphan_handler(OrphanHandler handler) { impl_->orphan = std::move(handler); }

ports::EngineStatus PoolEngine::status() const {
  ports::EngineStatus status;
  status.kind = "pool";
  status.self = impl_->options.node;
  const std::lock_guard lock(impl_->mutex);
  status.epoch = impl_->view.epoch;
  status.quorate = impl_->view.quorate;
  for (const Member& member : impl_->view.members) status.members.push_back(member.id.node);
  status.files_owned = impl_->machine.table().file_count();
  status.opens_held = impl_->machine.holder().open_count();
  return status;
}

bool PoolEngine::serving() const {
  return impl_->in_view.load(std::memory_order_acquire) && impl_->lease->valid();
}

void PoolEngine::tick(MonoTime) {
  impl_->run(TimePasses{});
  impl_->run_work();
}

View PoolEngine::view() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->view;
}

StateDigests PoolEngine::digests() const {
  constexpr std::size_t kSlice = 256;
  StateDigests out;
  // One part of a map after another, the next one where the last key was.
  const auto walk = [&](const auto& map_of, const auto& add) {
    std::optional<FileKey> after;
    for (bool more = true; more;) {
      const std::lock_guard lock(impl_->mutex);
      const auto& files = map_of();
      auto at = after ? files.upper_bound(*after) : files.begin();
      for (std::size_t n = 0; n < kSlice && at != files.end(); ++n, ++at) {
        after = at->first;
        add(at->first, at->second);
      }
      more = at != files.end();
    }
  };
  walk([&]() -> const auto& { return impl_->machine.holder().files(); },
       [&](const FileKey& key, const HeldFile& file) {
         add_held(out, key, file, impl_->options.node);
       });
  walk([&]() -> const auto& { return impl_->machine.copies().files(); },
       [&](const FileKey& key, const coherence::KeptFile& copy) { add_copy(out, key, copy); });
  std::optional<FileKey> after;
  for (;;) {
    const std::lock_guard lock(impl_->mutex);
    const auto keys = impl_->machine.table().files_after(after, kSlice);
    if (keys.empty()) return out;
    after = keys.back();
    add_decided(out, impl_->machine.table(), keys);
  }
}

PoolCounters PoolEngine::counters() const {
  const std::lock_guard lock(impl_->mutex);
  const OwnerCounters& from = impl_->machine.counters();
  PoolCounters to;
  to.commands_local = from.commands_local;
  to.commands_sent = from.commands_sent;
  to.commands_received = from.commands_received;
  to.messages_stale = from.messages_stale;
  to.opens_asserted = from.opens_asserted;
  to.commands_resubmitted = from.commands_resubmitted;
  to.views = from.views;
  to.claims_granted = from.claims_granted;
  to.claims_recalled = from.claims_recalled;
  to.claims_returned = from.claims_returned;
  to.claims_held = impl_->machine.claims_held();
  to.slice_longest_us = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(impl_->slice_longest).count());
  to.copies_kept = impl_->machine.copies_kept();
  to.commands_claimed = from.commands_claimed;
  return to;
}

NodeId PoolEngine::owner_of(const FileKey& key) const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->machine.owner_of(key);
}

bool PoolEngine::recovered() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->machine.recovered();
}

const OwnerMachine& PoolEngine::machine() const noexcept { return impl_->machine; }

void PoolEngine::publish(const std::string& key, ByteView value) {
  if (impl_->membership != nullptr) impl_->membership->publish(key, value);
}

void PoolEngine::serve(std::uint16_t id, Service service) {
  impl_->services.serve(id, std::move(service));
}

void PoolEngine::call(NodeId to, std::uint16_t id, Bytes request,
                      std::move_only_function<void(std::optional<Bytes>)> done) {
  impl_->services.call(to, id, std::move(request), std::move(done));
}

}  // namespace flotilla::pool
