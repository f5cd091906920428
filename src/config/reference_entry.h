// What is told of one directive, whatever the reference is written in. Private to this folder.
#pragma once

#include <string>

#include "config/directive.h"

namespace postern::config {

// All parts are in the markup of Directive::doc: `code`, *emphasis*.
struct ReferenceEntry {
    std::string meaning;
    std::string syntax;
    std::string default_value;
    std::string contexts;
    std::string since;
};

ReferenceEntry describe(const Directive& directive);

}  // namespace postern::config
