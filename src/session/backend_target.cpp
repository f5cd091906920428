#include "session/backend_target.h"

#include <utility>

#include "net/proxy_header.h"

namespace postern::session {

namespace {

// The name that the certificate of the mailbox server has to hold.
std::string name(const config::ClientSsl& settings, const auth::Mailbox& mailbox)
{
    if (!mailbox.ssl_name.empty()) {
        return mailbox.ssl_name;
    }
    if (!settings.name.empty()) {
        return settings.name;
    }
    if (mailbox.host.starts_with("unix:")) {
        return "localhost";  // NGINX: so are UNIX sockets called
    }
    std::string host = mailbox.host;
    if (host.ends_with('.')) {  // of a complete name: no certificate has it
        host.pop_back();
    }
    return host;
}

}  // namespace

backend::Target backend_target(const config::MailServer& settings, const auth::Mailbox& mailbox)
{
    return {
        .host = mailbox.host,
        .port = mailbox.port,
        .ssl = mailbox.ssl.value_or(settings.proxy_ssl),
        .verify = mailbox.ssl_verify.value_or(settings.proxy_ssl_settings.verify),
        .name = name(settings.proxy_ssl_settings, mailbox),
    };
}

std::string header_for_backend(const config::MailServer& settings, const SocketAddress& client,
                               const net::Stream& stream)
{
    switch (settings.proxy_protocol) {
    case config::ProxyProtocol::off:
        return "";
    case config::ProxyProtocol::v1:
        return net::proxy_header_v1(client, stream.local_address());
    case config::ProxyProtocol::v2: {
        std::optional<tls::Facts> tls;
        if (stream.tls() != nullptr) {
            tls = tls::facts_of(stream.tls()->ssl());
        }
        return net::proxy_header_v2(client, stream.local_address(), tls ? &*tls : nullptr);
    }
    }
    std::unreachable();
}

}  // namespace postern::session
