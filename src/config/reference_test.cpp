#include "config/reference.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

#include "config/directive.h"

namespace postern::config {
namespace {

// Run with POSTERN_UPDATE_DOCS=1 after a change of the table.
TEST(Reference, IsUpToDate)
{
    constexpr char kPath[] = POSTERN_SOURCE_DIR "/docs/directives.md";
    if (std::getenv("POSTERN_UPDATE_DOCS") != nullptr) {
        std::ofstream(kPath) << directive_reference();
    }
    std::ostringstream content;
    content << std::ifstream(kPath).rdbuf();
    EXPECT_TRUE(content.str() == directive_reference())
        << "docs/directives.md is stale: run this test with POSTERN_UPDATE_DOCS=1";
}

TEST(Reference, ManualTellsOfEachDirective)
{
    const std::string manual = directive_manual();
    for (const DirectiveGroup& group : directive_groups()) {
        EXPECT_NE(manual.find(fmt::format(".SS {}\n", group.title)), std::string::npos);
        for (const Directive& directive : group.directives) {
            EXPECT_NE(manual.find(fmt::format(".TP\n\\fB{}", directive.name)), std::string::npos)
                << directive.name;
        }
    }
    EXPECT_EQ(manual.find('`'), std::string::npos);
}

TEST(Table, RowsAreComplete)
{
    std::set<std::string_view> names;
    for (const DirectiveGroup& group : directive_groups()) {
        EXPECT_FALSE(group.directives.empty()) << group.title;
        for (const Directive& directive : group.directives) {
            EXPECT_TRUE(names.insert(directive.name).second) << directive.name << " is there twice";
            EXPECT_NE(directive.where, 0u) << directive.name;
            EXPECT_EQ(find_directive(directive.name), &directive);
            const bool settable =
                directive.kind == Kind::value && directive.support == Support::full;
            if (directive.set == nullptr || directive.kind != Kind::value) {
                EXPECT_EQ(directive.set != nullptr, settable) << directive.name;
            }
            EXPECT_EQ(directive.kind == Kind::block, directive.opens != 0) << directive.name;
            if (directive.support == Support::full) {
                EXPECT_FALSE(directive.doc.empty()) << directive.name;
            }
            if (settable) {
                EXPECT_FALSE(directive.syntax.empty()) << directive.name;
                EXPECT_TRUE(!directive.initial.empty() || !directive.default_text.empty() ||
                            directive.name == "load_module")
                    << directive.name << " has no default";
            }
        }
    }
}

TEST(Table, GuessesNames)
{
    EXPECT_EQ(similar_directive("tiemout"), "timeout");
    EXPECT_EQ(similar_directive("auth_htpp"), "auth_http");
    EXPECT_EQ(similar_directive("proxy_time_out"), "proxy_timeout");
    EXPECT_EQ(similar_directive("listne"), "listen");
    EXPECT_EQ(similar_directive("root"), "");
    EXPECT_EQ(similar_directive("us"), "");
    EXPECT_EQ(similar_directive(""), "");
    EXPECT_EQ(similar_directive(std::string(100000, 'x')), "");
}

}  // namespace
}  // namespace postern::config
