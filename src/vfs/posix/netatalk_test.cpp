#include "vfs/posix/netatalk.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/xattr.h>

#include "vfs/posix/posix_test_fixture.hpp"

namespace flotilla::vfs {
namespace {

using namespace testing;  // NOLINT

/// By AppleDouble's description, not another program's bytes: two entries, the Finder's at 50.
Bytes metadata(std::uint8_t first) {
  Bytes out = {0, 5, 0x16, 7, 0, 2, 0, 0};
  out.insert(out.end(), 16, 0);
  const Bytes entries = {0, 2, 0, 0, 0, 8, 0, 0,  0, 82, 0, 0, 0, 16,  // dates
                         0, 0, 0, 9, 0, 0, 0, 50, 0, 0,  0, 32};       // the Finder's
  out.insert(out.end(), entries.begin(), entries.end());
  out.insert(out.end(), 48, 0);
  out[50] = first;
  return out;
}

TEST(Netatalk, TheFindersInformationIsThatOfTheStream) {
  const auto info = afp_info_of(metadata('T'));
  ASSERT_TRUE(info);
  EXPECT_EQ((*info)[0], 'A');
  EXPECT_EQ((*info)[16], 'T');
  EXPECT_FALSE(afp_info_of(metadata(0))) << "nothing is said";
}

TEST(Netatalk, EveryPieceIsRefusedOrRead) {
  const Bytes whole = metadata('T');
  for (std::size_t size = 0; size < 82; ++size) {
    EXPECT_FALSE(afp_info_of(ByteView(whole).first(size))) << size;
  }
  for (std::size_t at = 0; at < 50; ++at) {
    Bytes broken = whole;
    broken[at] = 0xFF;
    (void)afp_info_of(broken);
  }
}

using NetatalkTree = Posix;

TEST_F(NetatalkTree, AStreamIsMadeOfItOnceAndGoesWithIt) {
  made(*backend_, "song", false);
  const Bytes value = metadata('T');
  const std::string path = in_share("song");
  ASSERT_EQ(::setxattr(path.c_str(), kNetatalkXattr, value.data(), value.size(), 0), 0);
  auto file = *backend_->locate(kRoot, "song");
  ASSERT_EQ(file->streams()->size(), 1U);
  EXPECT_EQ(file->streams()->front().name, kAfpInfoStream);
  auto stream = file->open_stream(kRoot, "afp_afpinfo", false);
  ASSERT_TRUE(stream);
  AfpInfo read{};
  EXPECT_EQ((*stream)->read(0, read), read.size());
  EXPECT_EQ(read[16], 'T');
  ASSERT_TRUE(file->remove_stream(kRoot, kAfpInfoStream));
  EXPECT_TRUE(file->streams()->empty());
  EXPECT_LT(::getxattr(path.c_str(), kNetatalkXattr, nullptr, 0), 0);
}

}  // namespace
}  // namespace flotilla::vfs
