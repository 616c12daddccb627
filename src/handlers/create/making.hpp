// One CREATE under way, and the steps that its files share.
#pragma once

#include "handlers/access.hpp"
#include "handlers/create/create_request.hpp"
#include "handlers/durable/durable_opens.hpp"
#include "handlers/open_link.hpp"
#include "handlers/open_state.hpp"
#include "handlers/request.hpp"

namespace flotilla::handlers {

/// All that one CREATE gathers on its way. Lives in the handler's frame.
struct Making {
  wire::CreateRequest body;
  CreateName name;
  CreateAsks asks;
  const Share* share = nullptr;
  std::shared_ptr<ports::Backend> backend;
  ports::Credentials who;
  bool privileged = false;    ///< see is_privileged()
  bool by_privilege = false;  ///< `who` is the daemon: see act_by_privilege()
  bool read_only_share = false;

  std::shared_ptr<ports::BackendFile> file;
  ports::FileFacts facts;
  std::string path;  ///< as stored
  Rights rights;
  coherence::AccessMask granted = 0;
  bool created = false;

  coherence::Opened opened;
  bool late = false;  ///< the engine took so long that the name may lead elsewhere by now
  std::shared_ptr<ports::IoGate> gate;
  std::shared_ptr<OpenLink> link;
  OpenId open_id;
  bool lease_claimed = false;
  bool lease_refused = false;  ///< its key is another file's, which that share's client cannot know
  std::shared_ptr<StreamHold> stream_hold;  ///< on the file of a stream
  CreateGuidClaim guid_claim;
  bool tells_durable = true;  ///< false: a reconnect, whose answer has no DHnQ nor DH2Q

  [[nodiscard]] bool directory() const noexcept { return facts.type == ports::FileType::Directory; }
  [[nodiscard]] bool overwriting() const noexcept {
    return !created && overwrites(body.create_disposition);
  }
};

/// What the engine is to know of the open's durability.
/// Spec    [MS-SMB2] 3.3.5.9.6, 3.3.5.9.10
[[nodiscard]] coherence::Durability durability_asked(Request& request, const Making& making);

/// Marks a new open as durable where its request and its caching rights allow it.
/// Spec    [MS-SMB2] 3.3.5.9.6 and 3.3.5.9.10, "Successful Open Initialization"
void grant_durability(Request& request, Making& making, session::Open& open);

/// Encodes the CREATE response from what was made. Spec [MS-SMB2] 3.3.5.9, 2.2.14
void append_response(Request& request, const Making& making, const session::Open& open);

/// CreateAction of the answer.
[[nodiscard]] wire::CreateAction action_of(const Making& making) noexcept;

/// Without case, as names on the wire are.
[[nodiscard]] bool same_name(std::string_view a, std::string_view b);
[[nodiscard]] const wire::Sid& user_of(const session::Session& session);
/// What the answer needs of an open that was made by an earlier CREATE.
void take_over(Making& making, session::Open& open);

/// A stream's open keeps its file open too, so that the file's deletion waits for it and a
/// delete-pending file has no stream to open. Sets `making.stream_hold`.
runtime::Task<NtStatus> hold_base(Request& request, Making& making);
/// Lets go of it, where there is one.
runtime::Task<void> release_base(Request& request, Making& making);

/// Whether the lease key asked for names a file already, where this CREATE would make a new one.
runtime::Task<bool> key_is_taken(Request& request, const Making& making);
/// Gives up what was claimed for the lease of an open that gets none.
void unclaim(Request& request, Making& making);

/// Asks the engine for the open, and for one of the file where it is a stream's; waits for breaks
/// where it must.
/// Spec    [MS-SMB2] 3.3.5.9, "Open Execution"
/// Effect  on success `open_id`, `opened`, `gate`, `link`, `late` and the claims are set; on an
///         error nothing is left of them
runtime::Task<NtStatus> ask_engine(Request& request, Making& making);

/// DHnC or DH2C: hangs a detached open, of this node or of any, into this session.
/// Spec    [MS-SMB2] 3.3.5.9.7, 3.3.5.9.12
runtime::Task<NtStatus> reconnect(Request& request, Making& making);

/// DH2Q: whether the CREATE is one that was carried out before.
/// Spec    [MS-SMB2] 3.3.5.9.10
/// Output  nothing: it is new, and its guid is claimed; else the answer
runtime::Task<std::optional<NtStatus>> replay(Request& request, Making& making);

/// A replay whose open waits for its client: a reconnect that is answered as a CREATE.
runtime::Task<NtStatus> replay_detached(Request& request, Making& making, OpenId open);
/// A replay of a CREATE that this node knows nothing of. Output: nothing: nobody does
runtime::Task<std::optional<NtStatus>> replay_elsewhere(Request& request, Making& making);

/// Another node of an application takes over: the former instance's opens of the file are closed.
/// Spec    [MS-SMB2] 3.3.5.9.13, 3.3.5.9.15
/// Errors  FileForcedClosed  the former instance is a later version
runtime::Task<NtStatus> displace_instance(Request& request, Making& making);

}  // namespace flotilla::handlers
