// FLOTILLA_TRACE=<inode> prints what happens to one file, for a seed that went wrong.
#include <fmt/core.h>

#include <cstdlib>

#include "pool/testing/sim_pool.hpp"

namespace flotilla::pool::testing {

namespace {

std::uint64_t traced() {
  static const char* const wanted = std::getenv("FLOTILLA_TRACE");
  return wanted == nullptr ? 0 : std::strtoull(wanted, nullptr, 10);
}

std::string show(const coherence::Restrictions& what) {
  std::string text = fmt::format("v{} locks[", what.version);
  for (const auto& it : what.locks) {
    text += fmt::format(" {:x}:{}+{}{}", it.open.raw(), it.range.offset, it.range.length_bytes,
                        it.range.exclusive ? "X" : "S");
  }
  return text + fmt::format(" ] cachers {}", what.cachers.size());
}

std::string show(const coherence::Body& body) {
  const char* const names[] = {
      "Open",        "Close",   "Unlinked",   "Lock",    "Cancel",       "Ack",       "SetDelete",
      "BeginRename", "Renamed", "Modify",     "Known",   "Assert",       "Tick",      "NodeGone",
      "Detach",      "Reclaim", "UpdateKept", "Restore", "ChildChanged", "ProbeNames"};
  std::string text = names[body.index()];
  if (const auto* it = std::get_if<coherence::Open>(&body)) {
    text += fmt::format(" {:x} access {:x} share {} cache {}/{}", it->open.raw(), it->access,
                        it->share, static_cast<int>(it->cache.kind), it->cache.rights);
  } else if (const auto* close = std::get_if<coherence::Close>(&body)) {
    text += fmt::format(" {:x}", close->open.raw());
  } else if (const auto* lock = std::get_if<coherence::Lock>(&body)) {
    text += fmt::format(" {:x} {}+{}{} {}", lock->open.raw(), lock->ranges[0].offset,
                        lock->ranges[0].length_bytes, lock->ranges[0].exclusive ? "X" : "S",
                        lock->unlock ? "unlock" : "lock");
  } else if (const auto* known = std::get_if<coherence::RestrictionsKnown>(&body)) {
    text += fmt::format(" v{}", known->version);
  }
  return text;
}

struct Show {
  std::string operator()(const CommandMessage& m) const {
    return fmt::format("command {} {}", m.request.raw(), show(m.body));
  }
  std::string operator()(const ReplyMessage& m) const {
    return fmt::format("reply {} status {:x}", m.request.raw(),
                       static_cast<std::uint32_t>(m.outcome.status));
  }
  std::string operator()(const PendingMessage& m) const {
    return fmt::format("pending {}", m.request.raw());
  }
  std::string operator()(const BreakMessage& m) const {
    return fmt::format("break {:x} {}->{} token {}", m.what.open.raw(), m.what.from, m.what.to,
                       m.token);
  }
  std::string operator()(const RevokeMessage& m) const {
    return fmt::format("revoke {:x}", m.open.raw());
  }
  std::string operator()(const RestrictMessage& m) const { return "restrict " + show(m.what); }
  std::string operator()(const FactMessage& m) const { return fmt::format("fact {}", m.token); }
  std::string operator()(const ConfirmMessage& m) const {
    return fmt::format("confirm {}", m.token);
  }
  std::string operator()(const AssertMessage& m) const {
    return fmt::format("assert {:x} held {} locks {} unlinking {}", m.open.open.open.raw(),
                       m.open.held, m.open.locks.size(), m.unlinking);
  }
  std::string operator()(const AssertDoneMessage&) const { return "assert done"; }
  std::string operator()(const ClaimMessage& m) const {
    return fmt::format("claim {} opens {}", m.serial, m.file.state.opens.size());
  }
  std::string operator()(const RecallMessage& m) const {
    return fmt::format("recall {}", m.serial);
  }
  std::string operator()(const ClaimReturnMessage& m) const {
    return fmt::format("claim returned {} opens {}", m.serial, m.file.state.opens.size());
  }
  std::string operator()(const BounceMessage& m) const {
    return fmt::format("bounce {} {}", m.request.raw(), show(m.body));
  }
  std::string operator()(const KeepMessage& m) const {
    return fmt::format("keep inode {} v{} opens {} token {}", m.file.key.inode, m.file.version,
                       m.file.opens.size(), m.token);
  }
  std::string operator()(const HandOverMessage& m) const {
    return fmt::format("hand over inode {} v{} opens {}", m.file.key.inode, m.file.version,
                       m.file.opens.size());
  }
  std::string operator()(const DoomMessage& m) const {
    return fmt::format("doom {} {:x}", m.doomed, m.open.raw());
  }
};

}  // namespace

void SimPool::trace(const SimNode& node, const Input& input) const {
  if (traced() == 0) return;
  const auto line = [&](const std::string& what) {
    fmt::print("{:9.3f} node {} epoch {}: {}\n", static_cast<double>(now_.ns) / 1e6, node.id.raw(),
               node.machine->epoch().raw(), what);
  };
  if (const auto* command = std::get_if<LocalCommand>(&input)) {
    if (command->key.inode == traced()) {
      line(fmt::format("asks {} {}", command->request.raw(), show(command->body)));
    }
  } else if (const auto* message = std::get_if<FromPeer>(&input)) {
    const bool about = std::visit(
        [](const auto& body) {
          if constexpr (requires { body.key; }) return body.key.inode == traced();
          return true;
        },
        message->message.body);
    if (about) {
      line(fmt::format("hears from {} of epoch {}: {}", message->from.node.raw(),
                       message->message.epoch.raw(), std::visit(Show{}, message->message.body)));
    }
  } else if (const auto* view = std::get_if<ViewChange>(&input)) {
    std::string text =
        fmt::format("view {} quorate {}:", view->view.epoch.raw(), view->view.quorate);
    for (const Member& member : view->view.members) {
      text += fmt::format(" {}.{} recovered {}", member.id.node.raw(), member.id.incarnation,
                          member.recovered_epoch.raw());
    }
    line(text);
  }
}

void SimPool::trace(const SimNode& node, const LocalEffect& effect) const {
  if (traced() == 0 || effect.key.inode != traced()) return;
  std::string text = "?";
  if (const auto* reply = std::get_if<DeliverReply>(&effect.what)) {
    text = fmt::format("reply {} status {:x}", reply->request.raw(),
                       static_cast<std::uint32_t>(reply->outcome.status));
    if (const auto* opened = std::get_if<coherence::Opened>(&reply->outcome.answer)) {
      text += fmt::format(" opened with {} ", opened->rights) + show(opened->restrictions);
    }
  } else if (const auto* it = std::get_if<DeliverRestrictions>(&effect.what)) {
    text = "restrictions " + show(it->what);
  } else if (const auto* broken = std::get_if<DeliverBreak>(&effect.what)) {
    text = fmt::format("break {:x} {}->{}", broken->what.open.raw(), broken->what.from,
                       broken->what.to);
  } else if (const auto* revoked = std::get_if<DeliverRevoke>(&effect.what)) {
    text = fmt::format("revoke {:x}", revoked->open.raw());
  } else if (std::holds_alternative<DeliverUnsettled>(effect.what)) {
    text = "unsettled";
  }
  fmt::print("{:9.3f} node {}: client gets {}\n", static_cast<double>(now_.ns) / 1e6, node.id.raw(),
             text);
}

}  // namespace flotilla::pool::testing
