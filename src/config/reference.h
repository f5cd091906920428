#pragma once

#include <string>

namespace postern::config {

// The text of docs/directives.md, from the table of directives.
std::string directive_reference();

// The part of postern.conf(5) about each directive, from the same table, in the language of man(7).
std::string directive_manual();

}  // namespace postern::config
