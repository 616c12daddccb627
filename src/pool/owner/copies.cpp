// Copies: an owner gives them to its backups before anybody hears of what they hold, and gets them
// back from whoever has one when it becomes the owner.
#include "pool/owner/copies.hpp"

#include <algorithm>
#include <utility>

#include "coherence/codec.hpp"
#include "coherence/state.hpp"
#include "pool/owner/machine.hpp"

namespace flotilla::pool {

namespace {
std::vector<coherence::KeptName> names_of(const coherence::KeptFile& file) {
  std::vector<coherence::KeptName> names;
  names.reserve(file.opens.size());
  for (const coherence::KeptOpen& open : file.opens) {
    names.push_back({open.open.open, open.open.client, open.open.durability.create_guid,
                     open.open.durability.app_instance});
  }
  return names;
}
}  // namespace

void encode(const FoundHere& found, Bytes& out) {
  ByteWriter to(out);
  for (const auto* list : {&found.decided, &found.copies}) {
    to.u32(static_cast<std::uint32_t>(list->size()));
    for (const coherence::KeptFound& it : *list) coherence::encode(it, out);
  }
}

std::optional<FoundHere> decode_found_here(ByteReader& in) {
  FoundHere found;
  for (auto* list : {&found.decided, &found.copies}) {
    const std::uint32_t count = in.u32();
    for (std::uint32_t i = 0; i < count; ++i) {
      auto it = coherence::decode_kept_found(in);
      if (!it) return std::nullopt;
      list->push_back(std::move(*it));
    }
  }
  if (!in.ok() || in.remaining() != 0) return std::nullopt;
  return found;
}

std::vector<coherence::KeptFound> united(std::vector<FoundHere> all) {
  std::map<OpenId, coherence::KeptFound> by_open;
  const auto take = [&](std::vector<coherence::KeptFound>& list) {
    for (coherence::KeptFound& it : list) {
      const OpenId open = it.what.open.open;
      by_open.try_emplace(open, std::move(it));
    }
  };
  for (FoundHere& found : all) take(found.decided);
  for (FoundHere& found : all) take(found.copies);
  std::vector<coherence::KeptFound> list;
  list.reserve(by_open.size());
  for (auto& [open, it] : by_open) list.push_back(std::move(it));
  return list;
}

void Copies::store(coherence::KeptFile file) {
  if (file.opens.empty()) return drop(file.key);
  const auto at = files_.find(file.key);
  const auto before =
      at == files_.end() ? std::vector<coherence::KeptName>{} : names_of(at->second);
  index_.update(file.key, before, names_of(file));
  const FileKey key = file.key;
  files_.insert_or_assign(key, std::move(file));
}

void Copies::drop(const FileKey& key) {
  const auto at = files_.find(key);
  if (at == files_.end()) return;
  index_.update(key, names_of(at->second), {});
  files_.erase(at);
}

void Copies::clear() {
  files_.clear();
  index_ = {};
}

std::vector<coherence::KeptFound> Copies::find(const coherence::KeptQuery& query) const {
  std::vector<coherence::KeptFound> found;
  for (const auto& [id, key] : index_.find(query)) {
    for (const coherence::KeptOpen& open : files_.at(key).opens) {
      if (open.open.open == id) found.push_back({key, open});
    }
  }
  return found;
}

// ---- the owner's side

std::vector<MemberId> OwnerMachine::backups_of(const FileKey& key) const {
  std::vector<MemberId> backups;
  for (const Member* member : ranked(log_.members(), key)) {
    if (backups.size() == tolerate_) break;
    if (member->id.node != self_) backups.push_back(member->id);
  }
  return backups;
}

/// Everybody who has a copy gets this one, or is told to drop his; the barrier waits for all.
void OwnerMachine::give_copies(coherence::KeptFile file) {
  const FileKey key = file.key;
  std::vector<MemberId> wanted;
  if (!file.opens.empty()) wanted = backups_of(key);
  std::set<MemberId>& keepers = keepers_[key];
  const coherence::KeptFile nothing{key, file.version, {}, false, {}};
  const auto tell = [&](const MemberId& member, const coherence::KeptFile& what) {
    if (life_of(member.node) != member) return;
    const std::uint64_t token = next_token_++;
    barriers_[key].tokens.emplace(token, Token{member.node, member});
    send(member.node, KeepMessage{token, what});
  };
  for (const MemberId& member : wanted) tell(member, file);
  for (const MemberId& member : keepers) {
    if (std::find(wanted.begin(), wanted.end(), member) == wanted.end()) tell(member, nothing);
  }
  keepers = {wanted.begin(), wanted.end()};
  if (file.opens.empty()) keepers_.erase(key);
}

void OwnerMachine::receive_body(NodeId from, HandOverMessage& message) {
  const FileKey key = message.file.key;
  if (settled(key)) return;
  if (asserted_.insert(key).second) forget_moved(key);
  HandedOver& handed = handed_[key];
  handed.from.insert(life_of(from));
  if (handed.file.version < message.file.version) handed.file = std::move(message.file);
}

/// Before this owner begins to decide: what nobody holds for a client now waits for one again.
void OwnerMachine::restore_handed(const FileKey& key) {
  const auto at = handed_.find(key);
  if (at == handed_.end()) return;
  HandedOver handed = std::move(at->second);
  handed_.erase(at);
  std::set<MemberId>& keepers = keepers_[key];
  keepers.clear();
  for (const MemberId& member : handed.from) {
    if (member.node != self_) keepers.insert(member);
  }
  copies_.drop(key);
  drop_unheard(key, handed.file);
  apply(self_, key, RequestId{}, coherence::Restore{std::move(handed.file)});
}

/// An open whose holder has lived on since the copy was made, and does not assert it, was never
/// answered there: its Open is asked again, or given up. Only one that was reclaimed by this holder
/// waits for the Reclaim, which is asked again too.
void OwnerMachine::drop_unheard(const FileKey& key, coherence::KeptFile& copy) const {
  const Epoch made{copy.version >> coherence::kVersionsOfEpochBits};
  const coherence::FileState* file = table_.inspect(key);
  std::erase_if(copy.opens, [&](const coherence::KeptOpen& it) {
    const OpenId open = it.open.open;
    if (it.holder == NodeId{} || !log_.stayed(it.holder, made)) return false;
    if (file != nullptr && file->opens.contains(open)) return false;
    return std::ranges::none_of(parked_, [&](const Parked& parked) {
      const auto* reclaim = std::get_if<coherence::Reclaim>(&parked.command.body);
      return reclaim != nullptr && reclaim->open == open && parked.command.key == key;
    });
  });
}

/// After a view change, of a file that goes on with this owner: backups that are new get a copy.
void OwnerMachine::refresh_copies(const FileKey& key) {
  const auto at = keepers_.find(key);
  if (at == keepers_.end()) return;
  std::erase_if(at->second, [&](const MemberId& it) { return life_of(it.node) != it; });
  const std::vector<MemberId> wanted = backups_of(key);
  if (at->second == std::set<MemberId>(wanted.begin(), wanted.end())) return;
  if (auto file = table_.kept(key)) give_copies(std::move(*file));
}

/// Answers that wait for a backup which has left the view wait for its successor instead.
void OwnerMachine::wait_for_no_lost_backups() {
  std::vector<FileKey> waiting;
  const auto lost = [&](const auto& it) {
    return it.second.keeper != MemberId{} && life_of(it.second.node) != it.second.keeper;
  };
  for (const auto& [key, barrier] : barriers_) {
    if (std::ranges::any_of(barrier.tokens, lost)) waiting.push_back(key);
  }
  std::sort(waiting.begin(), waiting.end());
  for (const FileKey& key : waiting) {
    refresh_copies(key);
    std::erase_if(barriers_.at(key).tokens, lost);
    release(key);
  }
}

// ---- the keeper's side

void OwnerMachine::receive_body(NodeId from, KeepMessage& message) {
  const FileKey key = message.file.key;
  copies_.store(std::move(message.file));
  send(from, ConfirmMessage{key, message.token});
}

FoundHere OwnerMachine::find_kept(const coherence::KeptQuery& query) const {
  return {table_.find(query), copies_.find(query)};
}

}  // namespace flotilla::pool
