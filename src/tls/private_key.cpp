#include "tls/private_key.h"

// Engines are on their way out of OpenSSL, and still what "engine:" means.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/engine.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/store.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace postern::tls {

namespace {

using Phrases = std::vector<Secret>;

constexpr std::size_t kPhraseMax = 1024;

std::unexpected<config::Error> failed(const config::Written& key, std::string_view what)
{
    return tls::failed(key.where, fmt::format("cannot load certificate key \"{}\": {}",
                                              config::shown_name(key.text), what));
}

std::expected<const Phrases*, config::Error> pass_phrases(const config::Written& file,
                                                          Loading& loading)
{
    static const Phrases kNone;
    if (file.text.empty()) {
        return &kNone;
    }
    const auto known = loading.pass_phrases.find(file.text);
    if (known != loading.pass_phrases.end()) {
        return &known->second;
    }
    std::ifstream in(file.text);
    if (!in) {
        return std::unexpected(config::Error::at(
            file.where,
            fmt::format("open() \"{}\" failed{}", file.text, config::system_error(errno))));
    }
    Phrases phrases;
    std::string line;
    line.reserve(kPhraseMax);  // so that it doesn't move and leave copies
    while (std::getline(in, line)) {
        if (line.ends_with('\r')) {
            line.pop_back();
        }
        if (!line.empty() && line.size() <= kPhraseMax) {
            phrases.emplace_back(line);
        }
        wipe(line.data(), line.size());
    }
    return &loading.pass_phrases.emplace(file.text, std::move(phrases)).first->second;
}

int give_phrase(char* space, int size, int, void* phrase)
{
    if (phrase == nullptr) {
        return -1;  // never ask on a terminal: nobody sits there at a reload
    }
    const std::string_view text = static_cast<const Secret*>(phrase)->reveal();
    if (text.size() > static_cast<std::size_t>(size)) {
        return -1;
    }
    std::memcpy(space, text.data(), text.size());
    return static_cast<int>(text.size());
}

std::expected<KeyPtr, config::Error> from_engine(const config::Written& key)
{
    const std::string_view text = std::string_view(key.text).substr(std::strlen("engine:"));
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos) {
        return failed(key, "engine:NAME:ID is wanted");
    }
    const std::string name(text.substr(0, colon));
    const std::string id(text.substr(colon + 1));
    const std::unique_ptr<ENGINE, decltype(&ENGINE_free)> engine(ENGINE_by_id(name.c_str()),
                                                                 ENGINE_free);
    if (!engine) {
        return failed(key, fmt::format("ENGINE_by_id(\"{}\") failed", name));
    }
    if (ENGINE_init(engine.get()) != 1) {
        return failed(key, fmt::format("ENGINE_init(\"{}\") failed", name));
    }
    KeyPtr loaded(ENGINE_load_private_key(engine.get(), id.c_str(), nullptr, nullptr));
    ENGINE_finish(engine.get());
    if (!loaded) {
        return failed(key, fmt::format("ENGINE_load_private_key(\"{}\") failed", id));
    }
    return loaded;
}

// Null, with OpenSSL's errors, if there is none or the phrase doesn't open it.
KeyPtr load_from_store(const std::string& uri, const Secret* phrase)
{
    const std::unique_ptr<UI_METHOD, decltype(&UI_destroy_method)> ask(
        UI_UTIL_wrap_read_pem_callback(give_phrase, 0), UI_destroy_method);
    const std::unique_ptr<OSSL_STORE_CTX, decltype(&OSSL_STORE_close)> store(
        OSSL_STORE_open(uri.c_str(), ask.get(), const_cast<Secret*>(phrase), nullptr, nullptr),
        OSSL_STORE_close);
    if (!store || OSSL_STORE_expect(store.get(), OSSL_STORE_INFO_PKEY) != 1) {
        return nullptr;
    }
    while (OSSL_STORE_eof(store.get()) == 0) {
        const std::unique_ptr<OSSL_STORE_INFO, decltype(&OSSL_STORE_INFO_free)> info(
            OSSL_STORE_load(store.get()), OSSL_STORE_INFO_free);
        if (info && OSSL_STORE_INFO_get_type(info.get()) == OSSL_STORE_INFO_PKEY) {
            ERR_clear_error();
            return KeyPtr(OSSL_STORE_INFO_get1_PKEY(info.get()));
        }
    }
    return nullptr;
}

std::expected<KeyPtr, config::Error> from_store(const config::Written& key, const Phrases& phrases)
{
    const std::string uri = key.text.substr(std::strlen("store:"));
    std::size_t tried = 0;
    do {
        ERR_clear_error();
        const Secret* const phrase = tried < phrases.size() ? &phrases[tried] : nullptr;
        if (KeyPtr loaded = load_from_store(uri, phrase)) {
            return loaded;
        }
    } while (++tried < phrases.size());
    return failed(key, "OSSL_STORE_load() failed");
}

std::expected<KeyPtr, config::Error> from_pem(const config::Written& key, const Phrases& phrases,
                                              const config::Written& password_file,
                                              std::string_view side)
{
    const BioPtr in = open_pem(key.text);
    if (!in) {
        return failed(key, "BIO_new_file() failed");
    }
    std::size_t tried = 0;
    for (;;) {
        const Secret* const phrase = tried < phrases.size() ? &phrases[tried] : nullptr;
        KeyPtr loaded(
            PEM_read_bio_PrivateKey(in.get(), nullptr, give_phrase, const_cast<Secret*>(phrase)));
        if (loaded) {
            ERR_clear_error();
            return loaded;
        }
        if (++tried >= phrases.size()) {
            break;
        }
        ERR_clear_error();
        BIO_reset(in.get());
    }
    const int reason = ERR_GET_REASON(ERR_peek_last_error());
    const int library = ERR_GET_LIB(ERR_peek_last_error());
    const bool is_phrase = (library == ERR_LIB_PEM &&
                            (reason == PEM_R_BAD_PASSWORD_READ || reason == PEM_R_BAD_DECRYPT)) ||
                           library == ERR_LIB_PKCS12 || library == ERR_LIB_PROV ||
                           library == ERR_LIB_CRYPTO || library == ERR_LIB_EVP;
    const std::string hint =
        !is_phrase ? std::string()
        : password_file.text.empty()
            ? fmt::format("it wants a pass phrase, and \"{}ssl_password_file\" names none: ", side)
            : fmt::format("no pass phrase in \"{}\" opens it: ", password_file.text);
    return failed(key, hint + "PEM_read_bio_PrivateKey() failed");
}

}  // namespace

std::expected<KeyPtr, config::Error> load_key(const config::Written& key,
                                              const config::Written& password_file,
                                              Loading& loading)
{
    if (key.text.starts_with("engine:")) {
        return from_engine(key);
    }
    const auto phrases = pass_phrases(password_file, loading);
    if (!phrases) {
        return std::unexpected(phrases.error());
    }
    if (key.text.starts_with("store:")) {
        return from_store(key, **phrases);
    }
    return from_pem(key, **phrases, password_file, loading.side);
}

BioPtr open_pem(const std::string& name)
{
    constexpr std::string_view kData = "data:";
    if (name.starts_with(kData)) {
        return BioPtr(BIO_new_mem_buf(name.data() + kData.size(),
                                      static_cast<int>(name.size() - kData.size())));
    }
    return BioPtr(BIO_new_file(name.c_str(), "r"));
}

}  // namespace postern::tls
