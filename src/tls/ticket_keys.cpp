#include "tls/ticket_keys.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fstream>
#include <new>

#include "tls/shared_memory.h"

namespace postern::tls {

namespace {

constexpr std::size_t kNameBytes = 16;
constexpr std::int64_t kShortestPeriod = 60;  // seconds

struct Key {
    unsigned char name[kNameBytes];
    unsigned char mac[32];
    unsigned char cipher[32];
    std::uint8_t mac_bytes;  // 16 goes with AES-128, 32 with AES-256
    std::uint8_t cipher_bytes;
    std::int64_t since;  // by the clock; 0: there is none
};

bool make_key(Key& key, std::int64_t now)
{
    key.mac_bytes = sizeof key.mac;
    key.cipher_bytes = sizeof key.cipher;
    key.since = now;
    return RAND_bytes(key.name, sizeof key.name) == 1 &&
           RAND_priv_bytes(key.mac, sizeof key.mac) == 1 &&
           RAND_priv_bytes(key.cipher, sizeof key.cipher) == 1;
}

// NGINX's layout: the name, then for 80 bytes the HMAC's key and AES-256's, for 48 AES-128's and
// the HMAC's.
std::optional<Key> parse_key(std::string_view bytes)
{
    Key key{};
    if (bytes.size() != 48 && bytes.size() != 80) {
        return std::nullopt;
    }
    const std::size_t size = bytes.size() == 80 ? 32 : 16;
    const char* const first = bytes.data() + kNameBytes;
    const char* const second = first + size;
    std::memcpy(key.name, bytes.data(), kNameBytes);
    std::memcpy(key.mac, size == 32 ? first : second, size);
    std::memcpy(key.cipher, size == 32 ? second : first, size);
    key.mac_bytes = key.cipher_bytes = static_cast<std::uint8_t>(size);
    key.since = 1;
    return key;
}

// The keys of all workers, changed by whoever first finds that it is time.
struct Rotating {
    SharedMutex mutex;
    std::int64_t period = kShortestPeriod;
    Key current{};
    Key previous{};

    void rotate(std::int64_t now)
    {
        if (current.since == 0 || now - current.since >= period) {
            previous = current;
            if (!make_key(current, now)) {
                forget(current);
            }
        }
        if (now - previous.since >= 2 * period) {
            forget(previous);
        }
    }

    static void forget(Key& key) { OPENSSL_cleanse(&key, sizeof key); }
};

// The lock that guards them. What a dead owner left half-made is no key.
class Locked
{
public:
    Locked(Rotating& keys, TicketKeys::Clock clock) : lock_(keys.mutex)
    {
        if (lock_.is_inherited()) {
            Rotating::forget(keys.current);
            Rotating::forget(keys.previous);
        }
        keys.rotate(clock());
    }

private:
    SharedMutex::Lock lock_;
};

}  // namespace

struct TicketKeys::Parts {
    std::vector<Key> fixed;  // of files; empty: they rotate
    Rotating* rotating = nullptr;
    Clock clock = nullptr;  // for those that rotate

    Parts() = default;
    Parts(const Parts&) = delete;
    Parts& operator=(const Parts&) = delete;
    ~Parts()
    {
        OPENSSL_cleanse(fixed.data(), fixed.size() * sizeof(Key));
        if (rotating != nullptr) {
            unmap_shared(rotating, sizeof(Rotating));
        }
    }

    // The key to seal with.
    Key current() const
    {
        if (rotating == nullptr) {
            return fixed.front();
        }
        const Locked lock(*rotating, clock);
        return rotating->current;
    }

    struct Found {
        Key key{};
        bool is_old = false;
    };
    std::optional<Found> find(const unsigned char* name) const
    {
        const auto has_name = [name](const Key& key) {
            return key.since != 0 && std::memcmp(key.name, name, kNameBytes) == 0;
        };
        if (rotating == nullptr) {
            const auto key = std::ranges::find_if(fixed, has_name);
            return key == fixed.end() ? std::nullopt
                                      : std::optional<Found>({*key, key != fixed.begin()});
        }
        const Locked lock(*rotating, clock);
        if (has_name(rotating->current)) {
            return Found{rotating->current, false};
        }
        return has_name(rotating->previous) ? std::optional<Found>({rotating->previous, true})
                                            : std::nullopt;
    }
};

namespace {

int keys_index()
{
    static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return index;
}

bool use(const Key& key, const unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
         bool seals)
{
    char digest[] = "SHA256";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, const_cast<unsigned char*>(key.mac),
                                          key.mac_bytes),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end()};
    const EVP_CIPHER* const aes = key.cipher_bytes == 32 ? EVP_aes_256_cbc() : EVP_aes_128_cbc();
    return EVP_CipherInit_ex(cipher, aes, nullptr, key.cipher, iv, seals ? 1 : 0) == 1 &&
           EVP_MAC_CTX_set_params(mac, parameters) == 1;
}

}  // namespace

TicketKeys::TicketKeys(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
TicketKeys::~TicketKeys() = default;

std::expected<std::shared_ptr<TicketKeys>, config::Error> TicketKeys::load(
    const std::vector<config::Written>& files)
{
    auto parts = std::make_unique<Parts>();
    parts->fixed.reserve(files.size());
    for (const config::Written& file : files) {
        std::ifstream in;
        in.rdbuf()->pubsetbuf(nullptr, 0);  // no copy of the key stays behind
        in.open(file.text, std::ios::binary);
        if (!in) {
            return std::unexpected(config::Error::at(
                file.where, fmt::format("cannot load session ticket key: open() \"{}\" failed{}",
                                        file.text, config::system_error(errno))));
        }
        char bytes[81];
        in.read(bytes, sizeof bytes);
        const auto key = parse_key({bytes, static_cast<std::size_t>(in.gcount())});
        OPENSSL_cleanse(bytes, sizeof bytes);
        if (!key) {
            return std::unexpected(config::Error::at(
                file.where, fmt::format("\"{}\" must be 48 or 80 bytes", file.text)));
        }
        parts->fixed.push_back(*key);
    }
    return std::shared_ptr<TicketKeys>(new TicketKeys(std::move(parts)));
}

std::int64_t TicketKeys::since_boot()
{
    timespec now{};
    clock_gettime(CLOCK_BOOTTIME, &now);
    return now.tv_sec + 1;  // 0 is no time
}

std::shared_ptr<TicketKeys> TicketKeys::make(std::chrono::seconds period, Clock clock)
{
    void* const memory = map_shared(sizeof(Rotating));
    if (memory == nullptr) {
        return nullptr;
    }
    auto parts = std::make_unique<Parts>();
    parts->rotating = new (memory) Rotating;
    parts->clock = clock;
    std::shared_ptr<TicketKeys> keys(new TicketKeys(std::move(parts)));
    keys->set_period(period);
    return keys;
}

void TicketKeys::set_period(std::chrono::seconds period)
{
    if (parts_->rotating != nullptr) {
        const Locked lock(*parts_->rotating, parts_->clock);
        parts_->rotating->period = std::max<std::int64_t>(period.count(), kShortestPeriod);
    }
}

void TicketKeys::attach(ssl_ctx_st& context)
{
    SSL_CTX_set_ex_data(&context, keys_index(), parts_.get());
    SSL_CTX_set_tlsext_ticket_key_evp_cb(
        &context, [](SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                     EVP_MAC_CTX* mac, int seals) {
            const auto* const keys =
                static_cast<const Parts*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), keys_index()));
            if (keys == nullptr) {
                return 0;  // no tickets with this server
            }
            if (seals == 1) {
                const Key key = keys->current();
                const int iv_bytes = EVP_CIPHER_get_iv_length(
                    key.cipher_bytes == 32 ? EVP_aes_256_cbc() : EVP_aes_128_cbc());
                std::memcpy(name, key.name, kNameBytes);
                const bool done = key.since != 0 && RAND_bytes(iv, iv_bytes) == 1 &&
                                  use(key, iv, cipher, mac, true);
                return done ? 1 : -1;
            }
            const auto found = keys->find(name);
            if (!found) {
                return 0;  // a full handshake
            }
            if (!use(found->key, iv, cipher, mac, false)) {
                return -1;
            }
            // RFC 8446 section 4.6.1: a client may use each ticket once, so it gets a new one.
            return found->is_old || SSL_version(ssl) >= TLS1_3_VERSION ? 2 : 1;
        });
}

}  // namespace postern::tls
