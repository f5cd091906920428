// One directive as written, on its way into the settings: what a setter is given.
#pragma once

#include <concepts>
#include <initializer_list>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "config/tree.h"

namespace postern::config {

// What a configuration's reader is told by the command line.
struct Options {
    std::string conf_path;  // absolute
    std::string prefix;     // absolute; relative names of logs and of the pid file start here
    std::string global_directives;   // of "-g"
    std::string error_log_override;  // of "-e": a file or "stderr"; empty: the one built in
    bool running_as_root = false;
};

// A server's settings while they are collected.
struct ServerDraft {
    MailServer server;
    std::optional<Protocol> protocol;  // of "protocol"
    // For each of server.listens: what its "listen" is well known for.
    std::vector<std::optional<Protocol>> well_known;
};

// All settings while they are collected.
struct Draft {
    const Options& options;
    Settings settings{};
    std::vector<Warning> warnings{};
    std::set<std::string> addresses{};  // of every "listen": none may come twice
};

// `path`, below the directory unless it is absolute.
std::string below(std::string_view directory, std::string_view path);

class Entry
{
public:
    using Names = std::set<std::string_view>;

    // `used` names the directives that this block had before; `server` is null outside of mail.
    Entry(const Statement& statement, unsigned context, const Names& used, Draft& draft,
          ServerDraft* server)
        : statement_(statement), context_(context), used_(used), draft_(draft), server_(server)
    {
    }

    std::string_view name() const { return statement_.directive->name; }
    const std::vector<std::string>& arguments() const { return statement_.arguments; }
    const std::string& argument(std::size_t index) const { return statement_.arguments.at(index); }
    const Location& where() const { return statement_.where; }
    bool in_main() const { return context_ == kMain; }
    const Options& options() const { return draft_.options; }
    Draft& draft() { return draft_; }
    ServerDraft& server();

    // Is it the first of these in its block? Then a list drops what it inherited.
    bool first_of(std::initializer_list<std::string_view> names) const;
    bool first() const { return first_of({name()}); }

    // The place that a member stands for.
    template <typename T>
    T& field(T Settings::* member)
    {
        return draft_.settings.*member;
    }
    template <typename T>
    T& field(T Events::* member)
    {
        return draft_.settings.events.*member;
    }
    template <typename T>
    T& field(T MailServer::* member)
    {
        return server().server.*member;
    }
    template <typename T>
    T& field(T Ssl::* member)
    {
        return server().server.ssl.*member;
    }

    // Absolute forms of a file's name: most are relative to the configuration's directory, logs and
    // the pid file to the prefix.
    std::string below_directory(std::string_view path) const;
    std::string below_prefix(std::string_view path) const;

    void warn(std::string_view message, LogLevel level = LogLevel::warn);

    // `"NAME" directive invalid value`, with what would be right.
    std::unexpected<std::string> invalid(std::string_view what, std::string_view wanted) const;
    // `invalid value "VALUE"`, with what would be right.
    static std::unexpected<std::string> invalid_word(std::string_view word,
                                                     std::string_view wanted);
    std::unexpected<std::string> not_supported(std::string_view hint = "") const;

private:
    const Statement& statement_;
    unsigned context_;
    const Names& used_;
    Draft& draft_;
    ServerDraft* server_;
};

}  // namespace postern::config
