// The users of "auth_file": a text in Dovecot's passwd-file form, parsed. Pure, but for libcrypt.
//
//   user:{SCHEME}password:uid:gid:gecos:home:shell:extra fields
//
// Everything behind the password may be missing. uid to shell are Dovecot's own matter. The extra
// fields are separated by spaces and may hold ":". Lines that are empty or start with "#" are none.
//
// Schemes: PLAIN (also CLEAR, CLEARTEXT), and for a hash of libcrypt CRYPT, which is also what a
// password without scheme has, BLF-CRYPT, SHA512-CRYPT, SHA256-CRYPT, MD5-CRYPT, DES-CRYPT or
// YESCRYPT: the hash itself says what it is.
//
// Extra fields:
//   host= port=      where the user's mailbox is
//   user= destuser=  the login there, if another (destuser wins, as in Dovecot)
//   pass=            the password there, if another
//   nologin, allow_nets=, master=
//                    the line is skipped: Dovecot would refuse some logins that we can't refuse
//   ssl=, starttls=  how the connection to the mailbox is encrypted: "yes" if the certificate there
//                    must be good, "any-cert" if any will do, "no"; with both it is STARTTLS
// All others are ignored: they are Dovecot's own (userdb_...), or say what holds here anyway
// (proxy), or would let in more people than the line without them (nopassword).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "auth/authenticator.h"
#include "auth/password_hash.h"
#include "base/secret.h"

namespace postern::auth {

using MatchesHash = bool (*)(std::string_view password, const std::string& hash);

class PasswdFile
{
public:
    struct User {
        std::string hash;  // libcrypt's; empty: there is `plain`
        Secret plain;
        std::string host;        // empty: not said
        std::uint16_t port = 0;  // 0: not said
        std::optional<std::string> login;
        std::optional<Secret> password;
        std::optional<config::ProxySsl> ssl;
        bool ssl_verify = true;  // if `ssl` is said
    };

    struct Problem {
        unsigned line = 0;
        std::string reason;  // without anything secret
    };

    static constexpr std::size_t kLineMax = 8192;
    // Of a file that is bad from top to bottom (none of users at all) these are named.
    static constexpr std::size_t kProblemsMax = 100;

    // Skips what it can't use and says so in `problems`. Of lines for one user the first holds.
    static PasswdFile parse(std::string_view text);

    enum class Result : unsigned char {
        accepted,
        refused,      // no such user, or not the password
        needs_plain,  // apop, cram_md5 and external: there is only a hash
    };
    struct Checked {
        Result result = Result::refused;
        const User* user = nullptr;  // if accepted
    };
    // Is it the user's password, or the digest of it over `salt` (apop, cram_md5)? Takes the same
    // time whether or not there is such a user: an unknown one's password is checked against the
    // hash that is commonest here. Other methods are refused.
    // A plain password costs one call of `hash_matcher` exactly, or none if nobody here has a hash;
    // only hashes of another kind than the commonest take their own time.
    // With external the caller has made sure who it is; the user must be here, with a password for
    // the mailbox server (pass= or a plain one).
    Checked check(Method method, const std::string& login, const Secret& password,
                  std::string_view salt, MatchesHash hash_matcher = matches_hash) const;

    std::size_t size() const { return users_.size(); }
    const std::vector<Problem>& problems() const { return problems_; }  // the first of them
    std::size_t problems_left_out() const { return problems_left_out_; }

private:
    void add(unsigned number, std::string_view line);
    void report(Problem problem);
    void choose_decoy();

    std::unordered_map<std::string, User> users_;
    std::vector<Problem> problems_;
    std::size_t problems_left_out_ = 0;
    std::string decoy_;  // a hash that takes as long as most; empty: all passwords are plain
};

}  // namespace postern::auth
