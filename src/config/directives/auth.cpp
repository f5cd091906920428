// Where users are looked up: "auth_http", "auth_file" and what belongs to them.
#include "config/directives/groups.h"
#include "config/setters.h"
#include "config/url.h"

namespace postern::config {

namespace {

// One source of users a server: of the innermost block the one that was written last.
void replace_source(Entry& entry, decltype(MailServer::auth) source)
{
    if (!entry.first_of({"auth_http", "auth_file"})) {
        entry.warn(fmt::format("\"{}\" directive replaces the source of users written before it",
                               entry.name()));
    }
    entry.field(&MailServer::auth) = std::move(source);
}

Outcome auth_http(Entry& entry)
{
    constexpr std::string_view kHttp = "http://";
    constexpr std::string_view kHttps = "https://";
    std::string_view text = entry.argument(0);
    const bool https = text.starts_with(kHttps);
    if (https || text.starts_with(kHttp)) {
        text.remove_prefix(https ? kHttps.size() : kHttp.size());
    }
    const std::uint16_t default_port = https ? 443 : 80;
    const auto url = parse_url(text, UrlForm::service);
    const auto bad = [&](std::string_view why) {
        return std::unexpected(fmt::format(
            "{} in auth_http \"{}\" ([http[s]://]HOST[:PORT][/PATH] is wanted)", why, text));
    };
    if (!url) {
        return bad(url.error());
    }
    if (has_control(url->uri) || url->uri.find_first_of(" #") != std::string::npos) {
        return bad("invalid URI");  // RFC 9112 section 3.2: it would end the request line
    }
    AuthHttp service;
    service.where = entry.where();
    service.https = https;
    service.unix_path = url->unix_path;
    service.host = url->is_unix() ? "localhost" : url->host;
    service.port = url->is_unix() ? 0 : url->port.value_or(default_port);
    if (!url->uri.empty()) {
        service.uri = url->uri;
    }
    replace_source(entry, std::move(service));
    return {};
}

Outcome auth_file(Entry& entry)
{
    constexpr std::string_view kDefault = "default=";
    if (entry.argument(0).empty()) {
        return entry.invalid("value", "a file's name");
    }
    AuthFile file;
    file.where = entry.where();
    file.path = entry.below_directory(entry.argument(0));
    if (entry.arguments().size() > 1) {
        const std::string_view parameter = entry.argument(1);
        if (!parameter.starts_with(kDefault)) {
            return std::unexpected(
                fmt::format("invalid parameter \"{}\" (default=HOST[:PORT] is wanted)", parameter));
        }
        const auto url = parse_url(parameter.substr(kDefault.size()), UrlForm::server);
        if (!url || url->is_unix()) {
            return std::unexpected(
                fmt::format("{} in \"{}\" of the \"auth_file\" directive (default=HOST[:PORT] is "
                            "wanted)",
                            url ? "invalid host" : url.error(), parameter));
        }
        file.default_host = trim(url->host, "[]");
        file.default_port = url->port.value_or(0);
    }
    replace_source(entry, std::move(file));
    return {};
}

// A field name of RFC 9110 section 5.1.
bool is_header_name(std::string_view name)
{
    return !name.empty() && std::ranges::all_of(name, [](char c) {
        return is_alpha(c) || is_digit(c) ||
               std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
    });
}

Outcome auth_http_header(Entry& entry)
{
    const std::string& name = entry.argument(0);
    const std::string& value = entry.argument(1);
    if (!is_header_name(name)) {
        return entry.invalid("name", "a header's name");
    }
    if (std::ranges::any_of(value, [](char c) { return c != '\t' && has_control({&c, 1}); })) {
        return entry.invalid("value", "text without line breaks");
    }
    auto& headers = entry.field(&MailServer::auth_http_headers);
    if (entry.first()) {
        headers.clear();
    }
    headers.emplace_back(name, value);
    return {};
}

constexpr Directive kDirectives[] = {
    {.name = "auth_http",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = auth_http,
     .syntax = "[http[s]://]HOST[:PORT][/URI] | [http[s]://]unix:PATH[:URI]",
     .default_text = "none: every server needs this or `auth_file`",
     .doc =
         "The HTTP service that says who may log in, and to which mailbox server. HOST is "
         "resolved when it is needed, not when Postern starts. PORT is 80, or 443 with `https://`, "
         "which NGINX doesn't have.",
     .again = Again::last_wins},
    {.name = "auth_http_timeout",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = duration<&MailServer::auth_http_timeout>,
     .initial = "60s",
     .syntax = "TIME",
     .doc = "How long the service may take, from connecting to the end of its answer."},
    {.name = "auth_http_header",
     .where = kMail | kServer,
     .args = {2, 2},
     .set = auth_http_header,
     .syntax = "NAME VALUE",
     .default_text = "none",
     .doc = "A header for each request to the service. Several add up; the first one in a server "
            "replaces those of `mail`.",
     .again = Again::adds},
    {.name = "auth_http_keepalive",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = number<&MailServer::auth_http_keepalive>,
     .initial = "0",
     .syntax = "NUMBER",
     .doc = "How many idle connections to the service an event loop keeps, with HTTP/1.1. `0`: one "
            "HTTP/1.0 request a connection, as NGINX does.",
     .since = Since::postern},
    {.name = "auth_http_pass_client_cert",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = flag<&MailServer::auth_http_pass_client_cert>,
     .initial = "off",
     .syntax = "on | off",
     .doc = "Whether the certificate that a client sent (`ssl_verify_client`) is passed on to the "
            "service, in the header `Auth-SSL-Cert`."},
    {.name = "auth_file",
     .where = kMail | kServer,
     .args = {1, 2},
     .set = auth_file,
     .syntax = "FILE [default=HOST[:PORT]]",
     .default_text = "none",
     .doc =
         "A file of users in Dovecot's passwd-file form, instead of a service. `default=` is the "
         "mailbox server of users whose line names none; PORT is the protocol's own unless it is "
         "written. Relative to the configuration's directory.",
     .again = Again::last_wins,
     .since = Since::postern},
};

}  // namespace

std::span<const Directive> auth_directives()
{
    return kDirectives;
}

}  // namespace postern::config
