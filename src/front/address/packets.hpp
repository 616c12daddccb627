// The packets of an address takeover, as bytes. Pure.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.hpp"
#include "front/address/ip_address.hpp"

namespace flotilla::front {

using MacAddress = std::array<std::uint8_t, 6>;

/// An Ethernet frame to everybody: "`address` is at `mac`". `reply`: as an ARP reply; neighbours
/// differ in which of the two they believe, so both are sent.
/// Spec    RFC 826; RFC 5227 section 2.3 Announcing an Address
[[nodiscard]] Bytes gratuitous_arp(const MacAddress& mac, const IpAddress& address, bool reply);

/// The ICMPv6 part of an unsolicited neighbour advertisement with the override flag; the kernel
/// fills in the checksum of a raw ICMPv6 socket.
/// Spec    RFC 4861 section 4.4, 7.2.6
[[nodiscard]] Bytes neighbour_advertisement(const MacAddress& mac, const IpAddress& address);

struct TcpEnds {
  IpAddress from;
  std::uint16_t from_port = 0;
  IpAddress to;
  std::uint16_t to_port = 0;
};

/// A bare TCP ACK with SEQ and ACK of 0, its checksum filled in: wrong for any real connection, so
/// that the receiver answers with an ACK of its own, which earns it a reset from a kernel that does
/// not know the connection. 20 bytes without the IP header. Both addresses are of one family.
[[nodiscard]] Bytes tickle_segment(const TcpEnds& ends);

/// The same with an IPv4 header (40 bytes) for a raw socket with IP_HDRINCL.
[[nodiscard]] Bytes tickle_packet_v4(const TcpEnds& ends);

/// RFC 1071: the complement of the ones' complement sum; `sum` carries over from earlier parts.
[[nodiscard]] std::uint32_t checksum_add(std::uint32_t sum, ByteView bytes) noexcept;
[[nodiscard]] std::uint16_t checksum_end(std::uint32_t sum) noexcept;

}  // namespace flotilla::front
