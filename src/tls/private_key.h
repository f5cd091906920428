#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "config/error.h"
#include "tls/credentials.h"
#include "tls/openssl.h"

namespace postern::tls {

// A key as "ssl_certificate_key" names it: a PEM file, "data:PEM", "engine:NAME:ID" or "store:URI".
// Pass phrases of `password_file` are tried one after the other. The error is complete.
std::expected<KeyPtr, config::Error> load_key(const config::Written& key,
                                              const config::Written& password_file,
                                              Loading& loading);

// For reading PEM: a file, or the text behind "data:". Null, with OpenSSL's errors, if it can't be
// opened.
BioPtr open_pem(const std::string& name);

}  // namespace postern::tls
