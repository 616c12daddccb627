#include "vfs/errno_table.hpp"

#include <cerrno>

namespace flotilla::vfs {

NtStatus nt_status_of(int error, During during) noexcept {
  const bool looking = during == During::Name || during == During::Path;
  switch (error) {
    case ENOENT:
      return during == During::Path ? NtStatus::ObjectPathNotFound : NtStatus::ObjectNameNotFound;
    case ENOTDIR:
      return during == During::Change ? NtStatus::NotADirectory : NtStatus::ObjectPathNotFound;
    case ELOOP:  // a chain of links, or a link of /proc's kind
      return NtStatus::ObjectPathNotFound;
    case EXDEV:  // from RESOLVE_BENEATH: the path leaves the share
      return looking ? NtStatus::AccessDenied : NtStatus::NotSameDevice;
    case EACCES:
    case EPERM:
      return NtStatus::AccessDenied;
    case EEXIST:
      return NtStatus::ObjectNameCollision;
    case ENOTEMPTY:
      return NtStatus::DirectoryNotEmpty;
    case EISDIR:
      return NtStatus::FileIsADirectory;
    case ENAMETOOLONG:  // Windows and Samba: never NameTooLong
      return NtStatus::ObjectNameInvalid;
    case EILSEQ:
      return NtStatus::ObjectNameInvalid;
    case EINVAL:
      return looking ? NtStatus::ObjectNameInvalid : NtStatus::InvalidParameter;
    case ENOSPC:
    case EDQUOT:  // Samba answers DISK_FULL too; QuotaExceeded confuses copy tools
    case EFBIG:
      return NtStatus::DiskFull;
    case EROFS:
      return NtStatus::MediaWriteProtected;
    case EMFILE:
    case ENFILE:
      return NtStatus::TooManyOpenedFiles;
    case EMLINK:
      return NtStatus::TooManyLinks;
    case ENOMEM:
    case ENOBUFS:
      return NtStatus::InsufficientResources;
    case EBUSY:
    case ETXTBSY:
      return NtStatus::SharingViolation;
    case EAGAIN:  // also a lookup that lost against renames again and again
      return looking ? NtStatus::ObjectPathNotFound : NtStatus::IoTimeout;
    case EDEADLK:
    case ENOLCK:
      return NtStatus::InsufficientResources;
    case ETIMEDOUT:
    case EHOSTDOWN:
    case EHOSTUNREACH:
      return NtStatus::IoTimeout;
    case ESTALE:  // a network file system: the file was removed behind our back
      return looking ? NtStatus::ObjectNameNotFound : NtStatus::FileClosed;
    case EBADF:
      return NtStatus::InvalidHandle;
    case EIO:
    case EREMOTEIO:
      return NtStatus::UnexpectedIoError;
    case ESHUTDOWN:
    case ENODEV:
    case ENXIO:
      return NtStatus::DeviceNotReady;
    case EOVERFLOW:
      return NtStatus::InvalidParameter;
    case ERANGE:
    case E2BIG:
      return during == During::Ea ? NtStatus::EaTooLarge : NtStatus::InvalidParameter;
    case ENODATA:
      return during == During::Ea ? NtStatus::NonexistentEaEntry : NtStatus::NotFound;
    case ENOSYS:
    case EOPNOTSUPP:
      return NtStatus::NotSupported;
    default:
      return NtStatus::Unsuccessful;
  }
}

std::unexpected<NtStatus> fail_errno(During during) noexcept {
  return std::unexpected(nt_status_of(errno, during));
}

}  // namespace flotilla::vfs
