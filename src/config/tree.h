// A configuration as it was written: which directive stands where, with what arguments. Names,
// places, ends and numbers of arguments are checked; what the arguments mean is for apply.h.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/directive.h"

namespace postern::config {

// One directive as written, with what is inside its block.
struct Statement {
    const Directive* directive = nullptr;
    std::vector<std::string> arguments;
    Location where;  // of the ";" or "{" that ends it
    std::vector<Statement> children;
};

// A file that was read, for "-T".
struct ConfigFile {
    std::string path;
    std::string content;
};

struct Tree {
    std::vector<Statement> statements;
    std::vector<ConfigFile> files;  // each once, in the order of reading
    std::vector<Warning> warnings;
};

inline constexpr unsigned kIncludeDepthMax = 16;
inline constexpr unsigned kIncludesMax = 4096;  // in all: depth alone doesn't bound files that
                                                // include each other by a pattern
inline constexpr std::size_t kTextBytesMax = 16 << 20;  // of all files, each time they are read

// Reads the text of "-g" and then the file, and what that includes. Relative names of included
// files are taken from the directory of `path`.
std::expected<Tree, Error> read_tree(const std::string& path, std::string_view global_directives);

}  // namespace postern::config
