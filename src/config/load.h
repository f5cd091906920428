// The way in: reads a configuration and says what is wrong with it.
#pragma once

#include "config/entry.h"

namespace postern::config {

struct Loaded {
    Settings settings;
    std::vector<Warning> warnings;
    std::vector<ConfigFile> files;  // what was read, for "-T"
};

// Reads and checks everything but what missing_features() looks for.
std::expected<Loaded, Error> read(const Options& options);

// What this version can't do though the settings ask for it: the PROXY protocol. Each "listen" that
// wants it has its own error.
std::vector<Error> missing_features(const Settings& settings);

// A warning for each "auth_file" that can't be read now, and for each host of "auth_http" that
// nobody knows now: for the latter NGINX refuses to start, and here it is looked up when somebody
// logs in. Asks the system's resolver, which may take seconds.
std::vector<Warning> missing_users(const Settings& settings);

// As read(), but the first missing feature is an error: nothing that is configured is ever ignored.
std::expected<Loaded, Error> load(const Options& options);

}  // namespace postern::config
