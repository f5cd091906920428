// From what is written to what it means: defaults, inheritance, duplicates, and what can be wrong
// with a server as a whole.
#pragma once

#include "config/entry.h"

namespace postern::config {

// Settings, and warnings in the order of what they are about. Everything that a server inherits is
// in the server.
std::expected<Draft, Error> apply_statements(const std::vector<Statement>& statements,
                                             const Options& options);

}  // namespace postern::config
