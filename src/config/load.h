// The way in: reads a configuration and says what is wrong with it.
#pragma once

#include "config/entry.h"

namespace postern::config {

struct Loaded {
    Settings settings;
    std::vector<Warning> warnings;
    std::vector<ConfigFile> files;  // what was read, for "-T"
};

std::expected<Loaded, Error> load(const Options& options);

// A warning for each "auth_file" that can't be read now, and for each host of "auth_http" that
// nobody knows now: for the latter NGINX refuses to start, and here it is looked up when somebody
// logs in. Asks the system's resolver, which may take seconds.
std::vector<Warning> missing_users(const Settings& settings);

}  // namespace postern::config
