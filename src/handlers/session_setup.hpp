// Keys of a session, by dialect. Pure but for the crypto it calls.
#pragma once

#include <memory>

#include "crypto/kdf.hpp"
#include "crypto/preauth.hpp"
#include "crypto/signing.hpp"
#include "ports/channel.hpp"

namespace flotilla::handlers {

[[nodiscard]] crypto::KeySchedule key_schedule_of(std::uint16_t dialect) noexcept;
/// Spec    [MS-SMB2] 3.1.4.1: HMAC-SHA256 for 2.x, AES-CMAC for 3.0.x, as negotiated for 3.1.1
[[nodiscard]] crypto::SigningAlgorithm signing_algorithm_of(
    const ports::ConnectionFacts& facts) noexcept;

}  // namespace flotilla::handlers
