#include "tls/credentials.h"

#include "tls/testing_site.h"

namespace postern::tls {
namespace {

using config::Written;

class CredentialsTest : public testing::Test
{
protected:
    // "" if it can be used, else the error.
    std::string use(const Written& certificate, const Written& key, const Written& phrases = {})
    {
        ERR_clear_error();
        Loading loading{warnings, folder.path()};
        const auto done = use_pair(*context, {certificate, key}, phrases, loading);
        EXPECT_EQ(ERR_peek_error(), 0u);
        return done ? "" : done.error().text;
    }
    std::string use(const std::string& certificate, const std::string& key)
    {
        return use(written(certificate, 11), written(key, 12));
    }
    Written file(const std::string& name, const std::string& content, unsigned line)
    {
        return written(folder.write(name, content), line);
    }

    Folder folder;
    std::vector<config::Warning> warnings;
    SslContextPtr context{SSL_CTX_new(TLS_server_method())};
    Issued issued = issue({});
};

#define EXPECT_STARTS(text, start) EXPECT_TRUE((text).starts_with(start)) << (text)
#define EXPECT_ENDS(text, end) EXPECT_TRUE((text).ends_with(end)) << (text)
#define EXPECT_HOLDS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

TEST_F(CredentialsTest, FilesAndDataAreTaken)
{
    const config::SslPair pair = pair_of(folder, "a", issued);
    EXPECT_EQ(use(pair.certificate, pair.key), "");
    EXPECT_EQ(use("data:" + issued.certificate_pem(), "data:" + issued.key_pem()), "");
    const Written both = file("both", issued.key_pem() + issued.certificate_pem(), 11);
    EXPECT_EQ(use(both, both), "");
    EXPECT_EQ(use(pair.certificate.text, "store:" + pair.key.text), "");
    EXPECT_TRUE(warnings.empty());
}

TEST_F(CredentialsTest, KeysOfBothKindsStandSideBySide)
{
    const Issued rsa = issue({.is_rsa = true});
    ASSERT_EQ(use("data:" + issued.certificate_pem(), "data:" + issued.key_pem()), "");
    ASSERT_EQ(use("data:" + rsa.certificate_pem(), "data:" + rsa.key_pem()), "");
    EXPECT_EQ(SSL_CTX_set_current_cert(context.get(), SSL_CERT_SET_FIRST), 1);
    EXPECT_EQ(SSL_CTX_set_current_cert(context.get(), SSL_CERT_SET_NEXT), 1);
}

TEST_F(CredentialsTest, TheChainFollowsTheLeaf)
{
    const Issued authority = make_authority();
    const Issued leaf = issue({.issuer = &authority});
    const std::string chain = leaf.certificate_pem() + "some text\n" + authority.certificate_pem();
    ASSERT_EQ(use("data:" + chain, "data:" + leaf.key_pem()), "");
    STACK_OF(X509)* rest = nullptr;
    SSL_CTX_get0_chain_certs(context.get(), &rest);
    ASSERT_EQ(sk_X509_num(rest), 1);
    EXPECT_EQ(X509_cmp(sk_X509_value(rest, 0), authority.certificate.get()), 0);
}

TEST_F(CredentialsTest, AMissingFileIsNamedWithItsPlace)
{
    const config::SslPair pair = pair_of(folder, "a", issued);
    std::string error = use("/nowhere/a.pem", pair.key.text);
    EXPECT_STARTS(error,
                  "cannot load certificate \"/nowhere/a.pem\": BIO_new_file() failed (SSL: error:");
    EXPECT_HOLDS(error, "No such file or directory");
    EXPECT_ENDS(error, ") in postern.conf:11");
    error = use(pair.certificate.text, "/nowhere/a.key");
    EXPECT_STARTS(error,
                  "cannot load certificate key \"/nowhere/a.key\": BIO_new_file() failed "
                  "(SSL: error:");
    EXPECT_ENDS(error, ") in postern.conf:12");
}

TEST_F(CredentialsTest, FilesWithoutWhatIsWantedAreNamed)
{
    const Written empty = file("empty", "", 11);
    const config::SslPair pair = pair_of(folder, "a", issued);
    for (const Written& certificate : {empty, file("k", issued.key_pem(), 11)}) {
        const std::string error = use(certificate, pair.key);
        EXPECT_STARTS(error, "cannot load certificate \"" + certificate.text +
                                 "\": PEM_read_bio_X509_AUX() failed (SSL: error:");
        EXPECT_HOLDS(error, "no start line");
    }
    for (const Written& key : {empty, file("c", issued.certificate_pem(), 12)}) {
        const std::string error = use(pair.certificate, key);
        EXPECT_STARTS(error, "cannot load certificate key \"" + key.text +
                                 "\": PEM_read_bio_PrivateKey() failed (SSL: error:");
    }
}

TEST_F(CredentialsTest, ABrokenChainIsNotCutShortSilently)
{
    std::string broken = make_authority().certificate_pem();
    broken.resize(broken.size() / 2);
    const std::string error =
        use(file("chain", issued.certificate_pem() + broken, 11), written("unread", 12));
    EXPECT_STARTS(error, "cannot load certificate \"" + folder.path() +
                             "chain\": PEM_read_bio_X509() failed (SSL: error:");
}

TEST_F(CredentialsTest, AKeyOfAnotherCertificateIsAnErrorThatNamesBoth)
{
    const config::SslPair pair = pair_of(folder, "a", issued);
    for (const bool is_rsa : {false, true}) {
        const config::SslPair other = pair_of(folder, "b", issue({.is_rsa = is_rsa}));
        const std::string error = use(pair.certificate, other.key);
        EXPECT_STARTS(error, "key \"" + other.key.text + "\" is not that of certificate \"" +
                                 pair.certificate.text + "\"");
        EXPECT_ENDS(error, "in postern.conf:12");
    }
}

TEST_F(CredentialsTest, ErrorsShowNothingOfAKeyThatStandsInTheConfiguration)
{
    const std::string pem = issued.key_pem();
    const std::string body = pem.substr(40, 30);
    std::string broken = pem;
    broken[60] = '!';
    const Issued other = issue({});
    for (const std::string& key : {broken, other.key_pem(), issued.key_pem("phrase")}) {
        const std::string error = use("data:" + issued.certificate_pem(), "data:" + key);
        EXPECT_HOLDS(error, "\"data:...\"");
        EXPECT_EQ(error.find("BEGIN"), std::string::npos) << error;
        EXPECT_EQ(error.find(body), std::string::npos) << error;
    }
}

TEST_F(CredentialsTest, PassPhrasesAreTriedOneAfterTheOther)
{
    const Written key = file("key", issued.key_pem("open sesame"), 12);
    const Written certificate = file("certificate", issued.certificate_pem(), 11);
    EXPECT_EQ(use(certificate, key, file("one", "open sesame\n", 13)), "");
    EXPECT_EQ(use(certificate, key, file("last", "wrong\n\nalso wrong\r\nopen sesame", 13)), "");
    EXPECT_EQ(use(certificate, key, file("dos", "open sesame\r\n", 13)), "");
    EXPECT_EQ(use(certificate, written("store:" + key.text, 12), file("one", "open sesame\n", 13)),
              "");
    EXPECT_EQ(use("data:" + issued.certificate_pem(), "data:" + issued.key_pem()), "");
}

TEST_F(CredentialsTest, AStoresKeyMayHaveAnyOfThePassPhrases)
{
    const Written key = written("store:" + folder.write("key", issued.key_pem("second")), 12);
    const Written certificate = file("certificate", issued.certificate_pem(), 11);
    EXPECT_EQ(use(certificate, key, file("phrases", "first\nsecond\n", 13)), "");
}

TEST_F(CredentialsTest, AKeyThatStaysShutSaysWhyAndNoPassPhrase)
{
    const Written key = file("key", issued.key_pem("open sesame"), 12);
    const Written certificate = file("certificate", issued.certificate_pem(), 11);
    std::string error = use(certificate, key);
    EXPECT_STARTS(error, "cannot load certificate key \"" + key.text +
                             "\": it wants a pass phrase, and \"ssl_password_file\" names none");
    EXPECT_ENDS(error, "in postern.conf:12");
    const Written wrong = file("wrong", "swordfish\n", 13);
    error = use(certificate, key, wrong);
    EXPECT_STARTS(error, "cannot load certificate key \"" + key.text + "\": no pass phrase in \"" +
                             wrong.text + "\" opens it");
    EXPECT_EQ(error.find("swordfish"), std::string::npos);
    error = use(certificate, key, file("empty", "", 13));
    EXPECT_HOLDS(error, "no pass phrase in");
    error = use(certificate, key, written("/nowhere/phrases", 13));
    EXPECT_EQ(error,
              "open() \"/nowhere/phrases\" failed (2: No such file or directory) in "
              "postern.conf:13");
}

TEST_F(CredentialsTest, EnginesThatAreUnknownOrMisspeltAreErrors)
{
    const std::string certificate = "data:" + issued.certificate_pem();
    EXPECT_STARTS(use(certificate, "engine:none"),
                  "cannot load certificate key \"engine:none\": engine:NAME:ID is wanted in");
    EXPECT_STARTS(use(certificate, "engine:no_such:1"),
                  "cannot load certificate key \"engine:no_such:1\": ENGINE_by_id(\"no_such\") "
                  "failed (SSL: error:");
    EXPECT_STARTS(use(certificate, "store:file:/nowhere/key"),
                  "cannot load certificate key \"store:file:/nowhere/key\": OSSL_STORE");
}

TEST_F(CredentialsTest, DatesThatAreNotWellAreWarnedOf)
{
    constexpr long kDay = 24 * 3600;
    const auto warning = [&](const Wanted& wanted) {
        warnings.clear();
        const config::SslPair pair = pair_of(folder, "a", issue(wanted));
        EXPECT_EQ(use(pair.certificate, pair.key), "");
        EXPECT_LE(warnings.size(), 1u);
        return warnings.empty() ? "" : warnings.front().text;
    };
    const std::string name = "certificate \"" + folder.path() + "a.pem\" ";
    EXPECT_STARTS(warning({.begins = -2 * kDay, .ends = -60}), name + "has expired (");
    EXPECT_STARTS(warning({.begins = 60}), name + "is not valid before ");
    EXPECT_STARTS(warning({.ends = 14 * kDay - 60}), name + "expires soon (");
    EXPECT_ENDS(warning({.ends = 14 * kDay - 60}), " GMT) in postern.conf:11");
    EXPECT_EQ(warning({.ends = 14 * kDay + 60}), "");
    EXPECT_EQ(warning({.begins = -60}), "");
}

TEST_F(CredentialsTest, AuthoritiesAndListsThatCannotBeReadAreErrors)
{
    const auto error = [](const config::Checked& done) { return done ? "" : done.error().text; };
    const Written empty = file("empty", "", 14);
    for (const Written& wrong : {empty, written("/nowhere/ca.pem", 14)}) {
        EXPECT_STARTS(error(trust(*context, wrong)),
                      "SSL_CTX_load_verify_locations(\"" + wrong.text + "\") failed (SSL: error:");
        EXPECT_ENDS(error(trust(*context, wrong)), "in postern.conf:14");
        EXPECT_STARTS(error(use_crl(*context, wrong)),
                      "cannot load CRL \"" + wrong.text + "\": X509_LOOKUP_load_file() failed");
        EXPECT_ENDS(error(use_crl(*context, wrong)), "in postern.conf:14");
    }
}

TEST_F(CredentialsTest, VersionsWithAGapLeaveItOut)
{
    Loading loading{warnings, folder.path()};
    ASSERT_TRUE(set_protocols(*context, {{"TLSv1.3", "TLSv1.1"}, {"postern.conf", 5}}, loading));
    EXPECT_EQ(SSL_CTX_get_min_proto_version(context.get()), TLS1_1_VERSION);
    EXPECT_EQ(SSL_CTX_get_max_proto_version(context.get()), TLS1_3_VERSION);
    EXPECT_EQ(SSL_CTX_get_options(context.get()) & SSL_OP_NO_SSL_MASK,
              SSL_OP_NO_SSLv3 | SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_2);
    EXPECT_TRUE(warnings.empty());
}

TEST_F(CredentialsTest, VersionsThatTheLibraryLacksAreWarnedOfAndNothingElseIsAnError)
{
    Loading loading{warnings, folder.path()};
    ASSERT_TRUE(set_protocols(*context, {{"SSLv2", "TLSv1.2"}, {"postern.conf", 5}}, loading));
    ASSERT_EQ(warnings.size(), 1u);
    EXPECT_EQ(warnings[0].text,
              "\"SSLv2\" is not supported by the TLS library, ignored in postern.conf:5");
    const auto done = set_protocols(*context, {{"SSLv2"}, {"postern.conf", 5}}, loading);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().text,
              "no usable TLS version (TLSv1.2 or TLSv1.3 is wanted) in postern.conf:5");
}

TEST_F(CredentialsTest, CommandsAreOpensslsAndTheirFilesBelowTheConfiguration)
{
    const config::SslPair pair = pair_of(folder, "a", issued);
    Loading loading{warnings, folder.path()};
    const std::vector<config::SslCommand> files = {{"Certificate", written("a.pem", 20)},
                                                   {"PrivateKey", written("a.key", 21)}};
    ASSERT_TRUE(apply_commands(*context, files, Role::server, loading));
    EXPECT_NE(SSL_CTX_get0_certificate(context.get()), nullptr);
    for (const config::SslCommand& wrong :
         std::vector<config::SslCommand>{{"Nonsense", written("x", 22)},
                                         {"MinProtocol", written("TLSv9", 22)},
                                         {"Certificate", written("b.pem", 22)}}) {
        const auto done = apply_commands(*context, {wrong}, Role::server, loading);
        ASSERT_FALSE(done) << wrong.name;
        EXPECT_STARTS(done.error().text, "SSL_CONF_cmd(\"" + wrong.name + "\", \"" +
                                             wrong.value.text + "\") failed (SSL: error:");
        EXPECT_ENDS(done.error().text, ") in postern.conf:22");
    }
}

TEST_F(CredentialsTest, NamesAreMatchedAsClientsDo)
{
    const Issued wild = issue({.names = "DNS:*.example.com,DNS:example.org"});
    ASSERT_EQ(use("data:" + wild.certificate_pem(), "data:" + wild.key_pem()), "");
    EXPECT_TRUE(is_for(*context, "mail.example.com"));
    EXPECT_TRUE(is_for(*context, "*.example.com"));
    EXPECT_TRUE(is_for(*context, "example.org"));
    EXPECT_FALSE(is_for(*context, "example.com"));
    EXPECT_FALSE(is_for(*context, "a.b.example.com"));
    EXPECT_FALSE(is_for(*context, "*.example.org"));
}

}  // namespace
}  // namespace postern::tls
