// Used by the build alone: copies standard input, the hand-written part of postern.conf(5), to
// standard output and puts the directives where the mark stands.
#include <iostream>
#include <string>

#include "config/reference.h"

int main()
{
    constexpr std::string_view kMark = R"(.\" DIRECTIVES)";
    bool found = false;
    for (std::string line; std::getline(std::cin, line);) {
        if (line == kMark) {
            found = true;
            std::cout << postern::config::directive_manual();
        } else {
            std::cout << line << '\n';
        }
    }
    return found && std::cout.flush() ? 0 : 1;
}
