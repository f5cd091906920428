#pragma once

#include <expected>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/address.h"
#include "config/settings.h"
#include "net/dns_channel.h"
#include "net/dns_message.h"
#include "net/failed_addresses.h"
#include "net/hosts_file.h"
#include "net/task.h"

namespace postern::net {

class Deadline;

// Looks up names through DNS, on one loop and without blocking it. Answers are kept for their TTL,
// or as long as "valid=" says; failures are not kept. Who asks what somebody else waits for, waits
// for the same answer. When it is destroyed, whoever still waits is left waiting.
class Resolver
{
public:
    // With `hosts_file_and_dns` names are taken as the system takes them: those of /etc/hosts
    // first, and with the search list of /etc/resolv.conf. With `dns` what is said is true now.
    enum class Sources : unsigned char { dns, hosts_file_and_dns };
    enum class Family : unsigned char { any, ipv4, ipv6 };

    // If DNS fails, a server's address that was right a day ago is better than none (RFC 8767).
    static constexpr std::chrono::hours kStaleMax{24};
    // So long a fresh answer is waited for, if there is a stale one.
    static constexpr std::chrono::seconds kStalePatience{2};
    // And so long for the other kind of address, when one kind is there.
    static constexpr std::chrono::seconds kOtherFamilyPatience{1};

    Resolver(Loop& loop, const config::Resolver& settings,
             Sources sources = Sources::hosts_file_and_dns);
    ~Resolver();
    Resolver(const Resolver&) = delete;
    Resolver& operator=(const Resolver&) = delete;

    using Addresses = std::vector<SocketAddress>;
    // All addresses of `host`, at least one, with `port`, in the order in which to try them: IPv4
    // first; each call begins with another one; those that have failed lately are last. An IP
    // address is its own answer.
    Task<std::expected<Addresses, ResolveError>> addresses(std::string host, std::uint16_t port,
                                                           Deadline& deadline,
                                                           Family family = Family::any);
    // What came of trying one.
    void has_failed(const SocketAddress& address) { failed_.add(address, loop_.now()); }
    void has_answered(const SocketAddress& address) { failed_.remove(address); }

    // The first name that `address` has (a PTR record). Nothing says that it is true.
    Task<std::expected<std::string, ResolveError>> name(SocketAddress address, Deadline& deadline);

    Loop& loop() const { return loop_; }

private:
    class Question;
    class Wait;
    using Key = std::pair<std::string, DnsType>;
    struct Kept {
        DnsRecords records;
        Clock::time_point expires;
        std::size_t uses = 0;
    };

    std::shared_ptr<Question> ask(const Key& key);
    void ask_channel(DnsChannel& channel, const Key& key, std::shared_ptr<Question> question);
    void remember(const Key& key, const DnsRecords& records);
    std::vector<Key> keys(const std::string& host, Family family) const;
    bool is_wanted(const SocketAddress& address, Family family) const;
    Addresses rotated(const Key& key, Addresses addresses);
    Addresses stale(const std::vector<Key>& keys);
    Addresses to_be_tried(Addresses found, std::uint16_t port);

    Loop& loop_;
    config::Resolver settings_;
    Sources sources_;
    DnsChannel channel_;
    DnsChannel blunt_channel_;  // for the reason why nobody has answered
    std::map<Key, std::shared_ptr<Question>> pending_;
    std::map<Key, Kept> kept_;
    HostsFile hosts_file_;
    FailedAddresses failed_;
};

}  // namespace postern::net
