#include "front/address/packets.hpp"

#include <arpa/inet.h>

#include <algorithm>

namespace flotilla::front {
namespace {

void put_be16(Bytes& out, std::uint16_t value) {
  out.push_back(static_cast<std::uint8_t>(value >> 8));
  out.push_back(static_cast<std::uint8_t>(value));
}

void put(Bytes& out, std::span<const std::uint8_t> bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

void set_be16(Bytes& out, std::size_t at, std::uint16_t value) {
  out[at] = static_cast<std::uint8_t>(value >> 8);
  out[at + 1] = static_cast<std::uint8_t>(value);
}

constexpr std::uint8_t kTcp = 6;
constexpr std::size_t kEthernetBytesMin = 60;

}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  const std::string owned(text);
  IpAddress out;
  if (inet_pton(AF_INET, owned.c_str(), out.bytes.data()) == 1) return out;
  out.bytes = {};
  if (inet_pton(AF_INET6, owned.c_str(), out.bytes.data()) != 1) return std::nullopt;
  out.v6 = true;
  return out;
}

std::string IpAddress::text() const {
  char buffer[INET6_ADDRSTRLEN] = "";
  inet_ntop(v6 ? AF_INET6 : AF_INET, bytes.data(), buffer, sizeof buffer);
  return buffer;
}

bool same_subnet(const IpAddress& a, const IpAddress& b, unsigned prefix_bits) noexcept {
  if (a.v6 != b.v6) return false;
  const unsigned bits = std::min<unsigned>(prefix_bits, static_cast<unsigned>(a.size()) * 8);
  for (unsigned i = 0; i < bits; ++i) {
    const auto mask = static_cast<std::uint8_t>(0x80U >> (i % 8));
    if (((a.bytes[i / 8] ^ b.bytes[i / 8]) & mask) != 0) return false;
  }
  return true;
}

Bytes gratuitous_arp(const MacAddress& mac, const IpAddress& address, bool reply) {
  static constexpr MacAddress kEverybody{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
  static constexpr MacAddress kNobody{};
  Bytes out;
  put(out, kEverybody);
  put(out, mac);
  put_be16(out, 0x0806);  // ARP
  put_be16(out, 1);       // Ethernet
  put_be16(out, 0x0800);  // IPv4
  out.push_back(6);
  out.push_back(4);
  put_be16(out, reply ? 2 : 1);
  put(out, mac);
  put(out, address.view().first(4));
  put(out, reply ? kEverybody : kNobody);
  put(out, address.view().first(4));
  out.resize(kEthernetBytesMin);
  return out;
}

Bytes neighbour_advertisement(const MacAddress& mac, const IpAddress& address) {
  Bytes out;
  out.push_back(136);     // neighbour advertisement
  out.push_back(0);       // code
  put_be16(out, 0);       // checksum: the kernel's
  put_be16(out, 0x2000);  // override
  put_be16(out, 0);
  put(out, address.bytes);
  out.push_back(2);  // option: target link-layer address
  out.push_back(1);  // in units of 8 bytes
  put(out, mac);
  return out;
}

std::uint32_t checksum_add(std::uint32_t sum, ByteView bytes) noexcept {
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    sum += std::uint32_t{bytes[i]} << 8;
    if (i + 1 < bytes.size()) sum += bytes[i + 1];
    sum = (sum & 0xFFFF) + (sum >> 16);
  }
  return sum;
}

std::uint16_t checksum_end(std::uint32_t sum) noexcept {
  while ((sum >> 16) != 0) sum = (sum & 0xFFFF) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

Bytes tickle_segment(const TcpEnds& ends) {
  Bytes tcp;
  put_be16(tcp, ends.from_port);
  put_be16(tcp, ends.to_port);
  tcp.resize(12);         // SEQ 0, ACK 0
  put_be16(tcp, 0x5010);  // 5 words, ACK
  put_be16(tcp, 1234);    // window
  tcp.resize(20);         // checksum and urgent pointer
  std::uint32_t sum = checksum_add(0, ends.from.view());
  sum = checksum_add(sum, ends.to.view());
  const std::uint8_t rest[] = {0, kTcp, 0, 20};  // protocol and length, the same in both families
  sum = checksum_add(sum, rest);
  sum = checksum_add(sum, tcp);
  set_be16(tcp, 16, checksum_end(sum));
  return tcp;
}

Bytes tickle_packet_v4(const TcpEnds& ends) {
  Bytes out;
  put_be16(out, 0x4500);  // version 4, 5 words
  put_be16(out, 40);
  put_be16(out, 0);
  put_be16(out, 0x4000);  // do not fragment
  out.push_back(64);
  out.push_back(kTcp);
  put_be16(out, 0);
  put(out, ends.from.view());
  put(out, ends.to.view());
  set_be16(out, 10, checksum_end(checksum_add(0, out)));
  put(out, tickle_segment(ends));
  return out;
}

}  // namespace flotilla::front
