#include "log/session_log.h"

#include "base/text.h"

namespace postern::log {

SessionLog::SessionLog(Logger logger, std::uint64_t number, std::string client,
                       std::string_view server)
    : logger_(std::move(logger)), number_(number), client_(std::move(client)), server_(server)
{
}

void SessionLog::set_logger(Logger logger)
{
    logger_ = logs_everything_ ? logger.at_all_levels() : std::move(logger);
}

void SessionLog::log_everything()
{
    logs_everything_ = true;
    logger_ = logger_.at_all_levels();
}

void SessionLog::set_login(std::string_view login)
{
    login_ = login.empty() ? std::string() : escape_for_log(login, 256);
}

void SessionLog::set_upstream(std::string_view upstream)
{
    upstream_ = escape_for_log(upstream, 256);
}

void SessionLog::write(LogLevel level, std::string_view message) const
{
    if (!enabled(level)) {
        return;
    }
    std::string text(message);
    if (*action_ != '\0') {
        text += " while ";
        text += action_;
    }
    logger_.write(level, text + suffix(), number_);
}

void SessionLog::write_plain(LogLevel level, std::string_view message) const
{
    if (enabled(level)) {
        logger_.write(level, std::string(message) + suffix(), number_);
    }
}

std::string SessionLog::suffix() const
{
    std::string text = ", client: " + client_;
    if (using_starttls_) {
        text += " using starttls";
    }
    text += ", server: ";
    text += server_;
    if (!login_.empty()) {
        text += ", login: \"" + login_ + '"';
    }
    if (!upstream_.empty()) {
        text += ", upstream: " + upstream_;
    }
    return text;
}

}  // namespace postern::log
