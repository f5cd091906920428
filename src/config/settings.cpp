#include "config/settings.h"

namespace postern::config {

std::string Location::text() const
{
    return line == 0 ? file : file + ":" + std::to_string(line);
}

std::string_view to_string(Protocol protocol)
{
    switch (protocol) {
    case Protocol::imap:
        return "imap";
    case Protocol::pop3:
        return "pop3";
    case Protocol::smtp:
        return "smtp";
    }
    std::unreachable();
}

}  // namespace postern::config
