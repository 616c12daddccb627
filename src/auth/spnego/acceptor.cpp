#include "auth/spnego/acceptor.hpp"

#include <algorithm>

#include "auth/ntlm/messages.hpp"
#include "auth/spnego/der.hpp"
#include "base/log.hpp"

namespace flotilla::auth::spnego {

namespace {

constexpr std::size_t kTokenBytesMax = 1U << 18;  // Kerberos tickets with large PACs fit many times

bool is(ByteView mech, ByteView oid) { return std::ranges::equal(mech, oid); }

bool is_kerberos(ByteView mech) { return is(mech, oid::kKerberos) || is(mech, oid::kMsKerberos); }

}  // namespace

Result<ports::AuthStep> Acceptor::step(ByteView security_buffer) {
  const State state = state_;
  state_ = State::Over;
  if (security_buffer.size() > kTokenBytesMax) return fail(NtStatus::InvalidParameter);
  switch (state) {
    case State::Start:
      return on_first(security_buffer);
    case State::Bare:
      return step_bare(security_buffer);
    case State::Running:
    case State::AwaitMic:
      state_ = state;
      {
        auto result = on_response(security_buffer);
        if (!result) state_ = State::Over;
        return result;
      }
    case State::Over:
      break;
  }
  return fail(NtStatus::InvalidParameter);
}

Result<ports::AuthStep> Acceptor::on_first(ByteView token) {
  if (ntlm::has_ntlm_signature(token)) {
    return start_bare(mechanisms_.ntlm ? mechanisms_.ntlm() : nullptr, token);
  }
  if (const auto initial = decode_initial(token)) {
    if (is_kerberos(initial->mechanism)) {
      return start_bare(mechanisms_.kerberos ? mechanisms_.kerberos() : nullptr, token);
    }
    if (!is(initial->mechanism, oid::kSpnego)) return fail(NtStatus::NotSupported);
    const auto init = decode_init(initial->inner);
    return init ? on_init(*init) : fail(NtStatus::InvalidParameter);
  }
  // Some clients leave the outer wrapping away.
  if (const auto init = decode_init(token)) return on_init(*init);
  return fail(NtStatus::InvalidParameter);
}

Result<ports::AuthStep> Acceptor::start_bare(std::unique_ptr<Mechanism> mechanism, ByteView token) {
  if (mechanism == nullptr) return fail(NtStatus::NotSupported);
  mechanism_ = std::move(mechanism);
  return step_bare(token);
}

Result<ports::AuthStep> Acceptor::step_bare(ByteView token) {
  auto result = mechanism_->step(token);
  if (result && !result->done) state_ = State::Bare;
  return result;
}

Result<ports::AuthStep> Acceptor::on_init(const NegTokenInit& init) {
  std::size_t choice = 0;
  for (; choice < init.mech_types.size() && mechanism_ == nullptr; ++choice) {
    const ByteView mech = init.mech_types[choice];
    if (is_kerberos(mech) && mechanisms_.kerberos) mechanism_ = mechanisms_.kerberos();
    if (is(mech, oid::kNtlm) && mechanisms_.ntlm) mechanism_ = mechanisms_.ntlm();
    if (mechanism_ != nullptr) break;
  }
  if (mechanism_ == nullptr) {
    log::info("logon refused: none of the {} mechanisms that the client offers is served here",
              init.mech_types.size());
    return fail(NtStatus::NotSupported);
  }
  const ByteView chosen = init.mech_types[choice];
  chosen_.assign(chosen.begin(), chosen.end());
  mech_type_list_.assign(init.mech_type_list.begin(), init.mech_type_list.end());
  state_ = State::Running;
  // The two names of Kerberos are one choice: a token for one is a token for the other.
  const bool first_choice =
      choice == 0 || (is_kerberos(chosen) && is_kerberos(init.mech_types.front()));
  mic_required_ = !first_choice;
  if (first_choice && init.mech_token) {
    auto result = run(*init.mech_token, init.mech_list_mic);
    if (!result) state_ = State::Over;
    return result;
  }
  NegTokenResp reply;
  reply.neg_state = first_choice ? NegState::AcceptIncomplete : NegState::RequestMic;
  reply.supported_mech = chosen_;
  announce_mech_ = false;
  ports::AuthStep out;
  out.reply = encode(reply);
  return out;
}

Result<ports::AuthStep> Acceptor::on_response(ByteView token) {
  const auto response = decode_response(token);
  if (!response) return fail(NtStatus::InvalidParameter);
  if (response->neg_state == NegState::Reject) return fail(NtStatus::LogonFailure);
  if (state_ == State::AwaitMic) {
    if (!response->mech_list_mic) return fail(NtStatus::InvalidParameter);
    return complete(response->mech_list_mic);
  }
  if (!response->response_token) return fail(NtStatus::InvalidParameter);
  return run(*response->response_token, response->mech_list_mic);
}

Result<ports::AuthStep> Acceptor::run(ByteView mech_token, std::optional<ByteView> mic) {
  auto result = mechanism_->step(mech_token);
  if (!result) return result;
  if (result->done) {
    outcome_ = std::move(*result);
    return complete(mic);
  }
  NegTokenResp reply;
  reply.neg_state = NegState::AcceptIncomplete;
  if (announce_mech_) reply.supported_mech = chosen_;
  announce_mech_ = false;
  reply.response_token = result->reply;
  ports::AuthStep out;
  out.reply = encode(reply);
  return out;
}

Result<ports::AuthStep> Acceptor::complete(std::optional<ByteView> mic) {
  // Guests and nobody have no key that both sides know.
  const bool keyed = !outcome_.session_key.empty();
  Bytes own_mic;
  NegTokenResp reply;
  if (keyed && mic) {
    if (!mechanism_->verify_mic(mech_type_list_, *mic)) {
      log::warn("logon refused: the list of mechanisms of user {} was changed on its way",
                outcome_.token->user_name);
      return fail(NtStatus::LogonFailure);
    }
    auto made = mechanism_->mic(mech_type_list_);
    if (!made) return fail(made.error());
    own_mic = std::move(*made);
    reply.mech_list_mic = own_mic;
  }
  const bool wait = keyed && mic_required_ && !mic;
  reply.neg_state = wait ? NegState::AcceptIncomplete : NegState::AcceptCompleted;
  if (announce_mech_) reply.supported_mech = chosen_;
  announce_mech_ = false;
  const Bytes mech_reply = std::move(outcome_.reply);
  outcome_.reply.clear();
  if (!mech_reply.empty()) reply.response_token = mech_reply;
  if (wait) {
    state_ = State::AwaitMic;
    ports::AuthStep out;
    out.reply = encode(reply);
    return out;
  }
  state_ = State::Over;
  ports::AuthStep out = std::move(outcome_);
  out.reply = encode(reply);
  return out;
}

}  // namespace flotilla::auth::spnego
