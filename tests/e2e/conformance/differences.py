"""Where Postern is to differ from NGINX, why, and what exactly it does instead.

A dialogue that is not named here must have the same transcript from both. One that is named here must
have NGINX's transcript with these changes made, each of them at exactly the place that it names:
so the test still fails if Postern does a third thing, or what NGINX does."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    reason: str
    changes: tuple = ()     # (what NGINX's transcript says, what Postern's says instead)
    whole: str | None = None  # or the whole transcript, where little is the same

    def apply(self, text):
        if self.whole is not None:
            return self.whole
        for old, new in self.changes:
            assert text.count(old) == 1, f"NGINX's transcript has {text.count(old)} times: {old!r}\n{text}"
            text = text.replace(old, new)
        return text


DIFFERENCES = {}
