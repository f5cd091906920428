#pragma once

namespace postern::session {

class Newcomer;

// The clients of one event loop that have not logged in yet: when the loop has to stop, each is
// told so in the words of its protocol.
class Newcomers
{
public:
    Newcomers() = default;
    Newcomers(const Newcomers&) = delete;
    Newcomers& operator=(const Newcomers&) = delete;

    void dismiss();

private:
    friend class Newcomer;
    Newcomer* first_ = nullptr;
};

// One of them, for as long as it exists.
class Newcomer
{
public:
    // Says goodbye, as far as that can be done without waiting.
    virtual void dismiss() = 0;

protected:
    explicit Newcomer(Newcomers& all);
    virtual ~Newcomer();
    Newcomer(const Newcomer&) = delete;
    Newcomer& operator=(const Newcomer&) = delete;

private:
    friend class Newcomers;
    Newcomers& all_;
    Newcomer* previous_ = nullptr;
    Newcomer* next_;
};

}  // namespace postern::session
