#include "auth/auth_http.h"

#include "auth/testing.h"

namespace postern::auth {
namespace {

using namespace std::string_literals;

TEST_F(AuthHttpTest, AsksAndUnderstands)
{
    Service service({{{{kOk10}}}});
    const Verdict verdict = ask(service);
    ASSERT_NE(mailbox(verdict), nullptr);
    EXPECT_EQ(mailbox(verdict)->host, "127.0.0.1");
    EXPECT_EQ(mailbox(verdict)->password.reveal(), "secret");
    ASSERT_EQ(service.requests().size(), 1u);
    EXPECT_TRUE(service.requests()[0].starts_with("GET /auth HTTP/1.0\r\nHost: 127.0.0.1\r\n"));
    EXPECT_EQ(log_text(), "");
}

TEST_F(AuthHttpTest, AnswerMayComeInPieces)
{
    std::vector<std::string> bytes;
    for (const char c : kOk10) {
        bytes.emplace_back(1, c);
    }
    Service service({{{bytes}}});
    EXPECT_NE(mailbox(ask(service)), nullptr);
}

TEST_F(AuthHttpTest, DoesNotWaitForTheBody)
{
    Service service({{.answers = {{"HTTP/1.0 200 OK\r\nContent-Length: 1000\r\n" + kOk + "\r\n"}},
                      .stays_open = true}});
    EXPECT_NE(mailbox(ask(service)), nullptr);
}

TEST_F(AuthHttpTest, StatusCodeDoesNotCount)  // NGINX
{
    const auto answer = [](const char* status) {
        return Script{.answers = {{"HTTP/1.0 "s + status + "\r\n" + kOk + "\r\n"}}};
    };
    Service service(
        {answer("404 Not Found"), answer("500 Oops"), answer("100 Continue"), answer("204 No")});
    EXPECT_NE(mailbox(ask(service, 4)), nullptr);
    EXPECT_EQ(service.connections(), 4u);
    EXPECT_EQ(log_text(), "");
}

TEST_F(AuthHttpTest, WaitsAndAsksTheSameAgain)
{
    Service service({{{{"Auth-Status: WAIT\r\nAuth-Wait: 1\r\n\r\n"}}}, {{{kOk10}}}});
    const auto start = std::chrono::steady_clock::now();
    EXPECT_NE(mailbox(ask(service)), nullptr);
    EXPECT_GE(std::chrono::steady_clock::now() - start, 900ms);
    ASSERT_EQ(service.requests().size(), 2u);
    EXPECT_EQ(service.requests()[0], service.requests()[1]);
}

TEST_F(AuthHttpTest, LogsWhatIsWrongWithAnAnswer)
{
    Service service({{{{"Auth-Status: OK\r\n\r\n"}}}});
    EXPECT_TRUE(failed(ask(service)));
    EXPECT_TRUE(is_logged("[error]"));
    EXPECT_TRUE(
        is_logged("auth http server 127.0.0.1:" + std::to_string(service.port()) +
                  " did not send server or port while in http auth state, client: 192.0.2.1"));
}

TEST_F(AuthHttpTest, LogsAnInvalidHeaderBeforeTheAnswerEnds)
{
    Service service({{.answers = {{"HTTP/1.0 200 OK\r\nBad_Header: x\r\n"}}, .stays_open = true}});
    EXPECT_TRUE(failed(ask(service)));
    EXPECT_TRUE(is_logged(" sent invalid header in response while"));
}

TEST_F(AuthHttpTest, LogsATooLongHeader)
{
    Service service(
        {{.answers = {{"HTTP/1.0 200 OK\r\nX: " + std::string(http::kMaxHeadBytes, 'x')}},
          .stays_open = true}});
    EXPECT_TRUE(failed(ask(service)));
    EXPECT_TRUE(is_logged(" sent too long header in response while"));
}

TEST_F(AuthHttpTest, LogsAnEarlyEnd)
{
    Service service({{{{kOk10.substr(0, kOk10.size() - 1)}}}});
    EXPECT_TRUE(failed(ask(service)));
    EXPECT_TRUE(is_logged(" closed connection before its answer was complete while"));
}

TEST_F(AuthHttpTest, LogsATimeout)
{
    service_.timeout = 100ms;
    Service service({{.answers = {{"HTTP/1.0 200 OK\r\n"}}, .stays_open = true}});
    EXPECT_TRUE(failed(ask(service)));
    EXPECT_TRUE(is_logged("auth http server 127.0.0.1:" + std::to_string(service.port()) +
                          " timed out (110: Connection timed out) while in http auth state"));
}

TEST_F(AuthHttpTest, TimeoutIsAbsolute)  // bytes that trickle in don't extend it
{
    service_.timeout = 200ms;
    Service service({{.answers = {std::vector<std::string>(200, "X: y\r\n")}, .stays_open = true}});
    const auto start = std::chrono::steady_clock::now();
    EXPECT_TRUE(failed(ask(service)));
    EXPECT_LT(std::chrono::steady_clock::now() - start, 800ms);
}

TEST_F(AuthHttpTest, LogsARefusedConnection)
{
    std::uint16_t port;
    {
        Service service({});
        port = service.port();
    }
    EXPECT_TRUE(failed(ask(at(port))));
    EXPECT_TRUE(is_logged("[error]"));
    EXPECT_TRUE(is_logged("connect() to 127.0.0.1:" + std::to_string(port) +
                          " failed (111: Connection refused) while"));
}

TEST_F(AuthHttpTest, LogsAMissingSocket)
{
    EXPECT_TRUE(failed(ask({.host = "localhost",
                            .port = 0,
                            .unix_path = "/nonexistent/auth",
                            .uri = "/",
                            .where = {}})));
    EXPECT_TRUE(is_logged("[crit]"));
    EXPECT_TRUE(is_logged(
        "connect() to unix:/nonexistent/auth failed (2: No such file or directory) while"));
}

TEST_F(AuthHttpTest, TriesAllAddressesOfAName)
{
    Service service({{{{kOk10}}}});  // on 127.0.0.1; "localhost" is often ::1 first
    EXPECT_NE(mailbox(ask(at(service.port(), "localhost"))), nullptr);
}

TEST_F(AuthHttpTest, RefusesToPutALineEndIntoARequest)
{
    Service service({{{{kOk10}}}});
    claim_.method = Method::none;
    claim_.smtp_helo = "x\r\nAuth-User: root";
    EXPECT_TRUE(failed(ask(service)));
    EXPECT_EQ(service.connections(), 0u);
    EXPECT_TRUE(is_logged("[error]"));
    EXPECT_FALSE(is_logged("root"));
}

TEST_F(AuthHttpTest, NeverLogsAPassword)
{
    Service service(
        {{{{"Auth-Status: OK\r\nAuth-Pass: hidden\r\nAuth-Server: !\r\nAuth-Port: 1\r\n\r\n"}}}});
    EXPECT_TRUE(failed(ask(service)));
    EXPECT_TRUE(is_logged("sent invalid server address:\"!\""));
    EXPECT_FALSE(is_logged("hidden"));
    EXPECT_FALSE(is_logged("secret"));
}

TEST_F(AuthHttpTest, OneConnectionARequestUnlessAsked)
{
    Service service({{{{kOk11}}}, {{{kOk11}}}, {{{kOk11}}}});
    EXPECT_NE(mailbox(ask(service, 3)), nullptr);
    EXPECT_EQ(service.connections(), 3u);
}

TEST_F(AuthHttpTest, KeepsTheConnection)
{
    const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + kOk + "\r\n";
    const std::string empty = "HTTP/1.1 204 No Content\r\n" + kOk + "\r\n";
    service_.keepalive = 2;
    Service service({{.answers = {{kOk11},
                                  {kOk11.substr(0, kOk11.size() - 2), "o", "k"},
                                  {chunked, "2\r\nok\r\n", "0\r\n\r", "\n"},
                                  {"HTTP/1.1 103 Early Hints\r\nAuth-Status: no\r\n\r\n" + empty},
                                  {kOk11}},
                      .stays_open = true}});
    EXPECT_NE(mailbox(ask(service, 5)), nullptr);
    EXPECT_EQ(service.connections(), 1u);
    EXPECT_EQ(service.requests().size(), 5u);
    EXPECT_TRUE(service.requests()[4].starts_with("GET /auth HTTP/1.1\r\n"));
    EXPECT_EQ(connections_->size(), 1u);
    EXPECT_EQ(log_text(), "");
}

TEST_F(AuthHttpTest, DoesNotKeepWhatCantBeUsedAgain)
{
    service_.keepalive = 2;
    Service service({{{{kOk10}}},                                     // HTTP/1.0
                     {{{"HTTP/1.1 200 OK\r\n" + kOk + "\r\nbody"}}},  // the body ends with it
                     {{{"HTTP/1.1 204 X\r\nConnection: close\r\n" + kOk + "\r\n"}}},
                     {{{kOk11 + "HTTP/1.1 200 OK\r\n"}}},  // more than the answer
                     {{{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + kOk + "\r\nx\r\n"}}},
                     {{{kOk11.substr(0, kOk11.size() - 1)}}}});  // less than the answer
    EXPECT_NE(mailbox(ask(service, 6)), nullptr);
    EXPECT_EQ(service.connections(), 6u);
    EXPECT_EQ(connections_->size(), 0u);
    EXPECT_EQ(log_text(), "");
}

TEST_F(AuthHttpTest, AsksOnANewConnectionWhenAKeptOneIsDead)
{
    service_.keepalive = 2;
    // Each closes after its first answer, as it likes.
    Service service({{{{kOk11}}}, {{{kOk11}}}, {{{kOk11}}}});
    EXPECT_NE(mailbox(ask(service, 3)), nullptr);
    EXPECT_EQ(service.connections(), 3u);
    EXPECT_EQ(log_text(), "");
}

TEST_F(AuthHttpTest, AsksAgainWhenAKeptConnectionDiesWithoutAnAnswer)
{
    service_.keepalive = 2;
    Service service({{{{kOk11}, {}}}, {{{kOk11}}}});  // takes the second request and closes
    EXPECT_NE(mailbox(ask(service, 2)), nullptr);
    EXPECT_EQ(service.connections(), 2u);
    EXPECT_EQ(service.requests().size(), 3u);
    EXPECT_EQ(log_text(), "");
}

TEST_F(AuthHttpTest, AsksOnlyOnceWhenANewConnectionDies)
{
    service_.keepalive = 2;
    Service service({{{{}}}, {{{kOk11}}}});
    EXPECT_TRUE(failed(ask(service)));
    EXPECT_EQ(service.connections(), 1u);
}

TEST_F(AuthHttpTest, AnAnswerThatHasBegunIsNotAskedForAgain)
{
    service_.keepalive = 2;
    Service service({{{{kOk11}, {"HTTP/1.1 200"}}}, {{{kOk11}}}});
    EXPECT_TRUE(failed(ask(service, 2)));
    EXPECT_EQ(service.connections(), 1u);
}

}  // namespace
}  // namespace postern::auth
