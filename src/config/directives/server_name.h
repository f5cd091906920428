// "server_name".
#pragma once

#include "config/entry.h"

namespace postern::config {

Outcome server_name(Entry& entry);

}  // namespace postern::config
