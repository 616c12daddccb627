#include "front/address/netlink.hpp"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

namespace flotilla::front {
namespace {

void append(Bytes& out, const void* data, std::size_t size_bytes) {
  const auto* const bytes = static_cast<const std::uint8_t*>(data);
  out.insert(out.end(), bytes, bytes + size_bytes);
  out.resize((out.size() + 3) & ~std::size_t{3});
}

void append_attribute(Bytes& out, unsigned short type, const void* data, std::size_t size_bytes) {
  rtattr attribute{};
  attribute.rta_type = type;
  attribute.rta_len = static_cast<unsigned short>(sizeof attribute + size_bytes);
  append(out, &attribute, sizeof attribute);
  append(out, data, size_bytes);
}

}  // namespace

Bytes address_request(bool add, int interface_index, const IpAddress& address,
                      std::uint8_t prefix_bits) {
  nlmsghdr header{};
  header.nlmsg_type = add ? RTM_NEWADDR : RTM_DELADDR;
  header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  if (add) header.nlmsg_flags |= NLM_F_CREATE | NLM_F_REPLACE;
  header.nlmsg_seq = 1;
  ifaddrmsg body{};
  body.ifa_family = address.v6 ? AF_INET6 : AF_INET;
  body.ifa_prefixlen = prefix_bits;
  body.ifa_scope = RT_SCOPE_UNIVERSE;
  body.ifa_index = static_cast<unsigned>(interface_index);
  Bytes out;
  append(out, &header, sizeof header);
  append(out, &body, sizeof body);
  append_attribute(out, IFA_LOCAL, address.bytes.data(), address.size());
  append_attribute(out, IFA_ADDRESS, address.bytes.data(), address.size());
  if (add) {
    ifa_cacheinfo lifetime{};
    lifetime.ifa_prefered = kAddressLifetimeSeconds;
    lifetime.ifa_valid = kAddressLifetimeSeconds;
    append_attribute(out, IFA_CACHEINFO, &lifetime, sizeof lifetime);
  }
  if (address.v6 && add) {
    const std::uint32_t flags = IFA_F_NODAD;
    append_attribute(out, IFA_FLAGS, &flags, sizeof flags);
  }
  store_le(out.data(), static_cast<std::uint32_t>(out.size()));  // nlmsg_len, host order
  return out;
}

std::expected<void, int> change_address(bool add, int interface_index, const IpAddress& address,
                                        std::uint8_t prefix_bits) {
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) return std::unexpected(errno);
  const auto done = [fd](int error) -> std::expected<void, int> {
    close(fd);
    if (error != 0) return std::unexpected(error);
    return {};
  };
  const timeval patience{2, 0};  // the kernel answers at once; never hang on it
  (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const Bytes request = address_request(add, interface_index, address, prefix_bits);
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  if (sendto(fd, request.data(), request.size(), 0, reinterpret_cast<const sockaddr*>(&kernel),
             sizeof kernel) < 0)
    return done(errno);
  Bytes answer(8192);
  const ssize_t got = recv(fd, answer.data(), answer.size(), 0);
  if (got < 0) return done(errno);
  nlmsghdr header;
  nlmsgerr result;
  if (static_cast<std::size_t>(got) < sizeof header + sizeof result) return done(EPROTO);
  std::memcpy(&header, answer.data(), sizeof header);
  std::memcpy(&result, answer.data() + sizeof header, sizeof result);
  if (header.nlmsg_type != NLMSG_ERROR) return done(EPROTO);
  const int error = -result.error;
  if (add && error == EEXIST) return done(0);
  if (!add && error == EADDRNOTAVAIL) return done(0);
  return done(error);
}

}  // namespace flotilla::front
