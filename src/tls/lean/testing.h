// For tests: octets as text, and two channels that talk to each other.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <string>
#include <string_view>

#include "tls/lean/channel.h"

namespace postern::tls::lean {

inline Bytes octets(std::string_view text)
{
    return {reinterpret_cast<const unsigned char*>(text.data()), text.size()};
}

inline std::string from_hex(std::string_view hex)
{
    std::string bytes;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
        bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
    }
    return bytes;
}

inline std::string to_hex(Bytes bytes)
{
    std::string hex;
    for (const unsigned char byte : bytes) {
        hex += fmt::format("{:02x}", byte);
    }
    return hex;
}

// What a server begins with, or its client; secrets of no handshake.
inline Channel::Beginning beginning_of(bool is_server, Suite suite = Suite::aes_128_gcm_sha256)
{
    TrafficKeys servers;
    servers.secret.fill(1);
    derive(servers, suite);
    TrafficKeys clients;
    clients.secret.fill(2);
    derive(clients, suite);
    Channel::Beginning beginning;
    beginning.suite = suite;
    beginning.is_server = is_server;
    beginning.reads = is_server ? clients : servers;
    beginning.writes = is_server ? servers : clients;
    return beginning;
}

// The records that hold this.
inline std::string sealed(Channel& channel, std::string_view text)
{
    std::string room(2 * text.size() + 1000, '\0');
    const Channel::Sealed done = channel.write(text, room);
    return room.substr(0, done.size);
}

// What a reader has had of its input.
struct Heard {
    std::string text;
    Io::Status end = Io::Status::would_block;
    std::string answers;
    std::size_t unread = 0;
};

inline Heard heard(Channel& channel, std::string_view records, std::size_t space_bytes = 65536)
{
    Heard result;
    std::string space(space_bytes, '\0');
    for (;;) {
        const Io io = channel.read(records, space, result.answers);
        if (io.status != Io::Status::done) {
            result.end = io.status;
            break;
        }
        result.text += space.substr(0, io.bytes);
    }
    result.unread = records.size();
    return result;
}

}  // namespace postern::tls::lean
