#include "tls/lean/channel.h"

#include <algorithm>
#include <limits>

#include "base/assert.h"

namespace postern::tls::lean {

namespace {

// As many as OpenSSL bears.
constexpr unsigned kEmptyRecordsMax = 32;
constexpr unsigned kWarningsMax = 4;

constexpr unsigned char kWarning = 1;
constexpr unsigned char kFatal = 2;
constexpr unsigned char kCloseNotify = 0;
constexpr unsigned char kUserCanceled = 90;

constexpr unsigned char kNewSessionTicket = 4;
constexpr unsigned char kKeyUpdate = 24;
constexpr unsigned char kNotRequested = 0;
constexpr unsigned char kRequested = 1;
constexpr std::size_t kTicketMax = 131338;  // as OpenSSL
constexpr unsigned char kUpdateMessage[] = {kKeyUpdate, 0, 0, 1, kNotRequested};
constexpr std::size_t kKeyUpdateBytes = kOverheadBytes + sizeof kUpdateMessage;

constexpr std::uint64_t kLastSequence = std::numeric_limits<std::uint64_t>::max();

Bytes bytes_of(std::string_view text)
{
    return {reinterpret_cast<const unsigned char*>(text.data()), text.size()};
}

}  // namespace

// One that has arrived whole.
struct Channel::Record {
    Bytes header;
    Bytes sealed;
};

namespace {

// What can be said of a record by its header (RFC 8446 section 5.2).
std::optional<Fault> judge_header(const unsigned char* header, std::size_t sealed_bytes)
{
    if (header[1] != 3) {
        return kWrongVersion;
    }
    if (header[0] != static_cast<unsigned char>(ContentType::application_data)) {
        return kBadRecordType;
    }
    if (header[2] != 3) {
        return kWrongRecordVersion;
    }
    if (sealed_bytes > kSealedMax) {
        return kRecordTooLong;
    }
    return std::nullopt;
}

}  // namespace

static_assert(sizeof(Channel) < 300);  // that is what all this is for

Channel::Channel(const Beginning& beginning, Engine& engine)
    : engine_(engine),
      reads_(beginning.reads),
      writes_(beginning.writes),
      content_max_(beginning.content_max),
      suite_(beginning.suite),
      is_server_(beginning.is_server)
{
}

Channel::~Channel()
{
    engine_.forget_key(suite_, reads_.key_of(suite_));
    engine_.forget_key(suite_, writes_.key_of(suite_));
}

Io Channel::read(std::string_view& arrived, std::span<char> space, std::string& answers)
{
    std::size_t bytes = left_over_ ? take_left_over(space) : 0;
    while (bytes < space.size() && !has_failed() && !received_close_ &&
           arrived.size() >= kHeaderBytes) {
        const Bytes all = bytes_of(arrived);
        const std::size_t sealed_bytes = static_cast<std::size_t>(all[3] << 8 | all[4]);
        std::optional<Fault> fault = judge_header(all.data(), sealed_bytes);
        if (!fault) {
            if (all.size() < kHeaderBytes + sealed_bytes) {
                break;
            }
            const Record record{all.first(kHeaderBytes), all.subspan(kHeaderBytes, sealed_bytes)};
            arrived.remove_prefix(kHeaderBytes + sealed_bytes);
            fault = open(record, space, bytes, answers);
        }
        if (fault) {
            fail(*fault, answers);
        }
    }
    if (bytes > 0 || space.empty()) {
        return {.bytes = bytes};
    }
    if (has_failed()) {
        return {.status = Io::Status::failed};
    }
    return {.status = received_close_ ? Io::Status::closed : Io::Status::would_block};
}

// What another reader's space had no room for.
std::size_t Channel::take_left_over(std::span<char> space)
{
    const std::size_t bytes = std::min(space.size(), left_over_->size());
    std::copy_n(left_over_->begin(), bytes, space.begin());
    left_over_->erase(0, bytes);
    if (left_over_->empty()) {
        left_over_.reset();
    }
    return bytes;
}

// Opens one record; what it says goes to the space behind the bytes that are there already.
std::optional<Fault> Channel::open(const Record& record, std::span<char> space, std::size_t& bytes,
                                   std::string& answers)
{
    if (record.sealed.size() < kTagBytes + 1) {
        return kForged;
    }
    if (reads_.sequence == kLastSequence) {  // section 5.3: it must not wrap
        return kSequenceEnds;
    }
    std::size_t size = record.sealed.size() - kTagBytes;
    const std::span<char> free = space.subspan(bytes);
    const bool fits = free.size() >= size;
    auto* const opened =
        fits ? reinterpret_cast<unsigned char*>(free.data()) : engine_.spare().data();
    const auto nonce = reads_.nonce();
    if (!engine_.open({suite_, reads_.key_of(suite_), nonce.data(), record.header}, record.sealed,
                      opened)) {
        return kForged;
    }
    ++reads_.sequence;
    while (size > 1 && opened[size - 1] == 0) {  // section 5.4: padding
        --size;
    }
    const auto type = static_cast<ContentType>(opened[--size]);
    if (const auto fault = judge(type, size)) {
        return fault;
    }
    const Bytes content(opened, size);
    if (type == ContentType::alert) {
        return take_alert(content);
    }
    if (type == ContentType::handshake) {
        return take_messages(content, answers);
    }
    if (fits) {
        bytes += size;
    } else {
        const std::size_t now = std::min(size, free.size());
        std::copy_n(opened, now, free.begin());
        bytes += now;
        if (now < size) {
            left_over_ = std::make_unique<std::string>(reinterpret_cast<const char*>(opened + now),
                                                       size - now);
        }
    }
    return std::nullopt;
}

// May a record of this type and size come now?
std::optional<Fault> Channel::judge(ContentType type, std::size_t size)
{
    const bool is_data = type == ContentType::application_data;
    if (!is_data && type != ContentType::alert && type != ContentType::handshake) {
        return kBadRecordType;
    }
    if (!is_data && size == 0) {
        return kEmptyRecord;
    }
    if (size > content_max_) {
        return kContentTooLong;
    }
    empty_records_ = size == 0 ? empty_records_ + 1 : 0;
    if (empty_records_ > kEmptyRecordsMax) {
        return kTooManyEmptyRecords;
    }
    // Section 5.1: nothing comes between the parts of a message. OpenSSL hears an alert behind the
    // message's header.
    if (is_in_message() && type != ContentType::handshake) {
        if (header_bytes_ < sizeof header_) {
            return kMixedMessages;
        }
        if (is_data) {
            return kUnexpectedRecord;
        }
    }
    if (type != ContentType::alert && size > 0) {
        warnings_ = 0;
    }
    if (is_data && size > 0) {
        messages_ = 0;
    }
    return std::nullopt;
}

// Messages after the handshake, which may be split or joined (section 5.1).
std::optional<Fault> Channel::take_messages(Bytes content, std::string& answers)
{
    while (!content.empty()) {
        if (header_bytes_ < sizeof header_) {
            const std::size_t part = std::min(content.size(), sizeof header_ - header_bytes_);
            std::copy_n(content.begin(), part, header_ + header_bytes_);
            header_bytes_ = static_cast<std::uint8_t>(header_bytes_ + part);
            content = content.subspan(part);
            if (header_bytes_ < sizeof header_) {
                break;
            }
            body_left_ =
                static_cast<std::uint32_t>(header_[1] << 16 | header_[2] << 8 | header_[3]);
            pay_update(answers);
            if (const auto fault = judge_message()) {
                return fault;
            }
        }
        const std::size_t part = std::min<std::size_t>(content.size(), body_left_);
        const Bytes body = content.first(part);
        content = content.subspan(part);
        body_left_ -= static_cast<std::uint32_t>(part);
        if (body_left_ > 0) {
            break;
        }
        header_bytes_ = 0;
        if (++messages_ > kMessagesMax) {
            return kTooManyMessages;
        }
        if (header_[0] == kNewSessionTicket) {
            continue;  // nobody is left to keep it
        }
        if (!content.empty()) {
            return kNotOnBoundary;
        }
        if (body.empty()) {
            return kEmptyKeyUpdate;
        }
        return update_reading(body.front());
    }
    return std::nullopt;
}

// May a message with this header come?
std::optional<Fault> Channel::judge_message() const
{
    const bool is_ticket = header_[0] == kNewSessionTicket && !is_server_;
    if (!is_ticket && header_[0] != kKeyUpdate) {
        return kUnexpectedMessage;
    }
    if (body_left_ > (is_ticket ? kTicketMax : 1)) {
        return kMessageTooLong;
    }
    return std::nullopt;
}

// Section 4.6.3.
std::optional<Fault> Channel::update_reading(unsigned char request)
{
    if (request != kNotRequested && request != kRequested) {
        return kBadKeyUpdate;
    }
    update(reads_, suite_, engine_);
    if (request == kRequested) {
        owes_update_ = true;
    }
    return std::nullopt;
}

// Our own keys are due before the next data (section 4.6.3); as OpenSSL does it, before the next
// message as well, so that each that asks for new ones has its answer.
void Channel::pay_update(std::string& answers)
{
    if (owes_update_ && may_write() && writes_.sequence != kLastSequence) {
        const std::size_t before = answers.size();
        answers.resize(before + kKeyUpdateBytes);
        renew_writing(answers.data() + before);
    }
}

// Section 6.
std::optional<Fault> Channel::take_alert(Bytes content)
{
    if (content.size() != 2) {
        return kBadAlert;
    }
    const unsigned char level = content[0];
    const unsigned char description = content[1];
    if ((level == kWarning || description == kUserCanceled) && ++warnings_ > kWarningsMax) {
        return kTooManyWarnings;
    }
    if (description == kCloseNotify) {
        received_close_ = true;
    } else if (description != kUserCanceled) {
        return told_by_peer(description);
    }
    return std::nullopt;
}

void Channel::fail(const Fault& fault, std::string& answers)
{
    if (fault.alert != 0 && may_write()) {
        say(kFatal, fault.alert, answers);
    }
    fault_ = fault;
}

bool Channel::is_worn_out() const
{
    return facts().wears_out && writes_.sequence >= engine_.records_per_key;
}

Channel::Sealed Channel::write(std::string_view bytes, std::span<char> room)
{
    Sealed sealed;
    if (!may_write()) {
        return sealed;
    }
    messages_ = 0;
    while (sealed.taken < bytes.size()) {
        if (writes_.sequence == kLastSequence) {
            fault_ = kSequenceEnds;
            break;
        }
        const bool renews = owes_update_ || is_worn_out();
        const std::size_t space = room.size() - sealed.size;
        if (space <= kOverheadBytes + (renews ? kKeyUpdateBytes : 0)) {
            break;
        }
        if (renews) {
            sealed.size += renew_writing(room.data() + sealed.size);
        }
        const std::size_t part =
            std::min<std::size_t>({bytes.size() - sealed.taken, content_max_,
                                   room.size() - sealed.size - kOverheadBytes});
        sealed.size += seal(ContentType::application_data,
                            bytes_of(bytes.substr(sealed.taken, part)), room.data() + sealed.size);
        sealed.taken += part;
    }
    return sealed;
}

void Channel::close(std::string& answers)
{
    if (may_write()) {
        say(kWarning, kCloseNotify, answers);
        sent_close_ = true;
    }
}

// The last record with the old key says that new ones follow (section 4.6.3).
std::size_t Channel::renew_writing(char* room)
{
    const std::size_t size = seal(ContentType::handshake, kUpdateMessage, room);
    update(writes_, suite_, engine_);
    owes_update_ = false;
    return size;
}

void Channel::say(unsigned char level, unsigned char description, std::string& answers)
{
    if (writes_.sequence == kLastSequence) {
        return;  // nothing can be said any more
    }
    const unsigned char alert[] = {level, description};
    const std::size_t before = answers.size();
    answers.resize(before + sizeof alert + kOverheadBytes);
    seal(ContentType::alert, alert, answers.data() + before);
}

// Writes a record to the room, and returns its size.
std::size_t Channel::seal(ContentType type, Bytes content, char* room)
{
    POSTERN_ASSERT(writes_.sequence != kLastSequence);
    const std::size_t sealed_bytes = content.size() + 1 + kTagBytes;
    auto* const record = reinterpret_cast<unsigned char*>(room);
    record[0] = static_cast<unsigned char>(ContentType::application_data);
    record[1] = record[2] = 3;
    record[3] = static_cast<unsigned char>(sealed_bytes >> 8);
    record[4] = static_cast<unsigned char>(sealed_bytes);
    const unsigned char trailer[] = {static_cast<unsigned char>(type)};
    const auto nonce = writes_.nonce();
    engine_.seal({suite_, writes_.key_of(suite_), nonce.data(), Bytes(record, kHeaderBytes)},
                 content, trailer, record + kHeaderBytes);
    ++writes_.sequence;
    return kHeaderBytes + sealed_bytes;
}

}  // namespace postern::tls::lean
