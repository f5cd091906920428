// "ssl_session_cache".
#pragma once

#include "config/entry.h"

namespace postern::config {

Outcome session_cache(Entry& entry);

}  // namespace postern::config
