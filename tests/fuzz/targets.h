// What is fuzzed: each target reads foreign bytes as the program does, and checks what has to hold
// whatever they are. The same functions run the kept inputs in the unit tests.
#pragma once

#include <span>
#include <string_view>

namespace postern::fuzz {

struct Target {
    std::string_view name;
    void (*run)(std::string_view input);
};

std::span<const Target> targets();

// Ends the program with these words, which is what a fuzzer looks for.
void require(bool holds, std::string_view what);

void configuration(std::string_view input);
void imap_commands(std::string_view input);
void pop3_commands(std::string_view input);
void smtp_commands(std::string_view input);
void backend_replies(std::string_view input);
void sasl(std::string_view input);
void encodings(std::string_view input);
void service_answers(std::string_view input);
void service_requests(std::string_view input);
void proxy_header(std::string_view input);
void users_file(std::string_view input);
void names(std::string_view input);
void tls_records(std::string_view input);
void imap_session(std::string_view input);
void pop3_session(std::string_view input);
void smtp_session(std::string_view input);

}  // namespace postern::fuzz
