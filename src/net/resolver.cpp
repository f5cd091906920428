#include "net/resolver.h"

#include <algorithm>
#include <cerrno>
#include <new>
#include <optional>

#include "base/text.h"
#include "net/deadline.h"

namespace postern::net {

namespace {

constexpr std::size_t kKeptMax = 4096;
constexpr std::size_t kPendingMax = 16384;
constexpr std::chrono::seconds kShortestTtl{1};
constexpr std::chrono::seconds kLongestTtl{3600};

constexpr ResolveError kTimedOut{.code = ETIMEDOUT};
constexpr ResolveError kNoMemory{.code = ENOMEM};
constexpr ResolveError kNotFound{.code = 3, .not_found = true};

}  // namespace

// What DNS is asked, and who waits for the answer. It may be asked several times: c-ares doubles
// its patience with each packet that is lost, so who comes later would wait long for a DNS that is
// well again.
class Resolver::Question
{
public:
    using Answer = std::expected<DnsRecords, ResolveError>;

    bool is_answered() const { return answer_.has_value(); }
    const Answer& answer() const { return *answer_; }
    bool has_addresses() const { return answer_ && *answer_; }
    void deliver(Answer answer);

    bool may_be_asked_again(Clock::time_point now) const
    {
        return now - asked_at_ >= kPatience && asked_ < kAskedMax;
    }
    void is_asked(Clock::time_point now)  // once more
    {
        asked_at_ = now;
        ++asked_;
    }
    void is_not_asked() { --asked_; }
    // One attempt has come to this. A failure counts if it is the last one's.
    bool is_settled_by(const Answer& answer)
    {
        --asked_;
        return !answer_ && (answer || asked_ <= 0);
    }

private:
    friend class Wait;
    static constexpr std::chrono::milliseconds kPatience{500};
    static constexpr int kAskedMax = 8;

    Clock::time_point asked_at_;
    int asked_ = 0;  // attempts that nothing has come of yet
    std::optional<Answer> answer_;
    std::vector<Wait*> waiting_;
};

// co_await wait: until one of its questions is answered (true), or the deadline has passed (false).
class Resolver::Wait
{
public:
    using Questions = std::vector<std::shared_ptr<Question>>;

    Wait(const Questions& questions, Deadline& deadline)
        : questions_(questions), deadline_(deadline), patience_(deadline.loop())
    {
        try {
            for (const auto& question : questions_) {
                question->waiting_.push_back(this);
            }
        } catch (...) {
            leave();
            throw;
        }
    }
    // Also when the coroutine is destroyed while it waits.
    ~Wait() { leave(); }
    Wait(const Wait&) = delete;
    Wait& operator=(const Wait&) = delete;

    // From now on, not longer than this.
    void be_patient_for(Clock::duration limit)
    {
        if (patience_.idle()) {
            patience_.set(limit);
        }
    }

    bool await_ready() const { return has_news_ || over(); }
    void await_suspend(std::coroutine_handle<> self) { wake(self); }
    bool await_resume()
    {
        wake({});
        return std::exchange(has_news_, false) || !over();
    }

    void tell()
    {
        has_news_ = true;
        if (const auto waiter = std::exchange(waiter_, {})) {
            waiter.resume();
        }
    }

private:
    void leave()
    {
        for (const auto& question : questions_) {
            std::erase(question->waiting_, this);
        }
    }
    bool over() const { return deadline_.expired() || patience_.expired(); }
    void wake(std::coroutine_handle<> waiter)
    {
        waiter_ = waiter;
        deadline_.wake(waiter);
        patience_.wake(waiter);
    }

    const Questions& questions_;
    Deadline& deadline_;
    Deadline patience_;
    std::coroutine_handle<> waiter_;
    bool has_news_ = false;
};

void Resolver::Question::deliver(Answer answer)
{
    answer_ = std::move(answer);
    while (!waiting_.empty()) {  // who is told may end others
        Wait* const next = waiting_.back();
        waiting_.pop_back();
        next->tell();
    }
}

Resolver::Resolver(Loop& loop, const config::Resolver& settings, Sources sources)
    : loop_(loop),
      settings_(settings),
      sources_(sources),
      channel_(loop, settings.servers, DnsChannel::Failures::ask_the_next),
      blunt_channel_(loop, settings.servers, DnsChannel::Failures::tell)
{
}

Resolver::~Resolver() = default;

void Resolver::remember(const Key& key, const DnsRecords& records)
{
    if (kept_.size() >= kKeptMax) {
        std::erase_if(kept_,
                      [this](const auto& item) { return item.second.expires <= loop_.now(); });
    }
    if (kept_.size() >= kKeptMax) {
        kept_.clear();
    }
    const auto ttl = settings_.valid.value_or(std::min(records.ttl, kLongestTtl));
    Kept& item = kept_[key];
    item.records = records;
    item.expires = loop_.now() + std::max(ttl, kShortestTtl);
}

// The answer, if it is known, or the question, which may have been asked by others already.
std::shared_ptr<Resolver::Question> Resolver::ask(const Key& key)
{
    if (const auto known = kept_.find(key);
        known != kept_.end() && known->second.expires > loop_.now()) {
        auto answered = std::make_shared<Question>();
        answered->deliver(known->second.records);
        return answered;
    }
    if (const auto asked = pending_.find(key); asked != pending_.end()) {
        const std::shared_ptr<Question> question = asked->second;  // the answer may come at once
        if (question->may_be_asked_again(loop_.now())) {
            try {
                ask_channel(channel_, key, question);
            } catch (...) {
                question->is_not_asked();
                throw;
            }
        }
        return question;
    }
    auto question = std::make_shared<Question>();
    if (pending_.size() >= kPendingMax) {
        question->deliver(std::unexpected(kTimedOut));
        return question;
    }
    pending_[key] = question;
    try {
        ask_channel(channel_, key, question);
    } catch (...) {
        pending_.erase(key);  // or whoever asks the same would wait for nothing
        throw;
    }
    return question;
}

void Resolver::ask_channel(DnsChannel& channel, const Key& key, std::shared_ptr<Question> question)
{
    const bool is_blunt = &channel == &blunt_channel_;
    if (!is_blunt) {
        question->is_asked(loop_.now());
    }
    const auto names = sources_ == Sources::dns || key.second == DnsType::ptr
                           ? DnsChannel::Names::as_they_are
                           : DnsChannel::Names::searched;
    channel.ask(key.first, key.second, names,
                [this, key, question, is_blunt](int status, std::string_view text) {
                    Question::Answer answer = std::unexpected(kNoMemory);
                    try {
                        answer = read_dns_answer(key.second, status, text);
                        if (!answer && answer.error().code == ECONNREFUSED && !is_blunt) {
                            // c-ares says so whatever the servers have said: let one of them say
                            // why.
                            ask_channel(blunt_channel_, key, question);
                            return;
                        }
                        if (answer) {
                            remember(key, *answer);
                        }
                    } catch (const std::bad_alloc&) {  // c-ares is not to see it
                        answer = std::unexpected(kNoMemory);
                    }
                    if (question->is_settled_by(answer)) {
                        pending_.erase(key);
                        question->deliver(std::move(answer));
                    }
                });
}

std::vector<Resolver::Key> Resolver::keys(const std::string& host, Family family) const
{
    std::vector<Key> result;
    if (settings_.ipv4 && family != Family::ipv6) {
        result.emplace_back(host, DnsType::a);
    }
    if (settings_.ipv6 && family != Family::ipv4) {
        result.emplace_back(host, DnsType::aaaa);
    }
    return result;
}

bool Resolver::is_wanted(const SocketAddress& address, Family family) const
{
    return address.family() == AF_INET ? settings_.ipv4 && family != Family::ipv6
                                       : settings_.ipv6 && family != Family::ipv4;
}

Resolver::Addresses Resolver::rotated(const Key& key, Addresses addresses)
{
    if (const auto known = kept_.find(key); known != kept_.end()) {
        const std::size_t first = known->second.uses++ % addresses.size();
        std::ranges::rotate(addresses, addresses.begin() + static_cast<std::ptrdiff_t>(first));
    }
    return addresses;
}

Resolver::Addresses Resolver::stale(const std::vector<Key>& keys)
{
    Addresses found;
    for (const Key& key : keys) {
        const auto known = kept_.find(key);
        if (known != kept_.end() && known->second.expires + kStaleMax > loop_.now()) {
            const Addresses& old = known->second.records.addresses;
            found.insert(found.end(), old.begin(), old.end());
        }
    }
    return found;
}

Resolver::Addresses Resolver::to_be_tried(Addresses found, std::uint16_t port)
{
    for (SocketAddress& address : found) {
        address.set_port(port);
    }
    failed_.put_last(found, loop_.now());
    return found;
}

Task<std::expected<Resolver::Addresses, ResolveError>> Resolver::addresses(std::string host,
                                                                           std::uint16_t port,
                                                                           Deadline& deadline,
                                                                           Family family)
{
    if (const auto address = SocketAddress::parse_ip(host, port)) {
        co_return Addresses{*address};
    }
    host = to_lower(host);
    Addresses found;
    if (sources_ == Sources::hosts_file_and_dns) {
        found = hosts_file_.addresses(host, loop_.now());
        std::erase_if(found, [&](const auto& address) { return !is_wanted(address, family); });
        if (!found.empty()) {
            co_return to_be_tried(std::move(found), port);
        }
    }
    const std::vector<Key> wanted = keys(host, family);
    const Addresses last_resort =
        sources_ == Sources::hosts_file_and_dns ? stale(wanted) : Addresses();
    Wait::Questions questions;
    for (const Key& key : wanted) {
        questions.push_back(ask(key));
    }
    Wait wait(questions, deadline);
    const auto is_answered = [](const auto& question) { return question->is_answered(); };
    const auto has_addresses = [](const auto& question) { return question->has_addresses(); };
    while (!std::ranges::all_of(questions, is_answered)) {
        if (std::ranges::any_of(questions, has_addresses)) {
            wait.be_patient_for(kOtherFamilyPatience);
        } else if (!last_resort.empty()) {
            wait.be_patient_for(kStalePatience);
        }
        if (!co_await wait) {
            break;
        }
    }
    ResolveError error = kNotFound;
    for (std::size_t i = 0; i < questions.size(); ++i) {
        if (questions[i]->has_addresses()) {
            const Addresses some = rotated(wanted[i], questions[i]->answer()->addresses);
            found.insert(found.end(), some.begin(), some.end());
        } else if (error.not_found) {
            error = questions[i]->is_answered() ? questions[i]->answer().error() : kTimedOut;
        }
    }
    if (found.empty() && !error.not_found) {
        found = last_resort;
    }
    if (found.empty()) {
        co_return std::unexpected(error);
    }
    co_return to_be_tried(std::move(found), port);
}

Task<std::expected<std::string, ResolveError>> Resolver::name(SocketAddress address,
                                                              Deadline& deadline)
{
    const Key key(reverse_name(address), DnsType::ptr);
    const Wait::Questions questions{ask(key)};
    Wait wait(questions, deadline);
    const Question& question = *questions.front();
    while (!question.is_answered()) {
        if (!co_await wait) {
            co_return std::unexpected(kTimedOut);
        }
    }
    if (!question.answer()) {
        co_return std::unexpected(question.answer().error());
    }
    co_return question.answer()->name;
}

}  // namespace postern::net
