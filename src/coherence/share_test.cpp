#include "coherence/share.hpp"

#include <gtest/gtest.h>

#include "coherence/file_table.hpp"

namespace flotilla::coherence {
namespace {

/// [MS-FSA] 2.1.5.1.2.2, written from the other side: what each open needs the other to allow.
bool may_coexist(AccessMask access_a, ShareAccess share_a, AccessMask access_b,
                 ShareAccess share_b) {
  constexpr AccessMask kCounts = 0x00010027;
  if ((access_a & kCounts) == 0) return true;
  if ((access_b & kCounts) == 0) return true;
  const auto needs = [](AccessMask access) {
    ShareAccess share = 0;
    if ((access & 0x21) != 0) share |= 1;
    if ((access & 0x06) != 0) share |= 2;
    if ((access & 0x10000) != 0) share |= 4;
    return share;
  };
  return (needs(access_a) & ~share_b) == 0 && (needs(access_b) & ~share_a) == 0;
}

constexpr AccessMask kBits[] = {kReadData, kWriteData, kAppendData, kExecute, kDelete, 0x80};

AccessMask access_of(unsigned set) {
  AccessMask access = 0;
  for (unsigned bit = 0; bit < std::size(kBits); ++bit) {
    if ((set & (1U << bit)) != 0) access |= kBits[bit];
  }
  return access;
}

Command open_of(std::uint64_t id, AccessMask access, ShareAccess share) {
  Open open;
  open.open = OpenId{id};
  open.access = access;
  open.share = share;
  return {FileKey{1, 1, 1}, NodeId{1}, RequestId{id}, MonoTime{}, open};
}

TEST(Share, Every_pair_of_access_and_share_agrees_with_the_specification) {
  for (unsigned a = 0; a < 64; ++a) {
    for (unsigned b = 0; b < 64; ++b) {
      for (ShareAccess shares = 0; shares < 64; ++shares) {
        const ShareAccess share_a = shares & 7;
        const ShareAccess share_b = shares >> 3;
        ASSERT_EQ(share_conflict(access_of(a), share_a, access_of(b), share_b),
                  !may_coexist(access_of(a), share_a, access_of(b), share_b))
            << a << "/" << share_a << " " << b << "/" << share_b;
      }
    }
  }
}

TEST(Share, Second_open_of_a_file_is_SharingViolation_exactly_where_they_cannot_coexist) {
  for (unsigned a = 0; a < 64; ++a) {
    for (unsigned b = 0; b < 64; ++b) {
      for (const ShareAccess shares : {0U, 7U, 56U, 63U, 9U, 18U, 36U, 27U}) {
        FileTable table;
        Outbox first;
        Outbox second;
        table.apply(open_of(1, access_of(a), shares & 7), first);
        table.apply(open_of(2, access_of(b), shares >> 3), second);
        ASSERT_EQ(first.replies.at(0).outcome.status, NtStatus::Success);
        ASSERT_EQ(second.replies.at(0).outcome.status,
                  may_coexist(access_of(a), shares & 7, access_of(b), shares >> 3)
                      ? NtStatus::Success
                      : NtStatus::SharingViolation);
      }
    }
  }
}

}  // namespace
}  // namespace flotilla::coherence
