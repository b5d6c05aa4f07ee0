"""The first page of the API's document: what holds for every call."""

from __future__ import annotations

from .failures import STATUSES, WHEN

_CALLS = """\
A call is `POST /<resource>/<action>` with one JSON object as the body. Most actions need a token
in `Authorization: Bearer <token>`. The answer is `{"status": <the HTTP status>, "data": <data>}`.

- The body is read as JSON, whatever its `Content-Type` says, plain or with
  `Content-Encoding: gzip`.
- An empty body is an empty object, unless the action needs fields.
- An integer has at most 64 bits, and no fraction: `5.0` is refused. Objects and lists nest 64
  levels deep at most.
- An unknown field at the top of the body is 400 with the `reason` `unknown`. The error names the
  nearest field. Unknown fields inside an object are refused with the `reason` `not_settable`.
- A client that sends `Connect-Timeout-Ms` gives its call so many milliseconds. After these, or
  after `request_timeout_seconds` if that is less, the answer is a 504. The action and its work in
  MongoDB end then. The time begins when the whole request has arrived.
- A call that changes something happens once for each `Idempotency-Key` of a user, or of an address
  where there is no user: 1 to 255 printable ASCII characters. For 24 hours the same call with the
  same key gets the first answer, with `Idempotent-Replayed: true`. Not kept are 500s, timeouts, and
  refusals because of the request itself or of limits. The same key with another call is a 422, and
  a 409 with `Retry-After` while the first call is under way.
- A body has at most `max_body_bytes`, before and after decompression, and `max_body_values` values
  in its objects and lists.
- An ObjectId is written as its 24 hex digits, and a `Decimal` as text. A time is RFC 3339 in UTC
  with milliseconds, and a day is `2026-01-31`.
"""
_REST = """\
## REST

A resource whose methods are GET, PUT, PATCH or DELETE has raw bodies, without the envelope.

- A path may end with a slash. HEAD and OPTIONS work.
- Every GET has an ETag, and takes `If-None-Match`. A change of a document with an ETag takes
  `If-Match` and `If-None-Match`. A 412 says that another client has changed the document.
- Answers are compressed for clients that send `Accept-Encoding: gzip`.
- A long answer is sent while it is read. If the read fails in the middle, the connection is
  closed before the last chunk.

An error has `method`, `uri`, `code` (the status), `message` for a person, and `error` as below.
With `debug` it has `trace` too. An unknown path answers with these fields and the envelope in one
object.
"""
_ORIGINS = """\
## Pages of other origins

With the setting `cors_origins`, pages of these origins may call the API from a browser, actions and
REST alike. The value is a list of exact origins like `https://app.example.com`, or `*`. With `*`,
no credentials are allowed; a token in `Authorization` is none of them, so it works. Pages may read
`X-Request-Id`, `Retry-After`, `RateLimit`, `RateLimit-Policy`, `ETag`, `Location`, `Deprecation`,
`Sunset`, `Link` and `Idempotent-Replayed`.

Errors have the same headers, also those of unknown paths and of too much load. A preflight that is
itself refused because of too much load shows in the browser as a failed connection. So do the
answers of a proxy, and the bare answers to a request that is no valid HTTP.
"""
_ERRORS = """\
## Errors

An error keeps the envelope. `data` is a sentence for a person. `error` is for a program:

- `code`, one of those below;
- `request_id`, which the log has too;
- `details`, with one entry for every problem (`path`, `reason`, `message`);
- `retryable`: true if the same call may be sent again, because it may succeed then and does no
  harm. A call that may have been made already is retryable only with an `Idempotency-Key`, or
  if its action is read-only or idempotent, or its method GET, HEAD, OPTIONS, PUT or DELETE.
- `retry_after`: the seconds of the header `Retry-After`, where there is one.

Answers of an action with a limit have the headers of draft-ietf-httpapi-ratelimit-headers-11.
`RateLimit-Policy: "Note.add by user 10/minute";q=10;w=60` names each limit, with its calls in so
many seconds. `RateLimit: "Note.add by user 10/minute";r=9;t=6` says how many calls are left, and
after how many seconds there is one more. A 429 shows in `RateLimit` only the limits that are
reached. With the setting `rate_limit` all calls with a token have these headers.

A 401 has `WWW-Authenticate: Bearer`, and `Bearer error="invalid_token"` if a token was sent to a
call that needs one.

| `code` | status | when |
|---|---|---|
{rows}

Every answer has an `X-Request-Id`, and the log line of the request has the same id. A client may
send an id of 1 to 128 letters, digits and `. _ : / + = -`.

A request that is no valid HTTP gets a bare 400 and a closed connection: two lengths, a length and
chunks, a bad chunk size, no `Host`, a trailer, or a head of more than 64 KiB. A head of more than
100 fields gets a bare 431. A client that closes its sending side before the answer gets no answer.
"""


def preface(rest: bool) -> str:
    """Return the text in Markdown; `rest` says whether the API has resources by REST."""
    rows = "\n".join(f"| `{code}` | {status} | {WHEN[code]} |" for code, status in STATUSES.items())
    return "\n".join([_CALLS, *([_REST] if rest else []), _ORIGINS, _ERRORS.format(rows=rows)])
