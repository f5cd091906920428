#include "base/secret.h"

#include <string.h>

#include "base/text.h"

namespace postern {

void wipe(char* data, std::size_t size) noexcept
{
    if (size > 0) {
        explicit_bzero(data, size);
    }
}

Secret Secret::joined(std::initializer_list<std::string_view> parts)
{
    std::string text = concat(parts);
    return taken_from(text);
}

Secret Secret::taken_from(std::string& text) noexcept
{
    Secret secret;
    secret.text_ = std::move(text);
    wipe(text.data(), text.capacity());  // a short string was copied, not moved
    text.clear();
    return secret;
}

Secret::Secret(Secret&& other) noexcept : text_(std::move(other.text_))
{
    other.clear();  // a short string was copied, not moved
}

Secret& Secret::operator=(Secret&& other) noexcept
{
    if (this != &other) {
        clear();
        text_ = std::move(other.text_);
        other.clear();
    }
    return *this;
}

void Secret::clear() noexcept
{
    wipe(text_.data(), text_.capacity());
    text_.clear();
}

bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept
{
    unsigned char difference = a.size() != b.size();
    for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) {
        difference |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]);
    }
    return difference == 0;
}

}  // namespace postern
