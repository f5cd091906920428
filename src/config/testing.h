// For tests: configurations as files in a folder that is deleted afterwards.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "config/load.h"

namespace postern::config {

class ConfigTest : public testing::Test
{
protected:
    ConfigTest()
    {
        char name[] = "/tmp/postern_config_XXXXXX";
        folder_ = std::string(::mkdtemp(name)) + "/";
    }
    ~ConfigTest() override { std::filesystem::remove_all(folder_); }

    std::string write(const std::string& name, std::string_view content)
    {
        const std::filesystem::path path = folder_ + name;
        std::filesystem::create_directories(path.parent_path());
        std::ofstream(path, std::ios::binary) << content;
        return path.string();
    }

    // Reads the text as the main file, "conf/t.conf" in a prefix "/prefix".
    std::expected<Loaded, Error> read(std::string_view text)
    {
        options_.conf_path = write("conf/t.conf", text);
        return config::load(options_);
    }

    // Settings of a text that is right; warnings are kept in warnings_.
    Settings settings(std::string_view text)
    {
        auto loaded = read(text);
        if (!loaded) {
            ADD_FAILURE() << loaded.error().text << "\n" << text;
            return {};
        }
        warnings_.clear();
        for (const Warning& warning : loaded->warnings) {
            warnings_.push_back(to_string(warning.level).data() + (": " + local(warning.text)));
        }
        return std::move(loaded->settings);
    }

    // The only server of a mail block that holds this, and whose server block holds that.
    MailServer server(std::string_view in_server, std::string_view in_mail = "")
    {
        Settings result = settings(mail(in_server, in_mail));
        return result.servers.empty() ? MailServer{} : std::move(result.servers.front());
    }

    // The error of a text that is wrong, with file names below the folder; "" if it is right.
    std::string error(std::string_view text)
    {
        auto loaded = read(text);
        return loaded ? "" : local(loaded.error().text);
    }

    // The error of what is in a server block, without " in FILE:LINE".
    std::string server_error(std::string_view in_server, std::string_view in_mail = "")
    {
        const std::string text = error(mail(in_server, in_mail));
        return text.substr(0, text.rfind(" in t.conf:"));
    }

    static std::string mail(std::string_view in_server, std::string_view in_mail = "")
    {
        std::string result = "mail { auth_http 127.0.0.1:9000;\n";
        return result.append(in_mail)
            .append("\nserver {\nlisten 143;\n")
            .append(in_server)
            .append("\n}}");
    }

    std::string local(std::string text) const
    {
        const std::string folder = folder_ + "conf/";
        for (std::size_t at; (at = text.find(folder)) != std::string::npos;) {
            text.erase(at, folder.size());
        }
        return text;
    }

    std::string folder_;  // ends in "/"
    Options options_{.conf_path = "", .prefix = "/prefix"};
    std::vector<std::string> warnings_;  // "LEVEL: TEXT"
};

}  // namespace postern::config
