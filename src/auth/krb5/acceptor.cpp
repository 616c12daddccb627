#include "auth/krb5/acceptor.hpp"

#include <fmt/core.h>
#include <gssapi/gssapi.h>
#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "auth/text.hpp"
#include "base/log.hpp"
#include "crypto/hash.hpp"

namespace flotilla::auth::krb5 {

namespace {

gss_OID kerberos() noexcept { return const_cast<gss_OID>(gss_mech_krb5); }

gss_buffer_desc buffer_of(ByteView bytes) noexcept {
  return {bytes.size(), const_cast<std::uint8_t*>(bytes.data())};
}

/// A buffer that GSSAPI filled.
class Buffer {
 public:
  Buffer() = default;
  ~Buffer() {
    OM_uint32 minor = 0;
    gss_release_buffer(&minor, &buffer_);
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  [[nodiscard]] gss_buffer_t out() noexcept { return &buffer_; }
  [[nodiscard]] ByteView view() const noexcept {
    return {static_cast<const std::uint8_t*>(buffer_.value), buffer_.length};
  }
  [[nodiscard]] std::string text() const { return std::string(as_text(view())); }

 private:
  gss_buffer_desc buffer_ = GSS_C_EMPTY_BUFFER;
};

class Name {
 public:
  Name() = default;
  ~Name() {
    OM_uint32 minor = 0;
    if (name_ != GSS_C_NO_NAME) gss_release_name(&minor, &name_);
  }
  Name(const Name&) = delete;
  Name& operator=(const Name&) = delete;
  [[nodiscard]] gss_name_t* out() noexcept { return &name_; }
  [[nodiscard]] gss_name_t get() const noexcept { return name_; }

 private:
  gss_name_t name_ = GSS_C_NO_NAME;
};

std::string describe(OM_uint32 major, OM_uint32 minor) {
  std::string text;
  for (const auto& [code, type] : {std::pair{major, GSS_C_GSS_CODE}, {minor, GSS_C_MECH_CODE}}) {
    OM_uint32 more = 0;
    OM_uint32 ignored = 0;
    do {
      Buffer line;
      if (gss_display_status(&ignored, code, type, kerberos(), &more, line.out()) !=
          GSS_S_COMPLETE) {
        break;
      }
      if (!text.empty()) text += ": ";
      text += line.text();
    } while (more != 0);
  }
  return text;
}

// RFC 4120 5.2.6.1 AD-IF-RELEVANT, and the type of an element of it that is a PAC ([MS-PAC] 2.2):
// ad-type [0] 128, in DER.
// The mechanism's own OID for all elements of that type: 1.2.840.113554.1.2.2.5.10, then the type.
constexpr std::array<std::uint8_t, 12> kIfRelevantData{0x2A, 0x86, 0x48, 0x86, 0xF7, 0x12,
                                                       0x01, 0x02, 0x02, 0x05, 0x0A, 0x01};
constexpr std::array<std::uint8_t, 6> kPacInside{0xA0, 0x04, 0x02, 0x02, 0x00, 0x80};
constexpr char kLogonInfo[] = "urn:mspac:logon-info";
constexpr char kWholePac[] = "urn:mspac:";

/// RFC 4120 7.5.9 KRB_AP_ERR_SKEW, as MIT's library counts it from ERROR_TABLE_BASE_krb5. The
/// status is [MS-ERREF] 2.3.1 STATUS_TIME_DIFFERENCE_AT_DC: whoever sees it looks at the clock.
constexpr OM_uint32 kClockSkew = static_cast<OM_uint32>(-1765328384 + 37);
constexpr auto kTimeDifferenceAtDc = static_cast<NtStatus>(0xC0000133);

class Acceptor final : public Mechanism {
 public:
  Acceptor(gss_cred_id_t keys, const Keys::MakeToken& make_token)
      : keys_(keys), make_token_(make_token) {
    attempt_.mechanism = "Kerberos";
  }
  ~Acceptor() override {
    OM_uint32 minor = 0;
    if (context_ != GSS_C_NO_CONTEXT) {
      gss_delete_sec_context(&minor, &context_, GSS_C_NO_BUFFER);
    }
  }
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  [[nodiscard]] Result<ports::AuthStep> step(ByteView token) override {
    if (over_) return fail(NtStatus::InvalidParameter);
    over_ = true;
    gss_buffer_desc input = buffer_of(token);
    Buffer reply;
    Name client;
    OM_uint32 minor = 0;
    OM_uint32 lifetime = 0;
    const OM_uint32 major =
        gss_accept_sec_context(&minor, &context_, keys_, &input, GSS_C_NO_CHANNEL_BINDINGS,
                               client.out(), nullptr, reply.out(), nullptr, &lifetime, nullptr);
    if (GSS_ERROR(major)) {
      // Where the ticket is for a key that the keytab has not, MIT's text names both.
      attempt_.reason = "Kerberos: " + describe(major, minor);
      log::warn("logon refused: {}", attempt_.reason);
      if (minor == kClockSkew) return fail(kTimeDifferenceAtDc);
      return fail(GSS_ROUTINE_ERROR(major) == GSS_S_DEFECTIVE_TOKEN ? NtStatus::InvalidParameter
                                                                    : NtStatus::LogonFailure);
    }
    ports::AuthStep out;
    const ByteView bytes = reply.view();
    out.reply.assign(bytes.begin(), bytes.end());
    if ((major & GSS_S_CONTINUE_NEEDED) != 0) {
      over_ = false;
      return out;
    }
    return finish(client.get(), lifetime, std::move(out));
  }

  [[nodiscard]] Result<Bytes> mic(ByteView message) override {
    gss_buffer_desc input = buffer_of(message);
    Buffer mic;
    OM_uint32 minor = 0;
    if (GSS_ERROR(gss_get_mic(&minor, context_, GSS_C_QOP_DEFAULT, &input, mic.out()))) {
      return fail(NtStatus::NotSupported);
    }
    return Bytes(mic.view().begin(), mic.view().end());
  }

  [[nodiscard]] bool verify_mic(ByteView message, ByteView mic) override {
    gss_buffer_desc input = buffer_of(message);
    gss_buffer_desc signature = buffer_of(mic);
    OM_uint32 minor = 0;
    return gss_verify_mic(&minor, context_, &input, &signature, nullptr) == GSS_S_COMPLETE;
  }

 private:
  /// Some element of the authorization data, the ticket's or the client's, is a PAC.
  [[nodiscard]] bool has_pac() {
    gss_OID_desc oid{kIfRelevantData.size(), const_cast<std::uint8_t*>(kIfRelevantData.data())};
    gss_buffer_set_t set = GSS_C_NO_BUFFER_SET;
    OM_uint32 minor = 0;
    if (GSS_ERROR(gss_inquire_sec_context_by_oid(&minor, context_, &oid, &set)) ||
        set == GSS_C_NO_BUFFER_SET) {
      return false;  // there is none at all
    }
    bool found = false;
    for (std::size_t i = 0; i < set->count; ++i) {
      const gss_buffer_desc& part = set->elements[i];
      const ByteView bytes(static_cast<const std::uint8_t*>(part.value), part.length);
      found = found || !std::ranges::search(bytes, kPacInside).empty();
    }
    gss_release_buffer_set(&minor, &set);
    return found;
  }

  /// A PAC that the library vouches for, whatever is in it: MIT's KDC makes some of a signature and
  /// the client's name only.
  [[nodiscard]] static bool has_verified_pac(gss_name_t client) {
    gss_buffer_desc whole{sizeof kWholePac - 1, const_cast<char*>(kWholePac)};
    Buffer value;
    Buffer shown;
    int authenticated = 0;
    int complete = 0;
    int more = -1;
    OM_uint32 minor = 0;
    return !GSS_ERROR(gss_get_name_attribute(&minor, client, &whole, &authenticated, &complete,
                                             value.out(), shown.out(), &more)) &&
           authenticated != 0;
  }

  /// The PAC's logon information. MIT's library verifies the server's signature while it accepts
  /// the ticket, and says so by `authenticated`.
  std::expected<std::optional<wire::PacLogonInfo>, std::string> read_pac(gss_name_t client) {
    gss_buffer_desc attribute{sizeof kLogonInfo - 1, const_cast<char*>(kLogonInfo)};
    Buffer value;
    Buffer shown;
    OM_uint32 minor = 0;
    int authenticated = 0;
    int complete = 0;
    int more = -1;
    if (GSS_ERROR(gss_get_name_attribute(&minor, client, &attribute, &authenticated, &complete,
                                         value.out(), shown.out(), &more))) {
      // The library keeps quiet about a PAC that it could not verify: is one there?
      if (!has_pac() || has_verified_pac(client)) return std::nullopt;
      authenticated = 0;
    }
    if (authenticated == 0) {
      return std::unexpected("carries a PAC whose signature is not the keytab's key's");
    }
    auto info = wire::decode_pac_logon_info(value.view());
    if (!info) {
      return std::unexpected(fmt::format("carries a PAC that does not decode: {} at byte {}",
                                         info.error().what, info.error().offset));
    }
    return *std::move(info);
  }

  Result<ports::AuthStep> finish(gss_name_t client, OM_uint32 lifetime, ports::AuthStep out) {
    OM_uint32 minor = 0;
    // The key that both use from now on: the acceptor's subkey, else the initiator's, else the
    // ticket's ([MS-KILE] 3.1.1.2; [MS-SMB2] calls it the cryptographic key of the context).
    gss_buffer_set_t set = GSS_C_NO_BUFFER_SET;
    const OM_uint32 major =
        gss_inquire_sec_context_by_oid(&minor, context_, GSS_C_INQ_SSPI_SESSION_KEY, &set);
    if (GSS_ERROR(major) || set == GSS_C_NO_BUFFER_SET || set->count == 0 ||
        set->elements[0].length == 0) {
      log::error("logon refused: Kerberos gives no session key: {}", describe(major, minor));
      if (set != GSS_C_NO_BUFFER_SET) gss_release_buffer_set(&minor, &set);
      return fail(NtStatus::LogonFailure);
    }
    auto* key = static_cast<std::uint8_t*>(set->elements[0].value);
    out.session_key.assign(key, key + set->elements[0].length);
    crypto::wipe({key, set->elements[0].length});
    gss_release_buffer_set(&minor, &set);

    Principal who;
    Buffer shown;
    if (GSS_ERROR(gss_display_name(&minor, client, shown.out(), nullptr))) {
      return fail(NtStatus::LogonFailure);
    }
    who.name = shown.text();
    if (const auto at = who.name.rfind('@'); at != who.name.npos)
      who.realm = who.name.substr(at + 1);
    attempt_.user = who.name.substr(0, who.name.rfind('@'));
    attempt_.domain = who.realm;
    if (auto pac = read_pac(client); !pac) {
      attempt_.reason =
          fmt::format("Kerberos: the ticket of {} {}", for_log(who.name), pac.error());
      log::warn("logon refused: {}", attempt_.reason);
      return fail(NtStatus::LogonFailure);
    } else {
      who.pac = *std::move(pac);
    }
    Buffer local;
    if (!GSS_ERROR(gss_localname(&minor, client, kerberos(), local.out()))) {
      who.local_name = local.text();
    }
    auto token = make_token_(who);
    if (!token) {
      attempt_.reason = "Kerberos: " + who.name + " has no account on this machine";
      return fail(token.error());
    }
    out.token = std::move(*token);
    if (lifetime != GSS_C_INDEFINITE) {
      out.expires_unix_seconds = static_cast<std::uint64_t>(std::time(nullptr)) + lifetime;
    }
    out.done = true;
    return out;
  }

  gss_cred_id_t keys_;
  const Keys::MakeToken& make_token_;
  gss_ctx_id_t context_ = GSS_C_NO_CONTEXT;
  bool over_ = false;
};

}  // namespace

struct Keys::State {
  gss_cred_id_t credential = GSS_C_NO_CREDENTIAL;
};

Keys::Keys(std::unique_ptr<State> state) : state_(std::move(state)) {}

Keys::~Keys() {
  OM_uint32 minor = 0;
  if (state_->credential != GSS_C_NO_CREDENTIAL) gss_release_cred(&minor, &state_->credential);
}

std::expected<std::shared_ptr<const Keys>, Message> Keys::open(
    const std::filesystem::path& keytab) {
  auto state = std::make_unique<State>();
  const std::string name = keytab.empty() ? std::string() : "FILE:" + keytab.string();
  gss_key_value_element_desc element{"keytab", name.c_str()};
  const gss_key_value_set_desc store{keytab.empty() ? 0U : 1U, &element};
  gss_OID_set_desc mechanisms{1, kerberos()};
  OM_uint32 minor = 0;
  const OM_uint32 major =
      gss_acquire_cred_from(&minor, GSS_C_NO_NAME, GSS_C_INDEFINITE, &mechanisms, GSS_C_ACCEPT,
                            &store, &state->credential, nullptr, nullptr);
  if (GSS_ERROR(major)) {
    return std::unexpected(
        fmt::format("keytab {}: expected a readable file with the server's keys: {}",
                    keytab.empty() ? "of the system" : keytab.string(), describe(major, minor)));
  }
  return std::shared_ptr<const Keys>(new Keys(std::move(state)));
}

std::unique_ptr<Mechanism> Keys::accept(const MakeToken& make_token) const {
  return std::make_unique<Acceptor>(state_->credential, make_token);
}

}  // namespace flotilla::auth::krb5
