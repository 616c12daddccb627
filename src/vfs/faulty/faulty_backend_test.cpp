#include "vfs/faulty/faulty_backend.hpp"

#include <gtest/gtest.h>

#include "vfs/mem/mem_backend.hpp"
#include "vfs/test_support.hpp"

namespace flotilla::vfs {
namespace {

using namespace testing;  // NOLINT

TEST(FaultyBackend, AFaultHitsItsCallsAndNoOthers) {
  auto plan = std::make_shared<FaultPlan>();
  const auto backend = make_faulty_backend(make_mem_backend(), plan);
  const auto file = made(*backend, "f");
  made(*backend, "g");
  plan->add({BackendCall::Write, "F", 1, 2, NtStatus::UnexpectedIoError, {}});
  EXPECT_TRUE(file->write(0, as_bytes("a"), false));
  EXPECT_EQ(status_of(file->write(0, as_bytes("a"), false)), NtStatus::UnexpectedIoError);
  EXPECT_EQ(status_of(file->write(0, as_bytes("a"), false)), NtStatus::UnexpectedIoError);
  EXPECT_TRUE(file->write(0, as_bytes("a"), false));
  EXPECT_EQ(plan->count(BackendCall::Write), 4U);
}

TEST(FaultyBackend, AFullDiskIsDiskFullAndLosesNothingWritten) {
  const auto backend = make_faulty_backend(make_mem_backend(), std::make_shared<FaultPlan>(), 10);
  const auto file = made(*backend, "f");
  ASSERT_TRUE(file->write(0, as_bytes("12345678"), false));
  EXPECT_EQ(status_of(file->write(8, as_bytes("9abc"), false)), NtStatus::DiskFull);
  EXPECT_TRUE(file->write(8, as_bytes("9a"), false));
  EXPECT_EQ(file->facts()->size_bytes, 10U);
}

TEST(FaultyBackend, AStallRunsAheadOfTheCallWithoutTheLock) {
  auto plan = std::make_shared<FaultPlan>();
  const auto backend = make_faulty_backend(make_mem_backend(), plan);
  made(*backend, "f");
  bool stalled = false;
  plan->add({BackendCall::Locate, "f", 0, 1, std::nullopt, [&] {
               stalled = true;
               EXPECT_TRUE(backend->volume());  // others go on meanwhile
             }});
  EXPECT_TRUE(backend->locate(kRoot, "f"));
  EXPECT_TRUE(stalled);
}

TEST(FaultyBackend, ListingsCanFailInTheMiddle) {
  auto plan = std::make_shared<FaultPlan>();
  const auto backend = make_faulty_backend(make_mem_backend(), plan);
  plan->add({BackendCall::Next, "", 1, 1, NtStatus::IoTimeout, {}});
  auto cursor = (*backend->locate(kRoot, ""))->list(kRoot);
  EXPECT_TRUE((*cursor)->next());
  EXPECT_EQ(status_of((*cursor)->next()), NtStatus::IoTimeout);
  EXPECT_TRUE((*cursor)->next());
}

TEST(MemBackend, DataBeyondItsCapacityIsDiskFull) {
  MemOptions options;
  options.capacity_bytes = 100;
  const auto backend = make_mem_backend(options);
  const auto file = made(*backend, "f");
  EXPECT_EQ(status_of(file->write(0, Bytes(101), false)), NtStatus::DiskFull);
  EXPECT_TRUE(file->write(0, Bytes(100), false));
  EXPECT_EQ(status_of(file->set_size(101)), NtStatus::DiskFull);
  ASSERT_TRUE(backend->remove(kRoot, "f", file->key(), false));
  EXPECT_EQ(backend->volume()->free_bytes, 100U);
}

}  // namespace
}  // namespace flotilla::vfs
