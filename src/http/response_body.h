#pragma once

#include <cstddef>
#include <expected>
#include <optional>
#include <string_view>

#include "http/response_head.h"

namespace postern::http {

struct BadBody {
};

// Where the body of a response ends: how many bytes of `input`, which starts behind the head and is
// all that has been received, belong to it. Nothing yet: more is needed; a body that ends with the
// connection always needs more. What is in it interests nobody here.
std::expected<std::optional<std::size_t>, BadBody> body_size(const ResponseHead& head,
                                                             std::string_view input);

}  // namespace postern::http
