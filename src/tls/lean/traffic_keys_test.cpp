// The values of RFC 8448 section 3.
#include "tls/lean/traffic_keys.h"

#include <gtest/gtest.h>

#include "tls/lean/channel.h"
#include "tls/lean/testing.h"

namespace postern::tls::lean {
namespace {

constexpr Suite kSuite = Suite::aes_128_gcm_sha256;

TrafficKeys with_secret(const char* hex)
{
    TrafficKeys keys;
    std::ranges::copy(octets(from_hex(hex)), keys.secret.begin());
    derive(keys, kSuite);
    return keys;
}

TrafficKeys clients()
{
    return with_secret("9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5");
}

TrafficKeys servers()
{
    return with_secret("a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643");
}

constexpr const char* kClientsData =
    "1703030043a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b395bd54a9a20441e"
    "2b62974e1f5a6292a2977014bd1e3deae63aeebb21694915e4";
constexpr const char* kServersData =
    "17030300432e937e11ef4ac740e538ad36005fc4a46932fc3225d05f82aa1b36e30efaf97d90e6dffc602dcb501a59"
    "a8fcc49c4bf2e5f0a21c0047c2abf332540dd032e167c2955d";
constexpr const char* kClientsAlert = "1703030013c9872760655666b74d7ff1153efd6db6d0b0e3";
constexpr const char* kServersAlert = "1703030013b58fd67166ebf599d24720cfbe7efa7a8864a9";

std::string payload()
{
    std::string bytes(50, '\0');
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        bytes[i] = static_cast<char>(i);
    }
    return bytes;
}

TEST(LeanTrafficKeys, AreThoseOfRfc8448)
{
    const TrafficKeys of_client = clients();
    EXPECT_EQ(to_hex(of_client.key_of(kSuite)), "17422dda596ed5d9acd890e3c63f5051");
    EXPECT_EQ(to_hex(of_client.iv), "5b78923dee08579033e523d9");
    const TrafficKeys of_server = servers();
    EXPECT_EQ(to_hex(of_server.key_of(kSuite)), "9f02283b6c9c07efc26bb9f2ac92e356");
    EXPECT_EQ(to_hex(of_server.iv), "cf782b88dd83549aadf1e984");
}

TEST(LeanTrafficKeys, TheNonceHasTheNumberOfTheRecord)
{
    TrafficKeys keys = clients();
    EXPECT_EQ(to_hex(keys.nonce()), "5b78923dee08579033e523d9");
    keys.sequence = 0x0102030405060708;
    EXPECT_EQ(to_hex(keys.nonce()), "5b78923def0a549436e324d1");
}

// As the client: it seals its own record, and opens the server's, which has sent a ticket before.
TEST(LeanChannel, ItsRecordsAreThoseOfRfc8448)
{
    Engine engine;
    Channel::Beginning beginning;
    beginning.suite = kSuite;
    beginning.is_server = false;
    beginning.writes = clients();
    beginning.reads = servers();
    beginning.reads.sequence = 1;
    Channel channel(beginning, engine);
    std::string room(1000, '\0');
    EXPECT_EQ(to_hex(octets(room).first(channel.write(payload(), room).size)), kClientsData);
    const std::string arrived = from_hex(kServersData) + from_hex(kServersAlert);
    std::string_view input = arrived;
    std::string space(1000, '\0');
    std::string answers;
    EXPECT_EQ(space.substr(0, channel.read(input, space, answers).bytes), payload());
    EXPECT_EQ(channel.read(input, space, answers).status, Io::Status::closed);
    channel.close(answers);
    EXPECT_EQ(to_hex(octets(answers)), kClientsAlert);
}

}  // namespace
}  // namespace postern::tls::lean
