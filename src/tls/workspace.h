#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "tls/lean/engine.h"

namespace postern::tls {

// Memory of an event loop that its connections borrow while they work, so that they own none while
// they are idle.
struct Workspace {
    // Receiving less than this at once costs more calls than it saves memory.
    static constexpr std::size_t kReceivedMin = 4096;
    static constexpr std::size_t kReceivedBytes = 128 * 1024;
    // With what records add to as many bytes, be they as short as a peer may ask for.
    static constexpr std::size_t kBytes = kReceivedBytes + 8 * 1024;

    // For what has arrived; or was sealed, where OpenSSL does not do it.
    std::unique_ptr<char[]> received = std::make_unique_for_overwrite<char[]>(kBytes);
    std::string sealed;
    lean::Engine lean;
};

}  // namespace postern::tls
