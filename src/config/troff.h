// Input of troff (man(7)) from our markup: `code`, *emphasis*. Pure.
#pragma once

#include <string>
#include <string_view>

namespace postern::config {

// A paragraph, in lines that end with a line feed and of which none is taken for a request.
std::string troff_paragraph(std::string_view markup);

// One line without its line feed: what is written as it stands in bold, what the user puts in
// (CAPITALS) in italics, and [ ] { } | … between them in roman.
std::string troff_syntax(std::string_view syntax);

}  // namespace postern::config
