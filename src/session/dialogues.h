#pragma once

#include <memory>

#include "protocol/dialogue.h"

namespace postern::session {

// The dialogue of a protocol. Protocols that were left out of the build never get here: the
// configuration that names one is refused.
std::unique_ptr<protocol::Dialogue> make_dialogue(config::Protocol protocol,
                                                  const protocol::Context& context);

// How many bytes of a client may be unread before its login.
std::size_t client_buffer(const config::MailServer& settings, config::Protocol protocol);

}  // namespace postern::session
