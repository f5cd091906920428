#include "process/landlock_rules.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "log/logger.h"

namespace postern::process {

namespace {

// The same on all architectures.
constexpr long kCreateRuleset = 444;
constexpr long kAddRule = 445;
constexpr long kRestrictSelf = 446;
constexpr unsigned kAskForVersion = 1;
constexpr int kPathBeneath = 1;

using Rights = std::uint64_t;

constexpr Rights kWriteFile = 1 << 1;
constexpr Rights kReadFile = 1 << 2;
constexpr Rights kReadDirectory = 1 << 3;
constexpr Rights kRemoveFile = 1 << 5;
constexpr Rights kMakeFile = 1 << 8;
constexpr Rights kTruncate = 1 << 14;  // ABI 3
constexpr Rights kAllOfAbi1 = (1 << 13) - 1;
constexpr Rights kRefer = 1 << 13;               // ABI 2: links and renames between directories
constexpr Rights kDeviceIoctl = 1 << 15;         // ABI 5
constexpr Rights kBindTcp = 1 << 0;              // ABI 4
constexpr Rights kScopeAbstractSocket = 1 << 0;  // ABI 6
constexpr Rights kScopeSignal = 1 << 1;          // ABI 6

struct Ruleset {
    Rights files;
    Rights network;  // ABI 4
    Rights scoped;   // ABI 6
};

struct [[gnu::packed]] PathRule {
    Rights allowed;
    std::int32_t parent;
};

Rights file_rights(int abi)
{
    return kAllOfAbi1 | (abi >= 2 ? kRefer : 0) | (abi >= 3 ? kTruncate : 0) |
           (abi >= 5 ? kDeviceIoctl : 0);
}

std::unexpected<std::string> failure(std::string_view call)
{
    return std::unexpected(std::string(call) + " failed" + log::errno_text(errno));
}

}  // namespace

int landlock_abi()
{
    const long abi = ::syscall(kCreateRuleset, nullptr, std::size_t{0}, kAskForVersion);
    return abi > 0 ? static_cast<int>(abi) : 0;
}

std::expected<LandlockRules, std::string> LandlockRules::make(int abi)
{
    const Ruleset ruleset{.files = file_rights(abi),
                          .network = kBindTcp,
                          .scoped = kScopeAbstractSocket | kScopeSignal};
    const std::size_t known = abi >= 6   ? sizeof ruleset
                              : abi >= 4 ? offsetof(Ruleset, scoped)
                                         : offsetof(Ruleset, network);
    const long made = ::syscall(kCreateRuleset, &ruleset, known, 0U);
    if (made < 0) {
        return failure("landlock_create_ruleset()");
    }
    return LandlockRules(abi, Descriptor(static_cast<int>(made)));
}

std::expected<void, std::string> LandlockRules::allow_reading(const std::string& path)
{
    return allow(path, false);
}

std::expected<void, std::string> LandlockRules::allow_core_files(const std::string& directory)
{
    return allow(directory, true);
}

std::expected<void, std::string> LandlockRules::allow(const std::string& path, bool core_files)
{
    const Descriptor place(::open(path.c_str(), O_PATH | O_CLOEXEC));
    struct stat status{};
    if (place.number() < 0 || ::fstat(place.number(), &status) != 0) {
        return {};
    }
    PathRule rule{.allowed = kReadFile, .parent = place.number()};
    if (S_ISDIR(status.st_mode)) {
        rule.allowed |= kReadDirectory;
    }
    if (core_files) {
        rule.allowed = (kMakeFile | kWriteFile | kTruncate | kRemoveFile) & file_rights(abi_);
    }
    if (::syscall(kAddRule, ruleset_.number(), kPathBeneath, &rule, 0U) != 0) {
        return failure("landlock_add_rule() of \"" + path + "\"");
    }
    return {};
}

std::expected<void, std::string> LandlockRules::apply() const
{
    if (::syscall(kRestrictSelf, ruleset_.number(), 0U) != 0) {
        return failure("landlock_restrict_self()");
    }
    return {};
}

}  // namespace postern::process
