// One directive as written, on its way into the settings: what a setter is given.
#pragma once

#include <concepts>
#include <initializer_list>
#include <map>
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
    std::set<std::string> addresses;  // of server.listens: none may come twice
    // The n-th key belongs to the n-th certificate, but each list is inherited by itself.
    std::vector<Written> certificates;
    std::vector<Written> certificate_keys;
    std::optional<Location> certificate_compression;  // where it is on
    // "ssl_session_cache off" or "none": what is shared is not used either.
    bool no_sessions = false;
    // "DIRECTIVE WORD" of this block, where each word may come once.
    std::set<std::string> words_written;
};

// All settings while they are collected.
struct Draft {
    const Options& options;
    Settings settings{};
    std::vector<Warning> warnings{};
    std::map<std::string, std::size_t> zones{};  // sizes of what workers share, by name
    std::map<std::string, std::shared_ptr<const LogFormat>> log_formats{};  // as written, by name
    // What was said of the buffer of each access log.
    std::map<std::string, std::pair<std::size_t, std::optional<milliseconds>>> access_log_buffers{};
};

// The "file" that initial texts of the table stand in.
inline constexpr std::string_view kDefaults = "default";

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
    // An initial text from the table: nobody wrote it.
    bool is_default() const { return where().file == kDefaults; }
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
    // A member of a part: of `ssl`, of `proxy_ssl_settings`...
    template <typename Part, typename T>
    T& field(Part MailServer::* part, T Part::* member)
    {
        return server().server.*part.*member;
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

private:
    const Statement& statement_;
    unsigned context_;
    const Names& used_;
    Draft& draft_;
    ServerDraft* server_;
};

}  // namespace postern::config
