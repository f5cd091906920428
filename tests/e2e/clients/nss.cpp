#include <nspr.h>
#include <nss.h>
#include <private/pprio.h>
#include <ssl.h>
#include <sslexp.h>
#include <sslproto.h>
#include <unistd.h>

#include <array>
#include <utility>

#include "tls.h"

namespace client {

namespace {

constexpr std::array<std::pair<PRUint16, std::string_view>, 3> kSuites = {{
    {TLS_AES_128_GCM_SHA256, "aes128"},
    {TLS_AES_256_GCM_SHA384, "aes256"},
    {TLS_CHACHA20_POLY1305_SHA256, "chacha20"},
}};

SECStatus trust(void*, PRFileDesc*, PRBool, PRBool)
{
    return SECSuccess;  // who the server is, is for other tests
}

void on_alert(const PRFileDesc*, void* argument, const SSLAlert* alert)
{
    if (alert->description == 0) {
        *static_cast<bool*>(argument) = true;
    }
}

// The socket stays the caller's, who closes a copy of its own.
class Nss : public Tls
{
public:
    Nss(int descriptor, const Settings& settings)
    {
        static const bool has_begun =
            NSS_NoDB_Init(".") == SECSuccess && NSS_SetDomesticPolicy() == SECSuccess;
        if (!has_begun) {
            return;
        }
        PRFileDesc* const plain = PR_ImportTCPSocket(dup(descriptor));
        PRSocketOptionData option{};
        option.option = PR_SockOpt_Nonblocking;
        option.value.non_blocking = PR_TRUE;
        PR_SetSocketOption(plain, &option);
        socket_ = SSL_ImportFD(nullptr, plain);
        SSL_OptionSet(socket_, SSL_SECURITY, PR_TRUE);
        SSL_OptionSet(socket_, SSL_HANDSHAKE_AS_CLIENT, PR_TRUE);
        SSL_OptionSet(socket_, SSL_ENABLE_SESSION_TICKETS, PR_TRUE);
        if (settings.fragment > 0) {
            SSL_OptionSet(socket_, SSL_RECORD_SIZE_LIMIT, static_cast<PRIntn>(settings.fragment));
        }
        const PRUint16 version =
            settings.is_tls12 ? SSL_LIBRARY_VERSION_TLS_1_2 : SSL_LIBRARY_VERSION_TLS_1_3;
        const SSLVersionRange range{version, version};
        SSL_VersionRangeSet(socket_, &range);
        for (const auto& [id, name] : kSuites) {
            SSL_CipherPrefSet(socket_, id, settings.suite.empty() || settings.suite == name);
        }
        SSL_SetURL(socket_, "mail.test");
        SSL_AuthCertificateHook(socket_, trust, nullptr);
        SSL_AlertReceivedCallback(socket_, on_alert, &is_closed_);
        SSL_ResetHandshake(socket_, PR_FALSE);
    }

    ~Nss() override
    {
        if (socket_ != nullptr) {
            PR_Close(socket_);
        }
    }

    Result handshake() override
    {
        return result(SSL_ForceHandshake(socket_) == SECSuccess ? 0 : -1);
    }

    Result read(std::span<char> space) override
    {
        const int bytes = PR_Recv(socket_, space.data(), static_cast<int>(space.size()), 0,
                                  PR_INTERVAL_NO_TIMEOUT);
        if (bytes == 0) {
            return {.status = is_closed_ ? Status::closed : Status::truncated};
        }
        return result(bytes);
    }

    Result write(std::string_view text) override
    {
        return result(PR_Send(socket_, text.data(), static_cast<int>(text.size()), 0,
                              PR_INTERVAL_NO_TIMEOUT));
    }

    Result update_keys(bool requests) override
    {
        return result(SSL_KeyUpdate(socket_, requests ? PR_TRUE : PR_FALSE) == SECSuccess ? 0 : -1);
    }

    Result say_goodbye() override
    {
        return result(PR_Shutdown(socket_, PR_SHUTDOWN_SEND) == PR_SUCCESS ? 0 : -1);
    }

    std::string description() override
    {
        SSLChannelInfo channel{};
        SSL_GetChannelInfo(socket_, &channel, sizeof channel);
        SSLCipherSuiteInfo suite{};
        SSL_GetCipherSuiteInfo(channel.cipherSuite, &suite, sizeof suite);
        const bool is_tls13 = channel.protocolVersion == SSL_LIBRARY_VERSION_TLS_1_3;
        return std::string(is_tls13 ? "TLSv1.3 " : "TLSv1.2 ") + suite.cipherSuiteName +
               (channel.resumed ? " resumed" : " full");
    }

private:
    static Result result(int value)
    {
        if (value >= 0) {
            return {.bytes = static_cast<std::size_t>(value)};
        }
        const PRErrorCode error = PR_GetError();
        if (error == PR_WOULD_BLOCK_ERROR) {
            return {.status = Status::again};
        }
        const char* const name = PR_ErrorToName(error);
        return {.status = Status::failed, .error = name != nullptr ? name : "unknown"};
    }

    PRFileDesc* socket_ = nullptr;
    bool is_closed_ = false;
};

}  // namespace

std::unique_ptr<Tls> make_tls(int descriptor, const Settings& settings)
{
    return std::make_unique<Nss>(descriptor, settings);
}

}  // namespace client
