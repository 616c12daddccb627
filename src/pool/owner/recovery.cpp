// Views come and go: what is dropped, what is told to new owners, and when they may decide.
// docs/pool.md, "Recovery".
#include <algorithm>
#include <utility>

#include "base/log.hpp"
#include "coherence/state.hpp"
#include "coherence/turn.hpp"
#include "pool/owner/machine.hpp"

namespace flotilla::pool {

void OwnerMachine::on(Lost&) { lose(); }

void OwnerMachine::lose() {
  for (auto& [request, command] : inflight_) {
    effect(command.key, DeliverReply{request, coherence::Outcome{NtStatus::DeviceNotReady, {}}});
  }
  for (const auto& [key, file] : holder_.files()) {
    for (const auto& [open, record] : file.opens) {
      const ConfirmId fenced{next_confirm_++};
      fencing_.insert(fenced);
      effect(key, DeliverRevoke{open, coherence::RevokeReason::ViewLost, fenced});
    }
    for (const OpenId open : file.detached) {
      effect(key, DeliverRevoke{open, coherence::RevokeReason::ViewLost, {}});
    }
  }
  out_->lost = true;
  inflight_.clear();
  holder_.clear();
  expected_.clear();
  barriers_.clear();
  table_ = coherence::FileTable(limits_);
  loopback_.clear();
  parked_.clear();
  asserted_.clear();
  assert_done_.clear();
  going_.clear();
  given_.clear();
  for (Walk* walk : {&sweeping_, &asserting_, &handing_over_, &refreshing_}) walk->active = false;
  serving_moved_ = false;
  ending_.clear();
  keepers_.clear();
  handed_.clear();
  copies_.clear();
  contention_.clear();
  claims_.clear();
  claims_by_use_.clear();
  log_.clear();
  recovered_ = false;
  frozen_ = false;
  recovered_epoch_ = Epoch{};
}

void OwnerMachine::on(ViewChange& input) {
  const View& view = input.view;
  const Member* me = view.find(self_);
  if (!view.quorate || me == nullptr) {
    const bool had = serving();
    if (had) lose();
    out_->lost = out_->lost || had;
    return;
  }
  if (serving() && me->id.incarnation != incarnation_) lose();
  if (serving() && view.epoch <= log_.epoch()) return;
  // What came ahead of views that this life was not in yet was for the former one.
  if (!serving()) {
    std::erase_if(future_, [&](const FromPeer& it) { return it.message.epoch < view.epoch; });
  }
  ++counters_.views;
  const std::vector<Member> before = serving() ? log_.members() : std::vector<Member>{};
  incarnation_ = me->id.incarnation;
  log_.install(view);
  table_.begin_epoch(view.epoch);
  frozen_ = false;
  recovered_ = false;
  serve_at_ = now_;
  assert_done_.clear();
  // What was still being asserted here was not whole: no copy is made of it.
  for (const FileKey& key : asserted_) {
    if (!log_.continuous(key)) table_.forget(key);
  }
  asserted_.clear();
  handed_.clear();
  serving_moved_ = false;
  // Of moved files their holders submit them again.
  std::erase_if(parked_, [&](const Parked& it) {
    return life_of(it.from.node) != it.from || !log_.continuous(it.command.key);
  });
  drop_claims_that_moved();
  std::erase_if(barriers_, [&](const auto& it) {
    if (claims_.contains(it.first)) return false;
    return log_.owner(it.first).id.node != self_ || !log_.continuous(it.first);
  });
  wait_for_no_lost_backups();
  for (Walk* walk : {&sweeping_, &asserting_, &handing_over_, &refreshing_}) walk->begin();
  count_the_lost(view, before);
  resubmit();
  std::deque<FromPeer> waited = std::exchange(future_, {});
  for (FromPeer& message : waited) on(message);
}

/// What this node decided about and another does now, or this one anew.
void OwnerMachine::forget_moved(const FileKey& key) {
  // A copy like others' from now on, until the new owner has it and says what to do with it.
  if (auto kept = table_.kept(key)) copies_.store(std::move(*kept));
  table_.forget(key);
}

void OwnerMachine::count_the_lost(const View& view, const std::vector<Member>& before) {
  std::vector<NodeId> ended;
  for (const Member& member : before) {
    const Member* now = view.find(member.id.node);
    if (now != nullptr && now->id == member.id) continue;
    const bool unclean =
        now != nullptr || std::find(view.unclean_left.begin(), view.unclean_left.end(),
                                    member.id.node) != view.unclean_left.end();
    if (unclean) {
      going_[member.id.node] = now_ + timing_.grant_margin;
    } else {
      ended.push_back(member.id.node);
    }
  }
  for (const NodeId node : ended) {
    going_.erase(node);
    gone(node);
  }
  // Where nobody remembers a former view, somebody outside may.
  const bool beginning =
      std::all_of(view.members.begin(), view.members.end(),
                  [](const Member& member) { return member.recovered_epoch == Epoch{}; });
  if (beginning || !view.unclean_left.empty()) serve_at_ = now_ + timing_.grant_margin;
  for (const auto& [node, at] : going_) {
    // A new life says itself when the former is fenced, and serving waits for its word anyhow.
    if (view.find(node) == nullptr) serve_at_ = std::max(serve_at_, at);
  }
}

void OwnerMachine::tell_assert_done() {
  if (!fencing_.empty() || sweeping_.active || asserting_.active || handing_over_.active) return;
  for (const Member& member : log_.members()) send(member.id.node, AssertDoneMessage{});
}

void OwnerMachine::unpark() {
  std::deque<Parked> waited = std::exchange(parked_, {});
  for (Parked& it : waited) {
    if (life_of(it.from.node) == it.from) decide(it.from.node, it.command);
  }
}

void OwnerMachine::resubmit() {
  std::vector<RequestId> moved;
  for (const auto& [request, command] : inflight_) {
    if (!log_.continuous(command.key)) moved.push_back(request);
  }
  for (const RequestId request : moved) {
    const auto at = inflight_.find(request);
    Inflight& command = at->second;
    if (command.settled || command.cancelled) {
      coherence::Outcome outcome =
          command.settled.value_or(coherence::Outcome{NtStatus::Cancelled, {}});
      holder_.end_without_owner(command, outcome);
      effect(command.key, DeliverReply{request, std::move(outcome)});
      inflight_.erase(at);
      continue;
    }
    ++counters_.commands_resubmitted;
    send(log_.owner(command.key).id.node, CommandMessage{command.key, request, command.body});
  }
}

void OwnerMachine::recover_when_complete() {
  if (!serving() || recovered_ || serving_moved_ || frozen_ || now_ < serve_at_) return;
  if (sweeping_.active) return;
  for (const Member& member : log_.members()) {
    if (!assert_done_.contains(member.id.node)) return;
  }
  serving_moved_ = true;
  if (asserted_.empty()) recovered_now();
}

void OwnerMachine::recovered_now() {
  serving_moved_ = false;
  recovered_ = true;
  recovered_epoch_ = log_.epoch();
  unpark();
}

}  // namespace flotilla::pool
