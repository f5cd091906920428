// Sockets of 127.0.0.1, which never wait. All throw std::system_error if the system refuses.
#pragma once

#include <cstdint>

#include "base/descriptor.h"

namespace postern::bench {

// Whom it accepts has TCP_NODELAY too.
Descriptor listen_on(std::uint16_t port);

// On its way: whether it arrives is for the first read or write to find out.
Descriptor connect_to(std::uint16_t port);

// As many descriptors as the system lets us have.
void raise_descriptor_limit();

}  // namespace postern::bench
