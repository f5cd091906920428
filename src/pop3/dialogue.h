#pragma once

#include <string>

#include "pop3/grammar.h"
#include "protocol/dialogue.h"

namespace postern::pop3 {

// POP3 before login: the AUTHORIZATION state of RFC 1939 section 4.
class Dialogue final : public protocol::DialogueBase
{
public:
    explicit Dialogue(const protocol::Context& context) : DialogueBase(context) {}

    net::Task<bool> greet() override;
    net::Task<protocol::Request> authorize() override;
    net::Task<> refuse(const auth::Refusal& refusal) override;
    net::Task<protocol::LoginResult> log_in(backend::Connection& backend, const auth::Claim& claim,
                                            const auth::Mailbox& mailbox) override;

    std::string_view internal_error() const override { return kInternalError; }
    std::string_view access_denied() const override { return "-ERR access denied\r\n"; }
    std::string_view certificate_error() const override { return kCertificateError; }
    std::string_view no_certificate() const override { return kNoCertificate; }
    std::string_view shutting_down() const override { return kShuttingDown; }
    std::string_view too_many() const override { return kTooMany; }
    std::string_view login_timed_out() const override { return kLoginTimedOut; }
    std::string_view sent_too_much() const override { return kSentTooMuch; }
    std::string too_many_failures() const override { return std::string(kTooManyFailures); }

private:
    bool allowed(Verb verb, const std::string& user) const;
};

}  // namespace postern::pop3
