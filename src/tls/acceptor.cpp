#include "tls/acceptor.h"

#include <openssl/ssl.h>

#include <algorithm>
#include <new>

#include "base/text.h"
#include "tls/server_context.h"

namespace postern::tls {

namespace {

constexpr std::size_t kNameMax = 255;  // RFC 1035 section 2.3.4

int acceptor_index()
{
    static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return index;
}

int server_index()
{
    static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return index;
}

const Acceptor& acceptor_of(const SSL* ssl)
{
    return *static_cast<const Acceptor*>(SSL_get_ex_data(ssl, acceptor_index()));
}

std::size_t take_number(std::string_view& bytes, std::size_t size)
{
    std::size_t number = 0;
    for (std::size_t i = 0; i < size; ++i) {
        number = number << 8 | static_cast<unsigned char>(bytes[i]);
    }
    bytes.remove_prefix(size);
    return number;
}

// The host name in a server_name extension (RFC 6066 section 3): a list of one. Nothing if it is
// malformed, which OpenSSL answers.
std::string_view host_name(std::string_view extension)
{
    constexpr std::size_t kHostName = 0;
    if (extension.size() < 5 || take_number(extension, 2) != extension.size() ||
        take_number(extension, 1) != kHostName) {
        return {};
    }
    return take_number(extension, 2) == extension.size() ? extension : std::string_view();
}

int choose_server(SSL* ssl, int* alert, void*)
{
    const Acceptor& acceptor = acceptor_of(ssl);
    const unsigned char* bytes = nullptr;
    std::size_t size = 0;
    if (!acceptor.has_several_servers() ||
        SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &bytes, &size) != 1) {
        return SSL_CLIENT_HELLO_SUCCESS;
    }
    try {
        const Acceptor::Server& server =
            acceptor.choose(host_name({reinterpret_cast<const char*>(bytes), size}));
        const bool is_known =
            SSL_set_ex_data(ssl, server_index(), const_cast<Acceptor::Server*>(&server)) == 1;
        if (is_known &&
            (server.context->get() == SSL_get_SSL_CTX(ssl) || server.context->take_over(ssl))) {
            return SSL_CLIENT_HELLO_SUCCESS;
        }
    } catch (const std::bad_alloc&) {  // OpenSSL is not to see it
    }
    *alert = SSL_AD_INTERNAL_ERROR;
    return SSL_CLIENT_HELLO_ERROR;
}

// RFC 7301 section 3.2. A client that means to speak something else is refused: it may be a browser
// that was led here.
int choose_protocol(SSL* ssl, const unsigned char** chosen, unsigned char* chosen_size,
                    const unsigned char* offered, unsigned offered_size, void*)
{
    const std::string_view wanted = acceptor_of(ssl).protocol();
    for (unsigned at = 0; at < offered_size; at += 1u + offered[at]) {
        const std::string_view name(reinterpret_cast<const char*>(offered) + at + 1, offered[at]);
        if (name == wanted) {
            *chosen = offered + at + 1;
            *chosen_size = offered[at];
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

// How much the session cache of a context can do for all that begin with it: OpenSSL asks that one
// and no other, even for connections that went over to another context.
int cache_rank(const Acceptor::Server& server)
{
    const long mode = SSL_CTX_get_session_cache_mode(server.context->get());
    return (mode & SSL_SESS_CACHE_SERVER) == 0        ? 0
           : (mode & SSL_SESS_CACHE_NO_INTERNAL) != 0 ? 1
                                                      : 2;
}

}  // namespace

Acceptor::Acceptor(std::vector<Server> servers, config::Protocol protocol)
    : servers_(std::move(servers)), protocol_(protocol)
{
    for (std::size_t i = 0; i < servers_.size(); ++i) {
        for (const std::string& name : servers_[i].settings->names) {
            if (name.starts_with("*.")) {
                below_.emplace(name.substr(2), i);
            } else {
                exact_.emplace(name, i);
            }
        }
    }
    base_ = std::ranges::max_element(servers_, {}, cache_rank)->context;  // the first of several
}

void Acceptor::prepare(ssl_ctx_st* context)
{
    // Numbers for good, which OpenSSL needs memory to give: they are there before a client is.
    acceptor_index();
    server_index();
    SSL_CTX_set_client_hello_cb(context, choose_server, nullptr);
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
}

SslPtr Acceptor::accept() const
{
    const Server& first = servers_.front();
    SslPtr ssl(SSL_new(base_->get()));
    if (!ssl || (base_ != first.context && !first.context->take_over(ssl.get()))) {
        throw std::bad_alloc();
    }
    if (SSL_set_ex_data(ssl.get(), acceptor_index(), const_cast<Acceptor*>(this)) != 1 ||
        SSL_set_ex_data(ssl.get(), server_index(), const_cast<Server*>(&first)) != 1) {
        throw std::bad_alloc();
    }
    SSL_set_accept_state(ssl.get());
    return ssl;
}

std::size_t Acceptor::server_of(const ssl_st* ssl)
{
    return static_cast<const Server*>(SSL_get_ex_data(ssl, server_index()))->index;
}

const Acceptor::Server& Acceptor::choose(std::string_view name) const
{
    if (name.ends_with('.')) {
        name.remove_suffix(1);
    }
    if (name.empty() || name.size() > kNameMax) {
        return servers_.front();
    }
    const std::string host = to_lower(name);
    if (const auto found = exact_.find(host); found != exact_.end()) {
        return servers_[found->second];
    }
    for (std::size_t dot = host.find('.'); dot != std::string::npos;
         dot = host.find('.', dot + 1)) {
        if (const auto found = below_.find(host.substr(dot + 1)); found != below_.end()) {
            return servers_[found->second];
        }
    }
    return servers_.front();
}

}  // namespace postern::tls
