#include "tls/peer_certificate.h"

#include "tls/testing.h"

namespace postern::tls {
namespace {

using Users = std::vector<std::string>;

// A server that asks for certificates and believes in one authority, as ssl_verify_client has it.
class PeerCertificateTest : public testing::Test
{
protected:
    PeerCertificateTest()
        : authority_(make_authority("Mail CA")),
          server_context_(SSL_CTX_new(TLS_server_method())),
          client_context_(SSL_CTX_new(TLS_client_method()))
    {
        const Issued server = issue({});
        SSL_CTX_use_certificate(server_context_.get(), server.certificate.get());
        SSL_CTX_use_PrivateKey(server_context_.get(), server.key.get());
        SSL_CTX_set_verify(server_context_.get(), SSL_VERIFY_PEER,
                           [](int, X509_STORE_CTX*) { return 1; });
        X509_STORE_add_cert(SSL_CTX_get_cert_store(server_context_.get()),
                            authority_.certificate.get());
    }

    // What the server sees of a client that shows this, or shows none.
    PeerCertificate seen(const Issued* issued)
    {
        if (issued != nullptr) {
            SSL_CTX_use_certificate(client_context_.get(), issued->certificate.get());
            SSL_CTX_use_PrivateKey(client_context_.get(), issued->key.get());
        }
        SslPtr server(SSL_new(server_context_.get()));
        SslPtr client(SSL_new(client_context_.get()));
        SSL_set_accept_state(server.get());
        SSL_set_connect_state(client.get());
        Pair pair(std::move(server), std::move(client));
        EXPECT_TRUE(pair.shake_hands()) << pair.server.error() << pair.client.error();
        verdict_ = verdict_on_peer(pair.server.ssl());
        const PeerCertificate read = read_peer_certificate(pair.server.ssl());
        EXPECT_EQ(ERR_peek_error(), 0u) << "errors of one connection are met by the next";
        return read;
    }
    PeerCertificate seen(const Wanted& wanted)
    {
        const Issued issued = issue(wanted);
        return seen(&issued);
    }
    // Of a certificate that is changed before its owner signs it.
    template <typename Change>
    PeerCertificate seen_with(const Wanted& wanted, Change change)
    {
        const Issued issued = issue(wanted);
        change(issued.certificate.get());
        X509_sign(issued.certificate.get(), issued.key.get(), EVP_sha256());
        return seen(&issued);
    }
    // With a subjectAltName of addresses that may hold any byte.
    PeerCertificate seen_with_emails(const std::vector<std::string>& emails)
    {
        return seen_with({.common_name = "bob"}, [&](X509* certificate) {
            GENERAL_NAMES* const names = sk_GENERAL_NAME_new_null();
            for (const std::string& email : emails) {
                ASN1_IA5STRING* const text = ASN1_IA5STRING_new();
                ASN1_STRING_set(text, email.data(), static_cast<int>(email.size()));
                GENERAL_NAME* const name = GENERAL_NAME_new();
                GENERAL_NAME_set0_value(name, GEN_EMAIL, text);
                sk_GENERAL_NAME_push(names, name);
            }
            X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, 0);
            GENERAL_NAMES_free(names);
        });
    }

    Issued authority_;
    SslContextPtr server_context_;
    SslContextPtr client_context_;
    PeerVerdict verdict_;
};

TEST_F(PeerCertificateTest, ReadsAsNginxSaysIt)
{
    const Issued issued =
        issue({.common_name = "bob x", .subject = {"C", "US", "O", "A, B"}, .issuer = &authority_});
    const PeerCertificate read = seen(&issued);
    EXPECT_EQ(read.subject, "CN=bob x,O=A\\, B,C=US");
    EXPECT_EQ(read.issuer, "CN=Mail CA");
    EXPECT_EQ(read.pem, issued.certificate_pem());
    EXPECT_EQ(read.users, Users{"bob x"});

    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    X509_digest(issued.certificate.get(), EVP_sha1(), digest, &size);
    std::string hex;
    for (const unsigned char byte : std::span(digest, size)) {
        hex += fmt::format("{:02x}", byte);
    }
    EXPECT_EQ(hex.size(), 40u);
    EXPECT_EQ(read.fingerprint, hex);
}

TEST_F(PeerCertificateTest, NothingOfAClientWithoutOne)
{
    const PeerCertificate read = seen(nullptr);
    EXPECT_FALSE(verdict_.present);
    EXPECT_FALSE(verdict_.is_good());
    EXPECT_EQ(read.subject + read.issuer + read.serial + read.fingerprint + read.pem, "");
    EXPECT_TRUE(read.users.empty());
}

TEST_F(PeerCertificateTest, SerialNumbersAreUpperCaseHex)
{
    const auto serial = [this](const char* hex) {
        return seen_with({},
                         [hex](X509* certificate) {
                             BIGNUM* number = nullptr;
                             BN_hex2bn(&number, hex);
                             BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
                             BN_free(number);
                         })
            .serial;
    };
    EXPECT_EQ(serial("0"), "00");
    EXPECT_EQ(serial("a"), "0A");
    EXPECT_EQ(serial("abcdef"), "ABCDEF");
    EXPECT_EQ(serial("-1"), "-01");
    const std::string longest(40, 'f');  // RFC 5280 section 4.1.2.2: 20 octets
    EXPECT_EQ(serial(longest.c_str()), std::string(40, 'F'));
}

// OpenSSL breaks such numbers into lines: the second would stand alone among the headers.
TEST_F(PeerCertificateTest, AnEndlessSerialNumberStaysOnOneLine)
{
    const std::string hex(300, 'a');
    const PeerCertificate read = seen_with({}, [&hex](X509* certificate) {
        BIGNUM* number = nullptr;
        BN_hex2bn(&number, hex.c_str());
        BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
        BN_free(number);
    });
    EXPECT_EQ(read.serial, std::string(300, 'A'));
}

TEST_F(PeerCertificateTest, NamesCannotEndALine)
{
    const std::string evil("bob\r\nAuth-Status: OK\n\0x\x7f", 24);
    const PeerCertificate read = seen({.common_name = evil, .subject = {"O", "a\nb"}});
    for (const std::string& text : {read.subject, read.issuer}) {
        EXPECT_TRUE(std::ranges::all_of(text, [](char c) { return c >= ' ' && c != 0x7f; }))
            << text;
    }
    EXPECT_TRUE(read.subject.starts_with("CN=bob\\0D\\0AAuth-Status: OK\\0A\\00x\\7F"))
        << read.subject;
    EXPECT_TRUE(read.subject.ends_with(",O=a\\0Ab")) << read.subject;
}

TEST_F(PeerCertificateTest, NamesInUtf8AreEscaped)  // as NGINX has it: RFC 2253 section 2.4
{
    EXPECT_EQ(seen({.common_name = "J\xc3\xb6rg"}).subject, "CN=J\\C3\\B6rg");
}

TEST_F(PeerCertificateTest, UsersAreItsEmailAddresses)
{
    EXPECT_EQ(seen({.common_name = "Bob", .names = "DNS:host,email:bob@a.org,email:b@b.org"}).users,
              (Users{"bob@a.org", "b@b.org"}));
}

TEST_F(PeerCertificateTest, OrElseItsCommonName)
{
    EXPECT_EQ(seen({.common_name = "bob@a.org", .names = "DNS:host"}).users, Users{"bob@a.org"});
    EXPECT_EQ(seen({.common_name = "J\xc3\xb6rg"}).users, Users{"J\xc3\xb6rg"});
    EXPECT_EQ(seen({.common_name = "", .subject = {"O", "Bobs"}}).users, Users{});
    EXPECT_EQ(seen({.common_name = "bob", .subject = {"CN", "alice"}}).users, Users{})
        << "two names, and nobody knows which is meant";
}

TEST_F(PeerCertificateTest, NobodyIsNamedByControlCharacters)
{
    for (const std::string& evil : {std::string("alice\0@evil.org", 15), std::string("alice\r\n"),
                                    std::string("\talice"), std::string("al\x7fice")}) {
        EXPECT_EQ(seen({.common_name = evil}).users, Users{});
        EXPECT_EQ(seen_with_emails({evil}).users, Users{})
            << "and the common name does not stand in for a bad address";
        EXPECT_EQ(seen_with_emails({"bob@a.org", evil}).users, Users{"bob@a.org"});
    }
    EXPECT_EQ(seen_with_emails({""}).users, Users{});
}

// Which of them holds? Its common name is no answer either.
TEST_F(PeerCertificateTest, TwoListsOfNamesNameNobody)
{
    const Issued issued = issue({.common_name = "alice", .names = "email:bob@a.org"});
    X509* const certificate = issued.certificate.get();
    X509_EXTENSION* const another =
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "email:eve@a.org");
    X509_add_ext(certificate, another, -1);
    X509_EXTENSION_free(another);
    X509_sign(certificate, issued.key.get(), EVP_sha256());
    EXPECT_EQ(seen(&issued).users, Users{});
}

TEST_F(PeerCertificateTest, TheVerdictIsOpenSsls)
{
    seen({.common_name = "bob", .issuer = &authority_});
    EXPECT_TRUE(verdict_.present);
    EXPECT_TRUE(verdict_.is_good());
    EXPECT_EQ(verdict_.code, X509_V_OK);

    seen({.common_name = "bob"});
    EXPECT_FALSE(verdict_.is_good());
    EXPECT_TRUE(verdict_.is_only_untrusted());
    EXPECT_EQ(verdict_.code, 18);
    EXPECT_EQ(verdict_.text, "self-signed certificate");

    const Issued stranger = make_authority("Stranger");
    seen({.common_name = "bob", .issuer = &stranger});
    EXPECT_FALSE(verdict_.is_good());
    EXPECT_TRUE(verdict_.is_only_untrusted());
    EXPECT_EQ(verdict_.code, 21);

    seen({.common_name = "bob", .issuer = &authority_, .begins = -200, .ends = -100});
    EXPECT_FALSE(verdict_.is_good());
    EXPECT_FALSE(verdict_.is_only_untrusted());
    EXPECT_EQ(verdict_.text, "certificate has expired");
}

TEST(PeerVerdict, NginxsFiveCodesMeanUntrusted)
{
    for (long code = 0; code < 100; ++code) {
        const bool expected = code == 18 || code == 19 || code == 20 || code == 21 || code == 27;
        EXPECT_EQ((PeerVerdict{.present = true, .code = code, .text = ""}.is_only_untrusted()),
                  expected)
            << code;
    }
}

}  // namespace
}  // namespace postern::tls
