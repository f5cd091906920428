// Connections under TLS, with the server on the same loop.
#include "backend/testing.h"
#include "tls/testing.h"

namespace postern::backend {
namespace {

class BackendTls : public ConnectionTest
{
protected:
    BackendTls() : server_context_(SSL_CTX_new(TLS_server_method()))
    {
        config::ClientSsl settings;
        settings.verify_depth = 1;
        settings.protocols.names = {"TLSv1.2", "TLSv1.3"};
        settings.ciphers.text = "DEFAULT";
        settings.trusted_certificate.text =
            folder_of_certificates_.write("ca", authority_.certificate_pem());
        std::vector<config::Warning> warnings;
        tls::Loading loading{warnings, folder_of_certificates_.path()};
        auto context = tls::ClientContext::load(settings, loading);
        EXPECT_TRUE(context);
        context_ = std::move(*context);
    }

    void certify(const tls::Issued& issued)
    {
        SSL_CTX_use_certificate(server_context_.get(), issued.certificate.get());
        SSL_CTX_use_PrivateKey(server_context_.get(), issued.key.get());
    }
    tls::Issued issue(const std::string& names)
    {
        return tls::issue({.common_name = "", .names = names, .issuer = &authority_});
    }

    // Runs one side's doing and the server's handshake to their ends.
    bool run(net::Task<bool> doing)
    {
        bool result = false;
        int left = 2;
        net::spawn(serve(left));
        net::spawn(count(std::move(doing), result, left, loop_));
        loop_.run();
        return result;
    }
    bool open_tls(Connection& backend) { return run(backend.open(resolver_)); }

    // What the server reads until the connection has ended.
    std::string heard()
    {
        std::string text;
        net::run_to_the_end(loop_, read_all(*accepted_, server_deadline_, text));
        return text;
    }

    const tls::Issued authority_ = tls::make_authority();
    const tls::Folder folder_of_certificates_;
    tls::SslContextPtr server_context_;
    std::unique_ptr<tls::ClientContext> context_;
    net::Deadline server_deadline_{loop_};
    std::unique_ptr<net::Stream> accepted_;

private:
    net::Task<> serve(int& left)
    {
        while (!server_.accept()) {
            co_await loop_.next_turn();
        }
        accepted_ = server_.release(loop_);
        tls::SslPtr ssl(SSL_new(server_context_.get()));
        SSL_set_accept_state(ssl.get());
        server_deadline_.set(10s);
        const auto done = co_await accepted_->start_tls(std::move(ssl), server_deadline_);
        EXPECT_TRUE(done);
        if (--left == 0) {
            loop_.stop();
        }
    }
    static net::Task<> count(net::Task<bool> doing, bool& result, int& left, net::Loop& loop)
    {
        result = co_await doing;
        if (--left == 0) {
            loop.stop();
        }
    }
    static net::Task<> read_all(net::Stream& stream, net::Deadline& deadline, std::string& text)
    {
        for (;;) {
            const net::Io io = stream.read(stream.loop().scratch());
            if (io.status == net::Io::Status::would_block) {
                net::StreamEvent event(stream, deadline);
                if (!co_await event) {
                    co_return;
                }
            } else if (io.status == net::Io::Status::done) {
                text.append(stream.loop().scratch().data(), io.bytes);
            } else {
                co_return;
            }
        }
    }
};

net::Task<> say(Connection& backend)
{
    co_await backend.conversation().write("secret");
}

TEST_F(BackendTls, AGoodServerIsTalkedToUnderTls)
{
    certify(issue("DNS:mail.example.com"));
    std::optional<Connection> backend;
    backend.emplace(target(ProxySsl::on), context_.get(), 4096, deadline_, log_);
    ASSERT_TRUE(open_tls(*backend));
    EXPECT_FALSE(backend->wants_starttls());
    EXPECT_NE(backend->conversation().stream().tls(), nullptr);
    net::run_to_the_end(loop_, say(*backend));
    backend.reset();
    EXPECT_EQ(heard(), "secret");
    EXPECT_EQ(log(), "");
}

TEST_F(BackendTls, AWrongNameEndsItBeforeAnythingIsSaid)
{
    certify(issue("DNS:other.example.com"));
    std::optional<Connection> backend;
    backend.emplace(target(ProxySsl::on), context_.get(), 4096, deadline_, log_);
    EXPECT_FALSE(open_tls(*backend));
    backend.reset();
    EXPECT_EQ(heard(), "");
    EXPECT_NE(log().find("[error]"), std::string::npos);
    EXPECT_NE(log().find("upstream SSL certificate does not match \"mail.example.com\" while SSL "
                         "handshaking to upstream"),
              std::string::npos);
}

TEST_F(BackendTls, AnUnknownAuthorityEndsIt)
{
    certify(tls::issue({.names = "DNS:mail.example.com"}));
    Connection backend(target(ProxySsl::on), context_.get(), 4096, deadline_, log_);
    EXPECT_FALSE(open_tls(backend));
    EXPECT_NE(log().find("upstream SSL certificate verify error: (18:self-signed certificate)"),
              std::string::npos);
}

TEST_F(BackendTls, NobodyLooksAtTheCertificateIfNobodyWantsTo)
{
    certify(tls::issue({.names = "DNS:other.example.com"}));
    Target lax = target(ProxySsl::on);
    lax.verify = false;
    Connection backend(lax, context_.get(), 4096, deadline_, log_);
    EXPECT_TRUE(open_tls(backend));
    EXPECT_EQ(log(), "");
}

TEST_F(BackendTls, StartTlsIsTheSameLater)
{
    certify(issue("DNS:mail.example.com"));
    std::optional<Connection> backend;
    backend.emplace(target(ProxySsl::starttls), context_.get(), 4096, deadline_, log_);
    ASSERT_TRUE(open_greeted(*backend));
    EXPECT_TRUE(backend->wants_starttls());
    ASSERT_TRUE(run(backend->start_tls()));
    EXPECT_FALSE(backend->wants_starttls());
    net::run_to_the_end(loop_, say(*backend));
    backend.reset();
    EXPECT_EQ(heard(), "secret");
    EXPECT_EQ(log(), "");
}

TEST_F(BackendTls, StartTlsWithAWrongNameEndsIt)
{
    certify(issue("DNS:other.example.com"));
    Connection backend(target(ProxySsl::starttls), context_.get(), 4096, deadline_, log_);
    ASSERT_TRUE(open_greeted(backend));
    EXPECT_FALSE(run(backend.start_tls()));
    EXPECT_TRUE(backend.wants_starttls());
    EXPECT_NE(log().find("upstream SSL certificate does not match"), std::string::npos);
}

}  // namespace
}  // namespace postern::backend
