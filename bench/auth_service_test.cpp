#include "bench/auth_service.h"

#include <gtest/gtest.h>

namespace postern::bench {
namespace {

// The answer to a request with these fields, "closes" behind it where the connection ends.
std::string ask(const std::string& fields, const std::string& first = "GET /auth HTTP/1.1")
{
    static const Directory directory(Ports{1143, 1110, 1025});
    const auto answer = directory.answer(first + "\r\nHost: auth\r\n" + fields + "\r\n");
    return std::string(answer.text) + (answer.closes ? "closes" : "");
}

TEST(BenchDirectory, SendsEverybodyToTheServerOfTheProtocol)
{
    EXPECT_EQ(ask("Auth-Protocol: imap\r\n"),
              "HTTP/1.1 200 OK\r\nAuth-Status: OK\r\nAuth-Server: 127.0.0.1\r\nAuth-Port: 1143\r\n"
              "Content-Length: 0\r\n\r\n");
    EXPECT_NE(ask("Auth-Protocol: pop3\r\n").find("Auth-Port: 1110\r\n"), std::string::npos);
    EXPECT_NE(ask("auth-protocol:smtp\r\n").find("Auth-Port: 1025\r\n"), std::string::npos);
}

TEST(BenchDirectory, KeepsConnectionsAsTheVersionHasIt)
{
    const std::string imap = "Auth-Protocol: imap\r\n";
    EXPECT_FALSE(ask(imap).ends_with("closes"));
    EXPECT_TRUE(ask(imap + "Connection: close\r\n").ends_with("closes"));
    const std::string first = "GET / HTTP/1.0";
    EXPECT_TRUE(ask(imap, first).ends_with("closes"));
    const std::string kept = ask(imap + "Connection: keep-alive\r\n", first);
    EXPECT_NE(kept.find("Connection: keep-alive\r\n"), std::string::npos);
    EXPECT_FALSE(kept.ends_with("closes"));
}

TEST(BenchDirectory, RefusesWhatItDoesNotUnderstand)
{
    for (const std::string& answer :
         {ask(""), ask("Auth-Protocol: http\r\n"), ask("Auth-Protocol: imap\r\n", "GET /"),
          ask("Auth-Protocol: imap\r\n", "POST / HTTP/1.1"), ask("X-Auth-Protocol: imap\r\n")}) {
        EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 ")) << answer;
        EXPECT_TRUE(answer.ends_with("closes"));
    }
}

}  // namespace
}  // namespace postern::bench
