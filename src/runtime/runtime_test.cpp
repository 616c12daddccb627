#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <latch>
#include <set>
#include <string>
#include <thread>

#include "runtime/blocking_pool.hpp"
#include "runtime/buffer_cache.hpp"
#include "runtime/idle_poll.hpp"
#include "runtime/manual_executor.hpp"
#include "runtime/shard_group.hpp"
#include "runtime/task.hpp"

namespace flotilla::runtime {
namespace {

using std::chrono::milliseconds;

// --- ManualExecutor -------------------------------------------------------------------------

TEST(ManualExecutor, TimersRunInDeadlineOrderAndTiesInOrderOfMaking) {
  ManualExecutor executor;
  std::string trace;
  executor.schedule_after(milliseconds{20}, [&] { trace += 'c'; });
  executor.schedule_after(milliseconds{10}, [&] { trace += 'a'; });
  executor.schedule_after(milliseconds{10}, [&] { trace += 'b'; });
  executor.advance(milliseconds{15});
  EXPECT_EQ(trace, "ab");
  executor.advance(milliseconds{5});
  EXPECT_EQ(trace, "abc");
}

TEST(ManualExecutor, ATimerThatATimerMakesRunsInTheSameAdvanceWhereItIsDue) {
  ManualExecutor executor;
  MonoTime inner{};
  executor.schedule_after(milliseconds{1}, [&] {
    executor.schedule_after(milliseconds{2}, [&] { inner = executor.now(); });
  });
  const MonoTime start = executor.now();
  executor.advance(milliseconds{10});
  EXPECT_EQ(inner - start, milliseconds{3});
  EXPECT_EQ(executor.now() - start, milliseconds{10});
}

TEST(ManualExecutor, ACancelledTimerNeverRunsAndCancellingItAgainIsHarmless) {
  ManualExecutor executor;
  bool ran = false;
  const TimerId id = executor.schedule_after(milliseconds{1}, [&] { ran = true; });
  executor.cancel(id);
  executor.cancel(id);
  executor.advance(milliseconds{5});
  EXPECT_FALSE(ran);
  EXPECT_EQ(executor.timer_count(), 0U);
}

TEST(ManualExecutor, PostNeverRunsInline) {
  ManualExecutor executor;
  int ran = 0;
  executor.post([&] {
    executor.post([&] { ++ran; });
    EXPECT_EQ(ran, 0);
  });
  EXPECT_EQ(ran, 0);
  EXPECT_EQ(executor.run_ready(), 2U);
  EXPECT_EQ(ran, 1);
}

// --- Task and OneShot -----------------------------------------------------------------------

Task<int> twice(int x) { co_return 2 * x; }
Task<int> sum_to(int n) {
  int sum = 0;
  for (int i = 1; i <= n; ++i) sum += co_await twice(i);
  co_return sum;
}

TEST(Task, AnAwaitedTaskGivesItsValue) {
  int result = 0;
  spawn([](int& out) -> Task<void> { out = co_await sum_to(10); }(result));
  EXPECT_EQ(result, 110);
}

TEST(Task, ATaskThatIsNeverAwaitedDoesNotStartAndIsFreed) {
  auto alive = std::make_shared<int>(1);
  {
    auto task = [](std::shared_ptr<int> held) -> Task<void> {
      *held = 2;
      co_return;
    }(alive);
    EXPECT_EQ(alive.use_count(), 2);
  }
  EXPECT_EQ(*alive, 1);
  EXPECT_EQ(alive.use_count(), 1);
}

TEST(Task, DestroyingASuspendedTaskDestroysItsFrame) {
  auto alive = std::make_shared<int>(1);
  auto shot = OneShot<int>::make();
  ManualExecutor executor;
  struct Starter {
    struct promise_type {
      Starter get_return_object() {
        return {std::coroutine_handle<promise_type>::from_promise(*this)};
      }
      std::suspend_never initial_suspend() noexcept { return {}; }
      std::suspend_always final_suspend() noexcept { return {}; }
      void return_void() noexcept {}
      void unhandled_exception() noexcept { std::terminate(); }
    };
    std::coroutine_handle<promise_type> handle;
  };
  auto inner = [](std::shared_ptr<int> held, std::shared_ptr<OneShot<int>> on,
                  Executor& where) -> Task<int> { co_return *held + co_await on->wait(on, where); };
  auto outer = [](Task<int> task) -> Starter { (void)co_await std::move(task); };
  Starter started = outer(inner(alive, shot, executor));
  EXPECT_EQ(alive.use_count(), 2);
  started.handle.destroy();
  EXPECT_EQ(alive.use_count(), 1);
}

Task<void> keep(std::shared_ptr<OneShot<std::string>> shot, Executor& executor,
                std::shared_ptr<std::string> out) {
  *out = co_await OneShot<std::string>::wait(shot, executor);
}

TEST(OneShot, AValueSetBeforeTheWaitIsTakenAtOnce) {
  ManualExecutor executor;
  auto shot = OneShot<std::string>::make();
  auto out = std::make_shared<std::string>();
  EXPECT_TRUE(shot->set("early"));
  spawn(keep(shot, executor, out));
  EXPECT_EQ(*out, "early");
}

TEST(OneShot, AWaiterResumesOnItsExecutorAndNotInline) {
  ManualExecutor executor;
  auto shot = OneShot<std::string>::make();
  auto out = std::make_shared<std::string>();
  spawn(keep(shot, executor, out));
  EXPECT_TRUE(shot->set("late"));
  EXPECT_EQ(*out, "");
  executor.run_ready();
  EXPECT_EQ(*out, "late");
}

TEST(OneShot, TheFirstValueWinsBeforeAndAfterItIsTaken) {
  ManualExecutor executor;
  auto shot = OneShot<std::string>::make();
  auto out = std::make_shared<std::string>();
  spawn(keep(shot, executor, out));
  EXPECT_TRUE(shot->set("answer"));
  EXPECT_FALSE(shot->set("time-out"));
  executor.run_ready();
  EXPECT_FALSE(shot->set("cancelled"));
  EXPECT_EQ(*out, "answer");
}

TEST(OneShot, ADeadlineAndAnAnswerRaceOnVirtualTime) {
  ManualExecutor executor;
  auto shot = OneShot<std::string>::make();
  auto out = std::make_shared<std::string>();
  const TimerId deadline =
      executor.schedule_after(milliseconds{35}, [shot] { shot->set("time-out"); });
  spawn(keep(shot, executor, out));
  executor.advance(milliseconds{34});
  EXPECT_EQ(*out, "");
  executor.advance(milliseconds{1});
  EXPECT_EQ(*out, "time-out");
  executor.cancel(deadline);
}

TEST(OneShot, ManySetFromOtherThreadsEachResumeOnceOnTheirShard) {
  ShardGroup shards(2);
  ThreadBlockingPool pool(4);
  shards.start();
  constexpr int kRounds = 2000;
  std::atomic<int> on_shard{0};
  std::latch done(kRounds);
  for (int i = 0; i < kRounds; ++i) {
    EpollExecutor& shard = shards.shard(static_cast<std::size_t>(i) % 2);
    shard.post([&, i] {
      spawn([](EpollExecutor& home, ThreadBlockingPool& blocking, std::atomic<int>& count,
               std::latch& latch, int value) -> Task<void> {
        auto shot = OneShot<int>::make();
        blocking.run([shot, value] { shot->set(value); });
        blocking.run([shot, value] { shot->set(value); });
        const int got = co_await OneShot<int>::wait(shot, home);
        if (got == value && home.in_thread()) ++count;
        latch.count_down();
      }(shard, pool, on_shard, done, i));
    });
  }
  done.wait();
  EXPECT_EQ(on_shard, kRounds);
  pool.stop();
  shards.stop();
}

// --- shards ---------------------------------------------------------------------------------

TEST(ShardGroup, WorkPostedFromOneThreadRunsInOrderOnTheShardsThread) {
  ShardGroup shards(2);
  shards.start();
  std::vector<int> seen;
  for (int i = 0; i < 1000; ++i) {
    shards.shard(1).post([&seen, &shards, i] {
      EXPECT_TRUE(shards.shard(1).in_thread());
      EXPECT_FALSE(shards.shard(0).in_thread());
      seen.push_back(i);
    });
  }
  shards.run_on(1, [] {});
  ASSERT_EQ(seen.size(), 1000U);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  EXPECT_FALSE(shards.shard(1).in_thread());
}

TEST(ShardGroup, StopRunsWhatWasPostedBefore) {
  std::atomic<int> ran{0};
  ShardGroup shards(3);
  shards.start();
  for (std::size_t i = 0; i < 300; ++i) shards.shard(i % 3).post([&] { ++ran; });
  shards.stop();
  EXPECT_EQ(ran, 300);
  shards.stop();
}

TEST(ShardGroup, ASuspendedCoroutineThatIsAboutToResumeEndsInStop) {
  auto alive = std::make_shared<int>(0);
  {
    ShardGroup shards(1);
    shards.start();
    auto shot = OneShot<int>::make();
    shards.run_on(0, [&] {
      spawn([](std::shared_ptr<int> held, std::shared_ptr<OneShot<int>> on,
               Executor& home) -> Task<void> {
        *held = co_await OneShot<int>::wait(on, home);
      }(alive, shot, shards.shard(0)));
    });
    shards.shard(0).stop();
    shot->set(7);
    shards.stop();
  }
  EXPECT_EQ(*alive, 7);
  EXPECT_EQ(alive.use_count(), 1);
}

TEST(ShardGroup, TimersFireNotBeforeTheirTimeAndAnEarlierOneOvertakes) {
  ShardGroup shards(1);
  shards.start();
  std::promise<std::string> done;
  std::string trace;
  shards.run_on(0, [&] {
    EpollExecutor& shard = shards.shard(0);
    const MonoTime start = shard.now();
    shard.schedule_after(milliseconds{30}, [&, start] {
      EXPECT_GE(shards.shard(0).now() - start, milliseconds{30});
      trace += 'b';
      done.set_value(trace);
    });
    const TimerId never = shard.schedule_after(milliseconds{20}, [&] { trace += 'x'; });
    shard.schedule_after(milliseconds{5}, [&] { trace += 'a'; });
    shard.cancel(never);
  });
  EXPECT_EQ(done.get_future().get(), "ab");
}

struct Echo : FdEvents {
  int fd = -1;
  std::unique_ptr<FdWatch> watch;
  std::string got;
  std::promise<void> ended;
  void on_readable() override {
    char bytes[64];
    const ssize_t n = read(fd, bytes, sizeof bytes);
    if (n > 0) {
      got.append(bytes, static_cast<std::size_t>(n));
      watch->await_readable();
    } else {
      watch.reset();  // from inside its own event
      ended.set_value();
    }
  }
  void on_writable() override {}
};

TEST(IoExecutor, AWatchSeesDataThatIsThereAlreadyLaterDataAndTheEnd) {
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
  ShardGroup shards(1);
  shards.start();
  Echo echo;
  echo.fd = pair[0];
  ASSERT_EQ(write(pair[1], "one ", 4), 4);
  shards.run_on(0, [&] {
    echo.watch = shards.shard(0).watch(pair[0], echo);
    ASSERT_TRUE(echo.watch);
    echo.watch->await_readable();
    echo.watch->await_readable();  // no second event
  });
  shards.run_on(0, [] {});
  ASSERT_EQ(write(pair[1], "two", 3), 3);
  close(pair[1]);
  echo.ended.get_future().wait();
  shards.stop();
  EXPECT_EQ(echo.got, "one two");
  close(pair[0]);
}

TEST(IoExecutor, NoEventComesAfterTheWatchIsGone) {
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
  ShardGroup shards(1);
  shards.start();
  Echo echo;
  echo.fd = pair[0];
  shards.run_on(0, [&] {
    echo.watch = shards.shard(0).watch(pair[0], echo);
    echo.watch->await_readable();
    ASSERT_EQ(write(pair[1], "x", 1), 1);
    echo.watch.reset();
  });
  shards.run_on(0, [] {});
  shards.stop();
  EXPECT_EQ(echo.got, "");
  close(pair[0]);
  close(pair[1]);
}

/// Reads once and does not ask again until told.
struct Once : FdEvents {
  int fd = -1;
  std::unique_ptr<FdWatch> watch;
  int events = 0;
  std::function<void()> on_event;
  void on_readable() override {
    ++events;
    if (on_event) on_event();
  }
  void on_writable() override {}
};

TEST(IoExecutor, WhatIsThereWhileNobodyWaitsIsToldToTheNextWait) {
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
  ShardGroup shards(1);
  shards.start();
  Once once;
  shards.run_on(0, [&] {
    once.watch = shards.shard(0).watch(pair[0], once);
    once.watch->await_readable();
  });
  ASSERT_EQ(write(pair[1], "x", 1), 1);
  close(pair[1]);  // a hang-up is reported whether or not somebody waits
  while (shards.run_on(0, [] {}), once.events == 0) {
  }
  for (int i = 0; i < 10; ++i) shards.run_on(0, [] {});
  shards.run_on(0, [&] { EXPECT_EQ(once.events, 1); });
  shards.run_on(0, [&] { once.watch->await_readable(); });
  while (shards.run_on(0, [] {}), once.events == 1) {
  }
  shards.run_on(0, [&] { once.watch.reset(); });
  shards.stop();
  EXPECT_EQ(once.events, 2);
  close(pair[0]);
}

TEST(IoExecutor, AnEventMayEndAnotherWatchThatIsReadyToo) {
  int pairs[2][2];
  Once both[2];
  ShardGroup shards(1);
  shards.start();
  shards.run_on(0, [&] {
    for (std::size_t i = 0; i < 2; ++i) {
      ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pairs[i]), 0);
      ASSERT_EQ(write(pairs[i][1], "x", 1), 1);
      both[i].watch = shards.shard(0).watch(pairs[i][0], both[i]);
      both[i].watch->await_readable();
      both[i].on_event = [&, i] { both[1 - i].watch.reset(); };
    }
  });
  while (shards.run_on(0, [] {}), both[0].events + both[1].events == 0) {
  }
  for (int i = 0; i < 10; ++i) shards.run_on(0, [] {});
  shards.run_on(0, [&] {
    EXPECT_EQ(both[0].events + both[1].events, 1);
    for (Once& each : both) each.watch.reset();
  });
  shards.stop();
  for (auto& pair : pairs) {
    close(pair[0]);
    close(pair[1]);
  }
}

TEST(EpollExecutor, WorkFromOtherThreadsRunsWhetherItsThreadSleepsOrLooks) {
  for (const milliseconds window : {milliseconds{0}, milliseconds{1}}) {
    ShardGroup shards(2, window);
    shards.start();
    // Each work posts the next to the other shard, which is idle by then.
    std::promise<void> done;
    std::function<void(int)> next = [&](int left) {
      if (left == 0) return done.set_value();
      shards.shard(static_cast<std::size_t>(left) % 2).post([&next, left] { next(left - 1); });
    };
    next(2000);
    done.get_future().wait();
    shards.stop();
  }
}

TEST(IdlePoll, LookingPaysOnlyWhileIdlePeriodsAreShort) {
  using std::chrono::microseconds;
  const IdlePoll::Clock::time_point now = IdlePoll::Clock::now();
  IdlePoll idle(microseconds{50});
  EXPECT_FALSE(idle.pays(now));
  for (int i = 0; i < 8; ++i) idle.ended(microseconds{80}, true);  // with the waking in it
  EXPECT_TRUE(idle.pays(now));
  idle.ended(microseconds{2000}, false);  // one break between two bursts
  EXPECT_TRUE(idle.pays(now));
  for (int i = 0; i < 8; ++i) idle.ended(microseconds{60}, false);
  EXPECT_FALSE(idle.pays(now));
  for (int i = 0; i < 100; ++i) idle.ended(microseconds{120}, true);
  EXPECT_FALSE(idle.pays(now));
  IdlePoll never(microseconds{0});
  for (int i = 0; i < 8; ++i) never.ended(microseconds{0}, true);
  EXPECT_FALSE(never.pays(now));
}

TEST(IdlePoll, WhereOthersTakeTheCoreLookingPausesForLongerEachTime) {
  using std::chrono::microseconds;
  const IdlePoll::Clock::time_point now = IdlePoll::Clock::now();
  IdlePoll idle(microseconds{50});
  for (int i = 0; i < 8; ++i) idle.ended(microseconds{10}, true);
  idle.contended(now);
  EXPECT_FALSE(idle.pays(now + milliseconds{4}));
  EXPECT_TRUE(idle.pays(now + milliseconds{5}));
  for (int i = 0; i < 10; ++i) idle.contended(now);
  EXPECT_FALSE(idle.pays(now + milliseconds{999}));
  EXPECT_TRUE(idle.pays(now + milliseconds{1000}));
  const IdlePoll::Clock::time_point later = now + std::chrono::seconds{20};
  idle.contended(later);  // undisturbed since
  EXPECT_TRUE(idle.pays(later + milliseconds{5}));
}

TEST(IdlePoll, LookingEndsWithTheFirstFindOrTheWindow) {
  IdlePoll idle(milliseconds{1});
  for (int i = 0; i < 8; ++i) idle.ended(milliseconds{0}, true);
  int asked = 0;
  EXPECT_TRUE(idle.look([&] { return ++asked == 3; }) || asked < 3);  // a slow machine gives up
  EXPECT_FALSE(idle.look([&] { return false; }));
}

TEST(IoExecutor, ADescriptorThatCannotBePolledGivesNoWatch) {
  ShardGroup shards(1);
  Echo echo;
  shards.start();
  shards.run_on(0, [&] { EXPECT_EQ(shards.shard(0).watch(-1, echo), nullptr); });
}

// --- blocking pool and buffers --------------------------------------------------------------

TEST(ThreadBlockingPool, RunsOnOtherThreadsAtOnceAndFinishesWhatWaitsAtStop) {
  ThreadBlockingPool pool(3);
  std::latch together(3);  // passes only where three run at the same time
  std::atomic<int> ran{0};
  for (int i = 0; i < 3; ++i) {
    pool.run([&] {
      together.arrive_and_wait();
      ++ran;
    });
  }
  for (int i = 0; i < 100; ++i) pool.run([&] { ++ran; });
  pool.stop();
  EXPECT_EQ(ran, 103);
  pool.run([&] { ++ran; });
  EXPECT_EQ(ran, 103);
}

TEST(BufferCache, ARecycledBufferComesBackForASmallerOrEqualSize) {
  Bytes first = take_buffer(1U << 20);
  ASSERT_EQ(first.size(), 1U << 20);
  const std::uint8_t* const where = first.data();
  recycle_buffer(std::move(first));
  EXPECT_GE(cached_buffer_bytes(), 1U << 20);
  Bytes again = take_buffer((1U << 20) - 100);
  EXPECT_EQ(again.data(), where);
  EXPECT_EQ(again.size(), (1U << 20) - 100);
  Bytes larger = take_buffer(2U << 20);
  EXPECT_NE(larger.data(), where);
}

TEST(BufferCache, KeepsABoundedAmount) {
  std::vector<Bytes> taken;
  for (int i = 0; i < 20; ++i) taken.push_back(take_buffer(8U << 20));
  for (Bytes& buffer : taken) recycle_buffer(std::move(buffer));
  EXPECT_GE(cached_buffer_bytes(), 24U << 20);
  EXPECT_LE(cached_buffer_bytes(), 32U << 20);
  recycle_buffer(Bytes(100));
  recycle_buffer(Bytes(64U << 20));
  EXPECT_LE(cached_buffer_bytes(), 32U << 20);
}

TEST(BufferCache, KeepsNoMoreBuffersThanWereTaken) {
  std::size_t kept = 0;
  std::thread other([&kept] {  // its cache is empty
    for (int i = 0; i < 1000; ++i) {
      Bytes taken = take_buffer(4096);
      recycle_buffer(std::move(taken));
      recycle_buffer(Bytes(65536));  // an answer that was made elsewhere
    }
    kept = cached_buffer_bytes();
  });
  other.join();
  EXPECT_EQ(kept, 4096U);
}

}  // namespace
}  // namespace flotilla::runtime
