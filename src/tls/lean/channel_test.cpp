#include "tls/lean/channel.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <limits>

#include "tls/lean/testing.h"
#include "tls/openssl.h"

namespace postern::tls::lean {
namespace {

using Status = Io::Status;

class LeanChannelTest : public testing::Test
{
protected:
    void begin(Suite suite = Suite::aes_128_gcm_sha256)
    {
        server_ = std::make_unique<Channel>(beginning_of(true, suite), engine_);
        client_ = std::make_unique<Channel>(beginning_of(false, suite), engine_);
    }
    void SetUp() override
    {
        OPENSSL_init_ssl(OPENSSL_INIT_LOAD_SSL_STRINGS, nullptr);
        begin();
    }

    // The alert that the server has answered with, which the client hears as this error.
    std::string alert_in(const Heard& of_server)
    {
        EXPECT_EQ(of_server.end, Status::failed);
        EXPECT_EQ(heard(*client_, of_server.answers).end, Status::failed);
        client_->raise_fault();
        return take_errors();
    }
    // Of the client, of any type.
    std::string forged(unsigned char type, std::string_view content)
    {
        Channel::Beginning beginning = beginning_of(false);
        beginning.writes.sequence = sequence_++;
        const Suite suite = beginning.suite;
        std::string record(kOverheadBytes + content.size(), '\0');
        auto* const out = reinterpret_cast<unsigned char*>(record.data());
        out[0] = 23;
        out[1] = out[2] = 3;
        out[3] = static_cast<unsigned char>((record.size() - kHeaderBytes) >> 8);
        out[4] = static_cast<unsigned char>(record.size() - kHeaderBytes);
        const auto nonce = beginning.writes.nonce();
        engine_.seal({suite, beginning.writes.key_of(suite), nonce.data(), Bytes(out, 5)},
                     octets(content), Bytes(&type, 1), out + 5);
        return record;
    }

    Engine engine_;
    std::unique_ptr<Channel> server_;
    std::unique_ptr<Channel> client_;
    std::uint64_t sequence_ = 0;
};

TEST_F(LeanChannelTest, NoByteOfARecordCanBeChanged)
{
    for (const Suite suite :
         {Suite::aes_128_gcm_sha256, Suite::aes_256_gcm_sha384, Suite::chacha20_poly1305_sha256}) {
        begin(suite);
        const std::string record = sealed(*client_, "a LOGIN alice secret\r\n");
        for (std::size_t at = 0; at < record.size(); ++at) {
            for (unsigned bit = 0; bit < 8; ++bit) {
                std::string other = record;
                other[at] = static_cast<char>(other[at] ^ 1 << bit);
                Channel reader(beginning_of(true, suite), engine_);
                const Heard result = heard(reader, other);
                EXPECT_EQ(result.text, "") << at;
                // A longer record is waited for, and fails then.
                const bool is_longer = (at == 3 || at == 4) && result.end == Status::would_block;
                EXPECT_TRUE(result.end == Status::failed || is_longer) << at;
                if (is_longer) {
                    Channel again(beginning_of(true, suite), engine_);
                    EXPECT_EQ(heard(again, other + std::string(20'000, 'x')).end, Status::failed);
                }
            }
        }
    }
}

TEST_F(LeanChannelTest, RecordsCannotBeRepeatedLeftOutOrSwapped)
{
    const std::string first = sealed(*client_, "first");
    const std::string second = sealed(*client_, "second");
    const Heard repeated = heard(*server_, first + first);
    EXPECT_EQ(repeated.text, "first");
    EXPECT_EQ(repeated.end, Status::failed);
    EXPECT_EQ(heard(*std::make_unique<Channel>(beginning_of(true), engine_), second).end,
              Status::failed);
    // Nor sent back.
    EXPECT_EQ(heard(*client_, first).end, Status::failed);
}

TEST_F(LeanChannelTest, AForgedRecordIsAnsweredAndNothingMoreIsSaid)
{
    std::string record = sealed(*client_, "text");
    record.back() = static_cast<char>(record.back() ^ 1);
    const Heard result = heard(*server_, record);
    EXPECT_NE(alert_in(result).find("alert bad record mac"), std::string::npos);
    EXPECT_EQ(sealed(*server_, "more"), "");
    std::string answers;
    server_->close(answers);
    EXPECT_EQ(answers, "");
    EXPECT_EQ(heard(*server_, sealed(*client_, "good")).text, "");
}

TEST_F(LeanChannelTest, WhatDoesNotFitIsReadLater)
{
    std::string text;
    for (int i = 0; i < 9000; ++i) {
        text += std::to_string(i);
    }
    for (const std::size_t space : {1u, 7u, 16'384u, 16'385u, 20'000u}) {
        begin();
        const Heard result = heard(*server_, sealed(*client_, text), space);
        EXPECT_EQ(result.text, text) << space;
        EXPECT_EQ(result.end, Status::would_block);
    }
}

TEST_F(LeanChannelTest, BytesThatTrickleInAreReadAsTheyAre)
{
    std::string records = sealed(*client_, "one");
    records += sealed(*client_, "two");
    std::string arrived;
    std::string text;
    for (const char byte : records) {
        arrived += byte;
        const Heard result = heard(*server_, arrived);
        text += result.text;
        arrived.erase(0, arrived.size() - result.unread);
    }
    EXPECT_EQ(text, "onetwo");
}

TEST_F(LeanChannelTest, KeysAreChangedBeforeTheyAreWornOut)
{
    engine_.records_per_key = 3;
    for (const Suite suite : {Suite::aes_128_gcm_sha256, Suite::aes_256_gcm_sha384}) {
        begin(suite);
        std::string records;
        for (int i = 0; i < 20; ++i) {
            records += sealed(*client_, "x");
        }
        constexpr std::size_t kUpdates = 6;
        EXPECT_EQ(records.size(), 20 * (kOverheadBytes + 1) + kUpdates * (kOverheadBytes + 5));
        const Heard result = heard(*server_, records);
        EXPECT_EQ(result.text, std::string(20, 'x'));
        EXPECT_EQ(result.answers, "");  // new keys of ours are not asked for
    }
    begin(Suite::chacha20_poly1305_sha256);
    for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(sealed(*client_, "x").size(), kOverheadBytes + 1);
    }
}

TEST_F(LeanChannelTest, ARoomIsNeverOverrun)
{
    engine_.records_per_key = 1;
    const std::string text(100, 'x');
    for (std::size_t size = 0; size < 400; ++size) {
        begin();
        std::string room(size, '\0');
        const Channel::Sealed first = client_->write(text, room);
        EXPECT_LE(first.size, size);
        EXPECT_LE(first.taken, text.size());
        std::string records = room.substr(0, first.size);
        const Channel::Sealed second = client_->write(text, room);
        EXPECT_LE(second.size, size);
        records += room.substr(0, second.size);
        EXPECT_EQ(heard(*server_, records).text,
                  text.substr(0, first.taken) + text.substr(0, second.taken));
    }
}

TEST_F(LeanChannelTest, ASequenceNumberNeverWraps)
{
    constexpr std::uint64_t kLast = std::numeric_limits<std::uint64_t>::max();
    engine_.records_per_key = kLast;
    Channel::Beginning of_client = beginning_of(false);
    Channel::Beginning of_server = beginning_of(true);
    of_client.writes.sequence = of_server.reads.sequence = kLast - 1;
    Channel client(of_client, engine_);
    Channel server(of_server, engine_);
    EXPECT_EQ(heard(server, sealed(client, "last")).text, "last");
    EXPECT_EQ(sealed(client, "too much"), "");
    EXPECT_TRUE(client.has_failed());
    const Heard result = heard(server, sealed(*client_, "whatever"));
    EXPECT_EQ(result.end, Status::failed);
    EXPECT_NE(alert_in(result).find("alert internal error"), std::string::npos);
}

TEST_F(LeanChannelTest, EachSideEndsByItself)
{
    std::string goodbye;
    client_->close(goodbye);
    EXPECT_TRUE(client_->sent_close());
    EXPECT_EQ(heard(*server_, goodbye).end, Status::closed);
    EXPECT_EQ(sealed(*client_, "more"), "");
    client_->close(goodbye);
    EXPECT_EQ(goodbye.size(), kOverheadBytes + 2);  // said once
    EXPECT_EQ(heard(*client_, sealed(*server_, "late")).text, "late");
    goodbye.clear();
    server_->close(goodbye);
    EXPECT_EQ(heard(*client_, goodbye).end, Status::closed);
}

TEST_F(LeanChannelTest, NothingIsReadBehindTheEnd)
{
    std::string records = sealed(*client_, "last");
    client_->close(records);
    const Heard result = heard(*server_, records + "garbage");
    EXPECT_EQ(result.text, "last");
    EXPECT_EQ(result.end, Status::closed);
    EXPECT_EQ(result.answers, "");
}

TEST_F(LeanChannelTest, AFloodOfMessagesIsEnded)
{
    const std::string ticket = std::string("\4\0\0\2hi", 6);
    Channel::Beginning beginning = beginning_of(false);
    std::swap(beginning.reads, beginning.writes);  // reads what `forged` seals
    Channel reader(beginning, engine_);
    for (unsigned i = 0; i < Channel::kMessagesMax; ++i) {
        EXPECT_EQ(heard(reader, forged(22, ticket)).end, Status::would_block);
    }
    sealed(reader, "any data");
    for (unsigned i = 0; i < Channel::kMessagesMax; ++i) {
        EXPECT_EQ(heard(reader, forged(22, ticket)).end, Status::would_block);
    }
    EXPECT_EQ(heard(reader, forged(23, "any data")).text, "any data");
    for (unsigned i = 0; i < Channel::kMessagesMax; ++i) {
        EXPECT_EQ(heard(reader, forged(22, ticket)).end, Status::would_block);
    }
    EXPECT_EQ(heard(reader, forged(22, ticket)).end, Status::failed);
    reader.raise_fault();
    EXPECT_NE(take_errors().find("too many key updates"), std::string::npos);
}

TEST_F(LeanChannelTest, AServerTakesNoTickets)
{
    const Heard result = heard(*server_, forged(22, std::string("\4\0\0\2hi", 6)));
    EXPECT_NE(alert_in(result).find("alert unexpected message"), std::string::npos);
}

TEST_F(LeanChannelTest, RecordsAreAsShortAsThePeerHasAskedFor)
{
    Channel::Beginning beginning = beginning_of(false);
    beginning.content_max = 512;
    Channel channel(beginning, engine_);
    const std::string text(1025, 'x');
    const std::string records = sealed(channel, text);
    EXPECT_EQ(records.size(), text.size() + 3 * kOverheadBytes);
    EXPECT_EQ(heard(*server_, records).text, text);
    EXPECT_EQ(heard(channel, sealed(*server_, std::string(512, 'y'))).text.size(), 512u);
    EXPECT_EQ(heard(channel, sealed(*server_, std::string(513, 'y'))).end, Status::failed);
}

// Many connections share the contexts: each has its own key in them.
TEST_F(LeanChannelTest, ConnectionsTakeTurns)
{
    struct Two {
        std::unique_ptr<Channel> server;
        std::unique_ptr<Channel> client;
    };
    std::vector<Two> all;
    for (unsigned char i = 0; i < 6; ++i) {
        const Suite suite = static_cast<Suite>(i % kSuites);
        Channel::Beginning of_server = beginning_of(true, suite);
        Channel::Beginning of_client = beginning_of(false, suite);
        of_server.reads.secret.fill(static_cast<unsigned char>(10 + i));
        derive(of_server.reads, suite);
        of_client.writes = of_server.reads;
        all.push_back({std::make_unique<Channel>(of_server, engine_),
                       std::make_unique<Channel>(of_client, engine_)});
    }
    for (int round = 0; round < 3; ++round) {
        for (const Two& two : all) {
            EXPECT_EQ(heard(*two.server, sealed(*two.client, "mine")).text, "mine");
        }
        all.erase(all.begin());  // whose keys are forgotten, and nobody else's
    }
}

}  // namespace
}  // namespace postern::tls::lean
