// What a directive is: one row says everything. The parser, the settings' defaults and inheritance,
// error messages and docs/directives.md all come from the rows in directives/.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "config/error.h"
#include "config/settings.h"

namespace postern::config {

class Entry;

// Where a directive may stand; or-ed.
enum Context : unsigned {
    kMain = 1,
    kEvents = 2,
    kMail = 4,
    kServer = 8,
    kAnywhere = kMain | kEvents | kMail | kServer,
};

// How many arguments it takes, the name not counted.
struct Arity {
    static constexpr std::size_t kAny = 1000000;

    std::size_t least = 0;
    std::size_t most = 0;
};

enum class Kind : unsigned char {
    value,    // NAME ARGUMENTS;
    block,    // NAME { } of directives: `opens` says of which
    foreign,  // NAME { } for somebody else: skipped
    include,  // other files in its place
};

enum class Since : unsigned char { nginx, postern };

// Used again in the same block.
enum class Again : unsigned char { refused, last_wins, adds };

enum class Support : unsigned char {
    full,
    no_effect,  // accepted with a warning; `set`, if any, only checks
};

// Reads an entry's arguments into the settings. The error is NGINX's message, without a place.
using Outcome = std::expected<void, std::string>;
using Setter = Outcome (*)(Entry& entry);

struct Directive {
    std::string_view name;
    unsigned where = 0;  // contexts
    Arity args{};
    Setter set = nullptr;  // of a value with full support
    // The arguments that hold where nobody wrote any. Run through `set` like those of a file.
    std::string_view initial{};
    std::string_view syntax{};        // of the arguments, for people
    std::string_view default_text{};  // for people, where `initial` can't say it
    std::string_view doc{};
    Kind kind = Kind::value;
    unsigned opens = 0;  // the context inside a block
    Again again = Again::refused;
    Since since = Since::nginx;
    Support support = Support::full;
    std::optional<Protocol> protocol{};  // useless if that one was left out of the build
};

// A part of the table, as the reference shows it.
struct DirectiveGroup {
    std::string_view title;
    std::span<const Directive> directives;
};

std::span<const DirectiveGroup> directive_groups();

// The row of that name, or null.
const Directive* find_directive(std::string_view name);

// The name in the table that was probably meant, or "".
std::string_view similar_directive(std::string_view name);

// `"mail" or "server"`, for messages.
std::string context_names(unsigned contexts);

// Was the protocol compiled in? The error says how it was left out.
Outcome require_in_build(Protocol protocol);

}  // namespace postern::config
