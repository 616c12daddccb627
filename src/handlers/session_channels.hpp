// SessionChannels: the connections of one session, and the keys that they share. Must not know
// requests.
#pragma once

#include <memory>
#include <vector>

#include "crypto/signing.hpp"
#include "handlers/sealing.hpp"
#include "session/session.hpp"

namespace flotilla::handlers {

class ServerChannel;

/// What one session may be bound to: more is InsufficientResources.
inline constexpr std::size_t kChannelsPerSessionMax = 32;

/// On session::Session::channels. All channels of a session are on its home executor, because every
/// front routes by SessionId.
/// Spec    [MS-SMB2] 3.3.1.8 Per Session: ChannelList, SigningKey, EncryptionKey, DecryptionKey
struct SessionChannels final : session::Attachment {
  std::vector<std::weak_ptr<ServerChannel>> list;  ///< in the order of their coming
  /// Session.SigningKey: the first channel's, and what a binding is signed with.
  std::shared_ptr<const crypto::Signer> signer;
  std::shared_ptr<SessionSealing> sealing;  ///< null: the session cannot seal
  std::uint16_t cipher = 0;                 ///< Session.Connection.CipherId

  /// A channel that lives: `preferred` if it is one of them, else the one that came first.
  [[nodiscard]] std::shared_ptr<ServerChannel> pick(
      const std::shared_ptr<ServerChannel>& preferred) const;
  /// Takes `channel` out; true where none is left.
  bool remove(const ServerChannel* channel);
};

[[nodiscard]] inline SessionChannels& channels_of(const session::Session& session) {
  return static_cast<SessionChannels&>(*session.channels);
}

}  // namespace flotilla::handlers
