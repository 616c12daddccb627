// Small helpers over the socket calls: addresses as text, options that every socket of ours has.
#pragma once

#include <cstdint>
#include <expected>
#include <string>

#include "front/front.hpp"

namespace flotilla::front {

/// Listens, non-blocking, with SO_REUSEADDR and IP_FREEBIND: the address need not be on this node
/// yet. Gives the descriptor, or a text that names the address and errno.
[[nodiscard]] std::expected<int, std::string> listen_tcp(const ListenAddress& address);
[[nodiscard]] std::uint16_t bound_port(int fd) noexcept;

/// Begins a non-blocking connect; -1 where it fails at once.
[[nodiscard]] int connect_tcp(const ListenAddress& address);

/// TCP_NODELAY, keepalive and user time-out: a peer that is gone is noticed within a minute.
void tune_socket(int fd) noexcept;

struct Endpoint {
  std::string host;  ///< IPv4-mapped IPv6 addresses are given as IPv4
  std::uint16_t port = 0;
  [[nodiscard]] std::string text() const;
};
[[nodiscard]] Endpoint peer_of(int fd);
[[nodiscard]] Endpoint local_of(int fd);

}  // namespace flotilla::front
