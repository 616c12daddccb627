#include "handlers/request.hpp"

#include "handlers/channel.hpp"
#include "handlers/durable/durable_opens.hpp"
#include "handlers/session_channels.hpp"
#include "session/sequences.hpp"

namespace flotilla::handlers {

Result<std::shared_ptr<session::Open>> Request::find_open(const FileId& id) {
  FileId wanted = id;
  if (related && id == kRelatedFileId) {
    // The request before failed to give a file: this one fails as it did.
    if (chain.file == kRelatedFileId) {
      return fail(is_error(chain.status) ? chain.status : NtStatus::InvalidParameter);
    }
    wanted = chain.file;
  }
  chain.file = wanted;
  if (!session || !tree) return fail(NtStatus::FileClosed);
  std::shared_ptr<session::Open> open = session->find_open(wanted);
  if (!open || open->revoked || open->tree != tree->id) return fail(NtStatus::FileClosed);
  // [MS-SMB2] 3.3.5.2.10: what a channel that failed has sent must not undo what came after.
  if (session->dialect >= 0x0300 &&
      !session::admit_channel_sequence(open->channel_sequence, header.channel_sequence()) &&
      (header.command == wire::Command::Write || header.command == wire::Command::SetInfo ||
       header.command == wire::Command::Ioctl)) {
    return fail(NtStatus::FileNotAvailable);
  }
  // A CREATE whose open has been used is no replay any more: 3.3.1.10 IsReplayEligible.
  if (!open->pipe && state_of(*open).facts_answered) {
    state_of(*open).facts_answered.reset();
    server.durable().forget_guid(open->client_guid, state_of(*open).durable.create_guid,
                                 open.get());
  }
  return open;
}

void Request::go_async(std::function<void()> on_cancel) {
  channel->begin_async(*this, std::move(on_cancel));
}

runtime::Executor& Request::executor() const { return channel->executor(); }

bool Request::alive() const {
  if (!session) return false;
  if (channel->closed()) {
    return outlives_channel && session->state == session::SessionState::Valid &&
           channels_of(*session).pick(nullptr) != nullptr &&
           (!tree || session->trees.contains(tree->id));
  }
  const auto entry = channel->find_session(session->id);
  if (!entry || entry->session != session) return false;
  return !tree || session->trees.contains(tree->id);
}

}  // namespace flotilla::handlers
