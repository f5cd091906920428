// For tests: one peer's records, given to OpenSSL and to a Channel with the same keys.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>

#include "tls/lean/testing_forger.h"

namespace postern::tls::lean {

// Numbers from what a fuzzer or a test's generator has made; zeros behind its end.
class Dice
{
public:
    explicit Dice(Bytes bytes) : bytes_(bytes) {}

    bool empty() const { return bytes_.empty(); }
    unsigned roll(unsigned sides)
    {
        const unsigned high = byte();
        return (high << 8 | byte()) % sides;
    }

private:
    unsigned byte()
    {
        if (bytes_.empty()) {
            return 0;
        }
        const unsigned value = bytes_.front();
        bytes_ = bytes_.subspan(1);
        return value;
    }

    Bytes bytes_;
};

inline std::string key_update(char request)
{
    return std::string("\x18\0\0\1", 4) + request;
}

// Both readers, and what they have made of it all.
class Comparison
{
public:
    Comparison(const WatchedContexts& contexts, bool of_server)
        : pair_(contexts.pair()),
          openssl_(of_server ? pair_->server : pair_->client),
          wire_(of_server ? pair_->server_wire : pair_->client_wire),
          peers_wire_(of_server ? pair_->client_wire : pair_->server_wire),
          is_server_(of_server)
    {
        Connection& peer = of_server ? pair_->client : pair_->server;
        if (!pair_->shake_hands()) {
            return;
        }
        for (Connection* const one : {&peer, &openssl_}) {
            one->write("hello");
        }
        Pair::read(peer);
        Pair::read(openssl_);
        Engine& engine = pair_->workspace.lean;
        const auto ours = take_over(*openssl_.ssl(), engine);
        const auto theirs = take_over(*peer.ssl(), engine);
        if (ours && theirs) {
            channel_ = std::make_unique<Channel>(*ours, engine);
            forger_ = std::make_unique<Forger>(*theirs, engine);
        }
    }

    // What is different; nothing if nothing is.
    std::string run(Dice dice)
    {
        if (!channel_) {
            return "no handshake";
        }
        while (!dice.empty() && !is_over() && difference_.empty()) {
            act(dice);
        }
        return difference_;
    }

private:
    bool is_over() const { return channel_->has_failed() || channel_->received_close(); }

    void act(Dice& dice)
    {
        switch (dice.roll(24)) {
        case 0:
            if (!closed_) {
                write(dice.roll(40'000) + 1);
            }
            break;
        case 1:
            openssl_.close();
            channel_->close(sent_);
            closed_ = true;
            compare("close");
            break;
        case 2:
            deliver(odd_record(dice), dice);
            break;
        case 3:
            pay();
            deliver(closed_ ? data(dice) : odd_message(dice), dice);
            break;
        case 4:
            deliver(several(dice), dice);
            break;
        case 5:
            deliver(alert(dice), dice);
            break;
        case 6:
        case 7:
        case 8:
            deliver(good_message(dice), dice);
            break;
        default:
            deliver(data(dice), dice);
            break;
        }
    }

    std::string data(Dice& dice)
    {
        constexpr std::size_t kSizes[] = {0, 1, 2, 100, 1000, 16383, 16384};
        const std::size_t size = kSizes[dice.roll(std::size(kSizes))];
        const std::size_t padding =
            dice.roll(3) == 0 ? std::min<std::size_t>(dice.roll(300), 16384 - size) : 0;
        return forger_->seal(23, std::string(size, static_cast<char>(dice.roll(256))), padding);
    }
    // Sends the KeyUpdate that is due. While it is, OpenSSL sees to a message whose header ends a
    // record only when another record has come.
    void pay()
    {
        if (!closed_) {
            write(1);
        }
    }
    // Joined and split in records.
    std::string good_message(Dice& dice)
    {
        if (closed_ || ++messages_ > Channel::kMessagesMax - 2) {
            return data(dice);
        }
        const bool may_interrupt = dice.roll(2) == 0;
        if (may_interrupt) {
            pay();
        }
        std::string message = key_update(static_cast<char>(dice.roll(2)));
        bool is_update = true;
        if (!is_server_ && dice.roll(2) == 0) {
            message = ticket();
            is_update = dice.roll(2) == 0;
            message += is_update ? key_update(0) : "";
        }
        std::string records;
        while (!message.empty()) {
            const std::size_t part = dice.roll(2) == 0
                                         ? message.size()
                                         : 1 + dice.roll(static_cast<unsigned>(message.size()));
            records += forger_->seal(22, message.substr(0, part), dice.roll(4));
            message.erase(0, part);
            if (!message.empty() && may_interrupt && dice.roll(6) == 0) {
                records += dice.roll(2) == 0 ? data(dice) : alert(dice);
            }
        }
        if (is_update) {
            forger_->update_keys();
        }
        return records;
    }
    static std::string ticket()
    {
        std::string body("\0\0\x1c\x20\1\2\3\4\1n\0\5abcde\0\0", 19);
        std::string message("\4\0\0", 3);
        message += static_cast<char>(body.size());
        message += body;
        return message;
    }
    std::string odd_message(Dice& dice)
    {
        switch (dice.roll(7)) {
        case 0:
            return forger_->seal(22, key_update(2));
        case 1:
            return forger_->seal(22, std::string("\x18\0\0\0", 4));
        case 2:
            return forger_->seal(22, std::string("\x18\0\0\2\0\0", 6));
        case 3:
            return forger_->seal(22, key_update(0) + key_update(0));
        case 4:
            return forger_->seal(22, std::string("\x18\0\0\0", 4) + "x");
        case 5:
            return forger_->seal(22, std::string("\4\2\2\2", 4));
        default:  // NewSessionTicket is left to good_message
            const auto type = static_cast<char>(dice.roll(256));
            return forger_->seal(
                22, std::string(1, type == 4 ? '\5' : type) + std::string("\0\0\1x", 4));
        }
    }
    std::string odd_record(Dice& dice)
    {
        const auto octet = [&dice] { return static_cast<unsigned char>(dice.roll(256)); };
        std::string record;
        switch (dice.roll(10)) {
        case 0:
            return forger_->seal(octet(), "content", dice.roll(3));
        case 1:
            return forger_->seal(0, std::string(dice.roll(10), '\0'));
        case 2:
            return forger_->seal(23, "content", 0, {octet(), 3, 3});
        case 3:
            return forger_->seal(23, "content", 0, {23, octet(), 3});
        case 4:
            return forger_->seal(23, "content", 0, {23, 3, octet()});
        case 5:  // too long, and just not
            return forger_->seal(23, std::string(16384, 'x') + std::string(dice.roll(3), 'x'),
                                 dice.roll(260));
        case 6:
            record = std::string("\x17\3\3\0", 4) + static_cast<char>(dice.roll(20));
            return record + std::string(20, 'x');
        case 7:
            return forger_->seal(dice.roll(2) == 0 ? 22 : 21, "");
        case 8:
            record = std::string("\x17\3\3", 3) + static_cast<char>(0x40 + dice.roll(3)) +
                     static_cast<char>(octet());
            return record + std::string(17'000, 'x');
        default:
            record = data(dice);
            record[dice.roll(static_cast<unsigned>(record.size()))] ^=
                static_cast<char>(1 << dice.roll(8));
            return record + data(dice);
        }
    }
    std::string alert(Dice& dice)
    {
        constexpr unsigned char kUsual[] = {0, 0, 10, 20, 40, 90, 90, 90, 100};
        const auto description = dice.roll(4) == 0 ? static_cast<unsigned char>(dice.roll(256))
                                                   : kUsual[dice.roll(std::size(kUsual))];
        // OpenSSL takes a fatal close_notify for a broken connection.
        const auto level = description == 0 ? 1 : static_cast<char>(dice.roll(4));
        std::string text{static_cast<char>(level), static_cast<char>(description)};
        if (dice.roll(10) == 0) {
            text += dice.roll(2) == 0 ? std::string("x") : text;
        }
        return forger_->seal(21, text.substr(0, dice.roll(20) == 0 ? 1 : text.size()));
    }
    // As many of a kind as are just borne, or one more.
    std::string several(Dice& dice)
    {
        const bool are_alerts = dice.roll(2) == 0;
        std::string records;
        for (unsigned left = are_alerts ? 3 + dice.roll(3) : 31 + dice.roll(3); left > 0; --left) {
            records +=
                are_alerts ? forger_->seal(21, "\1\x5a") : forger_->seal(23, "", dice.roll(2));
        }
        return records;
    }

    // In pieces, of which each is read as it comes.
    void deliver(std::string_view bytes, Dice& dice)
    {
        while (!bytes.empty() && difference_.empty()) {
            const std::size_t part = dice.roll(3) != 0
                                         ? bytes.size()
                                         : 1 + dice.roll(static_cast<unsigned>(bytes.size()));
            wire_.arrived += bytes.substr(0, part);
            arrived_ += bytes.substr(0, part);
            bytes.remove_prefix(part);
            read(dice.roll(4) == 0 ? 1 + dice.roll(500) : 65536);
        }
    }

    void read(std::size_t space_bytes)
    {
        std::string space(space_bytes, '\0');
        std::string expected;
        std::string got;
        Io of_openssl;
        while ((of_openssl = openssl_.read(space)).status == Io::Status::done) {
            expected += space.substr(0, of_openssl.bytes);
        }
        std::string_view input = arrived_;
        Io ours;
        while ((ours = channel_->read(input, space, sent_)).status == Io::Status::done) {
            got += space.substr(0, ours.bytes);
        }
        arrived_ = std::string(input);
        if (got != expected) {
            difference_ =
                fmt::format("{} bytes of text, OpenSSL has {}", got.size(), expected.size());
        } else if ((ours.status == Io::Status::would_block) !=
                   (of_openssl.status == Io::Status::would_block)) {
            channel_->raise_fault();
            difference_ =
                fmt::format("status {}{}, OpenSSL has {}{}", static_cast<int>(ours.status),
                            take_errors(), static_cast<int>(of_openssl.status), openssl_.error());
        }
        compare("read");
    }

    void write(std::size_t size)
    {
        const std::string text(size, 'w');
        const Io io = openssl_.write(text);
        std::string room(text.size() * 2 + 1000, '\0');
        const Channel::Sealed sealed = channel_->write(text, room);
        sent_ += room.substr(0, sealed.size);
        if (sealed.taken != io.bytes) {
            difference_ = fmt::format("{} bytes taken, OpenSSL took {}", sealed.taken, io.bytes);
        }
        compare("write");
    }

    // What both have sent.
    void compare(std::string_view when)
    {
        if (difference_.empty() && sent_ != peers_wire_.arrived) {
            difference_ = fmt::format("{}: {} bytes sent, OpenSSL sent {} or others: {}", when,
                                      sent_.size(), peers_wire_.arrived.size(), openssl_.error());
        }
    }

    std::unique_ptr<Pair> pair_;
    Connection& openssl_;
    Wire& wire_;
    Wire& peers_wire_;
    bool is_server_;
    std::unique_ptr<Channel> channel_;
    std::unique_ptr<Forger> forger_;
    std::string arrived_;
    std::string sent_;
    std::string difference_;
    unsigned messages_ = 0;
    bool closed_ = false;
};

// One run of what the bytes say. "": no difference.
inline std::string difference(Bytes program)
{
    static const WatchedContexts contexts;
    if (program.size() < 2) {
        return "";
    }
    const char* const name = facts_of(static_cast<Suite>(program[0] % kSuites)).name;
    SSL_CTX_set_ciphersuites(contexts.server.get(), name);
    Comparison comparison(contexts, program[1] % 2 == 0);
    return comparison.run(Dice(program.subspan(2)));
}

}  // namespace postern::tls::lean
