// docs/directives.md, written from the table.
#pragma once

#include <string>

namespace postern::config {

std::string directive_reference();

}  // namespace postern::config
