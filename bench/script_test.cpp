#include "bench/script.h"

#include <gtest/gtest.h>

namespace postern::bench {
namespace {

// What is said, "TLS" where the handshake is.
std::string told(const LoadOptions& options, std::uint32_t user = 0)
{
    std::string text;
    for (const Step& step : login_script(options, user)) {
        text += step.command;
        text += step.then_tls ? "TLS\n" : "";
    }
    return text;
}

TEST(BenchScript, LogsIn)
{
    LoadOptions options;
    EXPECT_EQ(told(options), "a LOGIN user secret\r\n");
    options.protocol = Protocol::pop3;
    EXPECT_EQ(told(options), "USER user\r\nPASS secret\r\n");
    options.protocol = Protocol::smtp;
    EXPECT_EQ(told(options), "EHLO client.test\r\nAUTH PLAIN AHVzZXIAc2VjcmV0\r\n");
    options.tls = Tls::implicit;  // changes nothing of what is said
    EXPECT_EQ(told(options), "EHLO client.test\r\nAUTH PLAIN AHVzZXIAc2VjcmV0\r\n");
}

TEST(BenchScript, AsksForTls)
{
    LoadOptions options{.tls = Tls::starttls};
    EXPECT_EQ(told(options), "s STARTTLS\r\nTLS\na LOGIN user secret\r\n");
    options.protocol = Protocol::pop3;
    EXPECT_EQ(told(options), "STLS\r\nTLS\nUSER user\r\nPASS secret\r\n");
    options.protocol = Protocol::smtp;  // RFC 3207 section 4.2: EHLO again
    EXPECT_EQ(told(options),
              "EHLO client.test\r\nSTARTTLS\r\nTLS\nEHLO client.test\r\n"
              "AUTH PLAIN AHVzZXIAc2VjcmV0\r\n");
}

TEST(BenchScript, NumbersItsUsers)
{
    const LoadOptions options{.users = 3};
    EXPECT_EQ(told(options, 0), "a LOGIN user1 secret\r\n");
    EXPECT_EQ(told(options, 2), "a LOGIN user3 secret\r\n");
}

TEST(BenchScript, AsksForWork)
{
    LoadOptions options{.work = Work::round_trip};
    EXPECT_EQ(work_step(options).command, "n NOOP\r\n");
    EXPECT_EQ(work_step(options).last, "n OK");
    options = {.work = Work::answers, .protocol = Protocol::pop3, .bytes = 7};
    EXPECT_EQ(work_step(options).command, "BULK 7\r\n");
    EXPECT_EQ(work_step(options).last, "+OK");
    EXPECT_EQ(work_step(options).filler_down, 7u);
    EXPECT_EQ(work_step(options).filler_up, 0u);
    options = {.work = Work::bulk_up, .protocol = Protocol::smtp, .bytes = 8};
    EXPECT_EQ(work_step(options).command, "SINK 8\r\n");
    EXPECT_EQ(work_step(options).last, "250 ");
    EXPECT_EQ(work_step(options).filler_down, 0u);
    EXPECT_EQ(work_step(options).filler_up, 8u);
}

}  // namespace
}  // namespace postern::bench
