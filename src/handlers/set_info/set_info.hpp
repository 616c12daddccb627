// SET_INFO's parts: one function per class or family. All run as part of one request's coroutine.
#pragma once

#include "handlers/file_call.hpp"
#include "wire/query_directory.hpp"

namespace flotilla::handlers {

/// `buffer` borrows from the request's message, which outlives the coroutine.
using SetInfoTask = runtime::Task<NtStatus>;

/// FileBasicInformation. Spec [MS-FSA] 2.1.5.15.2
SetInfoTask set_basic(Request& request, FileOpen target, ByteView buffer);
/// FileEndOfFileInformation, FileAllocationInformation. Spec [MS-FSA] 2.1.5.15.1, 2.1.5.15.5
SetInfoTask set_size(Request& request, FileOpen target, ByteView buffer, bool allocation);
/// FileFullEaInformation. Spec [MS-FSA] 2.1.5.15.7
SetInfoTask set_full_ea(Request& request, FileOpen target, ByteView buffer);
/// FileDispositionInformation and its Ex form. Spec [MS-FSA] 2.1.5.15.3, 2.1.5.15.4
SetInfoTask set_disposition(Request& request, FileOpen target, ByteView buffer, bool extended);
/// FileRenameInformation and its Ex form. Spec [MS-FSA] 2.1.5.15.11
SetInfoTask set_rename(Request& request, FileOpen target, ByteView buffer, bool extended);
/// FileLinkInformation. Spec [MS-FSA] 2.1.5.15.8
SetInfoTask set_link(Request& request, FileOpen target, ByteView buffer);

}  // namespace flotilla::handlers
