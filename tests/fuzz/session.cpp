// Whole sessions: the program's event loop on UNIX sockets, with the client, the authentication
// service and the mailbox server all played by the input, in any order and in any pieces.
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/text.h"
#include "config/load.h"
#include "process/event_loop.h"
#include "session_checks.h"
#include "targets.h"

namespace postern::fuzz {

namespace {

// One end of a connection that we play.
struct End {
    int descriptor = -1;
    std::string heard;
    bool was_told = false;  // something

    explicit End(int owned) : descriptor(owned) {}
    End(const End&) = delete;
    End& operator=(const End&) = delete;
    ~End() { hang_up(); }

    void say(std::string_view text)
    {
        was_told = true;
        if (descriptor >= 0) {
            std::ignore = ::send(descriptor, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        }
    }
    void listen()
    {
        char buffer[65536];
        while (descriptor >= 0) {
            const ssize_t size = ::recv(descriptor, buffer, sizeof buffer, MSG_DONTWAIT);
            if (size <= 0) {
                break;
            }
            heard.append(buffer, static_cast<std::size_t>(size));
        }
    }
    void hang_up()
    {
        if (descriptor >= 0) {
            ::close(std::exchange(descriptor, -1));
        }
    }
};

// Those who connect to a socket of ours.
class Listening
{
public:
    explicit Listening(const std::string& path)
        : listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0))
    {
        const SocketAddress address = SocketAddress::unix_path(path);
        require(
            ::bind(listener_, address.data(), address.size()) == 0 && ::listen(listener_, 100) == 0,
            "we can listen");
    }

    void accept()
    {
        for (int one; (one = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC)) >= 0;) {
            ends.push_back(std::make_unique<End>(one));
        }
        for (const auto& end : ends) {
            end->listen();
        }
    }
    End* last() const { return ends.empty() ? nullptr : ends.back().get(); }

    std::vector<std::unique_ptr<End>> ends;

private:
    int listener_;
};

// The program, and all that it talks to. Made once.
class World
{
public:
    static World& only()
    {
        static World* const made = new World;
        return *made;
    }

    void play(config::Protocol protocol, std::string_view input);

private:
    World();

    void step();
    void operate(unsigned char operation);
    std::string_view take_text();
    std::string good_answer() const;
    std::string good_reply() const;
    void check();

    std::string folder_ = make_folder();
    config::Settings settings_ = read_settings();
    log::Targets targets_;
    process::Logs logs_;
    std::unique_ptr<tls::Contexts> tls_;
    std::vector<listen::Socket> sockets_;
    auth::HashPool hash_pool_;
    std::unique_ptr<process::Shared> shared_;
    std::unique_ptr<process::EventLoop> loop_;
    Listening service_{folder_ + "service"};
    Listening backend_{folder_ + "backend"};

    config::Protocol protocol_ = config::Protocol::imap;
    std::string_view variant_;
    std::string_view input_;
    std::string said_;  // by the client
    std::string said_by_others_;
    std::unique_ptr<End> client_;
    unsigned turns_left_ = 0;

    static std::string make_folder();
    config::Settings read_settings() const;
};

std::string World::make_folder()
{
    const char* const place = std::getenv("TMPDIR");
    std::string name = std::string(place == nullptr ? "/tmp" : place) + "/postern_fuzz_XXXXXX";
    return std::string(::mkdtemp(name.data())) + "/";
}

config::Settings World::read_settings() const
{
    std::ofstream(folder_ + "conf")
        << "error_log " << folder_ << "log debug;\n"
        << "events { worker_connections 200; }\n"
           "mail { auth_http http://unix:"
        << folder_
        << "service:/auth; auth_http_timeout 1s; timeout 1s;\n"
           "resolver 127.0.0.1:9; resolver_timeout 100ms; server_name test;\n"
           "auth_http_header X-Key \"a value\";\n"
           "imap_auth plain login cram-md5 external;\n"
           "pop3_auth plain apop cram-md5 external;\n"
           "smtp_auth plain login cram-md5 external none;\n"
           "proxy_pass_error_message on;\n";
    std::ofstream out(folder_ + "conf", std::ios::app);
    for (const char* const protocol : {"imap", "pop3", "smtp"}) {
        out << "server { listen unix:" << folder_ << protocol << "; protocol " << protocol
            << "; }\n"
            << "server { listen unix:" << folder_ << protocol << "_tls; protocol " << protocol
            << "; proxy_ssl starttls; xclient off; }\n"
            << "server { listen unix:" << folder_ << protocol << "_auth; protocol " << protocol
            << "; proxy_smtp_auth on; smtp_greeting_delay 1ms; }\n"
            << "server { listen unix:" << folder_ << protocol << "_secret; protocol " << protocol
            << "; starttls only; smtp_auth plain; smtp_capabilities SIZE; }\n";
    }
    out << "}\n";
    out.close();
    config::Options options;
    options.conf_path = folder_ + "conf";
    options.prefix = folder_;
    auto loaded = config::load(options);
    require(loaded.has_value(), loaded ? "" : loaded.error().text);
    return std::move(loaded->settings);
}

World::World()
{
    std::atexit([] {
        std::error_code ignored;
        std::filesystem::remove_all(only().folder_, ignored);
    });
    std::vector<config::Warning> warnings;
    logs_ = *process::open_logs(settings_, targets_);
    tls_ = *tls::Contexts::load(settings_, nullptr, warnings);
    std::vector<listen::Socket> none;
    sockets_ = *listen::open_sockets(settings_, none, listen::Mode::serve,
                                     [](LogLevel, const std::string&) {});
    for (listen::Socket& socket : sockets_) {
        for (listen::Endpoint& endpoint : socket.endpoints) {
            endpoint.acceptor = tls_->acceptor(endpoint.address);
        }
    }
    shared_.reset(new process::Shared{.settings = settings_,
                                      .logs = logs_,
                                      .tls = *tls_,
                                      .sockets = sockets_,
                                      .hash_pool = hash_pool_,
                                      .users = std::vector<std::shared_ptr<auth::UsersFile>>(3),
                                      .admission = limit::Admission(200)});
    loop_ = std::make_unique<process::EventLoop>(*shared_);
}

void World::play(config::Protocol protocol, std::string_view input)
{
    protocol_ = protocol;
    input_ = input;
    said_.clear();
    said_by_others_.clear();
    // Which server: the input's first byte may choose another than the plain one.
    variant_ = input.starts_with('\xff') ? "_tls" : input.starts_with('\xfe') ? "_auth" : input.starts_with('\xfd') ? "_secret" : "";
    input_.remove_prefix(variant_.empty() ? 0 : 1);
    const auto address =
        SocketAddress::unix_path(concat({folder_, config::to_string(protocol), variant_}));
    client_ = std::make_unique<End>(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    require(::connect(client_->descriptor, address.data(), address.size()) == 0, "we can come");
    turns_left_ = 4;
    loop_->post([this] { step(); });
    loop_->run();
    check();
    service_.ends.clear();
    backend_.ends.clear();
    client_.reset();
    require(::truncate((folder_ + "log").c_str(), 0) == 0, "the log can be emptied");
}

// One turn of the event loop lies between each two of these.
void World::step()
{
    service_.accept();
    backend_.accept();
    client_->listen();
    if (turns_left_ > 0) {
        --turns_left_;
        loop_->post([this] { step(); });
        return;
    }
    if (!input_.empty()) {
        const auto operation = static_cast<unsigned char>(input_.front());
        input_.remove_prefix(1);
        operate(operation);
        turns_left_ = 2 + (operation >> 6);
        loop_->post([this] { step(); });
        return;
    }
    // All have said what they had to say, and go.
    client_->hang_up();
    for (const auto* const side : {&service_, &backend_}) {
        for (const auto& end : side->ends) {
            end->hang_up();
        }
    }
    if (loop_->sessions() == 0) {
        loop_->stop();
        return;
    }
    loop_->post([this] { step(); });
}

void World::operate(unsigned char operation)
{
    End* const service = service_.last();
    End* const backend = backend_.last();
    switch (operation % 10) {
    case 0:
    case 1: {
        const std::string_view text = take_text();
        said_ += text;
        client_->say(text);
        break;
    }
    case 2:
        if (service != nullptr && !service->heard.empty() && !service->was_told) {
            service->say(good_answer());
        }
        break;
    case 3: {
        // Nobody is told to wait: these seconds would be ours.
        std::string text(take_text());
        std::ranges::replace_if(text, [](char c) { return (c | 0x20) == 'w'; }, 'v');
        said_by_others_ += text;
        if (service != nullptr) {
            service->say(text);
        }
        break;
    }
    case 4:
        if (backend != nullptr) {
            backend->say(good_reply());
        }
        break;
    case 5: {
        const std::string_view text = take_text();
        said_by_others_ += text;
        if (backend != nullptr) {
            backend->say(text);
        }
        break;
    }
    case 6:
        if (service != nullptr) {
            service->hang_up();
        }
        break;
    case 7:
        if (backend != nullptr) {
            backend->hang_up();
        }
        break;
    case 8:
        if (client_->descriptor >= 0) {
            ::shutdown(client_->descriptor, SHUT_WR);
        }
        break;
    default:
        break;  // a few turns
    }
}

// A byte says how many follow.
std::string_view World::take_text()
{
    if (input_.empty()) {
        return {};
    }
    const std::size_t size = static_cast<unsigned char>(input_.front());
    const std::string_view text = input_.substr(1, size);
    input_.remove_prefix(1 + text.size());
    return text;
}

std::string World::good_answer() const
{
    return "HTTP/1.0 200 OK\r\nAuth-Status: OK\r\nAuth-Server: unix:" + folder_ +
           "backend\r\nAuth-Port: 143\r\nAuth-User: mailbox\r\nAuth-Pass: " +
           std::string(kServicesPassword) + "\r\n\r\n";
}

// What lets the login go on.
std::string World::good_reply() const
{
    const std::string& heard = backend_.last()->heard;
    const std::size_t line_begin = heard.rfind('\n', heard.size() < 2 ? 0 : heard.size() - 2);
    const std::string line = heard.substr(line_begin == std::string::npos ? 0 : line_begin + 1);
    switch (protocol_) {
    case config::Protocol::imap:
        return heard.empty()              ? "* OK ready\r\n"
               : heard.ends_with("}\r\n") ? "+ go on\r\n"
                                          : heard.substr(0, heard.find(' ')) + " OK in\r\n";
    case config::Protocol::pop3:
        return "+OK\r\n";
    case config::Protocol::smtp:
        return heard.empty() || line.starts_with("XCLIENT") ? "220 b\r\n"
               : line.starts_with("EHLO")     ? "250-b\r\n250-PIPELINING\r\n250-STARTTLS\r\n250 "
                                                "XCLIENT ADDR NAME LOGIN HELO\r\n"
               : line.starts_with("STARTTLS") ? "220 b\r\n"
               : line.starts_with("AUTH")     ? "235 in\r\n"
                                              : "250 ok\r\n";
    }
    std::unreachable();
}

void World::check()
{
    for (const auto& end : service_.ends) {
        check_request(end->heard);
    }
    for (const auto& end : backend_.ends) {
        if (variant_ == "_tls") {
            check_starttls(protocol_, end->heard);
        } else {
            check_commands(protocol_, end->heard, said_);
        }
    }
    std::ifstream file(folder_ + "log", std::ios::binary);
    const std::string log(std::istreambuf_iterator<char>(file), {});
    std::vector<std::string> requests;
    for (const auto& end : service_.ends) {
        requests.push_back(end->heard);
    }
    // A password may be a word of the log by chance: our folder's name, or a time.
    check_log(log, requests, concat({said_, said_by_others_, folder_, log.substr(0, 19)}));
}

}  // namespace

void imap_session(std::string_view input)
{
    World::only().play(config::Protocol::imap, input);
}

void pop3_session(std::string_view input)
{
    World::only().play(config::Protocol::pop3, input);
}

void smtp_session(std::string_view input)
{
    World::only().play(config::Protocol::smtp, input);
}

}  // namespace postern::fuzz
