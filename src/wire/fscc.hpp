// Everything of [MS-FSCC] in one include.
#pragma once

#include "wire/fscc_constants.hpp"
#include "wire/fscc_directory.hpp"
#include "wire/fscc_file.hpp"
#include "wire/fscc_fs.hpp"
