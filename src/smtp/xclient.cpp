#include "smtp/xclient.h"

#include <algorithm>

#include "base/text.h"

namespace postern::smtp {

namespace {

constexpr char kUnknown[] = "[UNAVAILABLE]";
constexpr std::size_t kMaxCommandBytes = 512;  // RFC 5321 section 4.5.3.1.4
constexpr std::size_t kMaxValueBytes = 255;    // of NAME and HELO, in XCLIENT_README

constexpr std::string_view kAttributes[] = {"NAME", "ADDR",  "PORT",     "PROTO",
                                            "HELO", "LOGIN", "DESTADDR", "DESTPORT"};

// The attributes that a server takes.
class Offer
{
public:
    explicit Offer(std::optional<std::string_view> listed) : is_made_(listed.has_value())
    {
        std::string_view rest = listed.value_or("");
        while (!rest.empty()) {
            const std::string_view word = rest.substr(0, rest.find(' '));
            rest.remove_prefix(std::min(rest.size(), word.size() + 1));
            listed_ |= bit(word);
        }
    }

    bool is_made() const { return is_made_; }
    // NGINX tells LOGIN and NAME without being asked: they need not be listed if nothing is.
    bool takes_basic(std::string_view name) const { return listed_ == 0 || takes(name); }
    bool takes(std::string_view name) const { return (listed_ & bit(name)) != 0; }

private:
    // 0 if it is none of ours.
    static unsigned bit(std::string_view word)
    {
        const auto* const found = std::ranges::find_if(
            kAttributes, [word](std::string_view known) { return iequals(known, word); });
        return found == std::end(kAttributes) ? 0 : 1u << (found - std::begin(kAttributes));
    }

    bool is_made_;
    unsigned listed_ = 0;
};

// RFC 3461 section 4, but all bytes beyond printable ASCII are encoded, the space too.
void append_xtext(std::string& text, std::string_view value)
{
    constexpr char kHex[] = "0123456789ABCDEF";
    for (const char c : value) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte > 0x20 && byte < 0x7f && c != '+' && c != '=') {
            text += c;
        } else {
            text += {'+', kHex[byte >> 4], kHex[byte & 15]};
        }
    }
}

void add(std::string& text, std::string_view name, std::string_view value)
{
    text += ' ';
    text += name;
    text += '=';
    append_xtext(text, value);
}

std::string ip_of(const SocketAddress& address)
{
    return (address.family() == AF_INET6 ? "IPV6:" : "") + address.ip_text();
}

// NGINX says "unix:" of a client at a UNIX socket, at which Postfix takes offence.
std::string client_ip(const SocketAddress& client, const Offer& offer)
{
    return client.is_ip() || !offer.is_made() ? ip_of(client) : kUnknown;
}

// What NGINX tells, in its order. ADDR whatever is listed: a server that doesn't hear of it would
// take the client for this machine, and trust it.
std::string basic_attributes(const ClientFacts& facts, const Offer& offer)
{
    std::string text;
    add(text, "ADDR", client_ip(facts.address, offer));
    if (!facts.login.empty() && offer.takes_basic("LOGIN")) {
        add(text, "LOGIN", facts.login);
    }
    if (offer.takes_basic("NAME")) {
        add(text, "NAME", facts.host);
    }
    return text;
}

// What else a server may take.
std::string more_attributes(const ClientFacts& facts, const Offer& offer)
{
    const auto ip = [](const SocketAddress& address) {
        return address.is_ip() ? ip_of(address) : kUnknown;
    };
    const auto port = [](const SocketAddress& address) {
        return address.is_ip() ? std::to_string(address.port()) : kUnknown;
    };
    std::string text;
    if (offer.takes("PORT")) {
        add(text, "PORT", port(facts.address));
    }
    if (offer.takes("HELO")) {
        const bool is_known = !facts.helo.empty() && xtext(facts.helo).size() <= kMaxValueBytes;
        add(text, "HELO", is_known ? facts.helo : kUnknown);
    }
    if (offer.takes("PROTO")) {
        add(text, "PROTO", facts.extended ? "ESMTP" : "SMTP");
    }
    if (offer.takes("DESTADDR")) {
        add(text, "DESTADDR", ip(facts.listener));
    }
    if (offer.takes("DESTPORT")) {
        add(text, "DESTPORT", port(facts.listener));
    }
    return text;
}

}  // namespace

std::vector<std::string> xclient_commands(const ClientFacts& facts,
                                          std::optional<std::string_view> offered)
{
    const Offer offer(offered);
    const auto command = [](const std::string& attributes) {
        return "XCLIENT" + attributes + "\r\n";
    };
    const std::string basic = basic_attributes(facts, offer);
    const std::string more = more_attributes(facts, offer);
    std::string all = command(basic + more);
    if (all.size() <= kMaxCommandBytes || more.empty()) {
        return {std::move(all)};
    }
    // ADDR goes last: after it the server takes us for the client, who may not say XCLIENT.
    return {command(more), command(basic)};
}

std::string xtext(std::string_view text)
{
    std::string encoded;
    append_xtext(encoded, text);
    return encoded;
}

}  // namespace postern::smtp
