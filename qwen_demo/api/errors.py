"""What can go wrong, as a tree:

    QwenDemoError
    ├── InvalidRequest           a field breaks a rule of the API; nothing was sent
    ├── ConnectionFailed         the API was not reached, or not heard to the end
    │   └── RequestTimedOut      it did not answer in time
    ├── BadResponse              an answer, or a picture, that can't be understood
    └── APIError                 the API said no: status, code, message, request id
        ├── Unauthorized         the key is missing or invalid
        │   └── OtherRegion      or it is one of another region of the maker's
        ├── NoAccess             no access to this model
        │   └── OtherModel       the engine serves another one
        ├── Overdue              the account behind the key is overdue, or its quota is used up
        ├── RateLimited          too many requests, or too many tokens, a minute
        ├── Refused              the prompt or a picture was refused for its content
        ├── ModelUnavailable     the model behind the gateway is down or overloaded
        │   └── OutOfMemory      or its machine has too little memory for what is asked
        ├── ProxyFailed          a proxy in between failed, perhaps after it had asked several times
        └── NotTheAPI            something else answers at that address

Every error knows whether the request may have been billed: only delivered pictures are, so what failed before the
API took the request is free, and what was lost after it is not surely free.
"""

from typing import Any

RULES = {
    "required": "must not be empty",
    "text": "must be text",
    "too_long": "takes at most {limit} characters, not {count}",
    "too_many_tokens": "takes at most some {limit} tokens, not {count}",
    "choice": "must be one of {allowed}",
    "range": "must be a whole number from {low} to {high}",
    "number_range": "must be a number from {low} to {high}",
    "switch": "must be true or false",
    "too_many_wordings": "stands for more than {limit} texts",
    "too_many_pictures": "would be {count} pictures, and one order takes {limit}",
    "axes_mask": "can't be asked for in several ways where only a part is to change",
    "no_model": "has no model here that can do this",
    "not_offered": "can't be chosen with {model}",
    "size_bounds": "must be width x height in pixels, {low} to {high} million in all, up to {ratio}:1",
    "size_sides": "must be width x height, sides {least} to {most} px, {low} to {high} million in all, up to {ratio}:1",
    "no_size": "can't be chosen with {model}: the result has the shape of its picture",
    "picture_missing": "needs a picture",
    "picture_count": "takes {low} to {high} pictures, not {count}",
    "picture_address": "must be a file: {model} takes no addresses",
    "picture_here": "must be a file where only a part of it is to change, not an address",
    "mask_empty": "says nowhere that the picture may change",
    "mask_outside": "lies outside of what was sent",
    "mask_same": "and its edge are as they were, within what was sent",
    "part_paint": "has words and no paint for part {number}",
    "part_words": "has paint and no words for part {number}",
    "picture_gone": "is not here any more",
    "photo_gone": "is not here any more",
    "mask_shape": "has the shape {width}×{height}, and the picture {wide}×{high}",
    "mask_size": "can't be chosen where only a part is to change: the result has the picture's size",
    "mask_strokes": "is not made of strokes",
    "mask_words": "must be one picture, changed by words, for only a part of it to change",
    "picture_form": "must be an https:// address or a data:image/…;base64, text",
    "not_a_picture": "is not a picture that can be read",
    "picture_bytes": "has {mb} MB, and at most {limit} are read",
    "picture_pixels": "has more than {limit} million pixels",
    "picture_costly": "takes too long or too much memory to read",
    "picture_ratio": "is {width}×{height}, longer than {limit} times its width",
}
"""The rules a request can break, in English; other languages translate by the same names."""

FAILINGS = {
    "not_json": "the answer is not a JSON object",
    "no_picture": "the answer holds no picture",
    "answer_gone": "the answer is not here any more",
    "task": "it began a task, {task}, in place of a picture",
    "task_unknown": "its task, {task}, is not known there any more",
    "not_base64": "a picture of the answer is not base64",
    "undecodable": "what came can't be decoded, or leads nowhere",
    "too_large": "what came is larger than {mb} MB",
    "expired": "the picture's address has expired or is gone (HTTP {status})",
    "no_file": "the picture's address answers with HTTP {status}",
    "other_host": "the picture's address leads to another host",
    "circles": "the picture's address leads in circles",
    "not_https": "the picture's address is {scheme}, not https",
    "not_public": "the picture's address is not a public one",
    "not_a_picture": "what came is not a picture",
    "too_many_pixels": "the picture has {width}×{height} pixels, too many to open",
    "fake_address": "a proxy program on this network hides where {host} is (fake-IP, 198.18.x.x); if you run this app, "
    "set QWEN_DEMO_TRUSTED_RESULT_HOSTS={host}",
}
"""What can be wrong with an answer, in English; other languages translate by the same names."""


class QwenDemoError(Exception):
    """Anything this app says no with.

    Attributes:
        may_be_billed: whether the request may have cost something; None where nobody pays for anything.
    """

    may_be_billed: bool | None = False


class InvalidRequest(QwenDemoError, ValueError):
    """A field breaks a rule; nothing was sent, nothing billed.

    Attributes:
        field: the field's name, as the API spells it.
        problem: a name out of `RULES`.
        facts: what the rule's text is filled with, such as `limit`.
        value: what was given, as text of at most 80 characters.
    """

    def __init__(self, field: str, problem: str, value: object, **facts: object) -> None:
        self.field = field
        self.problem = problem
        self.facts = facts
        self.value = shorten(repr(value), 80)
        super().__init__(f"{field} {RULES[problem].format(**facts)}; got {self.value}")


class ConnectionFailed(QwenDemoError):
    """The API was not reached (nothing billed), or the line broke while it worked (may be billed)."""

    def __init__(self, message: str, *, may_be_billed: bool) -> None:
        self.may_be_billed = may_be_billed
        super().__init__(message)


class RequestTimedOut(ConnectionFailed):
    """No answer in time."""


class BadResponse(QwenDemoError):
    """An answer, or a result's bytes, that can't be understood. The work was done, so it may be billed.

    Attributes:
        problem: a name out of `FAILINGS`.
        facts: what the failing's text is filled with, such as `status`.
        request_id: the provider's id of the request, or None.
    """

    may_be_billed = True

    def __init__(self, problem: str, *, request_id: str | None = None, **facts: object) -> None:
        self.problem = problem
        self.facts = facts
        self.request_id = request_id
        super().__init__(FAILINGS[problem].format(**facts))


class APIError(QwenDemoError):
    """The API said no.

    Attributes:
        status: the HTTP status.
        code: the provider's code as text, such as `2004`, or None.
        message: the provider's words, at most 300 characters. Text from outside: escape it before showing.
        request_id: the provider's id of the request, or None.
        retry_after: seconds that the provider asks to wait, or None.
        host: where it was said.
    """

    def __init__(
        self,
        status: int,
        code: str | None,
        message: str,
        *,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        self.status = status
        self.code = code
        self.message = shorten(message, 300)
        self.request_id = request_id
        self.retry_after = retry_after
        self.host = ""
        self.may_be_billed = status >= 500 and status != 503
        super().__init__(f"HTTP {status}, code {code or 'none'}: {self.message}")


class Unauthorized(APIError):
    """The key is missing or invalid."""


class OtherRegion(Unauthorized):
    """The maker doesn't know the key: it is wrong, or belongs to another of its regions, each with its own host."""


class NoAccess(APIError):
    """The key has no access to this model."""


class OtherModel(NoAccess):
    """The engine serves another model than the one that is asked for: it was started anew since this app was."""


class Overdue(APIError):
    """The account behind the key is overdue, or its quota is used up."""


class RateLimited(APIError):
    """Too many requests, or too many tokens, a minute."""


class Refused(APIError):
    """The prompt or a picture was refused for its content."""


class ModelUnavailable(APIError):
    """The model behind the gateway is down, timed out or overloaded."""


class OutOfMemory(ModelUnavailable):
    """The engine's machine has too little memory for so many pictures of that size."""


class ProxyFailed(APIError):
    """A proxy such as LiteLLM failed. It asks up to three times, and what it got may have been billed as often."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.may_be_billed = True


class NotTheAPI(APIError):
    """Something else than the API answers at that address: a page, another API, or nothing under that path."""


def shorten(text: str, limit: int) -> str:
    """The text, cut at `limit` characters with an ellipsis as the last of them."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
