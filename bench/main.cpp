// postern_bench: the mailbox server, the authentication service and the clients of all
// measurements.
#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <vector>

#include "bench/auth_service.h"
#include "bench/backend.h"
#include "bench/load.h"
#include "bench/options.h"
#include "bench/soak.h"

namespace {

using namespace postern::bench;

struct Run {
    int operator()(const BackendOptions& options) const { run_backend(options); }
    int operator()(const AuthOptions& options) const { run_auth_service(options); }
    int operator()(const LoadOptions& options) const { return make_load(options)->run(); }
    int operator()(const SoakOptions& options) const { return run_soak(options); }
};

}  // namespace

int main(int argc, char** argv)
{
    std::signal(SIGPIPE, SIG_IGN);
    const std::vector<std::string_view> arguments(argv + 1, argv + argc);
    const auto options = parse_options(arguments);
    if (!options) {
        fmt::print(stderr, "postern_bench: {}\n{}", options.error(), kUsage);
        return 2;
    }
    try {
        return std::visit(Run(), *options);
    } catch (const std::exception& error) {
        fmt::print(stderr, "postern_bench: {}\n", error.what());
        return 1;
    }
}
