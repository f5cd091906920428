#include "auth/passwd_file.h"

#include <gtest/gtest.h>

#include "auth/password_hash.h"
#include "base/md5.h"

namespace postern::auth {
namespace {

using namespace std::string_literals;
using Result = PasswdFile::Result;

// "secret", hashed at the least cost.
std::string bcrypt()
{
    static const std::string hash = *make_hash("secret", "$2b$", 4);
    return hash;
}

Result check(const PasswdFile& file, const std::string& login, std::string_view password)
{
    return file.check(Method::plain, login, Secret(password), "").result;
}

const PasswdFile::User& user(const PasswdFile& file, const std::string& login,
                             std::string_view password = "x")
{
    const auto checked = file.check(Method::plain, login, Secret(password), "");
    static const PasswdFile::User kNone;
    EXPECT_EQ(checked.result, Result::accepted) << login;
    return checked.user != nullptr ? *checked.user : kNone;
}

// The reason for the only line being skipped.
std::string reason(std::string_view line)
{
    const auto file = PasswdFile::parse(line);
    EXPECT_EQ(file.size(), 0u) << line;
    EXPECT_EQ(file.problems().size(), 1u) << line;
    return file.problems().empty() ? "" : file.problems()[0].reason;
}

TEST(PasswdFile, ChecksHashesOfLibcryptAndPlainPasswords)
{
    for (const auto& [scheme, prefix, cost] : {std::tuple{"", "$2b$", 4},
                                               {"{CRYPT}", "$6$", 1000},
                                               {"{BLF-CRYPT}", "$2y$", 4},
                                               {"{SHA512-CRYPT}", "$6$", 1000},
                                               {"{SHA256-CRYPT}", "$5$", 1000},
                                               {"{sha256-crypt}", "$5$", 0},
                                               {"{CRYPT}", "$y$", 1},
                                               {"{YESCRYPT}", "$y$", 1},
                                               {"{MD5-CRYPT}", "$1$", 0},
                                               {"{DES-CRYPT}", "", 0},
                                               {"{CRYPT}", "$7$", 6},
                                               {"{CRYPT}", "$gy$", 1}}) {
        const auto hash = make_hash("pass:wd", prefix, static_cast<unsigned long>(cost));
        ASSERT_TRUE(hash) << prefix;
        const auto file =
            PasswdFile::parse("alice:" + (scheme + *hash) + ":1000:1000::/home/alice::\n");
        EXPECT_TRUE(file.problems().empty()) << *hash;
        EXPECT_EQ(check(file, "alice", "pass:wd"), Result::accepted) << *hash;
        EXPECT_EQ(check(file, "alice", "pass:wD"), Result::refused) << *hash;
        EXPECT_EQ(check(file, "alice", ""), Result::refused) << *hash;
    }
    for (const auto* scheme : {"{PLAIN}", "{CLEAR}", "{CLEARTEXT}", "{plain}"}) {
        const auto file = PasswdFile::parse("alice:"s + scheme + "pass}w{d");
        EXPECT_EQ(check(file, "alice", "pass}w{d"), Result::accepted);
        EXPECT_EQ(check(file, "alice", "pass}w{"), Result::refused);
        EXPECT_EQ(check(file, "alice", "pass}w{dd"), Result::refused);
        EXPECT_EQ(check(file, "alice", ""), Result::refused);
    }
}

TEST(PasswdFile, UserNamesAreExact)
{
    const auto file =
        PasswdFile::parse("alice:{PLAIN}x\nb\xc3\xbc@example.com:{PLAIN}x\n alice:{PLAIN}y\n");
    EXPECT_EQ(check(file, "alice", "x"), Result::accepted);
    EXPECT_EQ(check(file, "b\xc3\xbc@example.com", "x"), Result::accepted);
    EXPECT_EQ(check(file, " alice", "y"), Result::accepted);
    for (const auto& login :
         {"Alice"s, "alic"s, "alice "s, "alice\0"s, "alice:{PLAIN}x"s, ""s, "%u"s, "\r\n"s}) {
        EXPECT_EQ(check(file, login, "x"), Result::refused) << login;
    }
}

TEST(PasswdFile, UnknownUserIsRefusedWhateverThePassword)
{
    for (const std::string& text : {""s, "alice:{PLAIN}secret"s, "alice:" + bcrypt()}) {
        const auto file = PasswdFile::parse(text);
        for (const auto* password : {"", "secret", "decoy", "x"}) {
            EXPECT_EQ(check(file, "bob", password), Result::refused) << text << password;
        }
    }
}

TEST(PasswdFile, NulDoesNotEndAPassword)
{
    const auto file = PasswdFile::parse("alice:" + bcrypt() + "\nbob:{PLAIN}secret\n");
    for (const auto* login : {"alice", "bob"}) {
        EXPECT_EQ(check(file, login, "secret"), Result::accepted);
        EXPECT_EQ(check(file, login, "secret\0"s), Result::refused);
        EXPECT_EQ(check(file, login, "secret\0x"s), Result::refused);
        EXPECT_EQ(check(file, login, "\0secret"s), Result::refused);
        EXPECT_EQ(check(file, login, std::string(100'000, 'x')), Result::refused);
    }
}

TEST(PasswdFile, ExtraFieldsSayWhereTheMailboxIs)
{
    const auto file = PasswdFile::parse(
        "a:{PLAIN}x\n"
        "b:{PLAIN}x::::::host=2001:db8::1 port=10143 user=bob@example.com pass=s:cr=t\n"
        "c:{PLAIN}x:1:2:c,d:/h:/bin/sh:proxy=y  unknown=1 userdb_quota=5 host=imap.example.com   "
        "nopassword=y\n"
        "d:{PLAIN}x::::::user=one destuser=two user=three\n"
        "e:{PLAIN}x::::::host=unix:/run/imap pass=\r\n"
        "f:{PLAIN}x:::::::host=not:one of ours\n"  // Dovecot's old form
        "g:{PLAIN}x:::::hostport=1\n");
    EXPECT_TRUE(file.problems().empty());
    EXPECT_EQ(user(file, "a").host, "");
    EXPECT_EQ(user(file, "a").port, 0);
    EXPECT_FALSE(user(file, "a").login);
    EXPECT_FALSE(user(file, "a").password);
    EXPECT_EQ(user(file, "b").host, "2001:db8::1");
    EXPECT_EQ(user(file, "b").port, 10143);
    EXPECT_EQ(user(file, "b").login, "bob@example.com");
    EXPECT_EQ(user(file, "b").password->reveal(), "s:cr=t");
    EXPECT_EQ(user(file, "c").host, "imap.example.com");
    EXPECT_EQ(check(file, "c", "y"), Result::refused);  // nopassword lets nobody in
    EXPECT_EQ(user(file, "d").login, "two");
    EXPECT_EQ(user(file, "e").host, "unix:/run/imap");
    EXPECT_EQ(user(file, "e").password->reveal(), "");
    EXPECT_EQ(user(file, "f").host, "");
    EXPECT_EQ(user(file, "g").host, "");
}

TEST(PasswdFile, CommentsAndEmptyLinesAreNone)
{
    const auto file = PasswdFile::parse("# alice:{PLAIN}x\n\n\r\na:{PLAIN}x");
    EXPECT_EQ(file.size(), 1u);
    EXPECT_TRUE(file.problems().empty());
    EXPECT_EQ(check(file, "", "x"), Result::refused);
    EXPECT_EQ(PasswdFile::parse("").size(), 0u);
}

TEST(PasswdFile, BadLinesAreSkippedByNumber)
{
    const auto file = PasswdFile::parse(
        "a:{PLAIN}x\n# comment\nb\nc:{NTLM}y\nd:{PLAIN}x\nd:{PLAIN}y\ne:{PLAIN}x\n");
    ASSERT_EQ(file.problems().size(), 3u);
    EXPECT_EQ(file.problems()[0].line, 3u);
    EXPECT_EQ(file.problems()[1].line, 4u);
    EXPECT_EQ(file.problems()[2].line, 6u);
    EXPECT_EQ(file.problems()[2].reason, "there is such a user already");
    EXPECT_EQ(file.size(), 3u);
    EXPECT_EQ(check(file, "c", "y"), Result::refused);
    EXPECT_EQ(check(file, "d", "x"), Result::accepted);
    EXPECT_EQ(check(file, "d", "y"), Result::refused);
    EXPECT_EQ(check(file, "e", "x"), Result::accepted);
}

TEST(PasswdFile, SaysWhatIsWrongWithALineWithoutItsPassword)
{
    EXPECT_EQ(reason("a"), "there is no password");
    EXPECT_EQ(reason("a:"), "there is no password");
    EXPECT_EQ(reason(":{PLAIN}x"), "there is no user name");
    EXPECT_EQ(reason("a:{PLAIN}:1:2"), "there is no password");
    EXPECT_EQ(reason("a:{PLAIN"), "the password's scheme has no \"}\"");
    EXPECT_EQ(reason("a:{NTLM}x"), "unknown password scheme \"NTLM\"");
    EXPECT_EQ(reason("a:{PLAIN.b64}x"), "unknown password scheme \"PLAIN.b64\"");
    EXPECT_EQ(reason("a:secret"), "the password is no hash that libcrypt knows");
    EXPECT_EQ(reason("a:{BLF-CRYPT}" + bcrypt().substr(0, 59)),
              "the password is no hash that libcrypt knows");
    EXPECT_EQ(reason("a:$9$abc$def"), "the password is no hash that libcrypt knows");
    EXPECT_EQ(reason("a:*"), "the password is no hash that libcrypt knows");
    EXPECT_EQ(reason("a:!" + bcrypt()), "the password is no hash that libcrypt knows");  // locked
    EXPECT_EQ(reason("a:{PLAIN}x::::::host=a/b"),
              "host= is neither an IP address nor a name nor unix:/PATH");
    EXPECT_EQ(reason("a:{PLAIN}x::::::host="),
              "host= is neither an IP address nor a name nor unix:/PATH");
    EXPECT_EQ(reason("a:{PLAIN}x::::::port=0"), "port= is no number from 1 to 65535");
    EXPECT_EQ(reason("a:{PLAIN}x::::::port=65536"), "port= is no number from 1 to 65535");
    EXPECT_EQ(reason("a:{PLAIN}x::::::port"), "port= is no number from 1 to 65535");
    EXPECT_EQ(reason("a:{PLAIN}x\0y"s), "there is a CR or NUL in it");
    EXPECT_EQ(reason("a:{PLAIN}x::::::pass=a\rb"), "there is a CR or NUL in it");
    EXPECT_EQ(reason("a:{PLAIN}x\r\r"), "there is a CR or NUL in it");
    for (const auto* field : {"nologin", "nologin=y", "allow_nets=10.0.0.0/8", "master=root"}) {
        EXPECT_NE(reason("a:{PLAIN}x::::::"s + field).find("is not supported"), std::string::npos);
    }
}

TEST(PasswdFile, SaysHowTheConnectionToTheMailboxIsEncrypted)
{
    using config::ProxySsl;
    struct Case {
        const char* fields;
        std::optional<ProxySsl> ssl;
        bool verify;
    };
    constexpr Case kCases[] = {
        {"", std::nullopt, true},
        {"ssl=yes", ProxySsl::on, true},
        {"ssl", ProxySsl::on, true},
        {"ssl=any-cert", ProxySsl::on, false},
        {"ssl=no", ProxySsl::off, true},
        {"starttls=yes", ProxySsl::starttls, true},
        {"starttls=any-cert", ProxySsl::starttls, false},
        {"starttls=no", ProxySsl::off, true},
        {"ssl=no starttls=yes", ProxySsl::starttls, true},
        {"ssl=yes starttls=no", ProxySsl::on, true},
        {"ssl=yes starttls=yes", ProxySsl::starttls, true},
        {"starttls=yes ssl=yes", ProxySsl::starttls, true},
        {"starttls=yes ssl=any-cert", ProxySsl::starttls, false},
    };
    for (const Case& one : kCases) {
        const auto file = PasswdFile::parse("a:{PLAIN}x::::::"s + one.fields);
        const auto checked = file.check(Method::plain, "a", Secret("x"), "");
        ASSERT_EQ(checked.result, Result::accepted) << one.fields;
        EXPECT_EQ(checked.user->ssl, one.ssl) << one.fields;
        EXPECT_EQ(checked.user->ssl_verify, one.verify) << one.fields;
    }
    EXPECT_EQ(reason("a:{PLAIN}x::::::ssl=maybe"), "ssl= is none of yes, any-cert and no");
    EXPECT_EQ(reason("a:{PLAIN}x::::::starttls=on"), "starttls= is none of yes, any-cert and no");
}

TEST(PasswdFile, ExternalNeedsAPasswordForTheMailboxServer)
{
    const auto file = PasswdFile::parse("plain:{PLAIN}x\nhash:" + bcrypt() + "\npass:" + bcrypt() +
                                        "::::::pass=y\n");
    const auto external = [&](const char* login) {
        return file.check(Method::external, login, Secret(), "").result;
    };
    EXPECT_EQ(external("plain"), Result::accepted);
    EXPECT_EQ(external("pass"), Result::accepted);
    EXPECT_EQ(external("hash"), Result::needs_plain);
    EXPECT_EQ(external("nobody"), Result::refused);
}

TEST(PasswdFile, ChecksDigestsOverPlainPasswords)
{
    const auto file =
        PasswdFile::parse("tim:{PLAIN}tanstaaftanstaaf\nmrose:{PLAIN}tanstaaf\nhash:" + bcrypt());
    const auto digest = [&](Method method, const char* login, std::string_view text,
                            std::string_view salt) {
        return file.check(method, login, Secret(text), salt).result;
    };
    // RFC 2195 section 2 and RFC 1939 section 7 print these.
    constexpr auto kCramSalt = "<1896.697170952@postoffice.reston.mci.net>";
    constexpr auto kCram = "b913a602c7eda7a495b4e6e7334d3890";
    constexpr auto kApopSalt = "<1896.697170952@dbc.mtview.ca.us>";
    constexpr auto kApop = "c4c9334bac560ecc979e58001b3e22fb";
    EXPECT_EQ(digest(Method::cram_md5, "tim", kCram, kCramSalt), Result::accepted);
    EXPECT_EQ(digest(Method::apop, "mrose", kApop, kApopSalt), Result::accepted);
    EXPECT_EQ(digest(Method::cram_md5, "tim", kCram, kApopSalt), Result::refused);
    EXPECT_EQ(digest(Method::cram_md5, "mrose", kCram, kCramSalt), Result::refused);
    EXPECT_EQ(digest(Method::apop, "tim", kCram, kCramSalt), Result::refused);
    EXPECT_EQ(digest(Method::cram_md5, "tim", "", kCramSalt), Result::refused);
    EXPECT_EQ(digest(Method::cram_md5, "tim", "tanstaaftanstaaf", kCramSalt), Result::refused);
    EXPECT_EQ(digest(Method::plain, "tim", kCram, kCramSalt), Result::refused);
    EXPECT_EQ(digest(Method::cram_md5, "hash", kCram, kCramSalt), Result::needs_plain);
    EXPECT_EQ(digest(Method::apop, "hash", kApop, kApopSalt), Result::needs_plain);
    // What stands in for an unknown user's password is no password.
    for (const auto* word : {"", "decoy"}) {
        EXPECT_EQ(digest(Method::cram_md5, "nobody", hmac_md5_hex(word, kCramSalt), kCramSalt),
                  Result::refused);
        EXPECT_EQ(digest(Method::apop, "nobody", md5_hex(kApopSalt + std::string(word)), kApopSalt),
                  Result::refused);
    }
}

TEST(PasswdFile, NobodyIsKnownByNone)
{
    const auto file = PasswdFile::parse("alice:{PLAIN}x");
    EXPECT_EQ(file.check(Method::none, "alice", Secret("x"), "").result, Result::refused);
}

// The hashes that were checked, and a check that is right for "secret" whatever the hash.
std::vector<std::string> checked_hashes;

bool record_hash(std::string_view password, const std::string& hash)
{
    checked_hashes.push_back(hash);
    return password == "secret";
}

// What is checked costs the same for whoever logs in: one hash, and of the usual kind if the user
// has none.
TEST(PasswdFile, EveryPasswordCostsOneHash)
{
    const std::string usual = *make_hash("x", "$2b$", 5);
    const std::string usual_too = *make_hash("y", "$2b$", 5);
    const std::string rare = bcrypt();
    const auto file = PasswdFile::parse("rare:" + rare + "\nalice:" + usual +
                                        "\ncarol:" + usual_too + "\nplain:{PLAIN}secret\n");
    const auto cost = [&](const char* login, std::string_view password, Result expected) {
        checked_hashes.clear();
        EXPECT_EQ(file.check(Method::plain, login, Secret(password), "", record_hash).result,
                  expected)
            << login;
        EXPECT_EQ(checked_hashes.size(), 1u) << login;
        return checked_hashes.at(0);
    };
    for (const auto& password : {"secret"s, "wrong"s, ""s, "secret\0"s, std::string(9999, 'x')}) {
        const bool right = password == "secret";
        EXPECT_EQ(cost("alice", password, right ? Result::accepted : Result::refused), usual);
        EXPECT_EQ(cost("rare", password, right ? Result::accepted : Result::refused), rare);
        for (const auto* login : {"plain", "nobody", ""}) {
            const bool is_plain_user = login == "plain"s;
            const std::string hash =
                cost(login, password, right && is_plain_user ? Result::accepted : Result::refused);
            EXPECT_EQ(kind_of_hash(hash), "$2b$05") << login;
        }
    }
}

TEST(PasswdFile, WhereNobodyHasAHashNoneIsChecked)
{
    const auto file = PasswdFile::parse("plain:{PLAIN}secret");
    checked_hashes.clear();
    for (const auto* login : {"plain", "nobody"}) {
        file.check(Method::plain, login, Secret("wrong"), "", record_hash);
    }
    EXPECT_TRUE(checked_hashes.empty());
}

TEST(PasswdFile, AnEmptyPasswordIsNeverRight)
{
    const auto file = PasswdFile::parse("alice:" + *make_hash("", "$2b$", 4));
    EXPECT_EQ(check(file, "alice", ""), Result::refused);
}

TEST(PasswdFile, LinesHaveALimit)
{
    const std::string line = "a:{PLAIN}";
    const std::string password(PasswdFile::kLineMax - line.size(), 'x');
    EXPECT_EQ(check(PasswdFile::parse(line + password + "\r\n"), "a", password), Result::accepted);
    EXPECT_EQ(reason(line + password + "x\n"), "it is longer than 8192 bytes");
}

TEST(PasswdFile, ProblemsHaveALimit)
{
    std::string text;
    for (std::size_t i = 0; i < PasswdFile::kProblemsMax; ++i) {
        text += "x\n";
    }
    const auto full = PasswdFile::parse(text);
    EXPECT_EQ(full.problems().size(), PasswdFile::kProblemsMax);
    EXPECT_EQ(full.problems_left_out(), 0u);
    const auto more = PasswdFile::parse(text + "x\na:{PLAIN}y\n");
    EXPECT_EQ(more.problems().size(), PasswdFile::kProblemsMax);
    EXPECT_EQ(more.problems_left_out(), 1u);
    EXPECT_EQ(more.size(), 1u);
}

TEST(PasswordHash, KindIsMethodAndCost)
{
    EXPECT_EQ(kind_of_hash("$2b$10$abc"), "$2b$10");
    EXPECT_EQ(kind_of_hash("$y$j9T$salt$hash"), "$y$j9T");
    EXPECT_EQ(kind_of_hash("$6$salt$hash"), "$6");
    EXPECT_EQ(kind_of_hash("$6$rounds=5$salt$hash"), "$6$rounds=5");
    EXPECT_EQ(kind_of_hash("$1$salt$hash"), "$1");
    EXPECT_EQ(kind_of_hash("abcdefghijklm"), "");
}

TEST(PasswordHash, SaltIsFresh)
{
    EXPECT_NE(*make_hash("x", "$2b$", 4), *make_hash("x", "$2b$", 4));
    EXPECT_FALSE(make_hash("x", "$nonsense$", 4));
    EXPECT_FALSE(make_hash(std::string(512, 'x'), "$2b$", 4));
    EXPECT_FALSE(make_hash("a\0b"s, "$2b$", 4));
}

}  // namespace
}  // namespace postern::auth
