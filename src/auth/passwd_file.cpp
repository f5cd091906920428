#include "auth/passwd_file.h"

#include <algorithm>
#include <span>

#include "auth/mailbox_host.h"
#include "auth/password_hash.h"
#include "base/line.h"
#include "base/md5.h"
#include "base/text.h"

namespace postern::auth {

namespace {

using User = PasswdFile::User;

constexpr std::string_view kPlainSchemes[] = {"PLAIN", "CLEAR", "CLEARTEXT"};
constexpr std::string_view kCryptSchemes[] = {
    "CRYPT", "BLF-CRYPT", "SHA512-CRYPT", "SHA256-CRYPT", "MD5-CRYPT", "DES-CRYPT", "YESCRYPT"};
constexpr std::string_view kRestrictions[] = {"nologin", "allow_nets", "master"};
constexpr int kFieldsBeforeExtra = 7;  // user, password, uid, gid, gecos, home, shell

bool contains(std::span<const std::string_view> words, std::string_view word)
{
    return std::ranges::any_of(words, [word](auto item) { return iequals(item, word); });
}

// Cuts off what stands before the next ":".
std::string_view take_field(std::string_view& rest)
{
    const std::size_t colon = rest.find(':');
    const std::string_view field = rest.substr(0, colon);
    rest = colon == std::string_view::npos ? std::string_view() : rest.substr(colon + 1);
    return field;
}

// Why it can't be used, or "".
std::string read_password(std::string_view field, User& user)
{
    std::string_view scheme = "CRYPT";
    if (field.starts_with('{')) {
        const std::size_t end = field.find('}');
        if (end == std::string_view::npos) {
            return "the password's scheme has no \"}\"";
        }
        scheme = field.substr(1, end - 1);
        field.remove_prefix(end + 1);
    }
    if (field.empty()) {
        return "there is no password";
    }
    if (contains(kPlainSchemes, scheme)) {
        user.plain = Secret(field);
        return "";
    }
    if (!contains(kCryptSchemes, scheme)) {
        return "unknown password scheme \"" + escape_for_log(scheme, 32) + '"';
    }
    user.hash = field;
    return is_password_hash(user.hash) ? "" : "the password is no hash that libcrypt knows";
}

// "ssl=" or "starttls=". Dovecot: what one of them says more strictly than the other is lost, and
// STARTTLS it is if both are there. A word that we don't know could mean more protection.
std::string read_encryption(std::string_view name, std::string_view value, config::ProxySsl mode,
                            User& user)
{
    if (value == "no") {
        user.ssl = user.ssl.value_or(config::ProxySsl::off);
        return "";
    }
    if (value != "yes" && value != "any-cert" && !value.empty()) {
        return std::string(name) + "= is none of yes, any-cert and no";
    }
    if (user.ssl != config::ProxySsl::starttls) {
        user.ssl = mode;
    }
    user.ssl_verify = user.ssl_verify && value != "any-cert";
    return "";
}

// One extra field. Why the line can't be used, or "".
std::string read_extra(std::string_view field, User& user)
{
    const std::size_t equals = field.find('=');
    const std::string_view name = field.substr(0, equals);
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view() : field.substr(equals + 1);
    if (name == "host") {
        user.host = value;
        if (!is_mailbox_host(value)) {
            return "host= is neither an IP address nor a name nor unix:/PATH";
        }
    } else if (name == "port") {
        user.port = parse_number<std::uint16_t>(value).value_or(0);
        if (user.port == 0) {
            return "port= is no number from 1 to 65535";
        }
    } else if (name == "destuser" || (name == "user" && !user.login)) {
        user.login = value;
    } else if (name == "pass") {
        user.password = Secret(value);
    } else if (contains(kRestrictions, name)) {
        return std::string(name) +
               " is not supported, and without it the user could do more than is meant";
    } else if (name == "ssl") {
        return read_encryption(name, value, config::ProxySsl::on, user);
    } else if (name == "starttls") {
        return read_encryption(name, value, config::ProxySsl::starttls, user);
    }
    return "";
}

// RFC 1939 section 7, RFC 2195 section 2.
bool digest_matches(Method method, std::string_view salt, std::string_view password,
                    std::string_view digest)
{
    return method == Method::apop ? apop_matches(salt, password, digest)
                                  : cram_md5_matches(salt, password, digest);
}

}  // namespace

PasswdFile PasswdFile::parse(std::string_view text)
{
    PasswdFile file;
    for (unsigned number = 1; !text.empty(); ++number) {
        const std::size_t end = text.find('\n');
        std::string_view line = text.substr(0, end);
        text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
        if (line.ends_with('\r')) {
            line.remove_suffix(1);
        }
        if (!line.empty() && line[0] != '#') {
            file.add(number, line);
        }
    }
    file.choose_decoy();
    return file;
}

void PasswdFile::add(unsigned number, std::string_view line)
{
    const auto skip = [&](std::string reason) { report({number, std::move(reason)}); };
    if (line.size() > kLineMax) {
        return skip("it is longer than " + std::to_string(kLineMax) + " bytes");
    }
    if (!fits_on_a_line(line)) {
        // It would go to the mailbox server with pass= or user=.
        return skip("there is a CR or NUL in it");
    }
    std::string_view rest = line;
    std::string name(take_field(rest));
    if (name.empty()) {
        return skip("there is no user name");
    }
    User user;
    if (std::string reason = read_password(take_field(rest), user); !reason.empty()) {
        return skip(std::move(reason));
    }
    for (int i = 2; i < kFieldsBeforeExtra; ++i) {
        take_field(rest);
    }
    const bool is_old_form = rest.starts_with(':');  // Dovecot's: what follows is a mail location
    if (!is_old_form) {
        const auto fields = split_words(rest, line.size());
        for (const std::string_view field : *fields) {
            if (std::string reason = read_extra(field, user); !reason.empty()) {
                return skip(std::move(reason));
            }
        }
    }
    if (!users_.try_emplace(std::move(name), std::move(user)).second) {
        return skip("there is such a user already");
    }
}

void PasswdFile::report(Problem problem)
{
    if (problems_.size() < kProblemsMax) {
        problems_.push_back(std::move(problem));
    } else {
        ++problems_left_out_;
    }
}

// The hash of one of those users whose hashes are of the commonest kind.
void PasswdFile::choose_decoy()
{
    std::unordered_map<std::string_view, std::size_t> kinds;
    std::size_t most = 0;
    for (const auto& [name, user] : users_) {
        if (user.hash.empty()) {
            continue;
        }
        const std::size_t count = ++kinds[kind_of_hash(user.hash)];
        if (count > most) {
            most = count;
            decoy_ = user.hash;
        }
    }
}

PasswdFile::Checked PasswdFile::check(Method method, const std::string& login,
                                      const Secret& password, std::string_view salt,
                                      MatchesHash hash_matcher) const
{
    const auto found = users_.find(login);
    const User* const user = found == users_.end() ? nullptr : &found->second;
    const bool has_hash = user != nullptr && !user->hash.empty();
    const bool has_plain = user != nullptr && !has_hash;
    const std::string_view plain = has_plain ? user->plain.reveal() : "decoy";

    bool matches = false;
    switch (method) {
    case Method::plain: {
        const std::string& hash = has_hash ? user->hash : decoy_;
        const bool hash_matches = !hash.empty() && hash_matcher(password.reveal(), hash);
        const bool plain_matches = equal_in_constant_time(plain, password.reveal());
        matches = !password.empty() && ((has_hash && hash_matches) || (has_plain && plain_matches));
        break;
    }
    case Method::apop:
    case Method::cram_md5:
        matches = digest_matches(method, salt, plain, password.reveal()) && has_plain;
        if (has_hash) {
            return {Result::needs_plain, nullptr};
        }
        break;
    case Method::external:  // the session has seen to it
        matches = user != nullptr;
        if (matches && !user->password && has_hash) {
            return {Result::needs_plain, nullptr};
        }
        break;
    case Method::none:
        break;
    }
    return matches ? Checked{Result::accepted, user} : Checked{};
}

}  // namespace postern::auth
