// What a command costs the bare state machine: no engine, no wire, no thread. The budget is 2 µs
// (DESIGN.md section 9). An item is one command; `files` and `opens` are what the table holds.
#include <benchmark/benchmark.h>

#include <vector>

#include "coherence/file_table.hpp"

namespace flotilla::coherence {
namespace {

constexpr AccessMask kReadWrite = 0x0012019F;
constexpr ShareAccess kShareAll = 7;
constexpr NodeId kHere{1};
constexpr NodeId kThere{2};

FileKey file(std::uint64_t number) { return {1, number, 7}; }

Open open_of(std::uint64_t number) {
  Open open;
  open.open = OpenId{number};
  open.client.bytes[0] = static_cast<std::uint8_t>(number);
  open.session = SessionId{number};
  open.path = "projects/2026/quarterly report.xlsx";
  open.access = kReadWrite;
  open.share = kShareAll;
  return open;
}

/// Applies commands, and confirms what they restrict as the nodes would.
class Bench {
 public:
  explicit Bench(std::int64_t files) {
    for (std::int64_t n = 0; n < files; ++n) {
      const auto number = static_cast<std::uint64_t>(n) + 1'000'000;
      apply(number, kHere, open_of(number));
    }
  }

  void apply(std::uint64_t inode, NodeId from, Body body) {
    Outbox out;
    table_.apply(Command{file(inode), from, RequestId{++request_}, MonoTime{1}, std::move(body)},
                 out);
    ++commands_;
    for (const Outbox::RestrictionsTo& it : out.restrictions) {
      Outbox confirmed;
      table_.apply(
          Command{file(inode), it.to, RequestId{}, MonoTime{1}, RestrictionsKnown{it.what.version}},
          confirmed);
      ++commands_;
      granted_ += confirmed.replies.size();
    }
    granted_ += out.replies.size();
  }

  void report(benchmark::State& state) const {
    state.SetItemsProcessed(static_cast<std::int64_t>(commands_ - before_));
    state.counters["answers"] = static_cast<double>(granted_);
  }
  void start() { before_ = commands_; }

 private:
  FileTable table_;
  std::uint64_t request_ = 0;
  std::uint64_t commands_ = 0;
  std::uint64_t before_ = 0;
  std::uint64_t granted_ = 0;
};

void open_close_own(benchmark::State& state) {
  Bench bench(state.range(0));
  bench.start();
  std::uint64_t number = 1;
  for (auto _ : state) {
    bench.apply(number, kHere, open_of(number));
    bench.apply(number, kHere, Close{OpenId{number}});
    ++number;
  }
  bench.report(state);
}
BENCHMARK(open_close_own)->ArgName("files")->Arg(0)->Arg(10000)->Arg(100000);

void open_close_shared(benchmark::State& state) {
  Bench bench(0);
  std::uint64_t number = 1;
  for (; number <= static_cast<std::uint64_t>(state.range(0)); ++number) {
    bench.apply(1, number % 2 == 0 ? kHere : kThere, open_of(number));
  }
  bench.start();
  for (auto _ : state) {
    bench.apply(1, number % 2 == 0 ? kHere : kThere, open_of(number));
    bench.apply(1, number % 2 == 0 ? kHere : kThere, Close{OpenId{number}});
    ++number;
  }
  bench.report(state);
}
BENCHMARK(open_close_shared)->ArgName("opens")->Arg(1)->Arg(100)->Arg(10000);

void open_close_lease(benchmark::State& state) {
  Bench bench(0);
  bench.start();
  std::uint64_t number = 1;
  for (auto _ : state) {
    Open open = open_of(number);
    open.cache.kind = CacheKind::Lease;
    open.cache.rights = kCacheRead | kCacheWrite | kCacheHandle;
    open.cache.key.bytes[0] = 1;
    bench.apply(1, kHere, std::move(open));
    bench.apply(1, kHere, Close{OpenId{number++}});
  }
  bench.report(state);
}
BENCHMARK(open_close_lease);

Lock lock_of(OpenId open, std::uint64_t offset, bool unlock) {
  Lock lock;
  lock.open = open;
  lock.ranges = {{offset, 1, !unlock}};
  lock.unlock = unlock;
  lock.fail_immediately = unlock;
  return lock;
}

void lock_unlock(benchmark::State& state) {
  Bench bench(0);
  bench.apply(1, kHere, open_of(1));
  for (std::int64_t n = 0; n < state.range(0); ++n) {
    bench.apply(1, kHere, lock_of(OpenId{1}, static_cast<std::uint64_t>(n) * 2 + 10, false));
  }
  bench.start();
  for (auto _ : state) {
    bench.apply(1, kHere, lock_of(OpenId{1}, 0, false));
    bench.apply(1, kHere, lock_of(OpenId{1}, 0, true));
  }
  bench.report(state);
}
BENCHMARK(lock_unlock)->ArgName("locks")->Arg(0)->Arg(100)->Arg(10000);

void lock_beside_opens(benchmark::State& state) {
  Bench bench(0);
  for (std::int64_t n = 0; n < state.range(0); ++n) {
    const auto number = static_cast<std::uint64_t>(n) + 1;
    bench.apply(1, number % 2 == 0 ? kHere : kThere, open_of(number));
  }
  bench.start();
  for (auto _ : state) {
    bench.apply(1, kThere, lock_of(OpenId{1}, 0, false));
    bench.apply(1, kThere, lock_of(OpenId{1}, 0, true));
  }
  bench.report(state);
}
BENCHMARK(lock_beside_opens)->ArgName("opens")->Arg(1)->Arg(17300);

/// A lock that another node's open waits for: the unlock grants it.
void lock_hand_over(benchmark::State& state) {
  Bench bench(0);
  bench.apply(1, kHere, open_of(1));
  bench.apply(1, kThere, open_of(2));
  bench.apply(1, kHere, lock_of(OpenId{1}, 0, false));
  bench.start();
  bool here = true;
  for (auto _ : state) {
    const NodeId holder = here ? kHere : kThere;
    const NodeId waiter = here ? kThere : kHere;
    bench.apply(1, waiter, lock_of(OpenId{here ? 2U : 1U}, 0, false));
    bench.apply(1, holder, lock_of(OpenId{here ? 1U : 2U}, 0, true));
    here = !here;
  }
  bench.report(state);
}
BENCHMARK(lock_hand_over);

}  // namespace
}  // namespace flotilla::coherence

BENCHMARK_MAIN();
