#include "log/session_log.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace postern::log {

SessionLog::SessionLog(Logger logger, std::uint64_t number, std::string_view client,
                       const char* server)
    : logger_(std::move(logger)), number_(number), server_(server)
{
    set_client(client);
}

std::string_view SessionLog::name(Name which) const
{
    if (!names_) {
        return {};
    }
    std::string_view text(names_.get());
    for (auto skipped = Name::client; skipped != which;
         skipped = static_cast<Name>(static_cast<unsigned char>(skipped) + 1)) {
        text = text.data() + text.size() + 1;
    }
    return text;
}

void SessionLog::set_name(Name which, std::string_view text)
{
    if (names_ && name(which) == text) {
        return;
    }
    std::array<std::string_view, 3> all{name(Name::client), name(Name::login),
                                        name(Name::upstream)};
    all[static_cast<std::size_t>(which)] = text;
    auto block = std::make_unique_for_overwrite<char[]>(all[0].size() + all[1].size() +
                                                        all[2].size() + all.size());
    char* end = block.get();
    for (const std::string_view one : all) {
        end = std::ranges::copy(one, end).out;
        *end++ = '\0';
    }
    names_ = std::move(block);
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
    set_name(Name::login, escape_for_log(login, 256));
}

void SessionLog::set_upstream(std::string_view upstream)
{
    set_name(Name::upstream, escape_for_log(upstream, 256));
}

void SessionLog::write(LogLevel level, std::string_view message) const
{
    if (record_ && level <= LogLevel::info) {
        record_->last_line = message;
    }
    write(level, message, action_);
}

void SessionLog::write_plain(LogLevel level, std::string_view message) const
{
    write(level, message, "");
}

void SessionLog::write_end(LogLevel level, std::string_view message, std::string_view tail) const
{
    write(level, message, "", tail);
}

void SessionLog::write(LogLevel level, std::string_view message, std::string_view action,
                       std::string_view tail) const
{
    if (!logger_.enabled(level)) {
        return;
    }
    const std::string_view login = name(Name::login);
    const std::string_view upstream = name(Name::upstream);
    logger_.write_parts(
        level,
        {message, action.empty() ? "" : " while ", action, ", client: ", name(Name::client),
         using_starttls_ ? " using starttls" : "", ", server: ", server_,
         login.empty() ? "" : ", login: \"", login, login.empty() ? "" : "\"",
         upstream.empty() ? "" : ", upstream: ", upstream, tail},
        number_);
}

}  // namespace postern::log
