// The configuration as the rooms see it: values, checked. apps/ reads it from flags and TOML.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "ports/id_map.hpp"

namespace flotilla::ports {

/// Off      no cipher is negotiated (server); nothing is asked for (share)
/// Enabled  a client that wants to may seal
/// Desired  a client that can is told to
/// Required what is not sealed is refused. Spec [MS-SMB2] 3.3.1.5 EncryptData,
///          RejectUnencryptedAccess
enum class EncryptionMode : std::uint8_t { Off, Enabled, Desired, Required };

struct ShareConfig {
  std::string name;
  /// A directory. With variables (handlers/user_shares.hpp) or `homes` each user has one.
  std::string path;
  /// A pattern: every user's home directory is a share of the user's name; "homes" is the own one.
  bool homes = false;
  /// A user's directory that is missing is made when he comes: his own, mode 0700. For those alone.
  bool make_directory = false;
  /// Of a share that was made from a pattern: the next connection of its user may lead elsewhere,
  /// so that one name of one client stands for several files.
  bool varies = false;
  std::string comment;
  bool read_only = false;
  bool hidden = false;  ///< not listed by NetShareEnumAll (a name ending in $ is too)
  bool continuous_availability = false;  ///< clients may have persistent handles
  /// Names that a user may not read are not listed for him.
  bool access_based_enumeration = false;
  bool named_streams = true;  ///< false: names with a stream are refused
  /// Where the snapshots of previous versions are: strftime(3), UTC, relative to the share; empty:
  /// there are none.
  std::string snapshots;
  EncryptionMode encryption = EncryptionMode::Off;
  bool compression =
      false;  ///< clients are told to ask for compressed reads and to compress writes
  // Users by name; "@name" is a group, whose members have Unix identities of their own.
  std::vector<std::string> valid_users;    ///< empty: every authenticated user
  std::vector<std::string> invalid_users;  ///< whoever is in here stays out
  std::vector<std::string> read_list;      ///< may only read, whatever `read_only` says
  std::vector<std::string> write_list;     ///< may write, whatever `read_only` and `read_list` say
  /// The Unix user and group that everybody acts as on this share; empty: as themselves.
  std::string force_user;
  std::string force_group;
  /// What new files and directories get of 0666 and 0777, and what they get in any case. A default
  /// POSIX ACL of the parent wins over the first.
  std::uint32_t create_mask = 0644;
  std::uint32_t directory_mask = 0755;
  std::uint32_t force_create_mode = 0;
  std::uint32_t force_directory_mode = 0;
  std::vector<std::string> hide_files;  ///< names with * and ?, shown as hidden
  std::vector<std::string> veto_files;  ///< names with * and ?, that do not exist for clients
  /// "\\server\share": clients that know DFS are sent there. With one, `path` may be empty.
  std::vector<std::string> dfs_referral;
  std::string volume;  ///< overrides the derived volume identity
};

enum class SigningMode : std::uint8_t { Enabled, Required };

struct ServerConfig {
  std::string server_name = "FLOTILLA";  ///< NetBIOS-like, upper case, at most 15 characters
  std::string workgroup = "WORKGROUP";
  std::string comment = "Flotilla";
  /// S-1-5-21-a-b-c, the domain of this server's own accounts; equal on all nodes of a pool.
  /// Nothing: of `server_name`.
  std::optional<wire::Sid> domain_sid;
  ServerGuid guid;  ///< one for the whole pool
  std::uint16_t dialect_min = 0x0202;
  std::uint16_t dialect_max = 0x0311;
  SigningMode signing = SigningMode::Required;
  EncryptionMode encryption = EncryptionMode::Enabled;
  bool compression = true;  ///< negotiated with clients that offer it; used where they ask for it
  bool macos = true;        ///< the AAPL create context is answered
  bool posix = true;  ///< the POSIX extensions of SMB 3.1.1 are negotiated with clients that offer
  bool multichannel = true;          ///< sessions may be bound to further connections
  bool change_notify = true;         ///< false: CHANGE_NOTIFY is NotImplemented
  std::uint32_t credits_max = 8192;  ///< per connection
  std::uint32_t transaction_bytes_max = 8U
                                        << 20;  ///< MaxTransact/Read/WriteSize (64 KiB for 2.0.2)
  std::chrono::milliseconds unauthenticated_timeout{30000};
  std::chrono::milliseconds break_timeout{35000};
  /// How long a durable open waits for its client: where the client does not say, and at most.
  std::chrono::milliseconds durable_timeout{60000};
  std::chrono::milliseconds durable_timeout_max{300000};
  std::uint32_t connections_max = 20000;
  std::uint32_t sessions_max = 100000;
  std::uint32_t opens_max = 500000;
  std::uint32_t opens_per_session_max = 65536;
  std::uint32_t opens_per_file_max = 100000;
  std::uint32_t locks_per_file_max = 100000;
  std::uint32_t locks_max = 1000000;  ///< of this node's clients
  bool leases = true;
  bool torture_fsctls = false;     ///< smbtorture may make this server misbehave: tests only
  std::vector<DomainIds> domains;  ///< ids of directories' users by RID
  /// samba-dcerpcd's "ncalrpc dir": pipes that are not served here go there. Empty: there are none.
  std::string rpc_forward;
  std::vector<ShareConfig> shares;

  [[nodiscard]] IdMap ids() const {
    const IdMap own =
        domain_sid ? IdMap::of_domain(*domain_sid) : IdMap::of_server_name(server_name);
    return own.with_domains(domains);
  }
};

}  // namespace flotilla::ports
