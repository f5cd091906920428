#include "tls/contexts.h"

#include <algorithm>
#include <map>

#include "config/settle_tls.h"
#include "tls/credentials.h"
#include "tls/server_context.h"

namespace postern::tls {

struct Contexts::Parts {
    std::map<std::string, std::shared_ptr<SessionZone>> zones;  // by name
    std::shared_ptr<TicketKeys> ticket_keys;  // for all without "ssl_session_ticket_key"
    std::map<std::vector<std::string>, std::shared_ptr<const SelfSigned>> self_signed;  // by names
    std::vector<std::unique_ptr<ServerContext>> servers;
    std::vector<std::unique_ptr<ClientContext>> clients;
    // By index in Settings::servers; null where there is none.
    std::vector<const ClientContext*> for_backends;
    std::vector<const ClientContext*> for_auth_http;
    std::map<std::string, std::unique_ptr<Acceptor>> acceptors;  // by listening address
};

namespace {

// The names that a self-signed certificate is for.
std::vector<std::string> names_of(const config::MailServer& server)
{
    return server.names.empty() ? std::vector{server.server_name} : server.names;
}

}  // namespace

// Fills the parts, one kind after the other.
class Contexts::Loader
{
public:
    Loader(const config::Settings& settings, const Parts* old, Parts& parts, Loading& loading)
        : settings_(settings), old_(old), parts_(parts), loading_(loading)
    {
    }

    config::Checked run()
    {
        make_ticket_keys();
        std::vector<const ServerContext*> contexts;
        for (const config::MailServer& server : settings_.servers) {
            const auto cause = config::cause_of_tls(server);
            auto context = cause ? server_context(server, *cause) : nullptr;
            if (!context) {
                return std::unexpected(std::move(context.error()));
            }
            contexts.push_back(*context);
            // A service's answer can ask for TLS, and only a users file for verification as well.
            const bool may_verify = server.proxy_ssl_settings.verify ||
                                    std::holds_alternative<config::AuthFile>(server.auth);
            loading_.side = "proxy_";
            auto backends = client_context(server.proxy_ssl_settings, may_verify);
            if (!backends) {
                return std::unexpected(std::move(backends.error()));
            }
            parts_.for_backends.push_back(*backends);
            const auto* const service = std::get_if<config::AuthHttp>(&server.auth);
            const bool has_https = service != nullptr && service->https;
            loading_.side = "auth_http_";
            auto services = has_https
                                ? client_context(server.auth_http_ssl, server.auth_http_ssl.verify)
                                : nullptr;
            if (!services) {
                return std::unexpected(std::move(services.error()));
            }
            parts_.for_auth_http.push_back(*services);
            loading_.side = "";
        }
        make_acceptors(contexts);
        return {};
    }

private:
    template <typename T>
    using Expected = std::expected<T, config::Error>;

    // Made once for as long as the master lives: so tickets outlive a reload.
    void make_ticket_keys()
    {
        config::seconds period{0};
        for (const config::MailServer& server : settings_.servers) {
            period = std::max(period, server.ssl.session_timeout);
        }
        if (old_ != nullptr && old_->ticket_keys) {
            parts_.ticket_keys = old_->ticket_keys;
            parts_.ticket_keys->set_period(period);
        } else {
            parts_.ticket_keys = TicketKeys::make(period);
        }
    }

    Expected<const ServerContext*> server_context(const config::MailServer& server,
                                                  const config::TlsCause& cause)
    {
        ServerContext::Shared shared;
        if (server.ssl.pairs.empty()) {
            auto made = self_signed(server, cause);
            if (!made) {
                return std::unexpected(std::move(made.error()));
            }
            shared.self_signed = std::move(*made);
        }
        for (const Known& known : known_) {
            if (*known.settings == server.ssl && known.self_signed == shared.self_signed) {
                warn_of_names(server, *known.context);
                return known.context;
            }
        }
        auto zone = session_zone(server.ssl.session_cache);
        if (!zone) {
            return std::unexpected(std::move(zone.error()));
        }
        shared.zone = std::move(*zone);
        shared.ticket_keys = parts_.ticket_keys;
        if (!server.ssl.session_ticket_keys.empty()) {
            auto keys = TicketKeys::load(server.ssl.session_ticket_keys);
            if (!keys) {
                return std::unexpected(std::move(keys.error()));
            }
            shared.ticket_keys = std::move(*keys);
        }
        auto made = ServerContext::load(server.ssl, shared, loading_);
        if (!made) {
            return std::unexpected(std::move(made.error()));
        }
        parts_.servers.push_back(std::move(*made));
        known_.push_back({&server.ssl, shared.self_signed, parts_.servers.back().get()});
        warn_of_names(server, *known_.back().context);
        return known_.back().context;
    }

    // One that a client has learned to trust stays the same.
    Expected<std::shared_ptr<const SelfSigned>> self_signed(const config::MailServer& server,
                                                            const config::TlsCause& cause)
    {
        const std::vector<std::string> names = names_of(server);
        config::warn_once(
            loading_.warnings,
            fmt::format("no \"ssl_certificate\" is defined for the \"{}\" directive in {}, a "
                        "self-signed certificate for \"{}\" is used, which clients will warn of",
                        cause.directive, cause.where.text(), names.front()));
        std::shared_ptr<const SelfSigned>& made = parts_.self_signed[names];
        if (!made && old_ != nullptr) {
            const auto known = old_->self_signed.find(names);
            if (known != old_->self_signed.end() && known->second->is_fresh()) {
                made = known->second;
            }
        }
        if (!made) {
            made = make_self_signed(names);
        }
        if (!made) {
            return std::unexpected(config::Error::at(
                server.where, "a self-signed certificate can't be made" + take_errors()));
        }
        return made;
    }

    // What a client asks for must stand in the certificate that it is shown.
    void warn_of_names(const config::MailServer& server, const ServerContext& context)
    {
        if (server.ssl.pairs.empty()) {
            return;
        }
        for (const std::string& name : server.names) {
            if (!is_for(*context.get(), name)) {
                const config::Written& file = server.ssl.pairs.front().certificate;
                loading_.warn(
                    file.where,
                    fmt::format("certificate \"{}\" is not for \"{}\", the \"server_name\" "
                                "of a server",
                                config::shown_name(file.text), name));
            }
        }
    }

    Expected<std::shared_ptr<SessionZone>> session_zone(const config::SslSessionCache& cache)
    {
        if (cache.zone.empty()) {
            return nullptr;
        }
        std::shared_ptr<SessionZone>& zone = parts_.zones[cache.zone];
        if (!zone && old_ != nullptr) {
            const auto known = old_->zones.find(cache.zone);
            if (known != old_->zones.end() && known->second->bytes() == cache.zone_bytes) {
                zone = known->second;
            }
        }
        if (!zone) {
            zone = SessionZone::make(cache.zone_bytes);
        }
        if (!zone) {
            return std::unexpected(config::Error::at(
                cache.where, fmt::format("no memory for the shared memory zone \"{}\" of {} bytes",
                                         cache.zone, cache.zone_bytes)));
        }
        return zone;
    }

    Expected<const ClientContext*> client_context(const config::ClientSsl& settings,
                                                  bool may_verify)
    {
        using Verifies = ClientContext::Verifies;
        const Verifies verifies = may_verify ? Verifies::maybe : Verifies::never;
        for (const auto& known : parts_.clients) {
            if (known->settings() == settings && known->verifies() == verifies) {
                return known.get();
            }
        }
        auto made = ClientContext::load(settings, loading_, verifies);
        if (!made) {
            return std::unexpected(std::move(made.error()));
        }
        parts_.clients.push_back(std::move(*made));
        return parts_.clients.back().get();
    }

    void make_acceptors(const std::vector<const ServerContext*>& contexts)
    {
        struct Place {
            std::vector<Acceptor::Server> servers;
            config::Protocol protocol = config::Protocol::imap;
        };
        std::map<std::string, Place> places;
        for (std::size_t i = 0; i < settings_.servers.size(); ++i) {
            const config::MailServer& server = settings_.servers[i];
            for (const config::Listen& listen : server.listens) {
                if (!listen.ssl && server.starttls == config::StartTls::off) {
                    continue;
                }
                Place& place = places[listen.address.text()];
                place.protocol = listen.protocol;
                const auto at = listen.default_server ? place.servers.begin() : place.servers.end();
                place.servers.insert(at, {i, &server, contexts[i]});
            }
        }
        for (auto& [address, place] : places) {
            parts_.acceptors.emplace(
                address, std::make_unique<Acceptor>(std::move(place.servers), place.protocol));
        }
    }

    struct Known {
        const config::Ssl* settings;
        std::shared_ptr<const SelfSigned> self_signed;
        const ServerContext* context;
    };

    const config::Settings& settings_;
    const Parts* old_;
    Parts& parts_;
    Loading& loading_;
    std::vector<Known> known_;
};

Contexts::Contexts() : parts_(std::make_unique<Parts>()) {}
Contexts::~Contexts() = default;

std::expected<std::unique_ptr<Contexts>, config::Error> Contexts::load(
    const config::Settings& settings, const Contexts* old, std::vector<config::Warning>& warnings)
{
    std::unique_ptr<Contexts> made(new Contexts);
    Loading loading{warnings, settings.directory};
    Loader loader(settings, old == nullptr ? nullptr : old->parts_.get(), *made->parts_, loading);
    if (auto done = loader.run(); !done) {
        return std::unexpected(std::move(done.error()));
    }
    return made;
}

const Acceptor* Contexts::acceptor(const SocketAddress& listen) const
{
    const auto found = parts_->acceptors.find(listen.text());
    return found == parts_->acceptors.end() ? nullptr : found->second.get();
}

const ClientContext* Contexts::for_backends(std::size_t server) const
{
    return parts_->for_backends[server];
}

const ClientContext* Contexts::for_auth_http(std::size_t server) const
{
    return parts_->for_auth_http[server];
}

}  // namespace postern::tls
