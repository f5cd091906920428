#pragma once

#include <cstdint>

namespace postern::tls::lean {

// What ended a connection against its will: the alert that the peer gets (RFC 8446 section 6.2;
// none if it was the peer's), and the reason as OpenSSL numbers them, so that logs say the same in
// either mode.
struct Fault {
    std::uint8_t alert = 0;
    std::uint32_t reason = 0;  // 0: no fault
};

extern const Fault kWrongVersion;
extern const Fault kWrongRecordVersion;
extern const Fault kBadRecordType;
extern const Fault kRecordTooLong;
extern const Fault kForged;
extern const Fault kEmptyRecord;
extern const Fault kContentTooLong;
extern const Fault kTooManyEmptyRecords;
extern const Fault kMixedMessages;
extern const Fault kUnexpectedRecord;
extern const Fault kBadAlert;
extern const Fault kTooManyWarnings;
extern const Fault kUnexpectedMessage;
extern const Fault kMessageTooLong;
extern const Fault kNotOnBoundary;
extern const Fault kEmptyKeyUpdate;
extern const Fault kBadKeyUpdate;
extern const Fault kTooManyMessages;
extern const Fault kSequenceEnds;

// The peer has sent this fatal alert.
Fault told_by_peer(std::uint8_t alert);

// Puts the reason into OpenSSL's queue of errors, from which its text is taken.
void raise(const Fault& fault);

}  // namespace postern::tls::lean
