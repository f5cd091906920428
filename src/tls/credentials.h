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
    std::string directory;  // of the main configuration file: what ssl_conf_command's files are below
    std::map<std::string, std::vector<Secret>> pass_phrases{};  // by file: a pipe is read only once

    void warn(const config::Location& where, std::string_view message);
};

// A certificate with its chain, and its key. Warns of one that has expired, is not valid yet, or
// will expire within two weeks.
config::Checked use_pair(ssl_ctx_st& context, const config::SslPair& pair,
                         const config::Written& password_file, Loading& loading);
// Certificates of authorities whose word counts. `names_told`: and clients are told their names.
config::Checked trust(ssl_ctx_st& context, const config::Written& file, bool names_told = false);
// Revoked certificates: with a file here every certificate needs a list that may name it.
config::Checked use_crl(ssl_ctx_st& context, const config::Written& file);
// "TLSv1.2", ...: these and no others. `where` is for messages.
config::Checked set_protocols(ssl_ctx_st& context, const std::vector<std::string>& protocols,
                              const config::Location& where, Loading& loading);
config::Checked set_ciphers(ssl_ctx_st& context, const config::Written& ciphers);
config::Checked apply_commands(ssl_ctx_st& context, const std::vector<config::SslCommand>& commands,
                               bool is_server, const Loading& loading);

// The leaf of a certificate's chain is for this name ("*.DOMAIN" too).
bool is_for(const ssl_ctx_st& context, std::string_view name);

}  // namespace postern::tls
