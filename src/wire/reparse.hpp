// What the buffers of reparse points mean: [MS-FSCC] 2.1.2. Knows no file and judges no access.
#pragma once

#include <cstdint>
#include <string>

#include "wire/codec.hpp"
#include "wire/fsctl.hpp"

namespace flotilla::wire {

/// [MS-FSCC] 2.1.2: the largest buffer, and the bytes in front of the data.
inline constexpr std::size_t kReparseBufferMax = 16384;
inline constexpr std::size_t kReparseHeaderBytes = 8;
inline constexpr std::size_t kReparseGuidHeaderBytes = 24;

enum class ReparseKind : std::uint8_t {
  Link,   ///< a symbolic link of Windows, of WSL or of NFS
  Mount,  ///< a junction
  Device,
  Fifo,
  Socket,
  Other,  ///< anybody's: kept as it is
};

/// `windows`   the link is Windows' own, which a CREATE stops at (the others' owners look)
/// `relative`  to the directory that the link is in
struct ReparseMeaning {
  std::uint32_t tag = 0;
  ReparseKind kind = ReparseKind::Other;
  bool windows = false;
  bool relative = false;
  std::u16string target;
  std::u16string print_name;
};

/// Reads a whole buffer: REPARSE_DATA_BUFFER, or REPARSE_GUID_DATA_BUFFER where the tag is nobody's
/// of Microsoft's.
/// Spec    [MS-FSCC] 2.1.2.2 REPARSE_DATA_BUFFER, 2.1.2.3, 2.1.2.4 Symbolic Link, 2.1.2.5 Mount
///         Point, 2.1.2.6 Network File System (NFS), 2.1.2.7 and below (WSL)
/// Errors  as decoders have them: too short, too long, lengths that do not agree, or data of a
///         known tag that is no such thing
[[nodiscard]] Wire<ReparseMeaning> decode_reparse(ByteView buffer);

}  // namespace flotilla::wire
