#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "config/lexer.h"
#include "config/load.h"
#include "targets.h"

namespace postern::fuzz {

// Read as the main file. "include" is left out: other files are no foreign bytes.
void configuration(std::string_view input)
{
    if (input.find("include") != std::string_view::npos) {
        return;
    }
    config::Lexer lexer(input);
    for (;;) {
        const auto words = lexer.next();
        if (!words) {
            require(!words.error().message.empty(), "an error says what is wrong");
            break;
        }
        if (words->end == config::End::end_of_text) {
            break;
        }
        for (const std::string& word : words->words) {
            require(word.size() <= config::kWordBytesMax, "words are bounded");
            require(word.find('\0') == std::string::npos, "no word holds a NUL");
        }
    }
    static const int file = memfd_create("configuration", 0);
    require(ftruncate(file, 0) == 0 &&
                pwrite(file, input.data(), input.size(), 0) == static_cast<ssize_t>(input.size()),
            "the file is written");
    config::Options options;
    options.conf_path = "/proc/self/fd/" + std::to_string(file);
    options.prefix = "/nonexistent/";
    const auto loaded = config::load(options);
    if (!loaded) {
        require(!loaded.error().text.empty(), "an error says what is wrong");
        return;
    }
    for (const config::MailServer& server : loaded->settings.servers) {
        require(!server.listens.empty(), "a server listens somewhere");
    }
    for (const config::Warning& warning : loaded->warnings) {
        require(warning.text.find('\n') == std::string::npos ||
                    input.find('\n') != std::string_view::npos,
                "a warning is one line");
    }
}

}  // namespace postern::fuzz
