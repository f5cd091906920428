// TLS where we are the client: proxy_ssl_* and auth_http_ssl_*, the same rows for both.
#include <array>

#include "config/directives/groups.h"
#include "config/directives/tls_setters.h"

namespace postern::config {

namespace {

// A text that templates can be made for.
template <std::size_t kBytes>
struct Text {
    consteval Text(const char (&text)[kBytes]) { std::copy_n(text, kBytes, bytes); }
    char bytes[kBytes];
};

// "proxy_ssl_" and "verify" as one.
template <Text kPrefix, Text kName>
struct Joined {
    static constexpr auto kBytes = [] {
        std::array<char, sizeof kPrefix.bytes + sizeof kName.bytes - 2> bytes{};
        const auto middle = std::copy_n(kPrefix.bytes, sizeof kPrefix.bytes - 1, bytes.begin());
        std::copy_n(kName.bytes, sizeof kName.bytes - 1, middle);
        return bytes;
    }();
    static constexpr std::string_view kText{kBytes.data(), kBytes.size()};
};

template <auto kSide>
Outcome verify(Entry& entry)
{
    entry.field(kSide, &ClientSsl::verify_is_written) = !entry.is_default();
    return flag<kSide, &ClientSsl::verify>(entry);
}

// An empty certificate is none, so that a server can do without one that it inherits.
template <auto kSide, Written SslPair::* kHalf>
Outcome pair_half(Entry& entry)
{
    entry.field(kSide, &ClientSsl::pair).*kHalf = certificate_source(entry);
    return {};
}

template <auto kSide>
Outcome name(Entry& entry)
{
    constexpr std::size_t kBytesMax = 255;  // RFC 1035 section 2.3.4
    if (entry.argument(0).size() > kBytesMax || has_control(entry.argument(0))) {
        return entry.invalid("value", "a host's name or address");
    }
    entry.field(kSide, &ClientSsl::name) = entry.argument(0);
    return {};
}

template <Text kPrefix, Text kName>
constexpr Directive row(std::size_t arguments, Setter set, std::string_view syntax)
{
    return {.name = Joined<kPrefix, kName>::kText,
            .where = kMail | kServer,
            .args = {arguments, arguments},
            .set = set,
            .syntax = syntax,
            .since = Since::postern};
}

constexpr Directive with_default(Directive row, std::string_view initial, std::string_view doc)
{
    row.initial = initial;
    row.doc = doc;
    return row;
}

constexpr Directive without(Directive row, std::string_view default_text, std::string_view doc)
{
    row.default_text = default_text;
    row.doc = doc;
    return row;
}

constexpr Directive adding(Directive row)
{
    row.again = Again::adds;
    return row;
}

constexpr Directive any_number(Directive row)
{
    row.args.most = Arity::kAny;
    return row;
}

// `kVerify`, `kServerName`: "on" or "off".
template <Text kPrefix, auto kSide, Text kVerify, Text kServerName>
constexpr std::array<Directive, 13> rows()
{
    return {
        with_default(row<kPrefix, "verify">(1, verify<kSide>, "on | off"), kVerify.bytes,
                     "Whether the server's certificate must be good: signed by somebody we trust, "
                     "and for the name that we know the server by. If it is not, nothing is said "
                     "to the server, and the client may try again later."),
        with_default(
            row<kPrefix, "verify_depth">(1, depth<kSide, &ClientSsl::verify_depth>, "NUMBER"), "1",
            "How many authorities may stand between its certificate and one we trust."),
        without(row<kPrefix, "name">(1, name<kSide>, "NAME"), "the host that we connect to",
                "The name that the certificate must be for, and that is asked for."),
        with_default(
            row<kPrefix, "server_name">(1, flag<kSide, &ClientSsl::server_name>, "on | off"),
            kServerName.bytes,
            "Whether the server is told the name that is wanted of it (Server Name "
            "Indication)."),
        without(row<kPrefix, "trusted_certificate">(
                    1, file_or_none<kSide, &ClientSsl::trusted_certificate>, "FILE"),
                "those that the system trusts",
                "Certificates of the authorities that we trust to sign the server's certificate. "
                "Relative to the configuration's directory."),
        without(row<kPrefix, "crl">(1, file_or_none<kSide, &ClientSsl::crl>, "FILE"), "none",
                "Lists of revoked certificates, in PEM: one for each authority of the server's "
                "chain."),
        without(row<kPrefix, "certificate">(1, pair_half<kSide, &SslPair::certificate>,
                                            "FILE | data:PEM"),
                "none", "Our own certificate, for a server that asks for one."),
        without(row<kPrefix, "certificate_key">(1, pair_half<kSide, &SslPair::key>,
                                                "FILE | data:PEM | engine:NAME:ID | store:URI"),
                "none", "The key of our own certificate."),
        without(row<kPrefix, "password_file">(1, file<kSide, &ClientSsl::password_file>, "FILE"),
                "none",
                "Pass phrases of the key, one a line, which are tried one after the other."),
        with_default(
            adding(any_number(row<kPrefix, "protocols">(1, protocols<kSide, &ClientSsl::protocols>,
                                                        "TLSv1 | TLSv1.1 | TLSv1.2 | TLSv1.3 …"))),
            "TLSv1.2 TLSv1.3", "Which versions of TLS are offered."),
        with_default(row<kPrefix, "ciphers">(1, for_openssl<kSide, &ClientSsl::ciphers>, "CIPHERS"),
                     "DEFAULT", "Ciphers up to TLS 1.2, as OpenSSL writes them."),
        with_default(
            row<kPrefix, "session_reuse">(1, flag<kSide, &ClientSsl::session_reuse>, "on | off"),
            "on", "Whether TLS sessions of earlier connections are resumed."),
        without(adding(row<kPrefix, "conf_command">(2, command<kSide, &ClientSsl::conf_commands>,
                                                    "NAME VALUE")),
                "none",
                "A command of OpenSSL's configuration files (SSL_CONF_cmd), after all other "
                "settings."),
    };
}

// NGINX: as its http proxy has them, which looks at no certificate unless it is told to.
constexpr auto kProxyRows = rows<"proxy_ssl_", &MailServer::proxy_ssl_settings, "off", "off">();
constexpr auto kServiceRows = rows<"auth_http_ssl_", &MailServer::auth_http_ssl, "on", "on">();

}  // namespace

std::span<const Directive> proxy_ssl_directives()
{
    return kProxyRows;
}

std::span<const Directive> auth_http_ssl_directives()
{
    return kServiceRows;
}

}  // namespace postern::config
