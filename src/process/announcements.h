// NGINX's notices of a start and of signals.
#pragma once

#include "log/logger.h"
#include "process/signals.h"

namespace postern::process {

void announce_start(const log::Logger& logger);
void announce_signal(const log::Logger& logger, const Signal& signal);

}  // namespace postern::process
