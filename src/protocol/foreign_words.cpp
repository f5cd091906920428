#include "protocol/foreign_words.h"

#include "base/text.h"
#include "sasl/plain.h"

namespace postern::protocol {

std::string foreign_words(std::string_view words, std::initializer_list<Credentials> hidden)
{
    const auto repeats = [words](const Secret& secret) {
        return words.find(secret.reveal()) != std::string_view::npos;
    };
    for (const auto& [login, password] : hidden) {
        if (!password.empty() &&
            (repeats(password) || repeats(sasl::plain_response(login, password.reveal())))) {
            return "(not shown, as it repeats the password)";
        }
    }
    return '"' + escape_for_log(words) + '"';
}

}  // namespace postern::protocol
