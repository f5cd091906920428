#include "config/tree.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <glob.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <set>

#include "config/lexer.h"

namespace postern::config {

namespace {

// The whole file, or why not, in NGINX's words.
std::expected<std::string, std::string> read_file(const std::string& path, std::size_t bytes_max)
{
    const auto failure = [&](std::string_view call) {
        return std::unexpected(
            fmt::format("{}() \"{}\" failed{}", call, path, system_error(errno)));
    };
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        return failure("open");
    }
    struct Closer {
        int descriptor;
        ~Closer() { ::close(descriptor); }
    } closer{descriptor};
    std::string content;
    for (;;) {
        constexpr std::size_t kChunkBytes = 65536;
        const std::size_t size = content.size();
        if (size > bytes_max) {
            return std::unexpected(
                fmt::format("the configuration is too large with \"{}\" (at most {} bytes in all)",
                            path, kTextBytesMax));
        }
        content.resize(size + kChunkBytes);
        const ssize_t count = ::read(descriptor, content.data() + size, kChunkBytes);
        if (count < 0 && errno != EINTR) {
            return failure("read");
        }
        content.resize(size + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
        if (count == 0) {
            return content;
        }
    }
}

// The files that a pattern matches, sorted.
std::expected<std::vector<std::string>, std::string> matches(const std::string& pattern)
{
    glob_t found{};
    const int result = ::glob(pattern.c_str(), 0, nullptr, &found);
    const std::unique_ptr<glob_t, void (*)(glob_t*)> cleaner(&found, ::globfree);
    if (result != 0 && result != GLOB_NOMATCH) {
        return std::unexpected(fmt::format("glob() \"{}\" failed", pattern));
    }
    return std::vector<std::string>(found.gl_pathv, found.gl_pathv + found.gl_pathc);
}

class Reader
{
public:
    explicit Reader(const std::string& path) : directory_(path.substr(0, path.rfind('/') + 1)) {}

    Checked read_global(std::string_view text)
    {
        // Its errors say "in command line", and it can't hold blocks.
        const Source source{{"command line", 0}, Lexer::Source::command_line, 0};
        Lexer lexer(text, Lexer::Source::command_line);
        return read_block(lexer, source, kMain, false, tree_.statements);
    }

    // An error of the file itself has no place if nothing includes it.
    Checked read_named(const std::string& path, unsigned context, unsigned depth,
                       const Location* included_from, std::vector<Statement>& out)
    {
        auto content = read_file(path, kTextBytesMax - text_bytes_);
        if (!content) {
            return std::unexpected(included_from == nullptr
                                       ? Error{content.error()}
                                       : Error::at(*included_from, content.error()));
        }
        text_bytes_ += content->size();
        if (recorded_.insert(path).second) {
            tree_.files.push_back({path, *content});
        }
        const Source source{{path, 1}, Lexer::Source::file, depth};
        Lexer lexer(*content);
        return read_block(lexer, source, context, false, out);
    }

    Tree take() { return std::move(tree_); }

    std::vector<Statement>& statements() { return tree_.statements; }

private:
    struct Source {
        Location start;
        Lexer::Source kind;
        unsigned depth;  // of includes

        Location at(unsigned line) const
        {
            return {start.file, kind == Lexer::Source::file ? line : 0};
        }
    };

    // Directives up to the "}" of a block, or up to the end of a file.
    Checked read_block(Lexer& lexer, const Source& source, unsigned context, bool inside,
                       std::vector<Statement>& out)
    {
        for (;;) {
            auto next = lexer.next();
            if (!next) {
                return fail(source.at(next.error().line), next.error().message);
            }
            const Location where = source.at(next->line);
            switch (next->end) {
            case End::close_brace:
                return inside ? Checked{} : fail(where, "unexpected \"}\"");
            case End::end_of_text:
                return inside ? fail(where, "unexpected end of file, expecting \"}\"") : Checked{};
            case End::open_brace:
                if (source.kind == Lexer::Source::command_line) {
                    return fail(where, "block directives are not supported in -g option");
                }
                break;
            case End::semicolon:
                break;
            }
            if (auto read = read_statement(lexer, source, context, std::move(*next), out); !read) {
                return read;
            }
        }
    }

    Checked read_statement(Lexer& lexer, const Source& source, unsigned context, Words words,
                           std::vector<Statement>& out)
    {
        const Location where = source.at(words.line);
        const std::string name = std::move(words.words.front());
        words.words.erase(words.words.begin());
        const Directive* directive = find_directive(name);
        if (auto fits = check(directive, name, context, words, where); !fits) {
            return fits;
        }
        switch (directive->kind) {
        case Kind::include:
            return include(source, context, where, words.words[0], out);
        case Kind::foreign:
            tree_.warnings.push_back(
                {LogLevel::warn,
                 Error::at(where, fmt::format("\"{}\" block is skipped: Postern serves mail", name))
                     .text});
            return skip_block(lexer, source);
        case Kind::value:
        case Kind::block:
            break;
        }
        out.push_back({directive, std::move(words.words), where, {}});
        if (directive->kind == Kind::value) {
            return {};
        }
        return read_block(lexer, source, directive->opens, true, out.back().children);
    }

    // What may have been meant by a name that nobody has.
    static std::string advice(std::string_view name)
    {
        if (name == "ssl") {  // NGINX: gone since 1.25.1
            return " (\"listen ... ssl\" switches TLS on)";
        }
        const std::string_view similar = similar_directive(name);
        return similar.empty() ? "" : fmt::format(" (did you mean \"{}\"?)", similar);
    }

    // In NGINX's order: name, place, end, number of arguments.
    static Checked check(const Directive* directive, const std::string& name, unsigned context,
                         const Words& words, const Location& where)
    {
        if (directive == nullptr) {
            return fail(where, fmt::format("unknown directive \"{}\"{}", name, advice(name)));
        }
        if ((directive->where & context) == 0) {
            return fail(where,
                        fmt::format("\"{}\" directive is not allowed here (it belongs in {})", name,
                                    context_names(directive->where)));
        }
        const bool block = directive->kind == Kind::block || directive->kind == Kind::foreign;
        if (!block && words.end == End::open_brace) {
            return fail(where, fmt::format("directive \"{}\" is not terminated by \";\"", name));
        }
        if (block && words.end != End::open_brace) {
            return fail(where, fmt::format("directive \"{}\" has no opening \"{{\"", name));
        }
        const auto [least, most] = directive->args;
        const std::size_t count = words.words.size();
        if (count < least || count > most) {
            return fail(where,
                        fmt::format("invalid number of arguments in \"{}\" directive ({} given, {} "
                                    "wanted)",
                                    name, count,
                                    most == Arity::kAny ? fmt::format("{} or more", least)
                                    : least == most     ? fmt::format("{}", least)
                                                        : fmt::format("{} to {}", least, most)));
        }
        return {};
    }

    Checked include(const Source& source, unsigned context, const Location& where,
                    const std::string& name, std::vector<Statement>& out)
    {
        if (source.depth == kIncludeDepthMax) {
            return fail(where, fmt::format("too many nested \"include\" directives (at most {}; "
                                           "does a file include itself?)",
                                           kIncludeDepthMax));
        }
        const std::string path = name.starts_with('/') ? name : directory_ + name;
        std::vector<std::string> paths = {path};
        if (path.find_first_of("*?[") != std::string::npos) {
            auto found = matches(path);
            if (!found) {
                return fail(where, found.error());
            }
            paths = std::move(*found);
        }
        for (const std::string& each : paths) {
            if (++includes_ > kIncludesMax) {
                return fail(where,
                            fmt::format("too many files are included (at most {})", kIncludesMax));
            }
            if (auto read = read_named(each, context, source.depth + 1, &where, out); !read) {
                return read;
            }
        }
        return {};
    }

    // What stands in a block that isn't ours: only words and braces are looked at.
    static Checked skip_block(Lexer& lexer, const Source& source)
    {
        for (std::size_t depth = 1; depth > 0;) {
            const auto next = lexer.next();
            if (!next) {
                return fail(source.at(next.error().line), next.error().message);
            }
            switch (next->end) {
            case End::open_brace:
                ++depth;
                break;
            case End::close_brace:
                --depth;
                break;
            case End::semicolon:
                break;
            case End::end_of_text:
                return fail(source.at(next->line), "unexpected end of file, expecting \"}\"");
            }
        }
        return {};
    }

    static std::unexpected<Error> fail(const Location& where, std::string_view message)
    {
        return std::unexpected(Error::at(where, message));
    }

    std::string directory_;
    Tree tree_;
    std::set<std::string> recorded_;
    unsigned includes_ = 0;
    std::size_t text_bytes_ = 0;
};

}  // namespace

std::expected<Tree, Error> read_tree(const std::string& path, std::string_view global_directives)
{
    Reader reader(path);
    if (auto read = reader.read_global(global_directives); !read) {
        return std::unexpected(std::move(read.error()));
    }
    if (auto read = reader.read_named(path, kMain, 0, nullptr, reader.statements()); !read) {
        return std::unexpected(std::move(read.error()));
    }
    return reader.take();
}

}  // namespace postern::config
