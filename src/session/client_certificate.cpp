#include "session/client_certificate.h"

#include "tls/peer_certificate.h"

namespace postern::session {

CertificateVerdict check_certificate(const tls::Connection& connection, config::VerifyClient mode,
                                     auth::PeerTls& peer, const log::SessionLog& log)
{
    using config::VerifyClient;
    if (mode == VerifyClient::off) {
        return CertificateVerdict::fine;
    }
    const tls::PeerVerdict verdict = tls::verdict_on_peer(connection.ssl());
    if (verdict.present ? verdict.code == 0 : mode != VerifyClient::on) {
        peer.verify = verdict.present ? "SUCCESS" : "NONE";
    } else if (mode == VerifyClient::optional_no_ca && verdict.is_only_untrusted()) {
        peer.verify = "FAILED:" + verdict.text;
    } else if (verdict.present) {
        log.line(LogLevel::info, "client SSL certificate verify error: ({}:{})", verdict.code,
                 verdict.text);
        connection.forget_session();
        return CertificateVerdict::bad;
    } else {
        log.write(LogLevel::info, "client sent no required SSL certificate");
        connection.forget_session();
        return CertificateVerdict::missing;
    }
    if (verdict.present) {
        peer.certificate = tls::read_peer_certificate(connection.ssl());
    }
    return CertificateVerdict::fine;
}

}  // namespace postern::session
