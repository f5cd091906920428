#include "process/sandbox_paths.h"

#include <algorithm>

#include "config/testing.h"

namespace postern::process {
namespace {

namespace fs = std::filesystem;

class SandboxPathsTest : public config::ConfigTest
{
protected:
    // Those in the folder, without its name.
    std::vector<std::string> readable(const std::string& in_mail, const std::string& main = "")
    {
        found_ = readable_paths(settings(main + "mail { server_name a.test; " + in_mail +
                                         " server { listen 143 ssl; } }"));
        std::vector<std::string> here;
        for (const std::string& path : found_.paths) {
            if (path.starts_with(folder_)) {
                here.push_back(path.substr(folder_.size()));
            }
        }
        return here;
    }

    bool has(const std::string& path) const
    {
        return std::ranges::find(found_.paths, path) != found_.paths.end();
    }

    using Paths = std::vector<std::string>;
    ReadablePaths found_;
};

TEST_F(SandboxPathsTest, ResolverFilesAreReal)
{
    EXPECT_TRUE(readable("auth_http 127.0.0.1:9/;").empty());
    EXPECT_TRUE(has(fs::weakly_canonical("/etc/resolv.conf").string()));
    EXPECT_TRUE(has(fs::weakly_canonical("/etc/hosts").string()));
    EXPECT_FALSE(has("/etc"));
}

TEST_F(SandboxPathsTest, UsersMayBeReplaced)
{
    const std::string users = write("auth/users", "");
    EXPECT_EQ(readable("auth_file " + users + ";"), (Paths{"auth", "auth/users"}));
    EXPECT_TRUE(found_.notices.empty());
}

TEST_F(SandboxPathsTest, UsersThatAreALinkMayBeReplacedAtBothEnds)
{
    write("real/users", "");
    fs::create_directory(folder_ + "auth");
    fs::create_symlink(folder_ + "real/users", folder_ + "auth/users");
    EXPECT_EQ(readable("auth_file " + folder_ + "auth/users;"),
              (Paths{"auth", "real", "real/users"}));
}

TEST_F(SandboxPathsTest, ADirectoryWithAKeySomewhereBeneathIsNotReadable)
{
    const std::string users = write("auth/users", "");
    const std::string key = write("auth/tls/live/key.pem", "");
    for (const std::string& tls :
         {"ssl_certificate " + key + "; ssl_certificate_key " + key + ";",
          "ssl_session_ticket_key " + key + ";", "ssl_password_file " + key + ";",
          "proxy_ssl_certificate " + key + "; proxy_ssl_certificate_key " + key + ";",
          "proxy_ssl_password_file " + key + ";"}) {
        EXPECT_EQ(readable("auth_file " + users + ";" + tls), Paths{"auth/users"}) << tls;
        ASSERT_EQ(found_.notices.size(), 1u);
        EXPECT_EQ(found_.notices[0], "sandbox: a new file in the place of \"" + users +
                                         "\" will be read only after a reload, as \"" + key +
                                         "\" lies beneath \"" + folder_ + "auth\", too");
    }
}

TEST_F(SandboxPathsTest, AKeyThatIsALinkLiesWhereItPointsTo)
{
    const std::string users = write("auth/users", "");
    write("auth/key.pem", "");
    fs::create_directory(folder_ + "tls");
    fs::create_symlink(folder_ + "auth/key.pem", folder_ + "tls/key.pem");
    const std::string key = folder_ + "tls/key.pem";
    EXPECT_EQ(readable("auth_file " + users + "; ssl_certificate " + key +
                       "; ssl_certificate_key " + key + ";"),
              Paths{"auth/users"});
}

TEST_F(SandboxPathsTest, ANameThatBeginsTheSameIsNotBeneath)
{
    const std::string users = write("auth/users", "");
    const std::string key = write("auth-tls/key.pem", "");
    EXPECT_EQ(readable("auth_file " + users + "; ssl_certificate " + key +
                       "; ssl_certificate_key " + key + ";"),
              (Paths{"auth", "auth/users"}));
}

TEST_F(SandboxPathsTest, CommonDirectoriesAreNotReadable)
{
    EXPECT_TRUE(readable("auth_file /etc/mail-users;").empty());
    EXPECT_FALSE(has("/etc"));
    EXPECT_TRUE(has("/etc/mail-users"));
    ASSERT_EQ(found_.notices.size(), 1u);
    EXPECT_NE(found_.notices[0].find("\"/etc\" holds files of many programs"), std::string::npos);
}

// OpenSSL looks for an authority's certificate when it meets its name.
TEST_F(SandboxPathsTest, WhomTheSystemTrustsIsReadableIfSomebodyIsVerified)
{
    write("certs/root.pem", "");
    write("elsewhere/other.pem", "");
    fs::create_symlink(folder_ + "elsewhere/other.pem", folder_ + "certs/0123abcd.0");
    ::setenv("SSL_CERT_DIR", (folder_ + "certs").c_str(), 1);
    const std::string service = "auth_http 127.0.0.1:9/;";
    const Paths trusted{"certs", "elsewhere"};
    EXPECT_EQ(readable(service), Paths{});
    EXPECT_EQ(readable(service + "proxy_ssl on; proxy_ssl_verify off;"), Paths{});
    EXPECT_EQ(readable(service + "proxy_ssl on; proxy_ssl_verify on;"), trusted);
    EXPECT_EQ(readable("auth_http https://auth.test/;"), trusted);
    EXPECT_EQ(readable("auth_http https://auth.test/; auth_http_ssl_verify off;"), Paths{});
    EXPECT_EQ(readable(service + "proxy_ssl on; proxy_ssl_verify on; "
                                 "proxy_ssl_trusted_certificate /ca.pem;"),
              Paths{});
    ::unsetenv("SSL_CERT_DIR");
}

TEST_F(SandboxPathsTest, CoreFilesAreOnlyForWhoAsks)
{
    const std::string mail = "mail { }";
    EXPECT_EQ(core_file_directory(settings(mail)), "");
    EXPECT_EQ(core_file_directory(settings("worker_rlimit_core 0;" + mail)), "");
}

}  // namespace
}  // namespace postern::process
