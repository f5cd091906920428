#include "config/troff.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

namespace postern::config {
namespace {

TEST(Troff, WritesMarkup)
{
    EXPECT_EQ(troff_paragraph("A *time* is `500ms` or `on - off`, sub-second"),
              "A \\fItime\\fR is \\fB500ms\\fR or \\fBon \\- off\\fR, sub-second\n");
    EXPECT_EQ(troff_paragraph("`*` or a name"), "\\fB*\\fR or a name\n");
    EXPECT_EQ(troff_paragraph("2 * 3"), "2 * 3\n");
}

TEST(Troff, EscapesWhatTroffWouldTake)
{
    EXPECT_EQ(troff_paragraph("a\\fBb `a~^'b` it's"), "a\\efBb \\fBa\\(ti\\(ha\\(aqb\\fR it's\n");
    EXPECT_EQ(troff_paragraph("a … b – €"), "a ... b \\[u2013] \\[u20AC]\n");
    EXPECT_EQ(troff_paragraph(".so /etc/passwd"), "\\&.so /etc/passwd\n");
    EXPECT_EQ(troff_paragraph("'br"), "\\&'br\n");
}

// Wherever a line is broken, what begins the next one is no request.
TEST(Troff, BreaksLines)
{
    for (std::size_t length = 1; length < 100; ++length) {
        const std::string text = troff_paragraph(std::string(length, 'x') + " .so 'so y\nz");
        std::istringstream lines(text);
        for (std::string line; std::getline(lines, line);) {
            EXPECT_TRUE(line.size() <= 80 || line.size() == length) << line;
            EXPECT_TRUE(!line.starts_with('.') && !line.starts_with('\'')) << line;
        }
        EXPECT_EQ(text.back(), '\n');
        EXPECT_EQ(text.find("\n\n"), std::string::npos);
    }
}

TEST(Troff, WritesSyntax)
{
    EXPECT_EQ(troff_syntax("daemon on | off;"), "\\fBdaemon on \\fR| \\fBoff;\\fR");
    EXPECT_EQ(troff_syntax("auth_file FILE [default=HOST[:PORT]];"),
              "\\fBauth_file \\fIFILE \\fR[\\fBdefault=\\fIHOST\\fR[\\fB:\\fIPORT\\fR]]\\fB;\\fR");
    EXPECT_EQ(troff_syntax("ssl_protocols TLSv1.2;"), "\\fBssl_protocols TLSv1.2;\\fR");
    EXPECT_EQ(troff_syntax("mail { … }"), "\\fBmail \\fR{ ... }");
}

}  // namespace
}  // namespace postern::config
