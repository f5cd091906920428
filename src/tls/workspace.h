#pragma once

#include <cstddef>
#include <memory>
#include <string>

namespace postern::tls {

// Memory of an event loop that its connections borrow while they work, so that they own none while
// they are idle.
struct Workspace {
    static constexpr std::size_t kReceivedBytes = 128 * 1024;

    std::unique_ptr<char[]> received = std::make_unique_for_overwrite<char[]>(kReceivedBytes);
    std::string sealed;
};

}  // namespace postern::tls
