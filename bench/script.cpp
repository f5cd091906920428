#include "bench/script.h"

#include <fmt/format.h>

#include "base/base64.h"

namespace postern::bench {

namespace {

constexpr std::string_view kPassword = "secret";

Script imap(Tls tls, const std::string& user)
{
    Script script{{"", "* OK"}};
    if (tls == Tls::starttls) {
        script.push_back({"s STARTTLS\r\n", "s OK", "* ", true});
    }
    script.push_back({fmt::format("a LOGIN {} {}\r\n", user, kPassword), "a OK", "* "});
    return script;
}

Script pop3(Tls tls, const std::string& user)
{
    Script script{{"", "+OK"}};
    if (tls == Tls::starttls) {
        script.push_back({"STLS\r\n", "+OK", "", true});
    }
    script.push_back({fmt::format("USER {}\r\n", user), "+OK"});
    script.push_back({fmt::format("PASS {}\r\n", kPassword), "+OK"});
    return script;
}

Script smtp(Tls tls, const std::string& user)
{
    const Step hello{"EHLO client.test\r\n", "250 ", "250-"};
    Script script{{"", "220 ", "220-"}, hello};
    if (tls == Tls::starttls) {
        script.push_back({"STARTTLS\r\n", "220 ", "220-", true});
        script.push_back(hello);
    }
    using namespace std::string_literals;
    const std::string initial = base64_encode("\0"s + user + "\0"s + std::string(kPassword));
    script.push_back({fmt::format("AUTH PLAIN {}\r\n", initial), "235 ", "235-"});
    return script;
}

}  // namespace

std::string login_name(const LoadOptions& options, std::uint32_t user)
{
    return options.users > 1 ? fmt::format("{}{}", options.name, user + 1) : options.name;
}

Script login_script(const LoadOptions& options, std::uint32_t user)
{
    const std::string name = login_name(options, user);
    switch (options.protocol) {
    case Protocol::imap:
        return imap(options.tls, name);
    case Protocol::pop3:
        return pop3(options.tls, name);
    case Protocol::smtp:
        return smtp(options.tls, name);
    }
    return {};
}

Step work_step(const LoadOptions& options)
{
    const bool is_imap = options.protocol == Protocol::imap;
    const bool down = options.work == Work::answers || options.work == Work::bulk_down;
    const bool up = options.work == Work::bulk_up;
    const std::string verb = down ? fmt::format("BULK {}", options.bytes)
                             : up ? fmt::format("SINK {}", options.bytes)
                                  : "NOOP";
    Step step{fmt::format("{}{}\r\n", is_imap ? "n " : "", verb),
              is_imap                              ? "n OK"
              : options.protocol == Protocol::pop3 ? "+OK"
                                                   : "250 "};
    step.filler_up = up ? options.bytes : 0;
    step.filler_down = down ? options.bytes : 0;
    return step;
}

}  // namespace postern::bench
