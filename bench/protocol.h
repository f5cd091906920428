#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace postern::bench {

enum class Protocol : unsigned char { imap, pop3, smtp };

constexpr std::array kProtocolNames{std::string_view("imap"), std::string_view("pop3"),
                                    std::string_view("smtp")};
constexpr std::size_t kProtocols = kProtocolNames.size();

}  // namespace postern::bench
