// What a configuration names for TLS, put into a context. Errors are complete: NGINX's words, and
// where the file was named.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/secret.h"
#include "config/error.h"
#include "config/settings.h"
#include "tls/openssl.h"

namespace postern::tls {

// What the loading of one configuration has in common.
struct Loading {
    std::vector<config::Warning>& warnings;
    std::string
        directory;  // of the main configuration file: what ssl_conf_command's files are below
    std::map<std::string, std::vector<Secret>> pass_phrases{};  // by file: a pipe is read only once
    std::string_view side = "";  // what is loaded now: "", "proxy_" or "auth_http_", for messages

    void warn(const config::Location& where, std::string_view message);
};

// An error with what OpenSSL has to say of it.
std::unexpected<config::Error> failed(const config::Location& where, std::string_view what);

// A certificate with its chain, and its key. Warns of one that has expired, is not valid yet, or
// will expire within two weeks.
config::Checked use_pair(ssl_ctx_st& context, const config::SslPair& pair,
                         const config::Written& password_file, Loading& loading);
// Certificates of authorities whose word counts. `names_told`: and clients are told their names.
config::Checked trust(ssl_ctx_st& context, const config::Written& file, bool names_told = false);
// Revoked certificates: with a file here every certificate needs a list that may name it.
config::Checked use_crl(ssl_ctx_st& context, const config::Written& file);
// These and no others.
config::Checked set_protocols(ssl_ctx_st& context, const config::SslProtocols& protocols,
                              Loading& loading);
config::Checked set_ciphers(ssl_ctx_st& context, const config::Written& ciphers);
enum class Role : unsigned char { server, client };
config::Checked apply_commands(ssl_ctx_st& context, const std::vector<config::SslCommand>& commands,
                               Role role, const Loading& loading);
// The same, checked before, for one connection of a server that has its context already: without
// those that name files, which nobody may be allowed to read by now. False if OpenSSL won't.
bool apply_commands(ssl_st& ssl, const std::vector<config::SslCommand>& commands);

// "ssl_lean on": connections of this context may let go of OpenSSL's objects. None do where records
// are to be padded, which is warned of.
void allow_lean(ssl_ctx_st& context, const std::vector<config::SslCommand>& commands,
                Loading& loading);

// The leaf of a certificate's chain is for this name ("*.DOMAIN" too).
bool is_for(const ssl_ctx_st& context, std::string_view name);

}  // namespace postern::tls
