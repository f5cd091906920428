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

std::expected<std::vector<std::shared_ptr<log::Target>>, std::string> open_targets(
    const std::vector<config::AccessLog>& access_logs, log::Targets& targets)
{
    std::vector<std::shared_ptr<log::Target>> opened;
    for (const config::AccessLog& access_log : access_logs) {
        std::string error;
        opened.push_back(targets.open(access_log.target, error));
        if (!opened.back()) {
            return std::unexpected(std::move(error));
        }
    }
    return opened;
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
        auto access = open_targets(server.access_logs, targets);
        if (!access) {
            return std::unexpected(std::move(access.error()));
        }
        logs.access.push_back(std::move(*access));
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

std::vector<log::AccessLogs> access_logs(const config::Settings& settings, const Logs& logs,
                                         log::LineWriter& writer)
{
    std::vector<log::AccessLogs> all;
    for (std::size_t i = 0; i < settings.servers.size(); ++i) {
        std::vector<log::AccessLog> opened;
        for (std::size_t j = 0; j < logs.access[i].size(); ++j) {
            const config::AccessLog& written = settings.servers[i].access_logs[j];
            log::LineWriter::Queue& queue = writer.queue(logs.access[i][j], written.target.level,
                                                         written.buffer_bytes, written.flush);
            opened.push_back({written.format, &queue, written.at_login});
        }
        all.emplace_back(std::move(opened));
    }
    return all;
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
