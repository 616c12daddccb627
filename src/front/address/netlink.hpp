// Just enough rtnetlink to add and remove an address of an interface.
#pragma once

#include <cstdint>
#include <expected>

#include "base/bytes.hpp"
#include "front/address/ip_address.hpp"

namespace flotilla::front {

/// How long the kernel keeps an added address unless it is added again: a daemon that was killed or
/// that hangs cannot take its address away, so the kernel does.
inline constexpr std::uint32_t kAddressLifetimeSeconds = 2;

/// The request's bytes: nlmsghdr, ifaddrmsg, IFA_LOCAL, IFA_ADDRESS; to add, IFA_CACHEINFO with the
/// lifetime and for IPv6 IFA_FLAGS (no duplicate address detection: a takeover cannot wait for it).
[[nodiscard]] Bytes address_request(bool add, int interface_index, const IpAddress& address,
                                    std::uint8_t prefix_bits);

/// Asks the kernel. Adding what is there and removing what is not there succeed. Error: an errno.
[[nodiscard]] std::expected<void, int> change_address(bool add, int interface_index,
                                                      const IpAddress& address,
                                                      std::uint8_t prefix_bits);

}  // namespace flotilla::front
