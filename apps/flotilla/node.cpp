#include "flotilla/node.hpp"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <cstring>
#include <fstream>
#include <memory>

namespace flotilla::app {
namespace {

/// Megabits per second as the driver says, times a million; 1 Gbit/s where it does not know.
std::uint64_t speed_of(const std::string& interface) {
  std::ifstream file("/sys/class/net/" + interface + "/speed");
  std::int64_t megabits = 0;
  if (!(file >> megabits) || megabits <= 0) megabits = 1000;
  return static_cast<std::uint64_t>(megabits) * 1000000ULL;
}

/// False for what no client can use: other families, link-local addresses.
bool read_address(const sockaddr* from, handlers::InterfaceFacts& into) {
  if (from->sa_family == AF_INET) {
    std::memcpy(into.address.data(), &reinterpret_cast<const sockaddr_in*>(from)->sin_addr, 4);
    return true;
  }
  if (from->sa_family != AF_INET6) return false;
  const in6_addr& v6 = reinterpret_cast<const sockaddr_in6*>(from)->sin6_addr;
  into.ipv6 = true;
  std::memcpy(into.address.data(), &v6, into.address.size());
  return !IN6_IS_ADDR_LINKLOCAL(&v6);
}

}  // namespace

std::vector<handlers::InterfaceFacts> network_interfaces() {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return {};
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owner(list, &freeifaddrs);
  std::vector<handlers::InterfaceFacts> outside;
  std::vector<handlers::InterfaceFacts> loopback;
  for (const ifaddrs* at = list; at != nullptr; at = at->ifa_next) {
    if (at->ifa_addr == nullptr || (at->ifa_flags & IFF_UP) == 0) continue;
    handlers::InterfaceFacts facts;
    if (!read_address(at->ifa_addr, facts)) continue;
    facts.index = if_nametoindex(at->ifa_name);
    facts.link_speed_bits = speed_of(at->ifa_name);
    ((at->ifa_flags & IFF_LOOPBACK) != 0 ? loopback : outside).push_back(facts);
  }
  return outside.empty() ? loopback : outside;
}

}  // namespace flotilla::app
