#include "process/sandbox_paths.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <string_view>
#include <system_error>

#include <fmt/format.h>

#include "tls/system_trust.h"

namespace postern::process {

namespace {

namespace fs = std::filesystem;

constexpr const char* kSystemFiles[] = {
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/nsswitch.conf",              // c-ares: are hosts' files asked before DNS?
    "/etc/host.conf",                  // c-ares: the same
    "/etc/svc.conf",                   // c-ares: the same
    "/dev/urandom",                    // c-ares: numbers of queries that nobody can guess
    "/proc/sys/vm/overcommit_memory",  // glibc: how memory is given back
    "/sys/devices/system/cpu/online",  // glibc: how many pools of memory are worth it
};

// Many programs have their files there.
constexpr std::string_view kCommonDirectories[] = {"/",    "/etc", "/home", "/opt", "/root",
                                                   "/run", "/srv", "/tmp",  "/usr", "/var"};

// The real place, with all symbolic links followed; as far as there is one.
fs::path real(const fs::path& path)
{
    std::error_code error;
    fs::path result = fs::weakly_canonical(path, error);
    return error ? path : result;
}

bool is_beneath(const fs::path& path, const fs::path& directory)
{
    return std::ranges::mismatch(directory, path).in1 == directory.end();
}

// Files that only the master may read.
std::set<fs::path> secret_files(const config::Settings& settings)
{
    std::set<fs::path> files;
    const auto add = [&](const config::Written& written) {
        if (written.text.starts_with('/')) {  // not "data:...", nor a key that an engine keeps
            files.insert(real(written.text));
        }
    };
    for (const config::MailServer& server : settings.servers) {
        for (const config::SslPair& pair : server.ssl.pairs) {
            add(pair.key);
        }
        add(server.ssl.password_file);
        std::ranges::for_each(server.ssl.session_ticket_keys, add);
        for (const config::ClientSsl* client :
             {&server.proxy_ssl_settings, &server.auth_http_ssl}) {
            add(client->pair.key);
            add(client->password_file);
        }
    }
    return files;
}

// The paths of one sandbox, each once.
class Collector
{
public:
    explicit Collector(const config::Settings& settings) : secrets_(secret_files(settings)) {}

    void add_file(const fs::path& file) { paths_.insert(real(file)); }

    // A file that is read anew when it changes. Mostly it is replaced by another one, which a rule
    // for the file would not let the worker read: so the rule is for its directory, where that is
    // fit.
    void add_changing_file(const fs::path& file)
    {
        add_file(file);
        for (const fs::path& directory : {real(file.parent_path()), real(file).parent_path()}) {
            if (const std::string reason = why_not(directory); reason.empty()) {
                paths_.insert(directory);
            } else {
                notices_.insert(fmt::format(
                    "sandbox: a new file in the place of \"{}\" will be read only after a reload, "
                    "as {}",
                    file.string(), reason));
            }
        }
    }

    // A directory whose files may be links to others elsewhere.
    void add_directory(const fs::path& directory)
    {
        if (!why_not(real(directory)).empty()) {
            return;
        }
        add_file(directory);
        std::error_code error;
        for (const fs::directory_entry& entry : fs::directory_iterator(directory, error)) {
            std::error_code ignored;
            if (!entry.is_symlink(ignored)) {
                continue;
            }
            const fs::path target = real(entry.path());
            const bool fit = why_not(target.parent_path()).empty();
            paths_.insert(fit ? target.parent_path() : target);
        }
    }

    ReadablePaths finish() &&
    {
        ReadablePaths result;
        for (const fs::path& path : paths_) {
            if (!secrets_.contains(path)) {
                result.paths.push_back(path.string());
            }
        }
        result.notices.assign(notices_.begin(), notices_.end());
        return result;
    }

private:
    // Why the worker may not read all that is beneath it; "" if it may.
    std::string why_not(const fs::path& directory) const
    {
        if (std::ranges::find(kCommonDirectories, directory.string()) !=
            std::end(kCommonDirectories)) {
            return fmt::format("\"{}\" holds files of many programs", directory.string());
        }
        for (const fs::path& secret : secrets_) {
            if (is_beneath(secret, directory)) {
                return fmt::format("\"{}\" lies beneath \"{}\", too", secret.string(),
                                   directory.string());
            }
        }
        return {};
    }

    std::set<fs::path> secrets_;
    std::set<fs::path> paths_;
    std::set<std::string> notices_;
};

bool trusts_the_system(const config::MailServer& server)
{
    const auto trusts = [](const config::ClientSsl& ssl) {
        return ssl.verify && ssl.trusted_certificate.text.empty();
    };
    const auto* const service = std::get_if<config::AuthHttp>(&server.auth);
    return trusts(server.proxy_ssl_settings) ||
           (service != nullptr && service->https && trusts(server.auth_http_ssl));
}

}  // namespace

ReadablePaths readable_paths(const config::Settings& settings)
{
    Collector collector(settings);
    for (const char* const file : kSystemFiles) {
        collector.add_file(file);
    }
    for (const config::MailServer& server : settings.servers) {
        if (const auto* const users = std::get_if<config::AuthFile>(&server.auth)) {
            collector.add_changing_file(users->path);
        }
    }
    if (std::ranges::any_of(settings.servers, trusts_the_system)) {
        for (const std::string& directory : tls::system_trust_directories()) {
            collector.add_directory(directory);
        }
    }
    return std::move(collector).finish();
}

std::string core_file_directory(const config::Settings& settings)
{
    if (settings.worker_rlimit_core.value_or(0) == 0) {
        return {};
    }
    std::string pattern;
    std::getline(std::ifstream("/proc/sys/kernel/core_pattern"), pattern);
    if (pattern.starts_with('|')) {
        return {};  // a program takes it
    }
    const fs::path below =
        settings.working_directory.empty() ? fs::path(".") : fs::path(settings.working_directory);
    return (below / pattern).parent_path().string();
}

}  // namespace postern::process
