#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "log/logger.h"
#include "log/session_record.h"

namespace postern::log {

// The log of one session: knows who takes part, so that each line ends as NGINX's do:
// " while ACTION, client: ..., server: ..., login: ..., upstream: ...".
class SessionLog
{
public:
    // `number` is the connection's, shown as "*N"; `client` and `server` are addresses as text;
    // the latter must outlive this.
    SessionLog(Logger logger, std::uint64_t number, std::string_view client, const char* server);

    // What the session is doing, for the lines to come: a literal such as "in auth state"; "" for
    // none.
    void set_action(const char* action)
    {
        if (enabled(LogLevel::debug) && *action != '\0' && action_ != std::string_view(action)) {
            debug("state: {}", action);
        }
        action_ = action;
    }
    void set_client(std::string_view address) { set_name(Name::client, address); }
    void set_logger(Logger logger);
    // From now on lines of all levels are written, whatever the server's logs take.
    void log_everything();
    void set_using_starttls() { using_starttls_ = true; }
    void set_login(std::string_view login);        // escaped here
    void set_upstream(std::string_view upstream);  // "ADDRESS:PORT"

    // What an access log wants to know of the session; null: nobody does.
    SessionRecord* record() const { return record_.get(); }
    void keep_record(std::unique_ptr<SessionRecord> record) { record_ = std::move(record); }
    void drop_record() { record_.reset(); }
    // Why the login has come to an end; the line that was written last says so in words.
    void set_result(Result result) const
    {
        if (record_) {
            record_->result = result;
            record_->reason = std::move(record_->last_line);
            record_->last_line.clear();
        }
    }

    // Is anybody listening at this level? The record is, for the reason of a failure.
    bool enabled(LogLevel level) const
    {
        return logger_.enabled(level) || (record_ != nullptr && level <= LogLevel::info);
    }
    // A line with the action.
    void write(LogLevel level, std::string_view message) const;
    // A line without the action, for what is not part of one: "client logged in".
    void write_plain(LogLevel level, std::string_view message) const;
    // The last line, which has more to say behind its end: ", bytes from/to client:...".
    void write_end(LogLevel level, std::string_view message, std::string_view tail) const;

    template <typename... Args>
    void line(LogLevel level, fmt::format_string<Args...> format, Args&&... args) const
    {
        if (enabled(level)) {
            write(level, fmt::format(format, std::forward<Args>(args)...));
        }
    }

    // A line of level debug, which NGINX writes without the suffix. No password, digest, token or
    // SASL data goes here, nor anything else of what a client said that might hold one. Where
    // arguments cost, ask `enabled` first.
    template <typename... Args>
    void debug(fmt::format_string<Args...> format, Args&&... args) const
    {
        if (enabled(LogLevel::debug)) {
            logger_.write(LogLevel::debug, fmt::format(format, std::forward<Args>(args)...),
                          number_);
        }
    }

    const Logger& logger() const { return logger_; }
    std::uint64_t number() const { return number_; }

private:
    enum class Name : unsigned char { client, login, upstream };

    std::string_view name(Name which) const;
    void set_name(Name which, std::string_view text);
    void write(LogLevel level, std::string_view message, std::string_view action,
               std::string_view tail = {}) const;

    Logger logger_;
    std::uint64_t number_;
    const char* action_ = "";
    const char* server_;
    // All three, each ended by '\0', in one block: a session may keep them for days.
    std::unique_ptr<char[]> names_;
    std::unique_ptr<SessionRecord> record_;
    bool using_starttls_ = false;
    bool logs_everything_ = false;
};

}  // namespace postern::log
