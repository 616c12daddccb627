// What nodes say to each other about files. Every message carries the epoch in which it was sent;
// docs/pool.md lists who sends what and when. Decoding is total.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "base/bytes.hpp"
#include "coherence/command.hpp"
#include "coherence/state.hpp"

namespace flotilla::pool {

/// A change of any message's meaning or layout is a new version; versions do not mix in a pool.
inline constexpr std::uint16_t kPeerProtocolVersion = 4;

/// holder -> owner. `request` zero: no answer is wanted.
struct CommandMessage {
  FileKey key;
  RequestId request;
  coherence::Body body;
  friend bool operator==(const CommandMessage&, const CommandMessage&) = default;
};
/// owner -> holder, all of the next six.
struct ReplyMessage {
  FileKey key;
  RequestId request;
  coherence::Outcome outcome;
  friend bool operator==(const ReplyMessage&, const ReplyMessage&) = default;
};
struct PendingMessage {
  FileKey key;
  RequestId request;
  friend bool operator==(const PendingMessage&, const PendingMessage&) = default;
};
/// `token` not zero: the owner answers others only when this has reached the open (Confirm).
struct BreakMessage {
  FileKey key;
  std::uint64_t token = 0;
  coherence::Break what;
  friend bool operator==(const BreakMessage&, const BreakMessage&) = default;
};
struct RevokeMessage {
  FileKey key;
  OpenId open;
  coherence::RevokeReason reason = coherence::RevokeReason::BreakTimedOut;
  friend bool operator==(const RevokeMessage&, const RevokeMessage&) = default;
};
/// Answered by the command RestrictionsKnown.
struct RestrictMessage {
  FileKey key;
  coherence::Restrictions what;
  friend bool operator==(const RestrictMessage&, const RestrictMessage&) = default;
};
/// What every holder must be able to tell the file's next owner.
struct FactMessage {
  FileKey key;
  std::uint64_t token = 0;
  bool delete_pending = false;
  std::string path;
  friend bool operator==(const FactMessage&, const FactMessage&) = default;
};
/// holder -> owner: what `token` named has been done.
struct ConfirmMessage {
  FileKey key;
  std::uint64_t token = 0;
  friend bool operator==(const ConfirmMessage&, const ConfirmMessage&) = default;
};
/// holder -> new owner, after a view change. `unlinking`: the open is closed already, and its node
/// is removing the file's name.
struct AssertMessage {
  FileKey key;
  coherence::AssertOpen open;
  bool unlinking = false;
  friend bool operator==(const AssertMessage&, const AssertMessage&) = default;
};
/// Everybody to everybody: all that I had to assert in this epoch has been said.
struct AssertDoneMessage {
  friend bool operator==(const AssertDoneMessage&, const AssertDoneMessage&) = default;
};

/// owner -> holder: decide about this file alone until it is recalled. `file` is all that the
/// owner knows of it. `serial` names the claim among those that this owner gave.
struct ClaimMessage {
  FileKey key;
  std::uint64_t serial = 0;
  coherence::HandedFile file;
  friend bool operator==(const ClaimMessage&, const ClaimMessage&) = default;
};
/// owner -> holder: somebody else uses the file. Answered by ClaimReturn, unless that is under way.
struct RecallMessage {
  FileKey key;
  std::uint64_t serial = 0;
  friend bool operator==(const RecallMessage&, const RecallMessage&) = default;
};
/// holder -> owner: decides no more, and this is the file.
struct ClaimReturnMessage {
  FileKey key;
  std::uint64_t serial = 0;
  coherence::HandedFile file;
  friend bool operator==(const ClaimReturnMessage&, const ClaimReturnMessage&) = default;
};
/// owner -> holder: this command crossed its file's claim, and is the holder's to decide.
struct BounceMessage {
  FileKey key;
  RequestId request;
  coherence::Body body;
  friend bool operator==(const BounceMessage&, const BounceMessage&) = default;
};
/// holder -> owner, under a claim and with no answer: if I die now, the file is (`doomed`) or is
/// not to be deleted. `open` is one of those that it was opened by.
struct DoomMessage {
  FileKey key;
  std::uint64_t serial = 0;
  bool doomed = false;
  OpenId open;
  std::string path;
  friend bool operator==(const DoomMessage&, const DoomMessage&) = default;
};

/// owner -> backup: keep this copy (without opens: drop it). Answered by Confirm.
struct KeepMessage {
  std::uint64_t token = 0;
  coherence::KeptFile file;
  friend bool operator==(const KeepMessage&, const KeepMessage&) = default;
};
/// Whoever keeps a copy -> new owner, after a view change.
struct HandOverMessage {
  coherence::KeptFile file;
  friend bool operator==(const HandOverMessage&, const HandOverMessage&) = default;
};

struct PeerMessage {
  Epoch epoch;
  std::variant<CommandMessage, ReplyMessage, PendingMessage, BreakMessage, RevokeMessage,
               RestrictMessage, FactMessage, ConfirmMessage, AssertMessage, AssertDoneMessage,
               ClaimMessage, RecallMessage, ClaimReturnMessage, BounceMessage, DoomMessage,
               KeepMessage, HandOverMessage>
      body;
  friend bool operator==(const PeerMessage&, const PeerMessage&) = default;
};

void encode(const PeerMessage& message, Bytes& out);
/// Nothing where the bytes are not exactly one message of kPeerProtocolVersion.
[[nodiscard]] std::optional<PeerMessage> decode_peer_message(ByteView bytes);

}  // namespace flotilla::pool
