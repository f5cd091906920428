// The rows of each file in this folder.
#pragma once

#include "config/directive.h"

namespace postern::config {

std::span<const Directive> main_directives();
std::span<const Directive> worker_directives();
std::span<const Directive> events_directives();
std::span<const Directive> mail_directives();
std::span<const Directive> real_ip_directives();
std::span<const Directive> access_directives();
std::span<const Directive> limit_directives();
std::span<const Directive> login_limit_directives();
std::span<const Directive> auth_directives();
std::span<const Directive> imap_directives();
std::span<const Directive> pop3_directives();
std::span<const Directive> smtp_directives();
std::span<const Directive> proxy_directives();
std::span<const Directive> resolver_directives();
std::span<const Directive> access_log_directives();
std::span<const Directive> ssl_directives();
std::span<const Directive> proxy_ssl_directives();
std::span<const Directive> auth_http_ssl_directives();
std::span<const Directive> no_effect_directives();

}  // namespace postern::config
