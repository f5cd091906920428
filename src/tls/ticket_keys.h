#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <vector>

#include "config/error.h"
#include "config/settings.h"
#include "tls/openssl.h"

namespace postern::tls {

// The keys that session tickets are sealed with (RFC 5077 section 4).
class TicketKeys
{
public:
    using Clock = std::int64_t (*)();  // seconds, the same in all processes, never 0
    // Nobody sets this one.
    static std::int64_t since_boot();

    // Of "ssl_session_ticket_key": the first seals, all open. The error is complete.
    static std::expected<std::shared_ptr<TicketKeys>, config::Error> load(
        const std::vector<config::Written>& files);
    // Made at random, in memory that all workers share, and changed every `period`: a ticket can be
    // opened for at least that long, and for no more than twice as long. Null if the system has no
    // such memory.
    static std::shared_ptr<TicketKeys> make(std::chrono::seconds period, Clock clock = since_boot);
    // For another configuration of the same processes.
    void set_period(std::chrono::seconds period);
    ~TicketKeys();

    // Lets the context use these keys, which must outlive it. Contexts that an SSL is switched to
    // use their own.
    void attach(ssl_ctx_st& context);

private:
    struct Parts;
    explicit TicketKeys(std::unique_ptr<Parts> parts);
    std::unique_ptr<Parts> parts_;
};

}  // namespace postern::tls
