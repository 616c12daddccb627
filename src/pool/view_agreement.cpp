#include "pool/view_agreement.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"

namespace flotilla::pool {

namespace {

constexpr std::uint16_t kHelloVersion = 2;
constexpr std::size_t kMembersMax = 1024;
constexpr std::size_t kTextBytesMax = 256;
constexpr std::size_t kHistoryMax = 64;

void put_text(ByteWriter& to, const std::string& text) {
  const std::size_t size_bytes = std::min(text.size(), kTextBytesMax);
  to.u16(static_cast<std::uint16_t>(size_bytes));
  to.bytes(as_bytes(text).first(size_bytes));
}

std::string take_text(ByteReader& in) {
  const std::uint16_t size_bytes = in.u16();
  if (size_bytes > kTextBytesMax) in.fail();
  return std::string(as_text(in.view(in.ok() ? size_bytes : 0)));
}

std::uint64_t digest_of(const View& view) {
  std::uint64_t digest = mix64(view.epoch.raw() + 1);
  for (const Member& member : view.members) {
    digest = mix64(digest ^ mix64(member.id.node.raw() + 1)) ^ member.id.incarnation;
  }
  digest = mix64(digest);
  return digest == 0 ? 1 : digest;
}

bool comes_from(const Hello& hello, const Hello& other) {
  return hello.last_quorate && hello.last_view == other.last_view;
}

/// One of those who come from the latest quorate view; nobody where they are no quorum by
/// themselves: another view may have followed without them, whose members have forgotten it since.
const Hello* first_of_latest(const std::vector<Hello>& hellos, std::uint64_t quorum) {
  const Hello* best = nullptr;
  for (const Hello& hello : hellos) {
    if (!hello.last_quorate || hello.last_view == 0) continue;
    if (best == nullptr || hello.last_epoch > best->last_epoch) best = &hello;
  }
  if (best == nullptr) return nullptr;
  std::uint64_t votes = 0;
  for (const Hello& hello : hellos) votes += comes_from(hello, *best) ? hello.votes : 0;
  return votes >= quorum ? best : nullptr;
}

void merge_history(View& view, const std::vector<const Hello*>& lineage) {
  Epoch needed = view.epoch;
  for (const Member& member : view.members) {
    if (member.recovered_epoch != Epoch{}) needed = std::min(needed, member.recovered_epoch);
  }
  std::map<Epoch, const PastView*> known;
  for (const Hello* hello : lineage) {
    for (const PastView& past : hello->history) {
      if (past.epoch >= needed && past.epoch < view.epoch) known.emplace(past.epoch, &past);
    }
  }
  for (const auto& [epoch, past] : known) view.history.push_back(*past);
}

}  // namespace

void encode(const Hello& hello, Bytes& out) {
  ByteWriter to(out);
  to.u16(kHelloVersion);
  to.u32(hello.node.raw());
  to.u32(hello.process);
  to.u16(static_cast<std::uint16_t>(hello.members.size()));
  for (const NodeId node : hello.members) to.u32(node.raw());
  to.u64(hello.incarnation);
  to.u64(hello.fresh_incarnation);
  to.u64(hello.last_view);
  to.u64(hello.last_epoch.raw());
  to.u8(hello.last_quorate ? 1 : 0);
  to.u64(hello.recovered_epoch.raw());
  to.u64(hello.epoch_floor.raw());
  to.u32(hello.votes);
  to.u32(hello.quorum);
  put_text(to, hello.facts.name);
  put_text(to, hello.facts.peer);
  put_text(to, hello.facts.front);
  put_text(to, hello.facts.ids);
  to.u16(static_cast<std::uint16_t>(hello.unclean.size()));
  for (const NodeId node : hello.unclean) to.u32(node.raw());
  to.u16(static_cast<std::uint16_t>(hello.history.size()));
  for (const PastView& past : hello.history) {
    to.u64(past.epoch.raw());
    to.u16(static_cast<std::uint16_t>(past.members.size()));
    for (const Member& member : past.members) {
      to.u32(member.id.node.raw());
      to.u64(member.id.incarnation);
      to.u64(member.recovered_epoch.raw());
    }
  }
}

std::optional<Hello> decode_hello(ByteReader& in) {
  Hello hello;
  if (in.u16() != kHelloVersion) return std::nullopt;
  hello.node = NodeId{in.u32()};
  hello.process = in.u32();
  const std::uint16_t member_count = in.u16();
  if (member_count > kMembersMax) return std::nullopt;
  for (std::uint16_t i = 0; in.ok() && i < member_count; ++i) hello.members.emplace_back(in.u32());
  hello.incarnation = in.u64();
  hello.fresh_incarnation = in.u64();
  hello.last_view = in.u64();
  hello.last_epoch = Epoch{in.u64()};
  const std::uint8_t quorate = in.u8();
  hello.last_quorate = quorate == 1;
  hello.recovered_epoch = Epoch{in.u64()};
  hello.epoch_floor = Epoch{in.u64()};
  hello.votes = in.u32();
  hello.quorum = in.u32();
  hello.facts.name = take_text(in);
  hello.facts.peer = take_text(in);
  hello.facts.front = take_text(in);
  hello.facts.ids = take_text(in);
  const std::uint16_t unclean_count = in.u16();
  if (unclean_count > kMembersMax) return std::nullopt;
  for (std::uint16_t i = 0; in.ok() && i < unclean_count; ++i) hello.unclean.emplace_back(in.u32());
  const std::uint16_t history_count = in.u16();
  if (history_count > kHistoryMax || quorate > 1) return std::nullopt;
  for (std::uint16_t i = 0; in.ok() && i < history_count; ++i) {
    PastView past;
    past.epoch = Epoch{in.u64()};
    const std::uint16_t count = in.u16();
    if (count > kMembersMax) return std::nullopt;
    for (std::uint16_t at = 0; in.ok() && at < count; ++at) {
      Member member;
      member.id.node = NodeId{in.u32()};
      member.id.incarnation = in.u64();
      member.recovered_epoch = Epoch{in.u64()};
      past.members.push_back(std::move(member));
    }
    if (past.members.empty()) return std::nullopt;
    hello.history.push_back(std::move(past));
  }
  if (!in.ok()) return std::nullopt;
  return hello;
}

View agree(const std::vector<Hello>& hellos) {
  FLOTILLA_CHECK(!hellos.empty());
  View view;
  std::vector<const Hello*> lineage;
  std::uint64_t votes = 0;
  std::uint64_t quorum = 1;
  for (const Hello& hello : hellos) quorum = std::max<std::uint64_t>(quorum, hello.quorum);
  const Hello* latest = first_of_latest(hellos, quorum);
  Epoch epoch;
  for (const Hello& hello : hellos) {
    const bool keeps = latest != nullptr && comes_from(hello, *latest);
    if (keeps) lineage.push_back(&hello);
    Member member;
    member.id = {hello.node, keeps ? hello.incarnation : hello.fresh_incarnation};
    member.recovered_epoch = keeps ? hello.recovered_epoch : Epoch{};
    member.facts = hello.facts;
    view.members.push_back(std::move(member));
    votes += hello.votes;
    epoch = std::max(epoch, hello.last_epoch);
    if (latest == nullptr) epoch = std::max(epoch, hello.epoch_floor);
  }
  std::sort(view.members.begin(), view.members.end(),
            [](const Member& a, const Member& b) { return a.id < b.id; });
  view.epoch = Epoch{epoch.raw() + 1};
  view.quorate = votes >= quorum;
  merge_history(view, lineage);
  for (const Hello& hello : hellos) {
    for (const NodeId node : hello.unclean) {
      if (view.find(node) == nullptr) view.unclean_left.push_back(node);
    }
  }
  std::sort(view.unclean_left.begin(), view.unclean_left.end());
  view.unclean_left.erase(std::unique(view.unclean_left.begin(), view.unclean_left.end()),
                          view.unclean_left.end());
  return view;
}

Hello ViewAgreement::hello(std::vector<NodeId> members, Epoch recovered,
                           std::uint64_t fresh) const {
  Hello hello;
  hello.node = self_;
  hello.members = std::move(members);
  hello.incarnation = incarnation_;
  hello.fresh_incarnation = fresh;
  hello.last_view = last_view_;
  hello.last_epoch = last_epoch_;
  hello.last_quorate = last_quorate_;
  hello.recovered_epoch = recovered;
  hello.facts = facts_;
  hello.history = history_;
  return hello;
}

void ViewAgreement::installed(const View& view) {
  last_view_ = digest_of(view);
  last_epoch_ = view.epoch;
  last_quorate_ = view.quorate;
  const Member* me = view.find(self_);
  const bool fresh = me == nullptr || me->id.incarnation != incarnation_;
  if (me != nullptr) incarnation_ = me->id.incarnation;
  if (!view.quorate) {
    history_.clear();
    return;
  }
  if (fresh) history_.clear();
  Epoch needed = view.epoch;
  for (const Member& member : view.members) {
    if (member.recovered_epoch != Epoch{}) needed = std::min(needed, member.recovered_epoch);
  }
  // Older than anybody's last recovery is of no use; the view's own history is complete from there.
  history_ = view.history;
  std::erase_if(history_, [&](const PastView& past) { return past.epoch < needed; });
  PastView now{view.epoch, view.members};
  for (Member& member : now.members) member.facts = {};
  history_.push_back(std::move(now));
  if (history_.size() > kHistoryMax) {
    history_.erase(history_.begin(),
                   history_.begin() + static_cast<std::ptrdiff_t>(history_.size() - kHistoryMax));
  }
}

}  // namespace flotilla::pool
