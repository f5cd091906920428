// "listen".
#pragma once

#include "config/entry.h"

namespace postern::config {

Outcome listen(Entry& entry);

}  // namespace postern::config
