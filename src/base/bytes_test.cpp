#include "base/bytes.hpp"

#include <gtest/gtest.h>

namespace flotilla {
namespace {

TEST(ByteReader, ReadsPastTheEndGiveZeroAndStayFailed) {
  const Bytes bytes{1, 2, 3};
  ByteReader reader(bytes);
  EXPECT_EQ(reader.u16(), 0x0201);
  EXPECT_EQ(reader.u32(), 0U);
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.u8(), 0U);  // the byte that was left is not given out after a failure
}

TEST(ByteWriter, AlignsFromItsOrigin) {
  Bytes out;
  ByteWriter writer(out);
  writer.u8(7);
  writer.u16(0x0908);
  writer.align(8, 1);
  EXPECT_EQ(out.size(), 9U);
  writer.patch<std::uint16_t>(1, 0x1111);
  EXPECT_EQ(out[1], 0x11);
}

}  // namespace
}  // namespace flotilla
