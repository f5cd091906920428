#pragma once

#include <chrono>

namespace postern::session {

class Newcomer;

// What a client wants that others hold.
enum class Room : unsigned char { connection, session_of_all, newcomer_of_all };

// The clients of one event loop that have not logged in yet: when the loop has to stop, each is
// told so in the words of its protocol.
class Newcomers
{
public:
    Newcomers() = default;
    Newcomers(const Newcomers&) = delete;
    Newcomers& operator=(const Newcomers&) = delete;

    void dismiss();
    // Somebody new has come, and there is no room: the oldest that holds what is wanted, only waits
    // for its client, and has had a while to log in, has to make way. False: there is none.
    bool make_way(std::chrono::steady_clock::time_point now, Room room);

private:
    friend class Newcomer;
    Newcomer* newest_ = nullptr;
    Newcomer* oldest_ = nullptr;
};

// One of them, for as long as it exists.
class Newcomer
{
public:
    // Says goodbye, as far as that can be done without waiting.
    virtual void dismiss() = 0;
    // Ends it soon, and gives its counted places back at once. False: it does not just wait for its
    // client, or that would make no room.
    virtual bool make_way(Room room) = 0;

protected:
    Newcomer(Newcomers& all, std::chrono::steady_clock::time_point now);
    virtual ~Newcomer();
    Newcomers& newcomers() const { return all_; }
    Newcomer(const Newcomer&) = delete;
    Newcomer& operator=(const Newcomer&) = delete;

private:
    friend class Newcomers;
    Newcomers& all_;
    std::chrono::steady_clock::time_point since_;
    Newcomer* newer_ = nullptr;
    Newcomer* older_;
};

}  // namespace postern::session
