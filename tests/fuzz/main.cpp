// libFuzzer's entry. POSTERN_FUZZ_TARGET names what is fuzzed.
#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "targets.h"

namespace {

const postern::fuzz::Target* chosen = nullptr;

}  // namespace

// Nobody out there is to hear from us: these stand in for libc's.
extern "C" int getaddrinfo(const char*, const char*, const addrinfo*, addrinfo**)
{
    return EAI_NONAME;
}

extern "C" int __connect(int descriptor, const sockaddr* address, socklen_t size);

extern "C" int connect(int descriptor, const sockaddr* address, socklen_t size)
{
    if (address->sa_family != AF_UNIX) {
        errno = ECONNREFUSED;
        return -1;
    }
    return __connect(descriptor, address, size);
}

extern "C" int LLVMFuzzerInitialize(int*, char***)
{
    const char* const name = std::getenv("POSTERN_FUZZ_TARGET");
    const auto targets = postern::fuzz::targets();
    const auto found = std::ranges::find(targets, std::string_view(name == nullptr ? "" : name),
                                         &postern::fuzz::Target::name);
    if (found == targets.end()) {
        std::fputs("POSTERN_FUZZ_TARGET has to name one of these:\n", stderr);
        for (const auto& target : targets) {
            std::fprintf(stderr, "  %s\n", target.name.data());
        }
        std::exit(2);
    }
    chosen = &*found;
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size)
{
    chosen->run({reinterpret_cast<const char*>(bytes), size});
    return 0;
}
