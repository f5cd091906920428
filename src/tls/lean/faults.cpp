#include "tls/lean/faults.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

namespace postern::tls::lean {

const Fault kWrongVersion{SSL_AD_PROTOCOL_VERSION, SSL_R_WRONG_VERSION_NUMBER};
const Fault kWrongRecordVersion{SSL_AD_DECODE_ERROR, SSL_R_WRONG_VERSION_NUMBER};
const Fault kBadRecordType{SSL_AD_UNEXPECTED_MESSAGE, SSL_R_BAD_RECORD_TYPE};
const Fault kRecordTooLong{SSL_AD_RECORD_OVERFLOW, SSL_R_ENCRYPTED_LENGTH_TOO_LONG};
const Fault kForged{SSL_AD_BAD_RECORD_MAC, SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC};
const Fault kEmptyRecord{SSL_AD_UNEXPECTED_MESSAGE, SSL_R_BAD_LENGTH};
const Fault kContentTooLong{SSL_AD_RECORD_OVERFLOW, SSL_R_DATA_LENGTH_TOO_LONG};
const Fault kTooManyEmptyRecords{SSL_AD_UNEXPECTED_MESSAGE, SSL_R_RECORD_TOO_SMALL};
const Fault kMixedMessages{SSL_AD_UNEXPECTED_MESSAGE, SSL_R_MIXED_HANDSHAKE_AND_NON_HANDSHAKE_DATA};
const Fault kUnexpectedRecord{SSL_AD_UNEXPECTED_MESSAGE, SSL_R_UNEXPECTED_RECORD};
const Fault kBadAlert{SSL_AD_UNEXPECTED_MESSAGE, SSL_R_INVALID_ALERT};
const Fault kTooManyWarnings{SSL_AD_UNEXPECTED_MESSAGE, SSL_R_TOO_MANY_WARN_ALERTS};
const Fault kUnexpectedMessage{SSL_AD_UNEXPECTED_MESSAGE, SSL_R_UNEXPECTED_MESSAGE};
const Fault kMessageTooLong{SSL_AD_ILLEGAL_PARAMETER, SSL_R_EXCESSIVE_MESSAGE_SIZE};
const Fault kNotOnBoundary{SSL_AD_UNEXPECTED_MESSAGE, SSL_R_NOT_ON_RECORD_BOUNDARY};
const Fault kEmptyKeyUpdate{SSL_AD_DECODE_ERROR, SSL_R_BAD_KEY_UPDATE};
const Fault kBadKeyUpdate{SSL_AD_ILLEGAL_PARAMETER, SSL_R_BAD_KEY_UPDATE};
const Fault kTooManyMessages{SSL_AD_UNEXPECTED_MESSAGE, SSL_R_TOO_MANY_KEY_UPDATES};
const Fault kSequenceEnds{SSL_AD_INTERNAL_ERROR, ERR_R_INTERNAL_ERROR};

Fault told_by_peer(std::uint8_t alert)
{
    return {0, static_cast<std::uint32_t>(SSL_AD_REASON_OFFSET + alert)};
}

void raise(const Fault& fault)
{
    if (fault.reason >= SSL_AD_REASON_OFFSET) {
        ERR_raise_data(ERR_LIB_SSL, fault.reason, "SSL alert number %d",
                       static_cast<int>(fault.reason - SSL_AD_REASON_OFFSET));
    } else {
        ERR_raise(ERR_LIB_SSL, static_cast<int>(fault.reason));
    }
}

}  // namespace postern::tls::lean
