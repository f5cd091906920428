#include "tls/session_zone.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <new>

#include "base/secret.h"
#include "tls/shared_memory.h"

namespace postern::tls {

namespace {

constexpr std::size_t kIdMax = 32;  // RFC 5246 section 7.4.1.2
constexpr std::size_t kWays = 4;
// Half of what a session takes: with no more entries than sessions, a fifth of them would find the
// ways of their set taken before the ring is full.
constexpr std::size_t kBytesPerEntry = 128;

// What stands before a session in the ring.
struct Record {
    std::int64_t expires;
    std::uint32_t session_bytes;
    std::uint8_t id_bytes;
    char id[kIdMax];
};

constexpr std::size_t kAlignment = alignof(Record);

std::size_t aligned(std::size_t bytes)
{
    return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace

// The memory: this, an index, and a ring of records. Positions in the ring only ever grow; one that
// is more than a ring's length behind has been written over.
struct SessionZone::Header {
    SharedMutex mutex;
    std::uint64_t head = 0;      // where the next record goes
    std::uint64_t capacity = 0;  // of the ring
    std::uint64_t entries = 0;   // of the index: positions plus one, 0 for none

    std::uint64_t* index() { return reinterpret_cast<std::uint64_t*>(this + 1); }
    char* ring() { return reinterpret_cast<char*>(index() + entries); }
    char* at(std::uint64_t position) { return ring() + position % capacity; }

    void clear()
    {
        head = 0;
        std::fill_n(index(), entries, 0);
        wipe(ring(), capacity);
    }

    // The record at an entry of the index, if it is still there.
    Record* record(std::uint64_t entry)
    {
        if (entry == 0 || entry > head || head - (entry - 1) > capacity) {
            return nullptr;
        }
        const std::uint64_t position = entry - 1;
        auto* const found = reinterpret_cast<Record*>(at(position));
        const std::uint64_t left = capacity - position % capacity;
        const bool is_sound = left >= sizeof(Record) && found->id_bytes <= kIdMax &&
                              found->session_bytes <= left - sizeof(Record);
        return is_sound ? found : nullptr;
    }

    std::span<std::uint64_t> ways(std::string_view id)
    {
        const std::size_t set = std::hash<std::string_view>()(id) % (entries / kWays);
        return {index() + set * kWays, kWays};
    }

    std::uint64_t* find(std::string_view id)
    {
        for (std::uint64_t& entry : ways(id)) {
            const Record* const found = record(entry);
            if (found != nullptr && std::string_view(found->id, found->id_bytes) == id) {
                return &entry;
            }
        }
        return nullptr;
    }

    void forget(std::uint64_t& entry)
    {
        Record* const found = record(entry);
        wipe(reinterpret_cast<char*>(found + 1), found->session_bytes);
        entry = 0;
    }
};

std::shared_ptr<SessionZone> SessionZone::make(std::size_t bytes)
{
    void* const memory = map_shared(bytes);
    if (memory == nullptr) {
        return nullptr;
    }
    auto* const header = new (memory) Header;
    header->entries = std::max(bytes / kBytesPerEntry / kWays, std::size_t{1}) * kWays;
    header->capacity = (bytes - sizeof(Header) - header->entries * sizeof(std::uint64_t)) /
                       kAlignment * kAlignment;
    return std::shared_ptr<SessionZone>(new SessionZone(header, bytes));
}

SessionZone::~SessionZone()
{
    unmap_shared(header_, bytes_);
}

void SessionZone::put(std::string_view id, std::span<const unsigned char> session,
                      std::int64_t expires)
{
    Header& zone = *header_;
    const std::size_t size = aligned(sizeof(Record) + session.size());
    if (id.empty() || id.size() > kIdMax || size > zone.capacity / kWays) {
        return;
    }
    const SharedMutex::Lock lock(zone.mutex);
    if (lock.is_inherited()) {
        zone.clear();
    }
    if (std::uint64_t* const known = zone.find(id)) {
        zone.forget(*known);
    }
    const std::uint64_t left = zone.capacity - zone.head % zone.capacity;
    if (left < size) {
        wipe(zone.at(zone.head), left);  // keys, perhaps; a record is in one piece, and not here
        zone.head += left;
    }
    const std::uint64_t position = zone.head;
    zone.head += size;
    auto* const record = reinterpret_cast<Record*>(zone.at(position));
    record->expires = expires;
    record->session_bytes = static_cast<std::uint32_t>(session.size());
    record->id_bytes = static_cast<std::uint8_t>(id.size());
    std::memcpy(record->id, id.data(), id.size());
    std::memcpy(record + 1, session.data(), session.size());
    // The oldest of its set gives way; one that was written over is older than all others.
    const std::span<std::uint64_t> ways = zone.ways(id);
    *std::ranges::min_element(ways) = position + 1;
}

std::optional<std::string> SessionZone::find(std::string_view id, std::int64_t now)
{
    Header& zone = *header_;
    if (id.empty() || id.size() > kIdMax) {
        return std::nullopt;
    }
    const SharedMutex::Lock lock(zone.mutex);
    if (lock.is_inherited()) {
        zone.clear();
    }
    std::uint64_t* const entry = zone.find(id);
    if (entry == nullptr) {
        return std::nullopt;
    }
    const Record* const record = zone.record(*entry);
    if (record->expires <= now) {
        zone.forget(*entry);
        return std::nullopt;
    }
    try {
        return std::string(reinterpret_cast<const char*>(record + 1), record->session_bytes);
    } catch (const std::bad_alloc&) {  // OpenSSL is not to see it; the client begins anew
        return std::nullopt;
    }
}

void SessionZone::remove(std::string_view id)
{
    const SharedMutex::Lock lock(header_->mutex);
    if (lock.is_inherited()) {
        header_->clear();
    }
    if (std::uint64_t* const entry = header_->find(id)) {
        header_->forget(*entry);
    }
}

}  // namespace postern::tls
