// The owner machine: everything that the nodes of a pool do to agree about files, as a pure state
// machine. Inputs in, one outbox out; no clock, thread, socket or random number, so that the
// simulator runs what production runs. docs/pool.md explains the recovery protocol and why it is
// right. Must not know how messages travel or how clients are told.
#pragma once

#include <deque>
#include <map>
#include <set>
#include <unordered_map>
#include <variant>
#include <vector>

#include "coherence/file_table.hpp"
#include "pool/local/effects.hpp"
#include "pool/membership.hpp"
#include "pool/owner/claims.hpp"
#include "pool/owner/copies.hpp"
#include "pool/owner/holder.hpp"
#include "pool/owner/message.hpp"
#include "pool/owner/placement.hpp"
#include "pool/timing.hpp"

namespace flotilla::pool {

/// `request` zero: no answer is wanted.
struct LocalCommand {
  FileKey key;
  RequestId request;
  coherence::Body body;
};
/// An effect with this ConfirmId has been carried out.
struct LocalConfirm {
  FileKey key;
  ConfirmId id;
};
/// From one life of a peer, in the order in which that life sent it; none lost while both are in
/// the view.
struct FromPeer {
  MemberId from;
  PeerMessage message;
};
/// A view was agreed. Not quorate, or without this node: as Lost.
struct ViewChange {
  View view;
};
/// No view any more: all state goes.
struct Lost {};
struct TimePasses {};
/// One slice of what has_work() says is left to do.
struct Work {};
using Input =
    std::variant<LocalCommand, LocalConfirm, FromPeer, ViewChange, Lost, TimePasses, Work>;

/// Order: `effects` may be delivered when step has returned; `messages` in order per receiver.
/// `lost`     this node serves nothing any more; its opens were revoked among the effects
/// `orphans`  delete-pending files whose last open died with its node: this node removes the name
///            and submits Unlinked for `open`
struct OwnerOutbox {
  struct ToPeer {
    NodeId to;
    PeerMessage message;
  };
  struct Orphan {
    FileKey key;
    OpenId open;
    std::string path;
  };
  std::vector<ToPeer> messages;
  std::vector<LocalEffect> effects;
  std::vector<Orphan> orphans;
  bool lost = false;
};

struct OwnerCounters {
  std::uint64_t commands_local = 0;
  std::uint64_t commands_sent = 0;
  std::uint64_t commands_received = 0;
  std::uint64_t messages_stale = 0;
  std::uint64_t messages_refused = 0;
  std::uint64_t opens_asserted = 0;
  std::uint64_t commands_resubmitted = 0;
  std::uint64_t views = 0;
  std::uint64_t claims_granted = 0;    ///< to other nodes
  std::uint64_t claims_recalled = 0;   ///< from other nodes
  std::uint64_t claims_returned = 0;   ///< by this node
  std::uint64_t commands_claimed = 0;  ///< of `commands_local`: on another's file, under a claim
};

/// Asked by an owner itself; no handler has this number.
inline constexpr RequestId kOwnRequest{~std::uint64_t{0}};
/// An assertion that somebody unlinks already; its answer leaves for nobody.
inline constexpr RequestId kAssertRequest{~std::uint64_t{1}};

class OwnerMachine {
 public:
  /// `tolerate`  so many nodes may be lost at once without an open that outlives its client: as
  ///             many backups have a copy before it is answered
  OwnerMachine(NodeId self, coherence::Limits limits, Timing timing, ClaimOptions claims = {},
               std::size_t tolerate = 1);

  void step(Input input, MonoTime now, OwnerOutbox& out);

  /// True where a view change, or the end of a node, has left work about many files: whoever drives
  /// the machine steps Work until it is done, with other inputs in between.
  [[nodiscard]] bool has_work() const noexcept;
  /// So many files in one slice.
  void set_slice(std::size_t file_count) noexcept { slice_ = file_count; }

  /// A view change has begun: the answer is told to all members, so from here to the next view this
  /// machine does not recover any further.
  [[nodiscard]] Epoch freeze() noexcept {
    frozen_ = true;
    return recovered_epoch_;
  }

  /// True while this node is in a quorate view.
  [[nodiscard]] bool serving() const noexcept { return !log_.empty(); }
  /// True when this node decides about all files that it owns.
  [[nodiscard]] bool recovered() const noexcept { return recovered_; }
  /// True while opens of a former life of this node may still do I/O: its serve lease must not be
  /// extended before they are revoked.
  [[nodiscard]] bool fencing() const noexcept { return !fencing_.empty(); }
  [[nodiscard]] Epoch epoch() const noexcept { return log_.epoch(); }
  [[nodiscard]] NodeId owner_of(const FileKey& key) const;
  /// True while this node decides about another's file.
  [[nodiscard]] bool holds_claim(const FileKey& key) const { return claims_.contains(key); }
  /// True while another node decides about this one's file.
  [[nodiscard]] bool claimed_from(const FileKey& key) const { return given_.contains(key); }
  [[nodiscard]] std::size_t claims_held() const noexcept { return claims_.size(); }
  [[nodiscard]] const OwnerCounters& counters() const noexcept { return counters_; }
  [[nodiscard]] const coherence::FileTable& table() const noexcept { return table_; }
  [[nodiscard]] const Holder& holder() const noexcept { return holder_; }
  /// Kept opens that answer to `query`. The union of all members' answers is the pool's; where one
  /// decides about an open, that is what counts.
  [[nodiscard]] FoundHere find_kept(const coherence::KeptQuery& query) const;
  [[nodiscard]] std::size_t copies_kept() const noexcept { return copies_.files().size(); }
  [[nodiscard]] const Copies& copies() const noexcept { return copies_; }
  /// The earliest time at which TimePasses does something; nothing where none is known.
  [[nodiscard]] std::optional<MonoTime> next_deadline() const;

 private:
  /// What an owner keeps beside the file state machine, while there is something to keep.
  /// `tokens`  what must be confirmed by whom before `waiting` may leave
  struct Token {
    NodeId node;
    MemberId keeper;  ///< of a KeepMessage, else zero: who leaves the view is not waited for
  };
  struct Barrier {
    std::map<std::uint64_t, Token> tokens;
    std::deque<coherence::Outbox> waiting;
  };
  struct Expected {
    FileKey key;
    Epoch epoch;
    bool restrictions = false;  ///< `value` is their version, else a token
    std::uint64_t value = 0;
  };
  // machine.cpp: inputs and the way of a command
  void on(LocalCommand& input);
  void on(LocalConfirm& input);
  void on(FromPeer& input);
  void on(ViewChange& input);
  void on(Lost& input);
  void on(TimePasses& input);
  void on(Work& input);
  void send(NodeId to, decltype(PeerMessage::body) body);
  void route(const FileKey& key, RequestId request, coherence::Body body);
  void receive(NodeId from, PeerMessage& message);
  [[nodiscard]] bool acceptable(NodeId from, const PeerMessage& message) const;
  void run_loopback();

  // owner.cpp: this node decides
  [[nodiscard]] static bool askable(const coherence::Body& body);
  void decide(NodeId from, CommandMessage& command);
  void apply(NodeId from, const FileKey& key, RequestId request, coherence::Body body);
  void emit(const FileKey& key, coherence::Outbox& effects);
  void emit_now(const FileKey& key, coherence::Outbox& effects);
  void tell_of_break(const FileKey& key, const coherence::Outbox::BreakTo& it);
  [[nodiscard]] bool tell_first(const FileKey& key, coherence::Outbox& effects);
  void tell_facts(const FileKey& key, NodeId except);
  void release(const FileKey& key);
  [[nodiscard]] bool ending(NodeId node) const;
  [[nodiscard]] bool settled(const FileKey& key) const;
  [[nodiscard]] bool decides(const FileKey& key) const;
  [[nodiscard]] MemberId life_of(NodeId node) const;
  [[nodiscard]] bool waits_for_the_lost(const FileKey& key) const;

  // claims.cpp, as owner
  [[nodiscard]] bool given_away(NodeId from, CommandMessage& command);
  [[nodiscard]] bool alone_with(NodeId from, const FileKey& key, const coherence::Body& body);
  void consider_claim(NodeId holder, const FileKey& key);
  void take_up(const FileKey& key, GivenClaim& given);
  void holder_gone(NodeId node);
  // claims.cpp, as holder
  [[nodiscard]] HeldClaim* held_claim(const FileKey& key);
  void decide_claimed(HeldClaim& claim, CommandMessage& command);
  void return_claim(const FileKey& key);
  void evict_claim();
  void return_idle_claims();
  void tell_doom(const FileKey& key);
  void drop_claims_that_moved();

  // copies.cpp
  [[nodiscard]] std::vector<MemberId> backups_of(const FileKey& key) const;
  void give_copies(coherence::KeptFile file);
  void restore_handed(const FileKey& key);
  void drop_unheard(const FileKey& key, coherence::KeptFile& copy) const;
  void refresh_copies(const FileKey& key);
  void wait_for_no_lost_backups();

  // receipts.cpp: this node's client is told
  void receive_body(NodeId from, CommandMessage& message);
  void receive_body(NodeId from, ReplyMessage& message);
  void receive_body(NodeId from, PendingMessage& message);
  void receive_body(NodeId from, BreakMessage& message);
  void receive_body(NodeId from, RevokeMessage& message);
  void receive_body(NodeId from, RestrictMessage& message);
  void receive_body(NodeId from, FactMessage& message);
  void receive_body(NodeId from, ConfirmMessage& message);
  void receive_body(NodeId from, AssertMessage& message);
  void receive_body(NodeId from, AssertDoneMessage& message);
  void receive_body(NodeId from, ClaimMessage& message);
  void receive_body(NodeId from, RecallMessage& message);
  void receive_body(NodeId from, ClaimReturnMessage& message);
  void receive_body(NodeId from, BounceMessage& message);
  void receive_body(NodeId from, DoomMessage& message);
  void receive_body(NodeId from, KeepMessage& message);
  void receive_body(NodeId from, HandOverMessage& message);
  [[nodiscard]] bool awaits_answer(const FileKey& key) const;
  void answered(const FileKey& key);
  void effect(const FileKey& key, decltype(LocalEffect::what) what);
  ConfirmId expect(const FileKey& key, bool restrictions, std::uint64_t value);

  // recovery.cpp: views come and go
  void lose();
  void forget_moved(const FileKey& key);
  void count_the_lost(const View& view, const std::vector<Member>& before);
  void resubmit();
  void tell_assert_done();
  void unpark();
  void recover_when_complete();
  void recovered_now();

  // slices.cpp: the same about many files, in parts
  void sweep();
  void assert_held();
  void hand_over_copies();
  void refresh_all_copies();
  void end_lost();
  void serve_moved();
  void gone(NodeId node);

  const NodeId self_;
  const coherence::Limits limits_;
  const Timing timing_;
  const ClaimOptions claim_options_;
  const std::size_t tolerate_;
  MonoTime now_;
  OwnerOutbox* out_ = nullptr;  ///< during a step only

  ViewLog log_;
  std::uint64_t incarnation_ = 0;
  bool frozen_ = false;
  bool recovered_ = false;
  Epoch recovered_epoch_;
  MonoTime serve_at_;             ///< moved files wait for it: rights of the lost still count
  std::set<NodeId> assert_done_;  ///< in this epoch
  std::set<FileKey> asserted_;    ///< moved here in this epoch, not yet served
  std::deque<Parked> parked_;     ///< commands on files that are not yet served
  /// Lost nodes whose rights end then; or, where a new life of the node is in the view, when that
  /// one says that the former is fenced (its AssertDone). Its commands wait until then.
  std::map<NodeId, MonoTime> going_;
  /// Walks through many files: where the next slice goes on, and whether there is one.
  struct Walk {
    bool active = false;
    std::optional<FileKey> after;
    void begin() {
      active = true;
      after.reset();
    }
  };
  std::size_t slice_ = 256;
  Walk sweeping_;               ///< `table_`: forgets what moved away
  Walk asserting_;              ///< `holder_`: asserts what moved
  Walk handing_over_;           ///< `copies_`
  Walk refreshing_;             ///< `keepers_`
  bool serving_moved_ = false;  ///< all have said that they are through; `asserted_` is left
  struct Ending {
    NodeId node;
    Walk walk;
  };
  std::deque<Ending> ending_;    ///< lost nodes whose part of `table_` goes
  std::set<ConfirmId> fencing_;  ///< revocations of a former life of this node, under way

  coherence::FileTable table_;  ///< of the files that this node decides about
  std::unordered_map<FileKey, Barrier> barriers_;
  std::uint64_t next_token_ = 1;

  std::unordered_map<FileKey, GivenClaim> given_;  ///< this node owns them, others decide
  std::uint64_t next_serial_ = 1;
  Contention contention_;
  std::unordered_map<FileKey, HeldClaim> claims_;  ///< others own them, this node decides
  std::list<FileKey> claims_by_use_;               ///< the last used first

  /// Of what this node decides about and is kept: who has a copy.
  std::map<FileKey, std::set<MemberId>> keepers_;
  struct HandedOver {
    coherence::KeptFile file;  ///< the latest of what they had
    std::set<MemberId> from;
  };
  std::map<FileKey, HandedOver> handed_;  ///< moved here in this epoch, not yet served
  Copies copies_;                         ///< for others

  Holder holder_;
  std::map<RequestId, Inflight> inflight_;
  std::map<ConfirmId, Expected> expected_;
  std::uint64_t next_confirm_ = 1;

  std::deque<PeerMessage> loopback_;
  std::deque<FromPeer> future_;  ///< of views that this node has yet to install
  OwnerCounters counters_;
};

}  // namespace flotilla::pool
