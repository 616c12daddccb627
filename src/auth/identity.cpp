#include "auth/identity.hpp"

#include <fmt/core.h>

#include "auth/accounts.hpp"
#include "auth/krb5/acceptor.hpp"
#include "auth/ntlm/acceptor.hpp"
#include "auth/spnego/acceptor.hpp"
#include "auth/spnego/tokens.hpp"
#include "auth/text.hpp"
#include "auth/tokens.hpp"
#include "auth/user_store.hpp"
#include "base/ascii.hpp"
#include "base/log.hpp"

namespace flotilla::auth {

namespace {

std::u16string utf16_or_empty(std::string_view text) {
  return wire::utf16_of(text).value_or(std::u16string{});
}

class LocalIdentity final : public ports::Identity {
 public:
  LocalIdentity(const IdentityConfig& config, const ports::Clock& clock, ports::Entropy& entropy)
      : users_(config.user_file, config.users),
        tokens_(config.ids.value_or(ports::IdMap::of_server_name(config.server_name))
                    .with_rids(users_.rids()),
                config.server_name),
        winbind_(config.winbind ? Winbind::open() : nullptr),
        accounts_(users_, tokens_, winbind_.get()) {
    tokens_.set_groups([this] { return users_.groups(); });
    if (winbind_) {
      directory_ = std::make_shared<const WinbindIds>(winbind_);
      winbind_ids_ = [this](const wire::Sid& sid, bool is_user) {
        return is_user ? winbind_->uid_of(sid) : winbind_->gid_of(sid);
      };
    }
    around_.server_name = utf16_or_empty(config.server_name);
    around_.dns_domain = utf16_or_empty(config.dns_domain);
    around_.dns_name = utf16_or_empty(config.dns_name.empty() ? ascii::lower(config.server_name)
                                                              : config.dns_name);
    around_.now = [&clock] { return clock.wall(); };
    around_.random = [&entropy](MutableBytes out) { entropy.fill(out); };
    around_.find_user = [this](std::string_view name) { return users_.find(name); };
    around_.token_of_user = [this](const User& user) -> Result<ports::TokenPtr> {
      return tokens_.of_user(user);
    };
    if (config.guest_account) {
      around_.token_of_guest = [this, account = *config.guest_account](
                                   std::string_view name) -> Result<ports::TokenPtr> {
        log::info("user {} is not known here and becomes a guest", for_log(name));
        return tokens_.of_guest(account);
      };
    }
    if (config.allow_anonymous) {
      around_.token_of_anonymous = [this]() -> Result<ports::TokenPtr> {
        return tokens_.of_anonymous();
      };
    }
    mechanisms_.ntlm = [this] { return std::make_unique<ntlm::Acceptor>(around_); };
  }

  [[nodiscard]] std::expected<void, Message> start(const IdentityConfig& config) {
    if (auto loaded = users_.load(); !loaded) return loaded;
    if (!config.kerberos) return {};
    auto keys = krb5::Keys::open(config.keytab);
    if (!keys) {
      // A keytab that was named is meant; the system's may well be missing.
      const auto level = config.keytab.empty() ? log::Level::Debug : log::Level::Warn;
      log::line(level, "Kerberos is not offered: {}", keys.error());
      return {};
    }
    keys_ = std::move(*keys);
    principal_token_ = [this](const krb5::Principal& who) { return token_of_principal(who); };
    mechanisms_.kerberos = [this] { return keys_->accept(principal_token_); };
    return {};
  }

  [[nodiscard]] Bytes negotiate_token() override {
    std::vector<ByteView> offered;
    if (mechanisms_.kerberos) {
      offered.emplace_back(spnego::oid::kMsKerberos);
      offered.emplace_back(spnego::oid::kKerberos);
    }
    offered.emplace_back(spnego::oid::kNtlm);
    return spnego::encode_init2(offered);
  }

  [[nodiscard]] std::unique_ptr<ports::AuthExchange> begin() override {
    return std::make_unique<spnego::Acceptor>(mechanisms_);
  }

  [[nodiscard]] ports::Accounts* accounts() noexcept override { return &accounts_; }
  [[nodiscard]] std::shared_ptr<const ports::IdDirectory> directory() const override {
    return directory_;
  }
  [[nodiscard]] std::shared_ptr<const ports::RidTable> rids() const override {
    return users_.rids();
  }

 private:
  Result<ports::TokenPtr> token_of_principal(const krb5::Principal& who) {
    if (who.pac) {
      if ((who.pac->user_account_control & kPacDisabled) != 0) {
        return fail(NtStatus::AccountDisabled);
      }
      if (auto token = tokens_.of_domain_user(*who.pac, who.local_name, winbind_ids_)) {
        return token;
      }
    }
    // A name of a foreign realm never means a local user: only auth_to_local may say so.
    for (const std::string& name : {who.local_name, who.name}) {
      if (name.empty()) continue;
      if (auto token = tokens_.of_account(name, who.realm)) return token;
    }
    if (!who.local_name.empty()) {
      if (const auto user = users_.find(who.local_name)) {
        if (user->disabled) return fail(NtStatus::AccountDisabled);
        ports::TokenPtr token = tokens_.of_user(*user);
        return who.pac ? tokens_.with_sids(*token, *who.pac) : token;
      }
    }
    log::info("logon refused: Kerberos principal {} has no account on this machine{}{}",
              for_log(who.name),
              who.local_name.empty() ? " (no auth_to_local rule of krb5.conf fits)" : "",
              who.pac ? ", and no [[domain]] has ids for " + who.pac->user_sid.to_string() : "");
    return fail(NtStatus::LogonFailure);
  }

  static constexpr std::uint32_t kPacDisabled = 0x00000001;  // [MS-SAMR] 2.2.1.12

  UserStore users_;
  TokenMaker tokens_;
  std::shared_ptr<const Winbind> winbind_;
  std::shared_ptr<const WinbindIds> directory_;
  TokenMaker::IdsOfSids winbind_ids_;
  LocalAccounts accounts_;
  ntlm::Surroundings around_;
  std::shared_ptr<const krb5::Keys> keys_;
  krb5::Keys::MakeToken principal_token_;
  spnego::Mechanisms mechanisms_;
};

}  // namespace

std::expected<std::unique_ptr<ports::Identity>, Message> make_identity(IdentityConfig config,
                                                                       const ports::Clock& clock,
                                                                       ports::Entropy& entropy) {
  auto identity = std::make_unique<LocalIdentity>(config, clock, entropy);
  if (auto started = identity->start(config); !started) {
    return std::unexpected(started.error());
  }
  return identity;
}

std::expected<std::string, Message> check_keytab(const std::filesystem::path& keytab) {
  auto keys = krb5::Keys::open(keytab);
  if (!keys) return std::unexpected(keys.error());
  return keytab.empty() ? std::string("the system's keytab") : keytab.string();
}

}  // namespace flotilla::auth
