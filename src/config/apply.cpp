#include "config/apply.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/assert.h"
#include "base/text.h"
#include "build_info.h"
#include "config/lexer.h"
#include "config/settle_tls.h"
#include "config/shared_addresses.h"

namespace postern::config {

namespace {

std::string host_name()
{
    char name[256] = "";
    ::gethostname(name, sizeof name - 1);
    return to_lower(name);
}

class Applier
{
public:
    explicit Applier(const Options& options) : draft_{options} {}

    Checked run(const std::vector<Statement>& statements)
    {
        draft_.settings.directory = std::filesystem::path(draft_.options.conf_path).parent_path();
        apply_defaults(kMain, nullptr);
        apply_defaults(kEvents, nullptr);
        if (draft_.options.running_as_root) {
            draft_.settings.user = build::kUser;
            draft_.settings.group = build::kGroup;
        }
        if (auto applied = apply_block(statements, kMain, nullptr); !applied) {
            return applied;
        }
        add_default_log();
        check_affinity();
        if (auto settled = settle_addresses(draft_); !settled) {
            return settled;
        }
        return check_connections();
    }

    Draft take() { return std::move(draft_); }

private:
    // Runs the initial texts of all directives that may stand in one of the contexts.
    void apply_defaults(unsigned contexts, ServerDraft* server)
    {
        for (const DirectiveGroup& group : directive_groups()) {
            for (const Directive& directive : group.directives) {
                if ((directive.where & contexts) == 0 || directive.initial.empty()) {
                    continue;
                }
                apply_default(directive, contexts, server);
            }
        }
    }

    // Several, if a ";" stands between them.
    void apply_default(const Directive& directive, unsigned contexts, ServerDraft* server)
    {
        Entry::Names used;
        const std::string text = std::string(directive.initial) + ";";
        Lexer lexer(text);
        for (;;) {
            auto words = lexer.next();
            POSTERN_ASSERT(words);
            if (words->words.empty()) {
                return;
            }
            const Statement statement{
                &directive, std::move(words->words), {std::string(kDefaults), 0}, {}};
            Entry entry(statement, contexts, used, draft_, server);
            POSTERN_ASSERT(directive.set(entry));
            used.insert(directive.name);
        }
    }

    // Blocks inside come last: what stands behind a server block holds for it too.
    Checked apply_block(const std::vector<Statement>& statements, unsigned context,
                        ServerDraft* server)
    {
        Entry::Names used;
        std::vector<const Statement*> blocks;
        for (const Statement& statement : statements) {
            const Directive& directive = *statement.directive;
            if (directive.again == Again::refused && used.contains(directive.name)) {
                return fail(statement.where,
                            fmt::format("\"{}\" directive is duplicate", directive.name));
            }
            if (directive.kind == Kind::block) {
                blocks.push_back(&statement);
            } else if (auto applied = apply_value(statement, context, used, server); !applied) {
                return applied;
            }
            used.insert(directive.name);
        }
        for (const Statement* block : blocks) {
            if (auto applied = enter(*block, server); !applied) {
                return applied;
            }
        }
        return {};
    }

    Checked apply_value(const Statement& statement, unsigned context, const Entry::Names& used,
                        ServerDraft* server)
    {
        const Directive& directive = *statement.directive;
        Entry entry(statement, context, used, draft_, server);
        if (directive.protocol) {
            if (auto built = require_in_build(*directive.protocol); !built) {
                return fail(statement.where, fmt::format("\"{}\" directive is for a protocol that "
                                                         "is missing: {}",
                                                         directive.name, built.error()));
            }
        }
        if (directive.set != nullptr) {
            if (auto set = directive.set(entry); !set) {
                return fail(statement.where, set.error());
            }
        }
        if (directive.support == Support::no_effect) {
            entry.warn(fmt::format("\"{}\" directive has no effect in Postern", directive.name));
        }
        return {};
    }

    // `outer`: what a server inherits.
    Checked enter(const Statement& block, const ServerDraft* outer)
    {
        switch (block.directive->opens) {
        case kMail: {
            ServerDraft common;
            apply_defaults(kMail | kServer, &common);
            common.server.server_name = host_name();
            return apply_block(block.children, kMail, &common);
        }
        case kServer: {
            POSTERN_ASSERT(outer != nullptr);
            ServerDraft server = *outer;
            server.server.where = block.where;
            if (auto applied = apply_block(block.children, kServer, &server); !applied) {
                return applied;
            }
            return finish(std::move(server));
        }
        default:
            return apply_block(block.children, block.directive->opens, nullptr);
        }
    }

    // What can only be known at the end of a server block.
    Checked finish(ServerDraft server)
    {
        MailServer& settings = server.server;
        if (settings.listens.empty()) {
            return fail(settings.where, "no \"listen\" is defined for server");
        }
        if (auto settled = settle_protocols(server); !settled) {
            return settled;
        }
        if (std::holds_alternative<std::monostate>(settings.auth)) {
            return fail(settings.where, "no \"auth_http\" or \"auth_file\" is defined for server");
        }
        if (auto settled = settle_tls(server, draft_); !settled) {
            return settled;
        }
        draft_.settings.servers.push_back(std::move(settings));
        return {};
    }

    // "protocol" decides; without it the port of each "listen", and for ports that say nothing the
    // first that says something. NGINX lets that first one decide for all.
    Checked settle_protocols(ServerDraft& server)
    {
        std::optional<Protocol> first = server.protocol;
        for (const auto& known : server.well_known) {
            first = first ? first : known;
        }
        if (!first) {
            return fail(server.server.where, "unknown mail protocol for server");
        }
        for (std::size_t i = 0; i < server.server.listens.size(); ++i) {
            Listen& listen = server.server.listens[i];
            listen.protocol = server.protocol.value_or(server.well_known[i].value_or(*first));
            if (auto built = require_in_build(listen.protocol); !built) {
                return fail(listen.where, built.error());
            }
            if (listen.protocol != *first) {
                warn_of_protocol(listen, *first);
            }
        }
        return {};
    }

    void warn_of_protocol(const Listen& listen, Protocol first)
    {
        draft_.warnings.push_back(
            {LogLevel::warn,
             Error::at(
                 listen.where,
                 fmt::format("{} speaks {} by its port, where NGINX would speak {} like the "
                             "server's first port; a server block of its own with "
                             "\"protocol\" makes it clear",
                             listen.address.text(), to_string(listen.protocol), to_string(first)))
                 .text});
    }

    // NGINX: unless a line of the main level goes to a file or to standard error, the built-in log
    // is written too, so that syslog alone never makes Postern silent on the machine.
    void add_default_log()
    {
        auto& logs = draft_.settings.error_logs;
        const auto is_seen = [](const LogTarget& log) {
            return log.kind == LogTarget::Kind::file || log.kind == LogTarget::Kind::standard_error;
        };
        if (std::ranges::any_of(logs, is_seen)) {
            return;
        }
        const std::string& override = draft_.options.error_log_override;
        const std::string name = override.empty() ? build::kErrorLogPath : override;
        LogTarget log;
        if (name == "stderr") {
            log.kind = LogTarget::Kind::standard_error;
        } else {
            log.path = below(draft_.options.prefix, name);
        }
        logs.push_back(std::move(log));
    }

    void check_affinity()
    {
        const auto& [automatic, masks] = draft_.settings.worker_cpu_affinity;
        if (!automatic && masks.size() > 1 && masks.size() != draft_.settings.worker_processes) {
            draft_.warnings.push_back(
                {LogLevel::warn,
                 "the number of \"worker_processes\" is not equal to the number of "
                 "\"worker_cpu_affinity\" masks, using last mask for remaining worker "
                 "processes"});
        }
    }

    Checked check_connections()
    {
        const unsigned connections = draft_.settings.events.worker_connections;
        const std::size_t sockets = listening_sockets();
        if (connections < sockets + 1) {
            return std::unexpected(
                Error{fmt::format("{} worker_connections are not enough for {} listening sockets",
                                  connections, sockets)});
        }
        rlimit files{};
        const auto wanted = draft_.settings.worker_rlimit_nofile;
        if (::getrlimit(RLIMIT_NOFILE, &files) != 0) {
            return {};
        }
        const std::uint64_t limit = wanted.value_or(files.rlim_cur);
        if (connections > files.rlim_cur && connections > limit) {
            draft_.warnings.push_back(
                {LogLevel::warn,
                 fmt::format("{} worker_connections exceed open file resource limit: {}",
                             connections, limit)});
        }
        return {};
    }

    // Of an address that several servers share there is one. A wildcard's socket takes the
    // connections of the same port's other addresses too, but for those that have "bind".
    std::size_t listening_sockets() const
    {
        std::map<std::string, const Listen*> sockets;
        std::set<std::pair<sa_family_t, std::uint16_t>> wildcards;
        const auto key = [](const Listen& listen) {
            return std::pair(listen.address.family(), listen.address.port());
        };
        for (const MailServer& server : draft_.settings.servers) {
            for (const Listen& listen : server.listens) {
                const Listen*& known = sockets[listen.address.text()];
                known = known == nullptr || listen.bind ? &listen : known;
                if (listen.address.is_wildcard()) {
                    wildcards.insert(key(listen));
                }
            }
        }
        return static_cast<std::size_t>(std::ranges::count_if(sockets, [&](const auto& socket) {
            const Listen& listen = *socket.second;
            return listen.bind || listen.address.is_wildcard() || !wildcards.contains(key(listen));
        }));
    }

    static std::unexpected<Error> fail(const Location& where, std::string_view message)
    {
        return std::unexpected(Error::at(where, message));
    }

    Draft draft_;
};

}  // namespace

std::expected<Draft, Error> apply_statements(const std::vector<Statement>& statements,
                                             const Options& options)
{
    Applier applier(options);
    if (auto applied = applier.run(statements); !applied) {
        return std::unexpected(std::move(applied.error()));
    }
    return applier.take();
}

}  // namespace postern::config
