#include "front/address/packets.hpp"

#include <gtest/gtest.h>

#include "front/address/address_keeper.hpp"
#include "front/address/netlink.hpp"

namespace flotilla::front {
namespace {

constexpr MacAddress kMac{0x02, 0x42, 0x0A, 0x4D, 0x00, 0x01};

Bytes from_hex(std::string_view text) {
  Bytes out;
  std::string digits;
  for (const char c : text) {
    if (c == ' ') continue;
    digits.push_back(c);
    if (digits.size() == 2) {
      out.push_back(static_cast<std::uint8_t>(std::stoi(digits, nullptr, 16)));
      digits.clear();
    }
  }
  return out;
}

TEST(Checksum, OfTheExampleHeaderIsB1E6) {
  // The IPv4 header that textbooks use for RFC 1071: checksum field zero gives 0xB1E6.
  const Bytes header = from_hex("4500 003C 1C46 4000 4006 0000 AC10 0A63 AC10 0A0C");
  EXPECT_EQ(checksum_end(checksum_add(0, header)), 0xB1E6);
}

TEST(Checksum, AnOddByteIsPaddedWithZeroBehind) {
  const Bytes odd{0x12, 0x34, 0x56};
  const Bytes even{0x12, 0x34, 0x56, 0x00};
  EXPECT_EQ(checksum_add(0, odd), checksum_add(0, even));
}

TEST(GratuitousArp, RequestAndReplyHaveTheBytesOfRfc5227) {
  const IpAddress address = *IpAddress::parse("10.77.0.100");
  Bytes request = from_hex(
      "FFFFFFFFFFFF 02420A4D0001 0806 0001 0800 06 04 0001 02420A4D0001 0A4D0064 000000000000 "
      "0A4D0064");
  request.resize(60);
  EXPECT_EQ(gratuitous_arp(kMac, address, false), request);
  Bytes reply = from_hex(
      "FFFFFFFFFFFF 02420A4D0001 0806 0001 0800 06 04 0002 02420A4D0001 0A4D0064 FFFFFFFFFFFF "
      "0A4D0064");
  reply.resize(60);
  EXPECT_EQ(gratuitous_arp(kMac, address, true), reply);
}

TEST(NeighbourAdvertisement, HasOverrideTargetAndLinkLayerAddress) {
  const IpAddress address = *IpAddress::parse("fd77::100");
  EXPECT_EQ(neighbour_advertisement(kMac, address),
            from_hex("88 00 0000 20000000 FD770000000000000000000000000100 02 01 02420A4D0001"));
}

TEST(TickleAck, TheIpv4PacketIsABareAckWhoseChecksumsHold) {
  const TcpEnds ends{*IpAddress::parse("10.77.0.100"), 445, *IpAddress::parse("10.77.0.9"), 41234};
  const Bytes packet = tickle_packet_v4(ends);
  ASSERT_EQ(packet.size(), 40U);
  // Header checksum by hand: 4500+0028+4000+4006+0A4D+0064+0A4D+0009 = D935, complement 26CA... the
  // sum over a header that includes its checksum is all ones.
  EXPECT_EQ(checksum_end(checksum_add(0, ByteView(packet).first(20))), 0);
  Bytes pseudo = from_hex("0A4D0064 0A4D0009 0006 0014");
  pseudo.insert(pseudo.end(), packet.begin() + 20, packet.end());
  EXPECT_EQ(checksum_end(checksum_add(0, pseudo)), 0);
  const Bytes tcp(packet.begin() + 20, packet.end());
  EXPECT_EQ(Bytes(tcp.begin(), tcp.begin() + 16),
            from_hex("01BD A112 00000000 00000000 5010 04D2"));
  EXPECT_EQ(Bytes(packet.begin(), packet.begin() + 10), from_hex("4500 0028 0000 4000 4006"));
}

TEST(TickleAck, TheIpv6SegmentsChecksumHolds) {
  const TcpEnds ends{*IpAddress::parse("fd77::100"), 445, *IpAddress::parse("fd77::9"), 50000};
  const Bytes tcp = tickle_segment(ends);
  std::uint32_t sum = checksum_add(0, ends.from.view());
  sum = checksum_add(sum, ends.to.view());
  sum = checksum_add(sum, from_hex("00000014 00000006"));
  EXPECT_EQ(checksum_end(checksum_add(sum, tcp)), 0);
}

TEST(IpAddress, ParsesPrintsAndComparesSubnets) {
  EXPECT_FALSE(IpAddress::parse("pool.example"));
  EXPECT_FALSE(IpAddress::parse(""));
  EXPECT_EQ(IpAddress::parse("fd77::1")->text(), "fd77::1");
  const auto a = *IpAddress::parse("10.77.0.100");
  EXPECT_TRUE(same_subnet(a, *IpAddress::parse("10.77.0.3"), 24));
  EXPECT_FALSE(same_subnet(a, *IpAddress::parse("10.77.1.3"), 24));
  EXPECT_TRUE(same_subnet(a, *IpAddress::parse("10.77.1.3"), 23));
  EXPECT_FALSE(same_subnet(a, *IpAddress::parse("fd77::1"), 0));
}

TEST(Netlink, TheRequestToAddAnIpv4AddressHasTheKernelsLayout) {
  // nlmsg_len 60, type 20 RTM_NEWADDR, flags 0x505 REQUEST|ACK|REPLACE|CREATE; ifaddrmsg: AF_INET,
  // /24, scope 0, index 3; IFA_LOCAL (2), IFA_ADDRESS (1), IFA_CACHEINFO (6): preferred, valid.
  static_assert(kAddressLifetimeSeconds == 2);
  EXPECT_EQ(address_request(true, 3, *IpAddress::parse("10.77.0.100"), 24),
            from_hex("3C000000 1400 0505 01000000 00000000 02 18 00 00 03000000 "
                     "0800 0200 0A4D0064 0800 0100 0A4D0064 "
                     "1400 0600 02000000 02000000 00000000 00000000"));
  const Bytes removal = address_request(false, 3, *IpAddress::parse("10.77.0.100"), 24);
  EXPECT_EQ(removal[4], 21);    // RTM_DELADDR
  EXPECT_EQ(removal[6], 0x05);  // REQUEST|ACK
  EXPECT_EQ(removal[7], 0x00);
}

TEST(AddressKeeper, LearnsAndForgetsConnections) {
  AddressKeeper keeper({"10.77.0.100", 24, ""});
  const ConnectionTuple one{"10.77.0.9", 41234, "10.77.0.100", 445};
  keeper.learn(one, true);
  keeper.learn(one, true);
  EXPECT_EQ(keeper.known().size(), 1U);
  keeper.learn(one, false);
  keeper.learn(one, false);
  EXPECT_TRUE(keeper.known().empty());
  EXPECT_FALSE(keeper.held());
}

TEST(AddressKeeper, ABadAddressOrNoFittingInterfaceIsAnErrorThatSaysSo) {
  AddressKeeper bad({"not-an-address", 0, ""});
  const auto refused = bad.take();
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().find("not-an-address"), std::string::npos);
  AddressKeeper nowhere({"203.0.113.77", 0, "flotilla-none"});
  ASSERT_FALSE(nowhere.take());
  EXPECT_FALSE(nowhere.held());
  EXPECT_TRUE(nowhere.drop());
}

}  // namespace
}  // namespace flotilla::front
