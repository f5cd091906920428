#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace postern::tls {

// Where TLS sessions are kept for clients that come back: the memory of "ssl_session_cache
// shared:NAME:SIZE". Made by the master, so that all workers have the same, old and new ones
// beside each other too. When it is full, the oldest sessions go. About 4000 fit into a mebibyte.
class SessionZone
{
public:
    // Null if the system has no such memory.
    static std::shared_ptr<SessionZone> make(std::size_t bytes);
    ~SessionZone();

    std::size_t bytes() const { return bytes_; }

    // Keeps a session (OpenSSL's serialised form) under its id until `expires`. Times are seconds
    // of the system's clock. What is too large is not kept.
    void put(std::string_view id, std::span<const unsigned char> session, std::int64_t expires);
    // A copy; nothing if it is unknown or has expired.
    std::optional<std::string> find(std::string_view id, std::int64_t now);
    void remove(std::string_view id);

private:
    struct Header;
    SessionZone(Header* header, std::size_t bytes) : header_(header), bytes_(bytes) {}

    Header* header_;  // shared between processes
    std::size_t bytes_;
};

}  // namespace postern::tls
