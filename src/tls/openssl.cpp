#include "tls/openssl.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

namespace postern::tls {

void Free::operator()(ssl_st* ssl) const
{
    SSL_free(ssl);
}

void Free::operator()(ssl_ctx_st* context) const
{
    SSL_CTX_free(context);
}

void Free::operator()(ssl_session_st* session) const
{
    SSL_SESSION_free(session);
}

void Free::operator()(x509_st* certificate) const
{
    X509_free(certificate);
}

void Free::operator()(evp_pkey_st* key) const
{
    EVP_PKEY_free(key);
}

void Free::operator()(bio_st* bio) const
{
    BIO_free(bio);
}

std::string content(bio_st& memory)
{
    char* text = nullptr;
    const long size = BIO_get_mem_data(&memory, &text);
    return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : std::string();
}

std::string take_errors()
{
    std::string text;
    const char* detail = nullptr;
    int flags = 0;
    for (unsigned long code = ERR_peek_error_data(&detail, &flags); code != 0;
         code = ERR_peek_error_data(&detail, &flags)) {
        char line[256];
        ERR_error_string_n(code, line, sizeof line);
        text += text.empty() ? " (SSL: " : " ";
        text += line;
        if (detail != nullptr && *detail != '\0' && (flags & ERR_TXT_STRING) != 0) {
            text += ':';
            text += detail;
        }
        ERR_get_error();
    }
    return text.empty() ? text : text + ')';
}

}  // namespace postern::tls
