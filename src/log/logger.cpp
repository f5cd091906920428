#include "log/logger.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "log/clock.h"
#include "log/target.h"

namespace postern::log {

namespace {

constexpr std::size_t kLineMax = 2048;  // with its line feed; NGINX: the same

// "PID#TID: " of this thread. The kernel is asked once, and again by the child of a fork.
class Writer
{
public:
    static std::string_view text()
    {
        static const int registered = ::pthread_atfork(nullptr, nullptr, [] { writer_.size_ = 0; });
        if (writer_.size_ == 0 || registered != 0) {
            const auto result = fmt::format_to_n(writer_.bytes_, sizeof(writer_.bytes_),
                                                 "{}#{}: ", ::getpid(), ::gettid());
            writer_.size_ = result.size;
        }
        return {writer_.bytes_, writer_.size_};
    }

private:
    char bytes_[32];
    std::size_t size_;

    static thread_local Writer writer_;
};

thread_local constinit Writer Writer::writer_{};

bool is_control(char c)
{
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
}

// Looks at all of them without a branch, so that many are looked at at once.
bool has_control(std::string_view text)
{
    bool found = false;
    for (const char c : text) {
        found |= is_control(c);
    }
    return found;
}

// A line under construction, in place: what doesn't fit is cut, an escape or a UTF-8 sequence
// whole.
class Line
{
public:
    void append(std::string_view text)
    {
        const std::size_t count = std::min(text.size(), room());
        std::copy_n(text.data(), count, bytes_ + size_);  // also of nothing, at nullptr
        size_ += count;
    }

    void append_number(std::uint64_t number)
    {
        const fmt::format_int digits(number);
        append({digits.data(), digits.size()});
    }

    // A text in parts. Most need no escape and fit: only once they stand here, in one piece, they
    // are looked at.
    void append_escaped(std::initializer_list<std::string_view> parts)
    {
        const std::size_t begin = size_;
        std::size_t bytes = 0;
        for (const std::string_view part : parts) {
            bytes += part.size();
        }
        if (bytes <= room()) {
            for (const std::string_view part : parts) {
                append(part);
            }
            if (!has_control({bytes_ + begin, bytes})) {
                return;
            }
            size_ = begin;
        }
        for (const std::string_view part : parts) {
            if (!append_with_escapes(part)) {
                return;
            }
        }
    }

    std::string_view finish()
    {
        bytes_[size_++] = '\n';
        return {bytes_, size_};
    }

private:
    // False: the rest doesn't fit.
    bool append_with_escapes(std::string_view text)
    {
        constexpr char kHex[] = "0123456789abcdef";
        while (!text.empty()) {
            const auto control = std::find_if(text.begin(), text.end(), is_control);
            const auto clean = static_cast<std::size_t>(control - text.begin());
            if (clean > room()) {
                append(text.substr(0, whole_characters(text, room())));
                return false;
            }
            append(text.substr(0, clean));
            text.remove_prefix(clean);
            if (!text.empty()) {
                const auto byte = static_cast<unsigned char>(text[0]);
                const char escape[] = {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
                if (sizeof(escape) > room()) {
                    return false;
                }
                append({escape, sizeof(escape)});
                text.remove_prefix(1);
            }
        }
        return true;
    }

    // The longest cut of at most `limit` bytes that doesn't end inside a UTF-8 sequence.
    static std::size_t whole_characters(std::string_view text, std::size_t limit)
    {
        std::size_t cut = limit;
        while (cut > 0 && limit - cut < 3 && (text[cut] & 0xc0) == 0x80) {
            --cut;
        }
        return cut;
    }

    std::size_t room() const { return kLineMax - 1 - size_; }

    char bytes_[kLineMax];
    std::size_t size_ = 0;
};

}  // namespace

struct Targets::Entry {
    LogTarget description;
    std::weak_ptr<Target> target;
};

Targets::Targets() = default;
Targets::~Targets() = default;

std::shared_ptr<Target> Targets::open(const LogTarget& description, std::string& error)
{
    const std::lock_guard lock(mutex_);
    std::erase_if(open_, [](const Entry& entry) { return entry.target.expired(); });
    LogTarget identity = description;
    identity.level = {};  // belongs to the one who writes
    for (const Entry& entry : open_) {
        if (entry.description == identity) {
            return entry.target.lock();
        }
    }
    auto opened = open_target(description);
    if (!opened) {
        error = std::move(opened.error());
        return nullptr;
    }
    open_.push_back({std::move(identity), *opened});
    return std::move(*opened);
}

std::vector<std::string> Targets::reopen()
{
    std::vector<std::string> errors;
    {
        const std::lock_guard lock(mutex_);
        for (const Entry& entry : open_) {
            if (const auto target = entry.target.lock()) {
                if (std::string error = target->reopen(); !error.empty()) {
                    errors.push_back(std::move(error));
                }
            }
        }
    }
    redirect_standard_error();
    return errors;
}

std::vector<Targets::OpenFile> Targets::files()
{
    const std::lock_guard lock(mutex_);
    std::vector<OpenFile> files;
    for (const Entry& entry : open_) {
        if (auto target = entry.target.lock(); target && target->descriptor() >= 0) {
            files.push_back({entry.description.path, target->descriptor(), std::move(target)});
        }
    }
    return files;
}

std::string Targets::replace_file(std::string_view path, int descriptor)
{
    for (const OpenFile& file : files()) {
        if (file.path == path) {
            std::string error = file.target->replace(descriptor);
            redirect_standard_error();
            return error;
        }
    }
    return {};
}

void Targets::redirect_standard_error(std::string path)
{
    standard_error_path_ = std::move(path);
    redirect_standard_error();
}

void Targets::redirect_standard_error()
{
    for (const OpenFile& file : files()) {
        if (file.path == standard_error_path_) {
            // Fails only if there is no such descriptor, and then nobody writes to it.
            [[maybe_unused]] const int ignored = ::dup3(file.descriptor, STDERR_FILENO, 0);
        }
    }
}

void Targets::give_to(unsigned uid, unsigned gid)
{
    const std::lock_guard lock(mutex_);
    for (const Entry& entry : open_) {
        if (const auto target = entry.target.lock()) {
            target->give_to(uid, gid);
        }
    }
}

Logger::Logger(std::vector<Sink> sinks)
{
    if (sinks.empty()) {
        return;
    }
    level_ = std::ranges::max(sinks, {}, &Sink::level).level;
    sinks_ = std::make_shared<const std::vector<Sink>>(std::move(sinks));
}

Logger Logger::at_all_levels() const
{
    std::vector<Sink> sinks;
    if (sinks_) {
        sinks = *sinks_;
    }
    for (Sink& sink : sinks) {
        sink.level = LogLevel::debug;
    }
    return Logger(std::move(sinks));
}

void Logger::write_parts(LogLevel level, std::initializer_list<std::string_view> message,
                         std::uint64_t connection) const
{
    if (!enabled(level)) {
        return;
    }
    Line line;
    line.append(log_time());
    line.append(" [");
    line.append(to_string(level));
    line.append("] ");
    line.append(Writer::text());
    if (connection != 0) {
        line.append("*");
        line.append_number(connection);
        line.append(" ");
    }
    line.append_escaped(message);
    const std::string_view text = line.finish();
    for (const Sink& sink : *sinks_) {
        if (level <= sink.level) {
            sink.target->write(level, text);
        }
    }
}

std::string errno_text(int error)
{
    char buffer[256];
    return fmt::format(" ({}: {})", error, ::strerror_r(error, buffer, sizeof(buffer)));
}

}  // namespace postern::log
