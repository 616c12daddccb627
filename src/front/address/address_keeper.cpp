#include "front/address/address_keeper.hpp"

#include <arpa/inet.h>
#include <errno.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <memory>
#include <optional>

#include "base/log.hpp"
#include "front/address/netlink.hpp"
#include "front/address/packets.hpp"

namespace flotilla::front {
namespace {

constexpr int kAnnouncements = 3;
constexpr std::size_t kKnownMax = 100000;

/// One address of one interface of this node.
struct LocalAddress {
  std::string interface;
  IpAddress address;
  std::uint8_t prefix_bits = 0;
};

std::optional<IpAddress> address_of(const sockaddr* socket_address) {
  if (socket_address == nullptr) return std::nullopt;
  IpAddress out;
  if (socket_address->sa_family == AF_INET) {
    std::memcpy(out.bytes.data(), &reinterpret_cast<const sockaddr_in*>(socket_address)->sin_addr,
                4);
    return out;
  }
  if (socket_address->sa_family != AF_INET6) return std::nullopt;
  out.v6 = true;
  std::memcpy(out.bytes.data(), &reinterpret_cast<const sockaddr_in6*>(socket_address)->sin6_addr,
              16);
  return out;
}

using InterfaceList = std::unique_ptr<ifaddrs, decltype(&freeifaddrs)>;

InterfaceList interfaces() {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) list = nullptr;
  return {list, &freeifaddrs};
}

std::vector<LocalAddress> local_addresses() {
  std::vector<LocalAddress> out;
  const InterfaceList list = interfaces();
  for (const ifaddrs* at = list.get(); at != nullptr; at = at->ifa_next) {
    if ((at->ifa_flags & IFF_UP) == 0 || (at->ifa_flags & IFF_LOOPBACK) != 0) continue;
    const std::optional<IpAddress> address = address_of(at->ifa_addr);
    const std::optional<IpAddress> mask = address_of(at->ifa_netmask);
    if (!address || !mask) continue;
    int bits = 0;
    for (const std::uint8_t byte : mask->view()) bits += std::popcount(byte);
    out.push_back({at->ifa_name, *address, static_cast<std::uint8_t>(bits)});
  }
  return out;
}

std::optional<MacAddress> mac_of(int interface_index) {
  const InterfaceList list = interfaces();
  for (const ifaddrs* at = list.get(); at != nullptr; at = at->ifa_next) {
    if (at->ifa_addr == nullptr || at->ifa_addr->sa_family != AF_PACKET) continue;
    const auto* link = reinterpret_cast<const sockaddr_ll*>(at->ifa_addr);
    if (link->sll_ifindex != interface_index || link->sll_halen != 6) continue;
    MacAddress mac;
    std::copy_n(link->sll_addr, mac.size(), mac.begin());
    return mac;
  }
  return std::nullopt;
}

/// A descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const noexcept { return fd_; }

 private:
  const int fd_;
};

void send_arp(int interface_index, const MacAddress& mac, const IpAddress& address) {
  const Descriptor packet(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_ll to{};
  to.sll_family = AF_PACKET;
  to.sll_protocol = htons(ETH_P_ARP);
  to.sll_ifindex = interface_index;
  to.sll_halen = 6;
  std::fill_n(to.sll_addr, 6, 0xFF);
  for (const bool reply : {false, true}) {
    const Bytes frame = gratuitous_arp(mac, address, reply);
    if (sendto(packet.get(), frame.data(), frame.size(), 0, reinterpret_cast<const sockaddr*>(&to),
               sizeof to) < 0) {
      log::warn("address: gratuitous ARP for {}: {}; neighbours notice later", address.text(),
                std::strerror(errno));
      return;
    }
  }
}

sockaddr_in6 socket_address_v6(const IpAddress& address, int interface_index) {
  sockaddr_in6 out{};
  out.sin6_family = AF_INET6;
  std::memcpy(&out.sin6_addr, address.bytes.data(), 16);
  out.sin6_scope_id = static_cast<std::uint32_t>(interface_index);
  return out;
}

void send_advertisement(int interface_index, const MacAddress& mac, const IpAddress& address) {
  const Descriptor raw(socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMPV6));
  const int hops = 255;  // receivers drop neighbour discovery that was routed
  (void)setsockopt(raw.get(), IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof hops);
  (void)setsockopt(raw.get(), IPPROTO_IPV6, IPV6_MULTICAST_IF, &interface_index,
                   sizeof interface_index);
  const sockaddr_in6 from = socket_address_v6(address, 0);
  (void)bind(raw.get(), reinterpret_cast<const sockaddr*>(&from), sizeof from);
  IpAddress all_nodes;
  all_nodes.v6 = true;
  all_nodes.bytes = {0xFF, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  const sockaddr_in6 to = socket_address_v6(all_nodes, interface_index);
  const Bytes message = neighbour_advertisement(mac, address);
  if (sendto(raw.get(), message.data(), message.size(), 0, reinterpret_cast<const sockaddr*>(&to),
             sizeof to) < 0)
    log::warn("address: neighbour advertisement for {}: {}; neighbours notice later",
              address.text(), std::strerror(errno));
}

void send_tickle(const TcpEnds& ends) {
  ssize_t sent;
  if (ends.to.v6) {
    const Descriptor raw(socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP));
    const sockaddr_in6 from = socket_address_v6(ends.from, 0);
    const sockaddr_in6 to = socket_address_v6(ends.to, 0);
    (void)bind(raw.get(), reinterpret_cast<const sockaddr*>(&from), sizeof from);
    const Bytes segment = tickle_segment(ends);
    sent = sendto(raw.get(), segment.data(), segment.size(), 0,
                  reinterpret_cast<const sockaddr*>(&to), sizeof to);
  } else {
    const Descriptor raw(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    std::memcpy(&to.sin_addr, ends.to.bytes.data(), 4);
    const Bytes packet = tickle_packet_v4(ends);
    sent = sendto(raw.get(), packet.data(), packet.size(), 0,
                  reinterpret_cast<const sockaddr*>(&to), sizeof to);
  }
  if (sent < 0)
    log::debug("address: tickle to {}:{}: {}", ends.to.text(), ends.to_port, std::strerror(errno));
}

}  // namespace

AddressKeeper::AddressKeeper(PoolAddress address) : address_(std::move(address)) {}

std::expected<int, std::string> AddressKeeper::find_interface(std::uint8_t& prefix_bits) const {
  const std::optional<IpAddress> wanted = IpAddress::parse(address_.host);
  if (!wanted)
    return std::unexpected(
        fmt::format("pool address '{}': expected a numeric IPv4 or IPv6 address", address_.host));
  prefix_bits = address_.prefix_bits;
  std::string name = address_.interface;
  for (const LocalAddress& local : local_addresses()) {
    if (!name.empty() && local.interface != name) continue;
    if (local.address == *wanted || !same_subnet(local.address, *wanted, local.prefix_bits))
      continue;
    name = local.interface;
    if (prefix_bits == 0) prefix_bits = local.prefix_bits;
    break;
  }
  if (name.empty())
    return std::unexpected(fmt::format(
        "pool address {}: no interface that is up has a subnet with it; name one in the "
        "configuration",
        address_.host));
  if (prefix_bits == 0) prefix_bits = wanted->v6 ? 128 : 32;
  const unsigned index = if_nametoindex(name.c_str());
  if (index == 0)
    return std::unexpected(fmt::format("pool address {}: no interface '{}'", address_.host, name));
  return static_cast<int>(index);
}

std::expected<void, std::string> AddressKeeper::take() {
  const std::scoped_lock lock(mutex_);
  std::uint8_t prefix_bits = 0;
  const auto interface_index = find_interface(prefix_bits);
  if (!interface_index) return std::unexpected(interface_index.error());
  const std::optional<IpAddress> address = IpAddress::parse(address_.host);
  if (const auto added = change_address(true, *interface_index, *address, prefix_bits); !added)
    return std::unexpected(fmt::format("adding {}/{} to interface {}: {}", address_.host,
                                       prefix_bits, *interface_index,
                                       std::strerror(added.error())));
  held_ = true;
  interface_index_ = *interface_index;
  prefix_bits_ = prefix_bits;
  for (int i = 0; i < kAnnouncements; ++i) announce_on(interface_index_);
  tickle();
  return {};
}

std::expected<void, std::string> AddressKeeper::drop() {
  const std::scoped_lock lock(mutex_);
  held_ = false;
  const std::optional<IpAddress> address = IpAddress::parse(address_.host);
  if (!address) return {};
  for (const LocalAddress& local : local_addresses()) {
    if (!(local.address == *address)) continue;
    const int index = static_cast<int>(if_nametoindex(local.interface.c_str()));
    if (const auto removed = change_address(false, index, *address, local.prefix_bits); !removed)
      return std::unexpected(fmt::format("removing {} from {}: {}", address_.host, local.interface,
                                         std::strerror(removed.error())));
  }
  return {};
}

void AddressKeeper::refresh() {
  const std::scoped_lock lock(mutex_);
  if (!held_) return;
  const std::optional<IpAddress> address = IpAddress::parse(address_.host);
  if (const auto kept = change_address(true, interface_index_, *address, prefix_bits_); !kept)
    log::warn("address: keeping {}/{}: {}; the kernel removes it soon", address_.host, prefix_bits_,
              std::strerror(kept.error()));
}

void AddressKeeper::announce() {
  const std::scoped_lock lock(mutex_);
  if (!held_) return;
  announce_on(interface_index_);
  tickle();
}

void AddressKeeper::announce_on(int interface_index) const {
  const std::optional<IpAddress> address = IpAddress::parse(address_.host);
  const std::optional<MacAddress> mac = mac_of(interface_index);
  if (!address || !mac) return;  // a link without MAC addresses has no neighbours to tell
  if (address->v6) {
    send_advertisement(interface_index, *mac, *address);
  } else {
    send_arp(interface_index, *mac, *address);
  }
}

void AddressKeeper::tickle() const {
  for (const ConnectionTuple& connection : known_) {
    const auto client = IpAddress::parse(connection.client_host);
    const auto server = IpAddress::parse(connection.server_host);
    if (!client || !server || client->v6 != server->v6) continue;
    send_tickle({*server, connection.server_port, *client, connection.client_port});
  }
}

void AddressKeeper::learn(const ConnectionTuple& connection, bool alive) {
  const std::scoped_lock lock(mutex_);
  if (!alive) {
    known_.erase(connection);
  } else if (known_.size() < kKnownMax) {
    known_.insert(connection);
  }
}

std::set<ConnectionTuple> AddressKeeper::known() const {
  const std::scoped_lock lock(mutex_);
  return known_;
}

bool AddressKeeper::held() const {
  const std::scoped_lock lock(mutex_);
  return held_;
}

}  // namespace flotilla::front
