#include "session/dialogues.h"

#include <utility>

#include "build_info.h"
#if POSTERN_IMAP
#include "imap/dialogue.h"
#endif
#if POSTERN_POP3
#include "pop3/dialogue.h"
#endif
#if POSTERN_SMTP
#include "smtp/dialogue.h"
#endif

namespace postern::session {

std::unique_ptr<protocol::Dialogue> make_dialogue(config::Protocol protocol,
                                                  const protocol::Context& context)
{
    switch (protocol) {
#if POSTERN_IMAP
    case config::Protocol::imap:
        return std::make_unique<imap::Dialogue>(context);
#endif
#if POSTERN_POP3
    case config::Protocol::pop3:
        return std::make_unique<pop3::Dialogue>(context);
#endif
#if POSTERN_SMTP
    case config::Protocol::smtp:
        return std::make_unique<smtp::Dialogue>(context);
#endif
    default:
        std::unreachable();
    }
}

std::size_t client_buffer(const config::MailServer& settings, config::Protocol protocol)
{
    switch (protocol) {
    case config::Protocol::imap:
        return settings.imap_client_buffer;
    case config::Protocol::pop3:
        return settings.pop3_client_buffer;
    case config::Protocol::smtp:
        return settings.smtp_client_buffer;
    }
    std::unreachable();
}

}  // namespace postern::session
