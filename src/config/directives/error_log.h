// "error_log", which main and mail share.
#pragma once

#include "config/entry.h"

namespace postern::config {

Outcome error_log(Entry& entry);

}  // namespace postern::config
