#include "wire/quota.hpp"

#include <gtest/gtest.h>

namespace flotilla::wire {
namespace {

const Sid kAlice{5, {21, 1, 2, 3, 1001}};
const Sid kBob{5, {21, 1, 2, 3, 1002}};

TEST(Quota, AQueryNamesUsersOrTheFirstOne_SMB2_2_2_37_1) {
  for (const QueryQuotaInfo& query :
       {QueryQuotaInfo{true, false, std::vector<Sid>{kAlice, kBob}, {}},
        QueryQuotaInfo{false, true, {}, kBob}, QueryQuotaInfo{false, true, {}, {}}}) {
    Bytes bytes;
    encode_query_quota(query, bytes);
    EXPECT_EQ(decode_query_quota(bytes), query);
  }
}

TEST(Quota, AListThatPassesTheBufferIsRefused_SMB2_3_3_5_20_4) {
  Bytes bytes;
  encode_query_quota({false, true, std::vector<Sid>{kAlice}, {}}, bytes);
  Bytes cut(bytes.begin(), bytes.end() - 1);
  EXPECT_EQ(decode_query_quota(cut).error().fault, WireFault::LengthOutOfRange);
  store_le(bytes.data() + 20, std::uint32_t{1000});  // SidLength
  EXPECT_EQ(decode_query_quota(bytes).error().fault, WireFault::LengthOutOfRange);
  EXPECT_EQ(decode_query_quota(ByteView(bytes).first(15)).error().fault, WireFault::Truncated);
}

TEST(Quota, RecordsAreChainedOnEightBytesAndCutAtTheLimit_FSCC_2_4_40) {
  const std::vector<FileQuotaEntry> entries{{NtTime{7}, 4096, 1024, 2048, kAlice},
                                            {NtTime{}, 0, FileQuotaEntry::kNoLimit, 99, kBob}};
  Bytes bytes;
  ASSERT_EQ(encode_quotas(entries, 4096, bytes), 2U);
  EXPECT_EQ(load_le<std::uint32_t>(bytes.data()), 72U);  // 40 and a SID of 28, rounded up
  EXPECT_EQ(decode_quotas(bytes), entries);
  Bytes one;
  EXPECT_EQ(encode_quotas(entries, 72 + 67, one), 1U);
  EXPECT_EQ(decode_quotas(one).value().size(), 1U);
  store_le(bytes.data(), std::uint32_t{8});  // into itself
  EXPECT_EQ(decode_quotas(bytes).error().fault, WireFault::ChainBroken);
}

}  // namespace
}  // namespace flotilla::wire
