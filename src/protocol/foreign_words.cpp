#include "protocol/foreign_words.h"

#include "base/text.h"
#include "sasl/plain.h"

namespace postern::protocol {

std::string foreign_words(std::string_view words, std::string_view login, const Secret& password)
{
    const auto repeats = [words](const Secret& secret) {
        return words.find(secret.reveal()) != std::string_view::npos;
    };
    if (!password.empty() &&
        (repeats(password) || repeats(sasl::plain_response(login, password.reveal())))) {
        return "(not shown, as it repeats the password)";
    }
    return '"' + escape_for_log(words) + '"';
}

}  // namespace postern::protocol
