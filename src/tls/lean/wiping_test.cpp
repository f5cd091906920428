// Keys that have been used are gone from memory.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tls/heap_testing.h"
#include "tls/lean/channel.h"

namespace postern::tls::lean {
namespace {

class WipingTest : public testing::TestWithParam<Suite>
{
protected:
    // One side of a connection; `marks` tell the secrets of its two directions.
    std::unique_ptr<Channel> channel(bool is_server, unsigned char reads, unsigned char writes)
    {
        Channel::Beginning beginning;
        beginning.suite = GetParam();
        beginning.is_server = is_server;
        fill(beginning.reads, reads);
        fill(beginning.writes, writes);
        return std::make_unique<Channel>(beginning, engine_);
    }
    void fill(TrafficKeys& keys, unsigned char mark) const
    {
        for (std::size_t i = 0; i < facts().secret_bytes; ++i) {
            keys.secret[i] = static_cast<unsigned char>(mark + 7 * i);
        }
        fill_key(keys);
    }
    void fill_key(TrafficKeys& keys) const
    {
        expand(keys, "key", std::span(keys.key).first(facts().key_bytes));
        expand(keys, "iv", keys.iv);
    }
    void expand(const TrafficKeys& keys, std::string_view label, std::span<unsigned char> out) const
    {
        const auto octets = [](std::string_view text) {
            return Octets(reinterpret_cast<const unsigned char*>(text.data()), text.size());
        };
        ASSERT_TRUE(hkdf_expand_label(hash_of_suite(facts().digest),
                                      Octets(keys.secret).first(facts().secret_bytes),
                                      octets("tls13 "), octets(label), {}, out));
    }
    static const SuiteFacts& facts() { return facts_of(GetParam()); }
    // All that a direction has been protected with, after so many updates.
    std::vector<Hidden> keys_of(unsigned char mark, unsigned updates) const
    {
        TrafficKeys keys;
        fill(keys, mark);
        for (unsigned i = 0; i < updates; ++i) {
            TrafficKeys next;
            expand(keys, "traffic upd", std::span(next.secret).first(facts().secret_bytes));
            fill_key(next);
            keys = next;
        }
        std::vector<Hidden> hidden;
        hidden.emplace_back(std::span(keys.secret).first(facts().secret_bytes));
        hidden.emplace_back(std::span(keys.key).first(facts().key_bytes));
        hidden.emplace_back(keys.iv);
        return hidden;
    }
    // Which of them are still there: "secret key iv".
    std::string left(unsigned char mark, unsigned updates) const
    {
        const char* const names[] = {"secret", " key", " iv"};
        std::string found;
        const std::vector<Hidden> keys = keys_of(mark, updates);
        for (std::size_t i = 0; i < keys.size(); ++i) {
            found += keys[i].count_on_heap() > 0 ? names[i] : "";
        }
        return found;
    }
    static const char* all() { return is_heap_in_sight() ? "secret key iv" : ""; }
    static std::string say(Channel& from, Channel& to, std::string_view text)
    {
        std::string room(1000, '\0');
        const Channel::Sealed sealed = from.write(text, room);
        std::string_view arrived(room.data(), sealed.size);
        std::string space(100, '\0');
        std::string answers;
        space.resize(to.read(arrived, space, answers).bytes);
        return space;
    }

    static constexpr unsigned char kOfClient = 0x11;
    static constexpr unsigned char kOfServer = 0x92;
    Engine engine_;
};

TEST_P(WipingTest, NoKeyOutlivesItsConnection)
{
    auto client = channel(false, kOfServer, kOfClient);
    auto server = channel(true, kOfClient, kOfServer);
    EXPECT_EQ(say(*client, *server, "a NOOP"), "a NOOP");
    EXPECT_EQ(say(*server, *client, "a OK"), "a OK");
    EXPECT_EQ(left(kOfClient, 0), all());  // it is looked for in the right place
    client.reset();
    server.reset();
    EXPECT_EQ(left(kOfClient, 0), "");
    EXPECT_EQ(left(kOfServer, 0), "");
}

// Those that wear out.
using WipingUpdateTest = WipingTest;

TEST_P(WipingUpdateTest, NoKeyOutlivesItsUpdate)
{
    engine_.records_per_key = 2;
    auto client = channel(false, kOfServer, kOfClient);
    auto server = channel(true, kOfClient, kOfServer);
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(say(*client, *server, "a NOOP"), "a NOOP");
    }
    EXPECT_EQ(left(kOfClient, 1), all());
    EXPECT_EQ(left(kOfClient, 0), "");
}

INSTANTIATE_TEST_SUITE_P(Suites, WipingTest,
                         testing::Values(Suite::aes_128_gcm_sha256, Suite::aes_256_gcm_sha384,
                                         Suite::chacha20_poly1305_sha256));

INSTANTIATE_TEST_SUITE_P(Suites, WipingUpdateTest,
                         testing::Values(Suite::aes_128_gcm_sha256, Suite::aes_256_gcm_sha384));

}  // namespace
}  // namespace postern::tls::lean
