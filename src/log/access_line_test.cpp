#include "log/access_line.h"

#include <gtest/gtest.h>

#include <regex>

namespace postern::log {
namespace {

using namespace std::chrono_literals;
using Escape = LogFormat::Escape;

std::string line(std::string_view text, const SessionRecord& record,
                 Escape escape = Escape::standard)
{
    return access_line(LogFormat::parse(text, escape).value(), record, "end");
}

SessionRecord by(std::string user)
{
    SessionRecord record;
    record.user = std::move(user);
    return record;
}

TEST(AccessLine, WhatIsNotKnownIsADash)
{
    EXPECT_EQ(line("<$remote_user> $upstream_addr $login_time $ssl_session_reused", {}),
              "<-> - - -\n");
    EXPECT_EQ(line("<$remote_user>", {}, Escape::none), "<>\n");
    EXPECT_EQ(line(R"({"user":"$remote_user","time":$login_time})", {}, Escape::json),
              "{\"user\":\"\",\"time\":null}\n");
}

TEST(AccessLine, NumbersAndTimes)
{
    SessionRecord record;
    record.connection = 17;
    record.attempts = 2;
    record.login_time = 1234ms;
    record.auth_time = 5ms;
    record.now = record.accepted + 61s;
    record.bytes_sent = 1ULL << 40;
    record.client = {"192.0.2.1", 4711};
    EXPECT_EQ(line("$connection $login_attempts $login_time $auth_time $session_time $bytes_sent "
                   "$remote_addr:$remote_port",
                   record),
              "17 2 1.234 0.005 61.000 1099511627776 192.0.2.1:4711\n");
}

TEST(AccessLine, TimesOfDay)
{
    const std::string text = line("$time_local $time_iso8601 $msec $pid", {});
    EXPECT_TRUE(std::regex_match(
        text, std::regex(R"(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4} )"
                         R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d \d+\.\d{3} \d+\n)")))
        << text;
}

TEST(AccessLine, HostileNamesStayInTheirPlace)
{
    EXPECT_EQ(line("\"$remote_user\"", by("a\"\\\r\n\t\x7f\xff")),
              "\"a\\x22\\x5C\\x0D\\x0A\\x09\\x7F\\xFF\"\n");
    EXPECT_EQ(line("$remote_user", by("a\"\\\r\nb"), Escape::none), "a\"\\\\x0D\\x0Ab\n");
    EXPECT_EQ(line(R"("$remote_user")", by("a\"\\\r\n"), Escape::json),
              "\"a\\\"\\\\\\u000D\\u000A\"\n");
}

TEST(AccessLine, JsonIsUtf8)
{
    EXPECT_EQ(line(R"("$remote_user")", by("j\xc3\xb6rg\xff\xc3"), Escape::json),
              "\"j\xc3\xb6rg\\uFFFD\\uFFFD\"\n");
    EXPECT_EQ(line(R"("$remote_user")", by(std::string("a\0b", 3)), Escape::json),
              "\"a\\u0000b\"\n");
}

TEST(AccessLine, LongValuesAreCut)
{
    EXPECT_EQ(line("$remote_user", by(std::string(5000, 'x'))).size(), kLogValueMax + 1);
}

TEST(AccessLine, AReasonIsForThoseWhoFailed)
{
    SessionRecord record;
    record.reason = "client timed out";
    record.result = Result::timed_out;
    EXPECT_EQ(line("$result $reason", record), "timed_out client timed out\n");
    record.result = Result::ok;
    EXPECT_EQ(line("$result $reason", record), "ok -\n");
}

TEST(AccessLine, EachVariableHasAValue)
{
    for (const LogVariableName& one : log_variables()) {
        EXPECT_TRUE(line(std::string("$") + std::string(one.name), {}).ends_with('\n')) << one.name;
    }
    EXPECT_TRUE(access_line(*predefined_log_format("main"), {}, "end").starts_with("- - \"-\" ["));
    EXPECT_TRUE(access_line(*predefined_log_format("json"), {}, "end").ends_with("}\n"));
}

}  // namespace
}  // namespace postern::log
