#pragma once

#include <array>
#include <string>
#include <string_view>

#include "bench/options.h"

namespace postern::bench {

// What the authentication service answers: everybody is let in and sent to the mailbox server of
// the protocol. Pure.
class Directory
{
public:
    struct Answer {
        std::string_view text;
        bool closes;  // the connection, after that
    };

    explicit Directory(const Ports& mailbox_ports);

    // A request up to and with its empty line.
    Answer answer(std::string_view request) const;

private:
    struct Texts {
        std::string closing;
        std::string kept;      // HTTP/1.1 needs no word for that
        std::string kept_1_0;  // HTTP/1.0 does
    };
    std::array<Texts, kProtocols> texts_;
};

// Serves it until a signal ends it.
[[noreturn]] void run_auth_service(const AuthOptions& options);

}  // namespace postern::bench
