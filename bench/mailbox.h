// What the mailbox server says. Pure: what a line is answered with, for each protocol.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "bench/marks.h"
#include "bench/protocol.h"

namespace postern::bench {

// One client of the mailbox server. Everybody may log in, in whatever form a proxy does that; then
//   NOOP    is answered with one line,
//   BULK n  with n bytes of filler before that line,
//   SINK n  with that line when n more bytes have come; both may have a mark behind them, in
//           decimal: the bytes are that mark's stream, or the answer is a refusal,
//   WHO     with a line that has the name of who has logged in.
class Mailbox
{
public:
    struct Answer {
        std::uint64_t filler_bytes = 0;  // sent after the text that was appended
        std::uint64_t sink_bytes = 0;    // to come before `closing`
        std::string closing;
        std::optional<Mark> mark;  // of those bytes
        std::string refusal;       // in the place of `closing`, if they have another one
        bool ends = false;
    };

    explicit Mailbox(Protocol protocol) : protocol_(protocol) {}

    std::string_view greeting() const;
    // A line without its CRLF; appends to `out` what is said at once.
    Answer on_line(std::string_view line, std::string& out);

    // So many bytes come before the next line: an IMAP literal (RFC 9051 section 4.3).
    std::uint64_t literal_left() const { return literal_left_; }
    void on_literal(std::string_view bytes);

    bool logged_in() const { return logged_in_; }

private:
    Answer imap(std::string_view line, std::string& out);
    Answer pop3(std::string_view line, std::string& out);
    Answer smtp(std::string_view line, std::string& out);
    bool begins_literal(std::string_view line, std::string& out);
    void log_in(std::string_view user);
    void log_in_with_plain(std::string_view initial_response);
    Answer transfer(std::string_view verb, std::string_view argument, std::string_view ok,
                    std::string_view refusal, std::string& out) const;

    enum class Waits : unsigned char { for_command, for_rest, for_sasl };

    Protocol protocol_;
    Waits waits_ = Waits::for_command;
    bool logged_in_ = false;
    bool is_login_ = false;  // the IMAP command that is being read
    std::uint64_t literal_left_ = 0;
    std::string tag_;
    std::string arguments_;  // of the IMAP login, with what its literals have brought
    std::string user_;
};

}  // namespace postern::bench
