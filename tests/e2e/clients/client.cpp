// A client that does what its standard input tells it, a command a line, and prints a line for
// each:
//
//   connect PORT    to 127.0.0.1, after the end of what there was before
//   secure          the TLS handshake; prints what was agreed on
//   line TEXT       sends it and CRLF
//   hear            prints the next line that comes
//   exchange UP DOWN SIZE PIECE EVERY
//                   sends the file UP in pieces of so many bytes, and receives SIZE bytes into the
//                   file DOWN meanwhile; each EVERY bytes (0: never) on the way up it updates its
//                   keys, and now and then the server's too
//   update yes|no   updates its keys; yes: the server's too
//   bye             says close_notify
//   end DOWN        receives into the file DOWN until the end, and prints what end that was
//   close           closes the socket
//
// Arguments: NAME=VALUE for each of Settings.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <vector>

#include "tls.h"

namespace client {

namespace {

constexpr int kPatienceMs = 20'000;

class Client
{
public:
    explicit Client(Settings settings) : settings_(std::move(settings)) {}
    ~Client() { close(); }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    std::string obey(const std::string& command, std::istringstream& arguments);

private:
    void connect(unsigned port);
    void close();
    std::string hear();
    std::string exchange(std::istringstream& arguments);
    std::string end(const std::string& path);

    Result read(std::span<char> space);
    Result write(std::string_view bytes);
    void write_all(std::string_view bytes);
    template <typename Call>
    Result patiently(Call call, short events);
    void wait(short events) const;
    bool update_after(std::size_t sent, std::size_t every);

    Settings settings_;
    int socket_ = -1;
    std::unique_ptr<Tls> tls_;
    std::string heard_;  // of the next line
    std::size_t updates_ = 0;
};

std::runtime_error failure(const Result& result)
{
    switch (result.status) {
    case Status::closed:
        return std::runtime_error("close_notify");
    case Status::truncated:
        return std::runtime_error("truncated");
    default:
        return std::runtime_error("failed: " + result.error);
    }
}

void must(const Result& result)
{
    if (result.status != Status::done) {
        throw failure(result);
    }
}

std::string Client::obey(const std::string& command, std::istringstream& arguments)
{
    std::string word;
    if (command == "connect") {
        unsigned port = 0;
        arguments >> port;
        connect(port);
    } else if (command == "secure") {
        tls_ = make_tls(socket_, settings_);
        must(patiently([this] { return tls_->handshake(); }, POLLIN));
        return tls_->description();
    } else if (command == "line") {
        std::getline(arguments >> std::ws, word);
        write_all(word + "\r\n");
    } else if (command == "hear") {
        return hear();
    } else if (command == "exchange") {
        return exchange(arguments);
    } else if (command == "update") {
        arguments >> word;
        must(patiently([&] { return tls_->update_keys(word == "yes"); }, POLLOUT));
    } else if (command == "bye") {
        must(patiently([this] { return tls_->say_goodbye(); }, POLLOUT));
    } else if (command == "end") {
        arguments >> word;
        return end(word);
    } else if (command == "close") {
        close();
    } else {
        throw std::runtime_error("no such command");
    }
    return "done";
}

void Client::connect(unsigned port)
{
    close();
    socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        throw std::runtime_error("not connected");
    }
    const int yes = 1;
    setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    fcntl(socket_, F_SETFL, O_NONBLOCK);
}

void Client::close()
{
    tls_.reset();
    heard_.clear();
    if (socket_ >= 0) {
        ::close(socket_);
        socket_ = -1;
    }
}

std::string Client::hear()
{
    for (;;) {
        if (const std::size_t size = heard_.find("\r\n"); size != std::string::npos) {
            const std::string line = heard_.substr(0, size);
            heard_.erase(0, size + 2);
            return line;
        }
        char space[4096];
        const Result got = patiently([&] { return read(space); }, POLLIN);
        must(got);
        heard_.append(space, got.bytes);
    }
}

// Updates the keys if `sent` bytes call for it; false: not yet done.
bool Client::update_after(std::size_t sent, std::size_t every)
{
    if (sent / every <= updates_) {
        return true;
    }
    const Result done = tls_->update_keys((updates_ + 1) % settings_.requests == 0);
    if (done.status == Status::again) {
        return false;
    }
    must(done);
    ++updates_;
    return true;
}

std::string Client::exchange(std::istringstream& arguments)
{
    std::string up_path;
    std::string down_path;
    std::size_t size = 0;
    std::size_t piece = 0;
    std::size_t every = 0;
    arguments >> up_path >> down_path >> size >> piece >> every;
    std::ifstream file(up_path, std::ios::binary);
    const std::string up{std::istreambuf_iterator<char>(file), {}};
    std::ofstream down(down_path, std::ios::binary);
    down << heard_;
    std::size_t received = heard_.size();
    heard_.clear();
    std::size_t sent = 0;
    updates_ = 0;
    every = every == 0 ? up.size() : every;
    std::vector<char> space(65536);
    while (sent < up.size() || received < size) {
        bool is_idle = true;
        if (sent < up.size() && update_after(sent, every)) {
            const std::size_t left = std::min(piece - sent % piece, every - sent % every);
            const Result put = write(std::string_view(up).substr(sent, left));
            if (put.status != Status::again) {
                must(put);
                sent += put.bytes;
                is_idle = false;
            }
        }
        if (received < size) {
            const std::size_t most = std::min(space.size(), size - received);
            const Result got = read(std::span(space).first(most));
            if (got.status != Status::again) {
                must(got);
                down.write(space.data(), static_cast<std::streamsize>(got.bytes));
                received += got.bytes;
                is_idle = false;
            }
        }
        if (is_idle) {
            wait(static_cast<short>(sent < up.size() ? POLLIN | POLLOUT : POLLIN));
        }
    }
    return "updates " + std::to_string(updates_);
}

std::string Client::end(const std::string& path)
{
    std::ofstream down(path, std::ios::binary);
    down << heard_;
    std::vector<char> space(65536);
    for (;;) {
        const Result got = patiently([&] { return read(space); }, POLLIN);
        if (got.status != Status::done) {
            return failure(got).what();
        }
        down.write(space.data(), static_cast<std::streamsize>(got.bytes));
    }
}

Result Client::read(std::span<char> space)
{
    if (tls_) {
        return tls_->read(space);
    }
    const ssize_t bytes = recv(socket_, space.data(), space.size(), 0);
    if (bytes > 0) {
        return {.bytes = static_cast<std::size_t>(bytes)};
    }
    return {.status = bytes == 0        ? Status::truncated
                      : errno == EAGAIN ? Status::again
                                        : Status::failed};
}

Result Client::write(std::string_view bytes)
{
    if (tls_) {
        return tls_->write(bytes);
    }
    const ssize_t sent = send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
        return {.bytes = static_cast<std::size_t>(sent)};
    }
    return {.status = errno == EAGAIN ? Status::again : Status::failed};
}

void Client::write_all(std::string_view bytes)
{
    while (!bytes.empty()) {
        const Result put = patiently([&] { return write(bytes); }, POLLOUT);
        must(put);
        bytes.remove_prefix(put.bytes);
    }
}

template <typename Call>
Result Client::patiently(Call call, short events)
{
    for (;;) {
        const Result result = call();
        if (result.status != Status::again) {
            return result;
        }
        wait(events);
    }
}

void Client::wait(short events) const
{
    pollfd watched{socket_, events, 0};
    if (poll(&watched, 1, kPatienceMs) == 0) {
        throw std::runtime_error("waited in vain");
    }
}

Settings settings_of(int count, char** arguments)
{
    Settings settings;
    for (int i = 1; i < count; ++i) {
        const std::string_view argument(arguments[i]);
        const std::string_view name = argument.substr(0, argument.find('='));
        const std::string value(argument.substr(name.size() + 1));
        if (name == "suite") {
            settings.suite = value;
        } else if (name == "tls12") {
            settings.is_tls12 = value == "yes";
        } else if (name == "padding") {
            settings.padding = std::stoul(value);
        } else if (name == "fragment") {
            settings.fragment = std::stoul(value);
        } else if (name == "requests") {
            settings.requests = std::stoul(value);
        } else if (name == "certificate") {
            settings.certificate = value;
        } else if (name == "key") {
            settings.key = value;
        } else {
            throw std::runtime_error("no such setting: " + std::string(name));
        }
    }
    return settings;
}

}  // namespace

}  // namespace client

int main(int count, char** arguments)
{
    std::signal(SIGPIPE, SIG_IGN);
    client::Client client(client::settings_of(count, arguments));
    std::string command;
    while (std::cin >> command) {
        std::string rest;
        std::getline(std::cin, rest);
        std::istringstream words(rest);
        try {
            std::cout << client.obey(command, words) << std::endl;
        } catch (const std::exception& error) {
            std::cout << "error: " << error.what() << std::endl;
        }
    }
    return 0;
}
