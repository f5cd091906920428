#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/io.h"
#include "tls/lean/faults.h"
#include "tls/lean/record.h"
#include "tls/lean/traffic_keys.h"

namespace postern::tls::lean {

// A connection of TLS 1.3 after its handshake: keys and numbers, nothing else (RFC 8446
// sections 4.6, 5 and 6). Knows no socket: it is given the bytes that have arrived, and gives those
// to be sent. What it seals is what OpenSSL seals, byte for byte.
class Channel
{
public:
    // Messages after the handshake, in a row without any data of either side: more of them are an
    // attack.
    static constexpr unsigned kMessagesMax = 32;

    // What a handshake has come to.
    struct Beginning {
        Suite suite = Suite::aes_128_gcm_sha256;
        bool is_server = true;
        std::uint16_t content_max = kContentMax;  // max_fragment_length, RFC 6066 section 4
        TrafficKeys reads;
        TrafficKeys writes;
    };

    // The engine outlives this.
    Channel(const Beginning& beginning, Engine& engine);
    ~Channel();
    Channel(const Channel&) = delete;
    Channel& operator=(const Channel&) = delete;

    // Opens the records that are whole in `arrived`, and takes them off it, until it has filled
    // `space`. What is to be sent in answer is appended to `answers`. `would_block`: for more bytes
    // to arrive. `closed`: by the peer's close_notify. `failed`: see `raise_fault`.
    Io read(std::string_view& arrived, std::span<char> space, std::string& answers);

    struct Sealed {
        std::size_t taken = 0;  // of the bytes
        std::size_t size = 0;   // of the records, which are at the room's start
    };
    // Seals as many bytes as there is room for their records. Takes nothing after a failure or
    // `close`.
    Sealed write(std::string_view bytes, std::span<char> room);
    // Appends close_notify, unless that was said, or something failed.
    void close(std::string& answers);

    bool has_failed() const { return fault_.reason != 0; }
    // Why it failed, to OpenSSL's queue of errors.
    void raise_fault() const { raise(fault_); }
    // Its end was heard or said: no more of the one direction or the other.
    bool received_close() const { return received_close_; }
    bool sent_close() const { return sent_close_; }
    const SuiteFacts& facts() const { return facts_of(suite_); }

private:
    struct Record;

    std::optional<Fault> open(const Record& record, std::span<char> space, std::size_t& bytes,
                              std::string& answers);
    std::optional<Fault> judge(ContentType type, std::size_t size);
    std::optional<Fault> take_messages(Bytes content, std::string& answers);
    std::optional<Fault> judge_message() const;
    std::optional<Fault> update_reading(unsigned char request);
    void pay_update(std::string& answers);
    std::optional<Fault> take_alert(Bytes content);
    std::size_t take_left_over(std::span<char> space);
    void fail(const Fault& fault, std::string& answers);

    void say(unsigned char level, unsigned char description, std::string& answers);
    std::size_t renew_writing(char* room);
    std::size_t seal(ContentType type, Bytes content, char* room);
    bool may_write() const { return !has_failed() && !sent_close_; }
    bool is_worn_out() const;
    bool is_in_message() const { return header_bytes_ > 0; }

    Engine& engine_;
    TrafficKeys reads_;
    TrafficKeys writes_;
    // Opened, and not yet taken by the reader, whose space was too small.
    std::unique_ptr<std::string> left_over_;
    Fault fault_;
    std::uint32_t body_left_ = 0;   // of the message that has begun
    unsigned char header_[4] = {};  // of a message that comes in pieces
    std::uint8_t header_bytes_ = 0;
    std::uint8_t empty_records_ = 0;  // in a row
    std::uint8_t warnings_ = 0;       // in a row
    std::uint8_t messages_ = 0;       // in a row
    std::uint16_t content_max_;
    Suite suite_;
    bool is_server_ : 1;
    bool owes_update_ : 1 = false;  // the peer has asked us for new keys
    bool received_close_ : 1 = false;
    bool sent_close_ : 1 = false;
};

}  // namespace postern::tls::lean
