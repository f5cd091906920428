#pragma once

#include <string_view>

namespace postern::protocol {

// Does this "no" of a service or a mailbox server mean that the login was wrong? Some say in it
// that they can't tell now, and then nobody has guessed: RFC 5530, RFC 3206, RFC 2449 section
// 8.1.1, or a code of SMTP that begins with 4.
bool is_wrong_login(std::string_view text, std::string_view smtp_code = {});

}  // namespace postern::protocol
