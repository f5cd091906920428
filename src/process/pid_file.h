#pragma once

#include <sys/types.h>

#include <expected>
#include <string>

namespace postern::process {

// The file that says which process to signal. Errors are complete but for their level.
class PidFile
{
public:
    explicit PidFile(std::string path) : path_(std::move(path)) {}

    // In one step: whoever reads it finds the old content or the new one.
    std::expected<void, std::string> write(pid_t pid) const;
    static std::expected<pid_t, std::string> read(const std::string& path);
    void remove() const;

    // NGINX: while a new program takes over, the file of the old process is "PATH.oldbin".
    std::expected<void, std::string> step_aside();
    std::expected<void, std::string> step_back();
    bool is_aside() const { return aside_; }

private:
    std::string old_path() const { return path_ + ".oldbin"; }

    std::string path_;
    bool aside_ = false;
};

}  // namespace postern::process
