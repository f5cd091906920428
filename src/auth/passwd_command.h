// "postern passwd [-s SCHEME] USER": makes a line for the file of "auth_file".
#pragma once

#include <unistd.h>

#include <cstdio>
#include <expected>
#include <span>
#include <string>
#include <string_view>

#include "base/secret.h"

namespace postern::auth {

// `arguments` are those after "passwd". Asks twice for a password, without echo, if `input` is a
// terminal, else reads one line. The line goes to `output`, what is wrong to `errors`. Returns the
// exit code: 0, or 1.
int passwd_command(std::span<char* const> arguments, int input = STDIN_FILENO,
                   std::FILE* output = stdout, std::FILE* errors = stderr);

// "USER:{SCHEME}HASH::::::", or what is wrong. `scheme` in any case.
std::expected<std::string, std::string> make_passwd_line(std::string_view user,
                                                         const Secret& password,
                                                         std::string_view scheme);

}  // namespace postern::auth
