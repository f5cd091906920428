#include "process/logs.h"

#include <algorithm>

namespace postern::process {

namespace {

std::expected<log::Logger, std::string> open_logger(const std::vector<LogTarget>& descriptions,
                                                    log::Targets& targets)
{
    std::vector<log::Logger::Sink> sinks;
    for (const LogTarget& description : descriptions) {
        std::string error;
        auto target = targets.open(description, error);
        if (!target) {
            return std::unexpected(std::move(error));
        }
        sinks.push_back({std::move(target), description.level});
    }
    return log::Logger(std::move(sinks));
}

}  // namespace

std::expected<Logs, std::string> open_logs(const config::Settings& settings, log::Targets& targets)
{
    Logs logs;
    auto logger = open_logger(settings.error_logs, targets);
    if (!logger) {
        return std::unexpected(std::move(logger.error()));
    }
    logs.main = std::move(*logger);
    for (const config::MailServer& server : settings.servers) {
        if (server.error_logs.empty()) {
            logs.servers.push_back(logs.main);
            continue;
        }
        logger = open_logger(server.error_logs, targets);
        if (!logger) {
            return std::unexpected(std::move(logger.error()));
        }
        logs.servers.push_back(std::move(*logger));
    }
    return logs;
}

void redirect_standard_error(const config::Settings& settings, log::Targets& targets)
{
    using Kind = LogTarget::Kind;
    const auto& logs = settings.error_logs;
    const auto file = std::ranges::find(logs, Kind::file, &LogTarget::kind);
    const auto terminal = std::ranges::find(logs, Kind::standard_error, &LogTarget::kind);
    if (file != logs.end() && terminal == logs.end()) {
        targets.redirect_standard_error(file->path);
    }
}

}  // namespace postern::process
