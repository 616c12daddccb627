// What a command about a node's own files costs in a pool, beside the embedded engine: one
// open+close, and one lock+unlock, without a network. DESIGN.md section 9: a file used by one node
// costs what it costs on a single node.
#include <benchmark/benchmark.h>

#include "pool/testing/fake_pool.hpp"

namespace flotilla::pool::testing {
namespace {

/// Whose file it is.
enum class Whose { Embedded, OwnOfOne, OwnOfThree, Claimed };

class Bench {
 public:
  explicit Bench(Whose whose)
      : pool_(whose == Whose::Embedded   ? 0U
              : whose == Whose::OwnOfOne ? 1U
                                         : 3U),
        engine_(pool_.at(0)) {
    for (std::uint64_t inode = 1; keys_.size() < kFileCount; ++inode) {
      const FileKey key{7, inode, 1};
      if (whose == Whose::OwnOfThree && pool_.node(1).owner_of(key) != NodeId{1}) continue;
      if (whose == Whose::Claimed && pool_.node(1).owner_of(key) == NodeId{1}) continue;
      keys_.push_back(key);
    }
    // The first use is what a claim comes from.
    for (const FileKey& key : keys_) {
      const OpenId open = start(key);
      pool_.settle();
      finish(key, open);
      pool_.settle();
    }
  }

  OpenId start(const FileKey& key) {
    coherence::Open command;
    command.open = engine_.next_open_id();
    command.path = "reports/2026/May.xlsx";
    command.access = coherence::kReadData | coherence::kWriteData;
    command.share = coherence::kShareRead | coherence::kShareWrite | coherence::kShareDelete;
    command.client.bytes.fill(5);
    command.cache = {coherence::CacheKind::Lease, 7, {}, 2, 0, false, {}};
    store_le(command.cache.key.bytes.data(), key.inode);
    const OpenId open = command.open;
    engine_.open(key, std::move(command), events_,
                 [this](ports::OpenOutcome outcome) {
                   if (outcome.outcome.status == NtStatus::Success) ++granted_;
                 },
                 {});
    return open;
  }
  void finish(const FileKey& key, OpenId open) {
    engine_.submit(key, coherence::Close{open}, {[](coherence::Outcome) {}, {}});
  }
  const FileKey& next() { return keys_[at_++ % keys_.size()]; }
  [[nodiscard]] std::uint64_t granted() const { return granted_; }
  [[nodiscard]] std::uint64_t messages() const { return pool_.network.sent_count; }

 private:
  static constexpr std::size_t kFileCount = 1000;
  TestPool pool_;
  ports::Engine& engine_;
  std::shared_ptr<TestOpen> events_ = std::make_shared<TestOpen>();
  std::vector<FileKey> keys_;
  std::size_t at_ = 0;
  std::uint64_t granted_ = 0;
};

void open_close(benchmark::State& state, Whose whose) {
  Bench bench(whose);
  const std::uint64_t messages = bench.messages();
  const std::uint64_t granted = bench.granted();
  for (auto _ : state) {
    const FileKey& key = bench.next();
    bench.finish(key, bench.start(key));
  }
  if (bench.messages() != messages) state.SkipWithError("a message was sent");
  if (bench.granted() - granted != static_cast<std::uint64_t>(state.iterations())) {
    state.SkipWithError("not every open was granted");
  }
  state.SetItemsProcessed(state.iterations());
}

BENCHMARK_CAPTURE(open_close, embedded, Whose::Embedded);
BENCHMARK_CAPTURE(open_close, own_file_in_a_pool_of_one, Whose::OwnOfOne);
BENCHMARK_CAPTURE(open_close, own_file_in_a_pool_of_three, Whose::OwnOfThree);
BENCHMARK_CAPTURE(open_close, claimed_file_of_another_owner, Whose::Claimed);

}  // namespace
}  // namespace flotilla::pool::testing

BENCHMARK_MAIN();
