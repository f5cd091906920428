#include "config/load.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "config/apply.h"
#include "config/url.h"

namespace postern::config {

std::expected<Loaded, Error> load(const Options& options)
{
    auto tree = read_tree(options.conf_path, options.global_directives);
    if (!tree) {
        return std::unexpected(std::move(tree.error()));
    }
    auto draft = apply_statements(tree->statements, options);
    if (!draft) {
        return std::unexpected(std::move(draft.error()));
    }
    Loaded loaded{std::move(draft->settings), std::move(tree->warnings), std::move(tree->files)};
    std::ranges::move(draft->warnings, std::back_inserter(loaded.warnings));
    return loaded;
}

std::vector<Warning> missing_users(const Settings& settings)
{
    std::set<std::string> seen;
    std::vector<Warning> warnings;
    for (const MailServer& server : settings.servers) {
        const auto* file = std::get_if<AuthFile>(&server.auth);
        if (file != nullptr && seen.insert(file->path).second &&
            ::access(file->path.c_str(), R_OK) != 0) {
            warnings.push_back(
                {LogLevel::warn, fmt::format("open() \"{}\" failed{}, nobody can log in with "
                                             "\"auth_file\" in {}",
                                             file->path, system_error(errno), file->where.text())});
        }
        const auto* service = std::get_if<AuthHttp>(&server.auth);
        if (service == nullptr || !service->unix_path.empty() ||
            !seen.insert(service->host).second) {
            continue;
        }
        Url url;
        url.host = service->host;
        if (resolve(url, service->port).empty()) {
            warnings.push_back(
                {LogLevel::warn,
                 fmt::format("host not found in auth_http \"{}\", it will be looked up "
                             "when a client logs in, in {}",
                             service->host, service->where.text())});
        }
    }
    return warnings;
}

}  // namespace postern::config
