#include "tls/ticket_keys.h"

#include <openssl/hmac.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

#include "tls/testing.h"

namespace postern::tls {
namespace {

using namespace std::chrono_literals;

// The bytes of a key file: a name of this letter, and no two bytes of the rest alike.
std::string key_bytes(char name, std::size_t size)
{
    std::string bytes(16, name);
    while (bytes.size() < size) {
        bytes += static_cast<char>(name + static_cast<char>(bytes.size()));
    }
    return bytes.substr(0, size);
}

class TicketKeysTest : public testing::Test
{
protected:
    TicketKeysTest()
        : issued_(issue({})),
          server_context_(SSL_CTX_new(TLS_server_method())),
          client_context_(SSL_CTX_new(TLS_client_method()))
    {
        SSL_CTX_use_certificate(server_context_.get(), issued_.certificate.get());
        SSL_CTX_use_PrivateKey(server_context_.get(), issued_.key.get());
        SSL_CTX_set_session_id_context(server_context_.get(),
                                       reinterpret_cast<const unsigned char*>("test"), 4);
        // Resumption is by ticket or not at all.
        SSL_CTX_set_session_cache_mode(server_context_.get(), SSL_SESS_CACHE_OFF);
        SSL_CTX_set_session_cache_mode(client_context_.get(),
                                       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
        use_version(TLS1_3_VERSION);
        now_ = 1000;
    }

    void use_version(int version) { SSL_CTX_set_max_proto_version(client_context_.get(), version); }

    void use(std::shared_ptr<TicketKeys> keys)
    {
        keys_ = std::move(keys);
        keys_->attach(*server_context_);
    }
    // Files with these contents, in this order.
    void use_files(const std::vector<std::string>& contents)
    {
        auto keys = load(contents);
        ASSERT_TRUE(keys) << keys.error().text;
        use(*keys);
    }
    std::expected<std::shared_ptr<TicketKeys>, config::Error> load(
        const std::vector<std::string>& contents)
    {
        std::vector<config::Written> files;
        for (const std::string& content : contents) {
            const std::string name = fmt::format("{}.key", files.size());
            files.push_back({folder_.write(name, content), {"test.conf", 7}});
        }
        return TicketKeys::load(files);
    }

    struct Visit {
        SessionPtr session;  // for the next
        bool is_resumed = false;
        bool has_new_ticket = false;
    };
    Visit visit(SSL_SESSION* known = nullptr)
    {
        SslPtr server(SSL_new(server_context_.get()));
        SslPtr client(SSL_new(client_context_.get()));
        SSL_set_accept_state(server.get());
        SSL_set_connect_state(client.get());
        if (known != nullptr) {
            // A copy: each visit may use it.
            SSL_set_session(client.get(), SessionPtr(SSL_SESSION_dup(known)).get());
        }
        Pair pair(std::move(server), std::move(client));
        EXPECT_TRUE(pair.shake_hands()) << pair.server.error() << pair.client.error();
        pair.server.write("* OK");
        EXPECT_EQ(Pair::read(pair.client), "* OK");  // and the ticket
        auto* const ssl = const_cast<SSL*>(pair.client.ssl());
        Visit result{SessionPtr(SSL_get1_session(ssl)), SSL_session_reused(ssl) == 1, false};
        result.has_new_ticket = known == nullptr || ticket(result.session) != ticket(known);
        return result;
    }
    bool resumes(const Visit& earlier) { return visit(earlier.session.get()).is_resumed; }

    static std::string ticket(const SSL_SESSION* session)
    {
        const unsigned char* bytes = nullptr;
        std::size_t size = 0;
        SSL_SESSION_get0_ticket(session, &bytes, &size);
        return {reinterpret_cast<const char*>(bytes), size};
    }
    static std::string ticket(const SessionPtr& session) { return ticket(session.get()); }

    // Whether the ticket is sealed as NGINX does it with such a file.
    static bool is_sealed_with(const std::string& ticket, const std::string& file)
    {
        const bool is_large = file.size() == 80;
        const std::string mac_key = is_large ? file.substr(16, 32) : file.substr(32, 16);
        const std::string aes_key = is_large ? file.substr(48, 32) : file.substr(16, 16);
        const auto bytes = [](const std::string& text, std::size_t at = 0) {
            return reinterpret_cast<const unsigned char*>(text.data()) + at;
        };
        unsigned char mac[32];
        HMAC(EVP_sha256(), mac_key.data(), static_cast<int>(mac_key.size()), bytes(ticket),
             ticket.size() - 32, mac, nullptr);
        const std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> cipher(
            EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
        EVP_DecryptInit_ex(cipher.get(), is_large ? EVP_aes_256_cbc() : EVP_aes_128_cbc(), nullptr,
                           bytes(aes_key), bytes(ticket, 16));
        std::vector<unsigned char> plain(ticket.size());
        int size = 0;
        int rest = 0;
        EVP_DecryptUpdate(cipher.get(), plain.data(), &size, bytes(ticket, 32),
                          static_cast<int>(ticket.size()) - 64);
        return ticket.substr(0, 16) == file.substr(0, 16) &&
               std::memcmp(mac, bytes(ticket, ticket.size() - 32), 32) == 0 &&
               EVP_DecryptFinal_ex(cipher.get(), plain.data() + size, &rest) == 1 &&
               plain[0] == 0x30;  // a SEQUENCE of ASN.1: the session
    }

    static std::int64_t now() { return now_; }
    static std::int64_t now_;

    Folder folder_;
    Issued issued_;
    SslContextPtr server_context_;
    SslContextPtr client_context_;
    std::shared_ptr<TicketKeys> keys_;
};

std::int64_t TicketKeysTest::now_ = 1000;

TEST_F(TicketKeysTest, AFileOfEightyBytesIsAes256)
{
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        use_version(version);
        const std::string file = key_bytes('a', 80);
        use_files({file});
        const Visit first = visit();
        EXPECT_TRUE(is_sealed_with(ticket(first.session), file));
        EXPECT_TRUE(resumes(first));
    }
}

TEST_F(TicketKeysTest, AFileOfFortyEightBytesIsAes128)
{
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        use_version(version);
        const std::string file = key_bytes('a', 48);
        use_files({file});
        const Visit first = visit();
        EXPECT_TRUE(is_sealed_with(ticket(first.session), file));
        EXPECT_TRUE(resumes(first));
    }
}

TEST_F(TicketKeysTest, TheFirstFileSealsAndAllOpen)
{
    use_version(TLS1_2_VERSION);
    const std::string a = key_bytes('a', 80);
    const std::string b = key_bytes('b', 48);
    const std::string c = key_bytes('c', 80);
    use_files({a});
    const Visit first = visit();
    const Visit same = visit(first.session.get());
    EXPECT_TRUE(same.is_resumed);
    EXPECT_FALSE(same.has_new_ticket);

    use_files({b, c, a});
    const Visit second = visit(first.session.get());
    EXPECT_TRUE(second.is_resumed);
    EXPECT_TRUE(second.has_new_ticket) << "an old key: the client is given a new ticket";
    EXPECT_TRUE(is_sealed_with(ticket(second.session), b));

    use_files({b});
    EXPECT_FALSE(resumes(first));
    EXPECT_TRUE(resumes(second));
}

TEST_F(TicketKeysTest, InTls13EachTicketIsFollowedByANewOne)  // RFC 8446 appendix C.4
{
    use_files({key_bytes('a', 80)});
    const Visit first = visit();
    const Visit second = visit(first.session.get());
    EXPECT_TRUE(second.is_resumed);
    EXPECT_TRUE(second.has_new_ticket);
    EXPECT_TRUE(resumes(second));
}

TEST_F(TicketKeysTest, AForgedTicketOnlyCostsAFullHandshake)
{
    use_version(TLS1_2_VERSION);
    use_files({key_bytes('a', 80)});
    const Visit first = visit();
    ASSERT_TRUE(resumes(first));
    const std::string sealed = ticket(first.session);
    int size = i2d_SSL_SESSION(first.session.get(), nullptr);
    std::string bytes(static_cast<std::size_t>(size), '\0');
    auto* end = reinterpret_cast<unsigned char*>(bytes.data());
    i2d_SSL_SESSION(first.session.get(), &end);
    for (const std::size_t at : {std::size_t{0}, std::size_t{20}, std::size_t{40},
                                 sealed.size() - 1}) {  // name, IV, session, MAC
        std::string forged = bytes;
        const std::size_t begin = forged.find(sealed);
        ASSERT_NE(begin, std::string::npos);
        forged[begin + at] = static_cast<char>(forged[begin + at] ^ 1);
        const auto* in = reinterpret_cast<const unsigned char*>(forged.data());
        const SessionPtr session(d2i_SSL_SESSION(nullptr, &in, size));
        ASSERT_TRUE(session);
        EXPECT_FALSE(visit(session.get()).is_resumed) << at;
    }
}

TEST_F(TicketKeysTest, FilesOfAnotherSizeAreRefused)
{
    for (const std::size_t size : {0u, 1u, 47u, 49u, 79u, 81u, 10'000u}) {
        const auto keys = load({key_bytes('a', 80), key_bytes('b', size)});
        ASSERT_FALSE(keys) << size;
        EXPECT_EQ(keys.error().text,
                  fmt::format("\"{}1.key\" must be 48 or 80 bytes in test.conf:7", folder_.path()));
    }
}

TEST_F(TicketKeysTest, AFileThatCannotBeReadIsNamed)
{
    const auto keys = TicketKeys::load({{folder_.path() + "none", {"test.conf", 3}}});
    ASSERT_FALSE(keys);
    EXPECT_EQ(keys.error().text,
              fmt::format("cannot load session ticket key: open() \"{}none\" failed (2: No such "
                          "file or directory) in test.conf:3",
                          folder_.path()));
}

TEST_F(TicketKeysTest, KeysOfItsOwnChangeAfterAPeriod)
{
    use_version(TLS1_2_VERSION);
    use(TicketKeys::make(300s, now));
    const Visit first = visit();
    now_ += 299;
    const Visit second = visit(first.session.get());
    EXPECT_TRUE(second.is_resumed);
    EXPECT_FALSE(second.has_new_ticket);
    now_ += 1;
    const Visit third = visit(first.session.get());
    EXPECT_TRUE(third.is_resumed);
    EXPECT_TRUE(third.has_new_ticket);
    EXPECT_NE(ticket(third.session).substr(0, 16), ticket(first.session).substr(0, 16));
}

TEST_F(TicketKeysTest, AKeyIsGoneAfterTwoPeriods)
{
    use(TicketKeys::make(300s, now));
    const Visit first = visit();
    now_ += 450;
    const Visit second = visit();  // by another key, of now
    now_ += 149;
    EXPECT_TRUE(resumes(first));
    now_ += 1;
    EXPECT_FALSE(resumes(first)) << "though the key that follows it is still young";
    EXPECT_TRUE(resumes(second));
}

TEST_F(TicketKeysTest, AServerThatSleptForgetsItsKeys)
{
    use(TicketKeys::make(300s, now));
    const Visit first = visit();
    now_ += 600;
    EXPECT_FALSE(resumes(first));
    EXPECT_TRUE(resumes(visit()));
}

TEST_F(TicketKeysTest, AReloadMayChangeThePeriod)
{
    use(TicketKeys::make(300s, now));
    const Visit first = visit();
    keys_->set_period(3600s);
    now_ += 7199;
    EXPECT_TRUE(resumes(first));
    keys_->set_period(1s);  // one minute: the least
    const Visit second = visit();
    now_ += 119;
    EXPECT_TRUE(resumes(second));
    now_ += 1;
    EXPECT_FALSE(resumes(second));
}

TEST_F(TicketKeysTest, TwoSetsOfKeysDiffer)
{
    use(TicketKeys::make(300s, now));
    const Visit first = visit();
    use(TicketKeys::make(300s, now));
    EXPECT_FALSE(resumes(first));
}

TEST_F(TicketKeysTest, AllProcessesHaveTheSame)
{
    use(TicketKeys::make(300s, now));
    const Visit first = visit();
    const auto in_a_child = [&](bool expected, int seconds) {
        const pid_t child = fork();
        if (child == 0) {
            now_ += seconds;
            _exit(resumes(first) == expected ? 0 : 1);
        }
        int status = -1;
        waitpid(child, &status, 0);
        return status;
    };
    EXPECT_EQ(in_a_child(true, 0), 0);
    EXPECT_TRUE(resumes(first));
    EXPECT_EQ(in_a_child(false, 600), 0);  // it changes the keys
    EXPECT_FALSE(resumes(first)) << "for its parent too";
}

TEST_F(TicketKeysTest, WhatADeadProcessLeftIsNoKey)
{
    static bool dies = false;
    dies = false;
    use(TicketKeys::make(300s, [] {
        if (dies) {  // as the clock is looked at under the lock
            raise(SIGKILL);
        }
        return now_;
    }));
    const Visit first = visit();
    const pid_t child = fork();
    if (child == 0) {
        dies = true;
        visit();
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status));
    EXPECT_FALSE(resumes(first));
    const Visit second = visit();
    EXPECT_TRUE(resumes(second));
    EXPECT_NE(ticket(second.session).substr(0, 16), std::string(16, '\0'));
}

TEST_F(TicketKeysTest, TheRealClockNeverSaysZero)
{
    const std::int64_t first = TicketKeys::since_boot();
    EXPECT_GT(first, 0);
    EXPECT_GE(TicketKeys::since_boot(), first);
}

}  // namespace
}  // namespace postern::tls
