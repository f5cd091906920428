#include "process/running.h"

#include <utility>

#include "process/sandbox.h"

namespace postern::process {

std::expected<Running, std::string> open_all(config::Settings settings, log::Targets& targets,
                                             const Running* old,
                                             std::vector<listen::Socket>& old_sockets,
                                             listen::Mode mode, const listen::Report& report)
{
    Running running;
    running.settings = std::make_unique<config::Settings>(std::move(settings));
    if (auto checked = check_sandbox(*running.settings, report); !checked) {
        return std::unexpected(std::move(checked.error()));
    }
    auto identity = worker_identity(*running.settings);
    if (!identity) {
        return std::unexpected(std::move(identity.error()));
    }
    running.identity = std::move(*identity);
    auto logs = open_logs(*running.settings, targets);
    if (!logs) {
        return std::unexpected(std::move(logs.error()));
    }
    running.logs = std::move(*logs);
    if (running.identity) {
        targets.give_to(running.identity->uid, running.identity->gid);
    }
    running.auth_failures = old != nullptr ? old->auth_failures : limit::AuthFailures::make();
    if (!running.auth_failures) {
        return std::unexpected("no memory for the counts of \"limit_auth_failures\"");
    }
    std::vector<config::Warning> warnings;
    auto contexts =
        tls::Contexts::load(*running.settings, old != nullptr ? old->tls.get() : nullptr, warnings);
    for (const config::Warning& warning : warnings) {
        report(warning.level, warning.text);
    }
    if (!contexts) {
        return std::unexpected(std::move(contexts.error().text));
    }
    running.tls = std::move(*contexts);
    auto sockets = listen::open_sockets(*running.settings, old_sockets, mode, report);
    if (!sockets) {
        return std::unexpected(std::move(sockets.error()));
    }
    running.sockets = std::move(*sockets);
    for (listen::Socket& socket : running.sockets) {
        for (listen::Endpoint& endpoint : socket.endpoints) {
            endpoint.acceptor = running.tls->acceptor(endpoint.address);
        }
    }
    return running;
}

}  // namespace postern::process
