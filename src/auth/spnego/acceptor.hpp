// Finds out what a client speaks (SPNEGO, bare NTLM, bare Kerberos) and leads the mechanism
// through.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "auth/mechanism.hpp"
#include "auth/spnego/tokens.hpp"
#include "ports/identity.hpp"

namespace flotilla::auth::spnego {

/// The mechanisms on offer; a null function is one that is not. They outlive the acceptor.
struct Mechanisms {
  std::function<std::unique_ptr<Mechanism>()> ntlm;
  std::function<std::unique_ptr<Mechanism>()> kerberos;
};

/// Spec    RFC 4178 4 and 5; [MS-SPNG] 3.2.5; [MS-SMB2] 3.3.5.5.3
///
///   Start ----raw token----------------------------------> Bare --done--> Over
///     |
///     +--NegTokenInit, first choice fits--> Running --done, MIC seen or not needed--> Over
///     +--NegTokenInit, other choice------->    |
///        (request-mic, no token)               +--done, MIC needed--> AwaitMic --MIC--> Over
class Acceptor final : public ports::AuthExchange {
 public:
  explicit Acceptor(const Mechanisms& mechanisms) : mechanisms_(mechanisms) {}

  [[nodiscard]] Result<ports::AuthStep> step(ByteView security_buffer) override;
  [[nodiscard]] ports::AuthAttempt attempt() const override {
    return mechanism_ ? mechanism_->attempt() : ports::AuthAttempt{};
  }

 private:
  enum class State : std::uint8_t { Start, Bare, Running, AwaitMic, Over };

  [[nodiscard]] Result<ports::AuthStep> on_first(ByteView token);
  [[nodiscard]] Result<ports::AuthStep> start_bare(std::unique_ptr<Mechanism> mechanism,
                                                   ByteView token);
  [[nodiscard]] Result<ports::AuthStep> step_bare(ByteView token);
  [[nodiscard]] Result<ports::AuthStep> on_init(const NegTokenInit& init);
  [[nodiscard]] Result<ports::AuthStep> on_response(ByteView token);
  [[nodiscard]] Result<ports::AuthStep> run(ByteView mech_token, std::optional<ByteView> mic);
  [[nodiscard]] Result<ports::AuthStep> complete(std::optional<ByteView> mic);

  const Mechanisms& mechanisms_;
  State state_ = State::Start;
  std::unique_ptr<Mechanism> mechanism_;
  Bytes mech_type_list_;
  Bytes chosen_;               ///< OID as the client wrote it
  bool announce_mech_ = true;  ///< supportedMech belongs into the first reply only
  bool mic_required_ = false;  ///< the client's first choice was not taken
  ports::AuthStep outcome_;    ///< the mechanism's, until the negotiation is over too
};

}  // namespace flotilla::auth::spnego
