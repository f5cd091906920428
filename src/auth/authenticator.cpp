#include "auth/authenticator.h"

#include <utility>

namespace postern::auth {

std::string_view to_string(Method method)
{
    switch (method) {
    case Method::plain:
        return "plain";
    case Method::apop:
        return "apop";
    case Method::cram_md5:
        return "cram-md5";
    case Method::external:
        return "external";
    case Method::none:
        return "none";
    }
    std::unreachable();
}

}  // namespace postern::auth
