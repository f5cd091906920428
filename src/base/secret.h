#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

namespace postern {

// Overwrites memory in a way that the compiler may not leave out.
void wipe(char* data, std::size_t size) noexcept;

// A password or token. It has no formatter and no stream operator, so that no log line can hold
// one, and wipes its memory when it goes. Copied only by name (`copy`).
class Secret
{
public:
    Secret() = default;
    explicit Secret(std::string_view text) : text_(text) {}
    // Made of parts in a row; no copy is left behind.
    static Secret joined(std::initializer_list<std::string_view> parts);
    // Leaves `text` empty and wiped.
    static Secret taken_from(std::string& text) noexcept;
    Secret(Secret&& other) noexcept;
    Secret& operator=(Secret&& other) noexcept;
    Secret(const Secret&) = delete;
    Secret& operator=(const Secret&) = delete;
    ~Secret() { clear(); }

    Secret copy() const { return Secret(text_); }
    // The text itself: for the wire and for comparison, nothing else.
    std::string_view reveal() const { return text_; }
    bool empty() const { return text_.empty(); }
    void clear() noexcept;

private:
    std::string text_;
};

// Compares in a time that depends on the lengths alone.
bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept;

}  // namespace postern
