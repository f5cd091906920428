// For tests: a DNS server on loopback, run by the test's own loop.
#pragma once

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/address.h"
#include "base/assert.h"
#include "base/text.h"
#include "config/settings.h"
#include "net/loop.h"

namespace postern::net {

class DnsServer final : public Watcher
{
public:
    enum Type : unsigned { kA = 1, kPtr = 12, kAaaa = 28 };  // RFC 1035 section 3.2.2, RFC 3596
    // RFC 1035 section 4.1.1
    static constexpr unsigned kServerFailure = 2;
    static constexpr unsigned kNotImplemented = 4;
    static constexpr unsigned kRefused = 5;

    explicit DnsServer(Loop& loop) : loop_(loop)
    {
        sockaddr_in address{.sin_family = AF_INET,
                            .sin_port = 0,
                            .sin_addr = {htonl(INADDR_LOOPBACK)},
                            .sin_zero = {}};
        socklen_t size = sizeof address;
        descriptor_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        POSTERN_ASSERT(::bind(descriptor_, reinterpret_cast<sockaddr*>(&address), size) == 0);
        ::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &size);
        address_ = SocketAddress::from(reinterpret_cast<sockaddr*>(&address), size);
        POSTERN_ASSERT(loop.add(descriptor_, *this, EPOLLIN) == 0);
    }
    ~DnsServer() override
    {
        loop_.remove(descriptor_, *this);
        ::close(descriptor_);
    }
    DnsServer(const DnsServer&) = delete;
    DnsServer& operator=(const DnsServer&) = delete;

    // "127.0.0.1", "::1", or a name for kPtr.
    void add(const std::string& name, Type type, const std::string& value, unsigned ttl = 60)
    {
        records_[{name, type}].push_back({rdata(type, value), ttl});
    }
    void forget(const std::string& name, Type type) { records_.erase({name, type}); }
    // Names that were not added do not exist, if this is 0. For one type, or all.
    void fail_with(unsigned code) { failure_ = code; }
    void fail_with(unsigned code, Type type) { failures_[type] = code; }
    void be_silent() { silent_ = true; }
    void speak() { silent_ = false; }
    void be_silent(Type type) { silent_types_.insert(type); }

    const SocketAddress& address() const { return address_; }
    unsigned questions(const std::string& name, Type type) const
    {
        const auto known = questions_.find({name, type});
        return known == questions_.end() ? 0 : known->second;
    }
    config::Resolver settings() const
    {
        config::Resolver result;
        result.configured = true;
        result.servers = {address_};
        return result;
    }

private:
    using Key = std::pair<std::string, unsigned>;
    struct Record {
        std::string rdata;
        unsigned ttl;
    };

    void on_ready(std::uint32_t) override
    {
        char packet[512];
        sockaddr_storage from;
        socklen_t size = sizeof from;
        const ssize_t length = ::recvfrom(descriptor_, packet, sizeof packet, 0,
                                          reinterpret_cast<sockaddr*>(&from), &size);
        if (length <= 16) {
            return;
        }
        const std::string reply = answer({packet, static_cast<std::size_t>(length)});
        if (!silent_ && !reply.empty()) {
            ::sendto(descriptor_, reply.data(), reply.size(), 0, reinterpret_cast<sockaddr*>(&from),
                     size);
        }
    }

    // RFC 1035 section 4
    std::string answer(const std::string& query)
    {
        std::string name;
        std::size_t at = 12;
        while (at < query.size() && query[at] != 0) {
            const auto length = static_cast<unsigned char>(query[at]);
            name += (name.empty() ? "" : ".") + query.substr(at + 1, length);
            at += length + 1u;
        }
        const auto type = static_cast<unsigned char>(query.at(at + 2));
        const Key key(to_lower(name), type);
        ++questions_[key];
        const auto found = records_.find(key);
        const bool known = std::ranges::any_of(
            records_, [&](const auto& item) { return item.first.first == key.first; });
        if (silent_types_.contains(type)) {
            return "";
        }
        const unsigned failure = failure_ != 0 ? failure_ : failures_[type];
        const unsigned code = failure != 0 ? failure : known ? 0u : 3u;
        const std::size_t count = found == records_.end() || code != 0 ? 0 : found->second.size();
        std::string reply = query.substr(0, 2) + '\x81' + static_cast<char>(0x80 | code) +
                            number(1, 2) + number(count, 2) + number(0, 4);
        reply += query.substr(12, at + 5 - 12);
        for (std::size_t i = 0; i < count; ++i) {
            const Record& record = found->second[i];
            reply += number(0xc00c, 2) + number(type, 2) + number(1, 2) + number(record.ttl, 4) +
                     number(record.rdata.size(), 2) + record.rdata;
        }
        return reply;
    }

    static std::string number(std::size_t value, int bytes)
    {
        std::string text;
        for (int i = bytes - 1; i >= 0; --i) {
            text += static_cast<char>(value >> (8 * i) & 0xff);
        }
        return text;
    }

    static std::string rdata(Type type, const std::string& value)
    {
        if (type != kPtr) {
            const auto address = SocketAddress::parse_ip(value, 0);
            return type == kA
                       ? std::string(reinterpret_cast<const char*>(&address->ipv4().sin_addr), 4)
                       : std::string(reinterpret_cast<const char*>(&address->ipv6().sin6_addr), 16);
        }
        std::string text;
        for (std::string_view rest = value; !rest.empty();) {
            const std::string_view label = rest.substr(0, rest.find('.'));
            text += static_cast<char>(label.size());
            text += label;
            rest.remove_prefix(std::min(rest.size(), label.size() + 1));
        }
        return text + '\0';
    }

    Loop& loop_;
    int descriptor_;
    SocketAddress address_;
    std::map<Key, std::vector<Record>> records_;
    std::map<Key, unsigned> questions_;
    unsigned failure_ = 0;
    std::map<unsigned, unsigned> failures_;  // by type
    std::set<unsigned> silent_types_;
    bool silent_ = false;
};

}  // namespace postern::net
