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

std::optional<std::uint32_t> unix_id_of(const wire::Sid& sid, std::uint32_t kind) {
  const auto subs = sid.sub_authorities();
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
  if (const auto sid = domain_sid_of(uid)) return *sid;
  if (directory_) {
    if (const auto sid = directory_->sid_of(uid, true)) return *sid;
  }
  if (uid > kAlgorithmicIdMax) return wire::well_known::unix_user(uid);
  return wire::Sid{5, {21, machine_[0], machine_[1], machine_[2], kAlgorithmicRidBase + 2 * uid}};
}

wire::Sid IdMap::group_sid(std::uint32_t gid) const {
  if (const auto sid = domain_sid_of(gid)) return *sid;
  if (directory_) {
    if (const auto sid = directory_->sid_of(gid, false)) return *sid;
  }
  if (gid > kAlgorithmicIdMax) return wire::well_known::unix_group(gid);
  return wire::Sid{5,
                   {21, machine_[0], machine_[1], machine_[2], kAlgorithmicRidBase + 1 + 2 * gid}};
}

std::optional<std::uint32_t> IdMap::uid_of(const wire::Sid& sid) const {
  if (sid.is_in(machine_sid())) return id_of_rid(sid.rid(), 0);
  if (const auto id = domain_id_of(sid)) return id;
  if (const auto id = unix_id_of(sid, 1)) return id;
  return directory_ ? directory_->id_of(sid, true) : std::nullopt;
}

std::optional<std::uint32_t> IdMap::gid_of(const wire::Sid& sid) const {
  if (sid.is_in(machine_sid())) return id_of_rid(sid.rid(), 1);
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
