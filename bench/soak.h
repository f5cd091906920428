#pragma once

#include "bench/options.h"

namespace postern::bench {

// Clients that come, ask, move marked data and go, for as long as somebody wants, whatever happens
// to the proxy or behind it. Lines on standard input:
//   pace SECONDS   the mean pause before whatever a client does
//   look           a line of JSON says what was done since the last one
//   stop           all say goodbye, and the program ends after a last look
// What goes wrong is told at once, as a line of JSON: {"failed": why, "relayed": whether it had
// logged in, "name": who, "at": seconds since the epoch, "since": when it began}.
int run_soak(const SoakOptions& options);

}  // namespace postern::bench
