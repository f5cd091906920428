#pragma once

#include <string>

#include "protocol/dialogue.h"
#include "protocol/upstream.h"
#include "smtp/grammar.h"

namespace postern::smtp {

// SMTP until somebody is logged in (RFC 4954) or, with "smtp_auth none", until the first RCPT.
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
    std::string_view access_denied() const override { return "554 5.7.1 Access denied\r\n"; }
    std::string_view certificate_error() const override { return kCertificateError; }
    std::string_view no_certificate() const override { return kNoCertificate; }
    std::string_view shutting_down() const override { return kShuttingDown; }
    std::string_view too_many() const override { return kTooMany; }
    std::string_view login_timed_out() const override { return kLoginTimedOut; }
    std::string_view sent_too_much() const override { return kSentTooMuch; }
    std::string too_many_failures() const override { return std::string(kTooManyFailures); }

private:
    // What came of a command that takes more than a line of ours.
    struct Answer {
        std::string reply;
        std::optional<auth::Claim> claim = std::nullopt;
        bool hang_up = false;
        bool starts_tls = false;
    };

    net::Task<Answer> authenticate(const Command& command);
    Answer mail(const Command& command);
    Answer recipient(const Command& command);
    Answer answer(const Command& command);

    std::string helo_;       // what the client calls itself; empty: it has not said
    bool extended_ = false;  // it has said EHLO
    std::string mail_;       // with "smtp_auth none": its MAIL command
};

}  // namespace postern::smtp
