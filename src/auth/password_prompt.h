#pragma once

#include <cstdio>
#include <expected>
#include <string>

#include "base/secret.h"

namespace postern::auth {

inline constexpr std::size_t kPromptedMax = 4096;

// Reads one line, without its end, from a terminal, pipe or file. On a terminal `prompt` is shown
// on `screen` first and nothing is echoed; a signal that ends the program there gives the echo back
// before it does. An error is a reason.
std::expected<Secret, std::string> read_password(int input, const char* prompt, std::FILE* screen);

}  // namespace postern::auth
