#include <gtest/gtest.h>

#include <array>
#include <regex>
#include <set>

#include "base/base64.h"
#include "base/md5.h"
#include "sasl/challenge.h"
#include "sasl/exchange.h"

namespace postern::sasl {
namespace {

using namespace std::string_view_literals;
using Reason = Failure::Reason;
using Words = std::vector<std::string_view>;

constexpr Mechanisms kAll = {.plain = true, .login = true, .cram_md5 = true, .external = true};

std::string prompt(const Step& step)
{
    const auto* found = std::get_if<Prompt>(&step);
    return found ? found->text : "not a prompt";
}

std::optional<Reason> reason(const Step& step)
{
    const auto* found = std::get_if<Failure>(&step);
    return found ? std::optional(found->reason) : std::nullopt;
}

void expect_claim(const Step& step, std::string_view user, std::string_view secret)
{
    const auto* claim = std::get_if<Claim>(&step);
    ASSERT_NE(claim, nullptr);
    EXPECT_EQ(claim->user, user);
    EXPECT_EQ(claim->secret.reveal(), secret);
}

Step answer(Mechanism mechanism, std::string_view line)
{
    Exchange exchange(mechanism, "<1.2@mail.test>");
    exchange.begin(std::nullopt);
    return exchange.answer(line);
}

Step answer_decoded(Mechanism mechanism, std::string_view message)
{
    return answer(mechanism, base64_encode(message));
}

TEST(SaslMechanism, NamesInAnyCase)
{
    EXPECT_EQ(parse_mechanism("PLAIN"), Mechanism::plain);
    EXPECT_EQ(parse_mechanism("login"), Mechanism::login);
    EXPECT_EQ(parse_mechanism("Cram-mD5"), Mechanism::cram_md5);
    EXPECT_EQ(parse_mechanism("EXTERNAL"), Mechanism::external);
    for (const auto name : {"", "PLAI", "PLAINS", "CRAM", "CRAM_MD5", "APOP", "NONE", "XOAUTH2"}) {
        EXPECT_FALSE(parse_mechanism(name)) << name;
    }
    EXPECT_FALSE(parse_mechanism("PLAIN\0"sv));
}

TEST(SaslStart, InitialResponsesWhereTheMechanismHasThem)
{
    for (const auto name : {"PLAIN"sv, "LOGIN"sv, "EXTERNAL"sv}) {
        EXPECT_FALSE(parse_start(Words{name}, kAll)->initial_response) << name;
        EXPECT_EQ(parse_start(Words{name, "abcd"}, kAll)->initial_response, "abcd") << name;
        EXPECT_FALSE(parse_start(Words{name, "abcd", "x"}, kAll)) << name;
    }
    EXPECT_TRUE(parse_start(Words{"CRAM-MD5"}, kAll));
    EXPECT_FALSE(parse_start(Words{"CRAM-MD5", "abcd"}, kAll));
    EXPECT_FALSE(parse_start(Words{}, kAll));
    EXPECT_FALSE(parse_start(Words{"GSSAPI"}, kAll));
    EXPECT_FALSE(parse_start(Words{""}, kAll));
}

TEST(SaslStart, OnlyCramMd5AndExternalCanBeOff)
{
    constexpr Mechanisms kNone = {.none = true};
    EXPECT_TRUE(parse_start(Words{"PLAIN"}, kNone));
    EXPECT_TRUE(parse_start(Words{"LOGIN", "abcd"}, kNone));
    EXPECT_FALSE(parse_start(Words{"CRAM-MD5"}, kNone));
    EXPECT_FALSE(parse_start(Words{"EXTERNAL"}, kNone));
    EXPECT_FALSE(parse_start(Words{"EXTERNAL", "Ym9i"}, kNone));  // NGINX lets this one pass
    EXPECT_TRUE(parse_start(Words{"EXTERNAL", "Ym9i"}, {.external = true}));
    EXPECT_TRUE(parse_start(Words{"CRAM-MD5"}, {.cram_md5 = true}));
}

TEST(SaslPlain, PromptIsEmpty)
{
    EXPECT_EQ(prompt(Exchange(Mechanism::plain, "").begin(std::nullopt)), "");
}

TEST(SaslPlain, ExamplesOfRfc4616)  // section 4
{
    expect_claim(answer_decoded(Mechanism::plain, "\0tim\0tanstaaftanstaaf"sv), "tim",
                 "tanstaaftanstaaf");
    expect_claim(answer_decoded(Mechanism::plain, "Ursel\0Kurt\0xipj3plmq"sv), "Kurt", "xipj3plmq");
}

TEST(SaslPlain, EmptyAndStrangeParts)
{
    expect_claim(answer_decoded(Mechanism::plain, "\0\0"sv), "", "");
    expect_claim(answer_decoded(Mechanism::plain, "\0\0pw"sv), "", "pw");
    expect_claim(answer_decoded(Mechanism::plain, "\0bob\0"sv), "bob", "");
    expect_claim(answer_decoded(Mechanism::plain, "\0bob\0a\0b"sv), "bob", "a\0b"sv);
    expect_claim(answer_decoded(Mechanism::plain, "\0b\r\nb\0\xff"sv), "b\r\nb", "\xff");
}

TEST(SaslPlain, InvalidLoginAndPassword)
{
    EXPECT_EQ(reason(answer_decoded(Mechanism::plain, "")), Reason::login);
    EXPECT_EQ(reason(answer_decoded(Mechanism::plain, "bob")), Reason::login);
    EXPECT_EQ(reason(answer_decoded(Mechanism::plain, "bob\0"sv)), Reason::login);
    EXPECT_EQ(reason(answer_decoded(Mechanism::plain, "\0"sv)), Reason::login);
    EXPECT_EQ(reason(answer_decoded(Mechanism::plain, "\0bob"sv)), Reason::password);
}

TEST(SaslPlain, InitialResponse)
{
    expect_claim(Exchange(Mechanism::plain, "").begin("AGJvYgBwdw=="), "bob", "pw");
    expect_claim(Exchange(Mechanism::plain, "").begin("AGJvYgBwdw"), "bob", "pw");  // no padding
    EXPECT_EQ(reason(Exchange(Mechanism::plain, "").begin("=")), Reason::login);
    EXPECT_EQ(reason(Exchange(Mechanism::plain, "").begin("AGJvYgBwdw x")), Reason::base64);
}

TEST(SaslLogin, AsksForBoth)
{
    Exchange exchange(Mechanism::login, "");
    EXPECT_EQ(prompt(exchange.begin(std::nullopt)), base64_encode("Username:"));
    EXPECT_EQ(prompt(exchange.answer("Ym9i")), base64_encode("Password:"));
    expect_claim(exchange.answer("cHc="), "bob", "pw");
}

TEST(SaslLogin, UserNameAsInitialResponse)
{
    Exchange exchange(Mechanism::login, "");
    EXPECT_EQ(prompt(exchange.begin("Ym9i")), base64_encode("Password:"));
    expect_claim(exchange.answer("cHc="), "bob", "pw");
}

TEST(SaslLogin, EmptyValues)
{
    Exchange exchange(Mechanism::login, "");
    EXPECT_EQ(prompt(exchange.begin("=")), base64_encode("Password:"));
    expect_claim(exchange.answer(""), "", "");
}

TEST(SaslLogin, BadBase64InEitherStep)
{
    EXPECT_EQ(reason(answer(Mechanism::login, "*")), Reason::base64);
    Exchange exchange(Mechanism::login, "");
    exchange.begin("Ym9i");
    EXPECT_EQ(reason(exchange.answer("*")), Reason::base64);
}

TEST(SaslCramMd5, ExampleOfRfc2195)  // section 2
{
    Exchange exchange(Mechanism::cram_md5, "<1896.697170952@postoffice.reston.mci.net>");
    EXPECT_EQ(prompt(exchange.begin(std::nullopt)),
              "PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+");
    expect_claim(exchange.answer("dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw"), "tim",
                 "b913a602c7eda7a495b4e6e7334d3890");
}

TEST(SaslCramMd5, DigestHas32Bytes)
{
    const auto with_digest = [](std::size_t size) {
        return answer_decoded(Mechanism::cram_md5, "bob " + std::string(size, 'z'));
    };
    expect_claim(with_digest(32), "bob", std::string(32, 'z'));
    EXPECT_EQ(reason(with_digest(31)), Reason::digest);
    EXPECT_EQ(reason(with_digest(33)), Reason::digest);
    EXPECT_EQ(reason(with_digest(0)), Reason::digest);
    EXPECT_EQ(reason(answer_decoded(Mechanism::cram_md5, "bob")), Reason::digest);
    EXPECT_EQ(reason(answer_decoded(Mechanism::cram_md5, "")), Reason::digest);
    EXPECT_EQ(reason(answer_decoded(Mechanism::cram_md5, std::string(32, 'z'))), Reason::digest);
    expect_claim(answer_decoded(Mechanism::cram_md5, " " + std::string(32, 'z')), "",
                 std::string(32, 'z'));
    // The first space separates: what follows a second one is digest, and then too long.
    EXPECT_EQ(reason(answer_decoded(Mechanism::cram_md5, "bob b " + std::string(32, 'z'))),
              Reason::digest);
}

TEST(SaslExternal, NameMayBeEmpty)
{
    EXPECT_EQ(prompt(Exchange(Mechanism::external, "").begin(std::nullopt)), "VXNlcm5hbWU6");
    expect_claim(answer(Mechanism::external, "Ym9i"), "bob", "");
    expect_claim(answer(Mechanism::external, ""), "", "");
    expect_claim(Exchange(Mechanism::external, "").begin("="), "", "");
    expect_claim(Exchange(Mechanism::external, "").begin("Ym9i"), "bob", "");
}

TEST(SaslAnswer, OnlyTheTextBeforeTheFirstSpaceCounts)
{
    expect_claim(answer(Mechanism::external, "Ym9i extra *"), "bob", "");
    expect_claim(answer(Mechanism::external, " Ym9i"), "", "");
    EXPECT_EQ(reason(answer(Mechanism::plain, " AGJvYgBwdw==")), Reason::login);
}

TEST(SaslAnswer, BadBase64)
{
    for (const auto mechanism :
         {Mechanism::plain, Mechanism::login, Mechanism::cram_md5, Mechanism::external}) {
        for (const auto line :
             {"*"sv, "A"sv, "AAAAA"sv, "AG\tJ"sv, "AG-J"sv, "AG\0J"sv, "AGJ\xc3"sv, "AGJv\r"sv}) {
            EXPECT_EQ(reason(answer(mechanism, line)), Reason::base64);
        }
    }
    expect_claim(answer(Mechanism::external, "Ym9i=*!"), "bob", "");  // ends at the first "="
}

TEST(SaslAnswer, HugeLines)
{
    const std::string password(48 * 1024, 'p');
    expect_claim(answer_decoded(Mechanism::plain, std::string("\0bob\0", 5) + password), "bob",
                 password);
    EXPECT_EQ(reason(answer(Mechanism::plain, std::string(65536, '('))), Reason::base64);
}

TEST(SaslFailure, SaysWhatNginxSays)
{
    EXPECT_EQ((Failure{Mechanism::plain, Reason::login}.log_message()),
              "client sent invalid login in AUTH PLAIN command");
    EXPECT_EQ((Failure{Mechanism::plain, Reason::password}.log_message()),
              "client sent invalid password in AUTH PLAIN command");
    EXPECT_EQ((Failure{Mechanism::cram_md5, Reason::digest}.log_message()),
              "client sent invalid CRAM-MD5 hash in AUTH CRAM-MD5 command");
    EXPECT_EQ((Failure{Mechanism::login, Reason::base64}.log_message()),
              "client sent invalid base64 encoding in AUTH LOGIN command");
    EXPECT_EQ((Failure{Mechanism::external, Reason::base64}.log_message()),
              "client sent invalid base64 encoding in AUTH EXTERNAL command");
}

TEST(SaslChallenge, HasNginxForm)
{
    EXPECT_EQ(
        format_challenge(187994217, std::chrono::sys_seconds(std::chrono::seconds(1795398254)),
                         "mail.test"),
        "<187994217.1795398254@mail.test>");
}

TEST(SaslChallenge, NeverRepeats)
{
    std::set<std::string> seen;
    const std::regex form(R"(<[0-9]{1,10}\.[0-9]{10}@mail\.test>)");
    for (int i = 0; i < 8; ++i) {
        const std::string challenge = make_challenge("mail.test");
        EXPECT_TRUE(std::regex_match(challenge, form)) << challenge;
        EXPECT_LT(std::stoull(challenge.substr(1)), 1ull << 31);
        EXPECT_TRUE(seen.insert(challenge).second);
    }
}

}  // namespace
}  // namespace postern::sasl
