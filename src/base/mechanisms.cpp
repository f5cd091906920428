#include "base/mechanisms.h"

namespace postern {

std::vector<std::string_view> sasl_names(const Mechanisms& mechanisms)
{
    std::vector<std::string_view> names;
    if (mechanisms.plain) {
        names.push_back("PLAIN");
    }
    if (mechanisms.login) {
        names.push_back("LOGIN");
    }
    if (mechanisms.cram_md5) {
        names.push_back("CRAM-MD5");
    }
    if (mechanisms.external) {
        names.push_back("EXTERNAL");
    }
    return names;
}

}  // namespace postern
