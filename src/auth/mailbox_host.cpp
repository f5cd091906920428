#include "auth/mailbox_host.h"

#include <algorithm>

#include "base/address.h"
#include "base/text.h"

namespace postern::auth {

namespace {

constexpr std::string_view kUnix = "unix:";
constexpr std::size_t kMaxUnixPathBytes = 107;  // of sockaddr_un
constexpr std::size_t kMaxNameBytes = 253;      // RFC 1035 section 2.3.4, as text
constexpr std::size_t kMaxLabelBytes = 63;

bool is_label_byte(char c)
{
    return is_alpha(c) || is_digit(c) || c == '-' || c == '_';
}

bool is_name(std::string_view text)
{
    if (text.ends_with('.')) {
        text.remove_suffix(1);
    }
    if (text.size() > kMaxNameBytes) {
        return false;
    }
    for (;;) {
        const std::size_t dot = text.find('.');
        const std::string_view label = text.substr(0, dot);
        if (label.empty() || label.size() > kMaxLabelBytes || label.starts_with('-') ||
            !std::ranges::all_of(label, is_label_byte)) {
            return false;
        }
        if (dot == std::string_view::npos) {
            return !std::ranges::all_of(label, is_digit);
        }
        text.remove_prefix(dot + 1);
    }
}

}  // namespace

bool is_mailbox_host(std::string_view text)
{
    if (text.starts_with(kUnix)) {
        const std::string_view path = text.substr(kUnix.size());
        return path.starts_with('/') && path.size() <= kMaxUnixPathBytes &&
               std::ranges::none_of(path,
                                    [](char c) { return static_cast<unsigned char>(c) < ' '; });
    }
    return SocketAddress::parse_ip(text, 0).has_value() || is_name(text);
}

}  // namespace postern::auth
