#include "net/hosts_file.h"

#include <algorithm>
#include <fstream>
#include <iterator>

#include "base/text.h"

namespace postern::net {

namespace {

constexpr char kHostsFile[] = "/etc/hosts";
constexpr std::string_view kSpaces = " \t\r";

std::string_view next_word(std::string_view& text)
{
    text.remove_prefix(std::min(text.size(), text.find_first_not_of(kSpaces)));
    const std::string_view word = text.substr(0, text.find_first_of(kSpaces));
    text.remove_prefix(word.size());
    return word;
}

bool names(std::string_view words, std::string_view name)
{
    for (;;) {
        const std::string_view word = next_word(words);
        if (word.empty() || iequals(word, name)) {
            return !word.empty();
        }
    }
}

bool is_localhost(std::string_view name)
{
    return iequals(name, "localhost") || to_lower(name).ends_with(".localhost");
}

}  // namespace

std::vector<SocketAddress> addresses_in_hosts(std::string_view text, std::string_view name)
{
    std::vector<SocketAddress> found;
    while (!text.empty()) {
        std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        line = line.substr(0, line.find('#'));
        const auto address = SocketAddress::parse_ip(next_word(line), 0);
        if (address && names(line, name) && std::ranges::find(found, *address) == found.end()) {
            found.push_back(*address);
        }
    }
    return found;
}

void HostsFile::read()
{
    std::ifstream file(kHostsFile, std::ios::binary);
    if (file) {
        text_.assign(std::istreambuf_iterator<char>(file), {});
    }
}

std::vector<SocketAddress> HostsFile::addresses(std::string_view name, Clock::time_point now)
{
    if (read_again_ <= now) {
        read();
        read_again_ = now + kKept;
    }
    auto found = addresses_in_hosts(text_, name);
    if (found.empty() && is_localhost(name)) {
        found = {*SocketAddress::parse_ip("127.0.0.1", 0), *SocketAddress::parse_ip("::1", 0)};
    }
    return found;
}

}  // namespace postern::net
