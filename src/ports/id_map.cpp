#include "ports/id_map.hpp"

#include "crypto/hash.hpp"

namespace flotilla::ports {

namespace {

constexpr std::uint32_t kAlgorithmicIdMax = 0x1FFFF000U;  // RIDs stay below the named ones
constexpr std::uint32_t kAlgorithmicRidBase = 1000;
constexpr std::uint32_t kNamedRidBase = 0x40000000U;

/// The id behind an algorithmic RID of the given parity.
std::optional<std::uint32_t> id_of_rid(std::uint32_t rid, std::uint32_t parity) {
  if (rid < kAlgorithmicRidBase + parity || rid >= kNamedRidBase) return std::nullopt;
  const std::uint32_t past = rid - kAlgorithmicRidBase - parity;
  if (past % 2 != 0) return std::nullopt;
  return past / 2;
}

/// S-1-22-`kind`-id; and S-1-5-88-`kind`-id, as Linux clients that are mounted with "idsfromsid"
/// and Windows' NFS server write it.
std::optional<std::uint32_t> unix_id_of(const wire::Sid& sid, std::uint32_t kind) {
  const auto subs = sid.sub_authorities();
  if (sid.identifier_authority() == 5 && subs.size() == 3 && subs[0] == 88 && subs[1] == kind) {
    return subs[2];
  }
  if (sid.identifier_authority() != 22 || subs.size() != 2 || subs[0] != kind) return std::nullopt;
  return subs[1];
}

}  // namespace

IdMap IdMap::of_server_name(std::string_view server_name) noexcept {
  Bytes text(server_name.begin(), server_name.end());
  for (std::uint8_t& c : text) {
    if (c >= 'a' && c <= 'z') c = static_cast<std::uint8_t>(c - 0x20);
  }
  const auto hash = crypto::sha256(text);
  return IdMap({load_le<std::uint32_t>(hash.data()), load_le<std::uint32_t>(hash.data() + 4),
                load_le<std::uint32_t>(hash.data() + 8)});
}

bool IdMap::is_domain(const wire::Sid& sid) noexcept {
  const auto subs = sid.sub_authorities();
  return sid.identifier_authority() == 5 && subs.size() == 4 && subs[0] == 21;
}

IdMap IdMap::of_domain(const wire::Sid& domain) noexcept {
  const auto subs = domain.sub_authorities();
  IdMap out = subs.size() == 4 ? IdMap({subs[1], subs[2], subs[3]}) : IdMap({0, 0, 0});
  out.unix_groups_ = true;
  return out;
}

wire::Sid IdMap::machine_sid() const {
  return wire::Sid{5, {21, machine_[0], machine_[1], machine_[2]}};
}

IdMap IdMap::with_domains(std::vector<DomainIds> domains) const {
  IdMap out = *this;
  if (!domains.empty()) {
    out.domains_ = std::make_shared<const std::vector<DomainIds>>(std::move(domains));
  }
  return out;
}

IdMap IdMap::with_directory(std::shared_ptr<const IdDirectory> directory) const {
  IdMap out = *this;
  out.directory_ = std::move(directory);
  return out;
}

IdMap IdMap::with_rids(std::shared_ptr<const RidTable> rids) const {
  IdMap out = *this;
  out.rids_ = std::move(rids);
  return out;
}

/// The SID that somebody gave it.
std::optional<wire::Sid> IdMap::given_sid_of(std::uint32_t id, bool is_user) const {
  const auto rid = rids_ ? rids_->rid_of(id, is_user) : std::nullopt;
  return rid ? machine_sid().with_rid(*rid) : domain_sid_of(id);
}

/// The algorithmic one, where there is one and nobody else was given it.
std::optional<wire::Sid> IdMap::own_sid_of(std::uint32_t id, bool is_user) const {
  if (id > kAlgorithmicIdMax || (!is_user && unix_groups_)) return std::nullopt;
  const std::uint32_t rid = kAlgorithmicRidBase + (is_user ? 0 : 1) + 2 * id;
  if (rids_ && rids_->account_of(rid)) return std::nullopt;
  return machine_sid().with_rid(rid);
}

std::optional<std::uint32_t> IdMap::own_id_of(std::uint32_t rid, bool is_user) const {
  if (rids_) {
    if (const auto account = rids_->account_of(rid)) {
      return account->is_user == is_user ? account->id : std::nullopt;
    }
  }
  const auto id = id_of_rid(rid, is_user ? 0 : 1);
  // Who was given another RID has no second one.
  if (id && rids_ && rids_->rid_of(*id, is_user)) return std::nullopt;
  return id;
}

std::optional<wire::Sid> IdMap::domain_sid_of(std::uint32_t id) const {
  if (!domains_) return std::nullopt;
  for (const DomainIds& domain : *domains_) {
    if (id >= domain.first_id && id - domain.first_id < domain.count) {
      return domain.domain.with_rid(id - domain.first_id);
    }
  }
  return std::nullopt;
}

std::optional<std::uint32_t> IdMap::domain_id_of(const wire::Sid& sid) const {
  if (!domains_) return std::nullopt;
  for (const DomainIds& domain : *domains_) {
    if (sid.is_in(domain.domain) && sid.rid() < domain.count) return domain.first_id + sid.rid();
  }
  return std::nullopt;
}

wire::Sid IdMap::user_sid(std::uint32_t uid) const {
  if (const auto sid = given_sid_of(uid, true)) return *sid;
  if (directory_) {
    if (const auto sid = directory_->sid_of(uid, true)) return *sid;
  }
  return own_sid_of(uid, true).value_or(wire::well_known::unix_user(uid));
}

wire::Sid IdMap::group_sid(std::uint32_t gid) const {
  if (const auto sid = given_sid_of(gid, false)) return *sid;
  if (directory_) {
    if (const auto sid = directory_->sid_of(gid, false)) return *sid;
  }
  return own_sid_of(gid, false).value_or(wire::well_known::unix_group(gid));
}

std::optional<std::uint32_t> IdMap::uid_of(const wire::Sid& sid) const {
  if (sid.is_in(machine_sid())) return own_id_of(sid.rid(), true);
  if (const auto id = domain_id_of(sid)) return id;
  if (const auto id = unix_id_of(sid, 1)) return id;
  return directory_ ? directory_->id_of(sid, true) : std::nullopt;
}

std::optional<std::uint32_t> IdMap::gid_of(const wire::Sid& sid) const {
  if (sid.is_in(machine_sid())) return own_id_of(sid.rid(), false);
  if (const auto id = domain_id_of(sid)) return id;
  if (const auto id = unix_id_of(sid, 2)) return id;
  return directory_ ? directory_->id_of(sid, false) : std::nullopt;
}

wire::Sid IdMap::named_user_sid(std::string_view folded_name) const {
  const auto hash = crypto::sha256(as_bytes(folded_name));
  const std::uint32_t rid = kNamedRidBase | (load_le<std::uint32_t>(hash.data()) & 0x3FFFFFFFU);
  return wire::Sid{5, {21, machine_[0], machine_[1], machine_[2], rid}};
}

}  // namespace flotilla::ports
