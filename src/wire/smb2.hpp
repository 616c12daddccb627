// Everything of [MS-SMB2] in one include.
#pragma once

#include "wire/create.hpp"
#include "wire/create_contexts.hpp"
#include "wire/error_response.hpp"
#include "wire/fsctl.hpp"
#include "wire/ioctl.hpp"
#include "wire/negotiate.hpp"
#include "wire/oplock_break.hpp"
#include "wire/query_directory.hpp"
#include "wire/read_write.hpp"
#include "wire/session_setup.hpp"
#include "wire/smb2_constants.hpp"
#include "wire/smb2_header.hpp"
