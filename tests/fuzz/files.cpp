// Texts that an administrator writes, and names that DNS makes of them.
#include <string>
#include <tuple>

#include "auth/passwd_file.h"
#include "base/address.h"
#include "config/lexer.h"
#include "config/url.h"
#include "net/dns_message.h"
#include "net/hosts_file.h"
#include "targets.h"

namespace postern::fuzz {

void users_file(std::string_view input)
{
    const auth::PasswdFile file = auth::PasswdFile::parse(input);
    require(file.problems().size() <= auth::PasswdFile::kProblemsMax, "problems are bounded");
    for (const auto& problem : file.problems()) {
        require(problem.reason.find('\n') == std::string::npos, "a problem is one line");
    }
    const std::string login(input.substr(0, input.find(':')));
    unsigned matches = 0;
    static unsigned* counted = nullptr;
    counted = &matches;
    const auto checked =
        file.check(auth::Method::plain, login, Secret("password"), "",
                   [](std::string_view, const std::string&) { return ++*counted > 1000; });
    require(matches <= 1, "a password costs one hash at most");
    require((checked.user != nullptr) == (checked.result == auth::PasswdFile::Result::accepted),
            "who is accepted is somebody");
    for (const auto method : {auth::Method::external, auth::Method::none}) {
        const auto known = file.check(method, login, Secret(), "");
        require(method == auth::Method::external || known.user == nullptr, "nobody has no name");
    }
    std::ignore = file.check(auth::Method::cram_md5, login, Secret(input.substr(0, 32)), "salt");
}

// The first byte chooses the type, all else is a message; and the text of a hosts file.
void names(std::string_view input)
{
    if (input.empty()) {
        return;
    }
    constexpr net::DnsType kTypes[] = {net::DnsType::a, net::DnsType::ptr, net::DnsType::aaaa};
    const auto type = kTypes[static_cast<unsigned char>(input[0]) % 3];
    const auto records = net::read_dns_answer(type, 0, input.substr(1));
    if (!records) {
        require(!records.error().text().empty(), "an error has words");
    } else if (type == net::DnsType::ptr) {
        require(records->name.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos,
                "a name of DNS is one line");
    } else {
        require(!records->addresses.empty(), "an answer has addresses");
        for (const SocketAddress& address : records->addresses) {
            require(!net::reverse_name(address).empty(), "an address has a reverse name");
        }
    }
    const auto failed = net::read_dns_answer(type, static_cast<unsigned char>(input[0]) % 30 + 1, "");
    require(!failed && failed.error().text().find(": ") != std::string::npos, "failures have words");
    static net::HostsFile hosts;
    require(!hosts.addresses("LocalHost", {}).empty(), "localhost is here");
    for (const SocketAddress& address : net::addresses_in_hosts(input, "mail.example.com")) {
        require(address.is_ip(), "hosts have IP addresses");
    }
    for (const auto form :
         {config::UrlForm::server, config::UrlForm::listen, config::UrlForm::service}) {
        const auto url = config::parse_url(input, form);
        require(!url || url->is_unix() || !url->host.empty() || url->port, "a URL is of somebody");
    }
    if (const auto network = Network::parse(input)) {
        std::ignore = network->contains(SocketAddress::any_ipv4(1));
    }
}

}  // namespace postern::fuzz
