"""Bodies that a client might send as an entry of an address book, and the verdict on each."""

from __future__ import annotations

import functools
import json
from typing import Any

from hypothesis import strategies as st

from indico.tests.routes.address_judge import KNOWN_FIELDS, MAX_BODY_BYTES, MAX_BYTES

RIGHT_KEYS = [
    *("a", "b", "c", "_id", "id", "__proto__", "toString", "constructor", "length", "0", "-1"),
    *("a$", "\n", " ", "\n$a", "\x7f", "\ufeff", "\uff41\uff0e\uff42", "é", "e\u0301"),
    *("\U0001f600", "k" * 5000),
]
WRONG_KEYS = [
    *("", "$", "$ref", "$id", "$date", "$oid", "$a", ".", "a.b", "a.", "\0", "a\0b", "\n.", "\n\0"),
    *("\ud800", "a\udfff", "k" * 5000 + "."),
]
RIGHT_STRINGS = [
    *("", "$ref", "a.b", "\0", "\x7f", "\ufeff", "\uffff", "\u2028", "\U0010ffff", "x" * 10_000),
    *("2026-01-01", "2026-01-01T00:00:00Z", "0" * 24, "12345678901234567890", "1e999", "null"),
]
WRONG_STRINGS = ["\ud800", "\udc00\ud83d", "a\ud83d"]
NO_STRINGS = ['"\x01"', '"\n"', '"\\x41"', '"\\u12"', '"\\ud800\\u0041"', '"a', "'a'"]
RIGHT_NUMBERS = [
    *("0", "-0", "1", "-1", "1.0", "-1.0", "0.0", "-0.0", "0e0", "-0e9", "1E+2", "1e2", "0.1"),
    *(str(2**n + m) for n in (31, 32, 53, 63) for m in (-2, -1)),
    *(str(m - 2**n) for n in (31, 32, 53, 63) for m in (0, 1)),
    *("2147483648", "9007199254740993", "9007199254740993.0", "9223372036854775808.0"),
    *("-9223372036854775809.0", "1e16", "1e22", "1e23", "1e308", "-1e308", "5e-324", "1e-999"),
    *("-1e-999", "1.7976931348623157e308", "2.2250738585072011e-308", "2.47032822920623272e-324"),
    *("0." + "0" * 400 + "1", "1" + "0" * 300 + ".0", "12345678901234567890.5"),
]
WRONG_NUMBERS = [
    *(str(2**63 + n) for n in (0, 1)),
    *(str(-(2**63) - n) for n in (1, 2)),
    *(str(2**64 + n) for n in (-1, 0, 1)),
    *(str(10**25), str(-(10**25)), "1" + "0" * 400, "1" + "0" * 5000),
    *("1e309", "-1e309", "1e999", "-1e999", "1.7976931348623159e308"),
    *("NaN", "Infinity", "-Infinity", "nan", "01", "-01", "1.", ".5", "+1", "1e", "0x10", "1_0"),
]
DEPTHS = [1, 2, 30, *range(60, 67), 150, 2000]
NO_OBJECTS = [
    *(b"", b" ", b"null", b"[]", b"[{}]", b"1", b'"{}"', b"{}{}", b"{},{}", b"{}\0", b"{", b"}"),
    *(b'{"a"}', b'{"a":}', b'{"a":1,}', b'{,"a":1}', b"{a:1}", b"{1:1}", b"{null:1}", b"{'a':1}"),
    *(b'{"a":1 /* */}', b"\xef\xbb\xbf{}", '{"a":1}'.encode("utf-16"), b'{"a":"\xff"}'),
    *(b'{"a":"\xed\xa0\x80"}', b'{"a":"\xc0\x80"}', b"[" * 100_000, b'{"a":' * 100_000),
]
BYTES = [bytes([n]) for n in b'{}[]:,"\\01-+.eEntu$ \n\0\x1f\x7f\x80\xc3\xed\xff']


def wide(size: int) -> bytes:
    """Return an object of `size` bytes, but fewer characters."""
    return b'{"wide":"%b"}' % ("é" * 9 + "x" * (size - 29)).encode()


def expanded() -> bytes:
    """Return an object that is larger than `MAX_BYTES` only in its usual spelling."""
    return b'{"a":[%b]}' % b",".join([b"1e15"] * 70_000)


def nested(depth: int, value: str) -> str:
    """Return `value` inside of `depth` arrays and objects."""
    opening = ["[" if n % 2 else '{"a":' for n in range(depth)]
    closing = ["]" if n % 2 else "}" for n in reversed(range(depth))]
    return "".join([*opening, value, *closing])


LARGE = [
    wide(MAX_BYTES),
    wide(MAX_BYTES + 1),
    expanded(),
    b"{}".ljust(MAX_BODY_BYTES - 100),
    b"{}".ljust(MAX_BODY_BYTES + 1),
]


def each_body() -> list[bytes]:
    """Return two bodies with everything that is right, and many with one odd value."""
    numbers = _array([*RIGHT_NUMBERS, *_spelled(RIGHT_STRINGS)])
    right = [_object([(spell(key), numbers) for key in RIGHT_KEYS]) for spell in (_text, _escaped)]
    keys = [*map(json.dumps, WRONG_KEYS), _escaped("$a"), _escaped("a.b"), _escaped("\0")]
    wrong = [f'{{"a":{{{key}:1}}}}' for key in keys]
    values = [*WRONG_NUMBERS, *_spelled(WRONG_STRINGS), *NO_STRINGS]
    wrong += [f'{{"a":[{value}]}}' for value in values]
    deep = [f'{{"a":{nested(depth, "1")},"b":[]}}' for depth in DEPTHS]
    return [*map(str.encode, [*right, *wrong, *deep]), *NO_OBJECTS, *LARGE]


def objects(hostile: bool = False) -> st.SearchStrategy[str]:
    """Return texts of objects, which are right unless they are `hostile`."""
    return _objects(_values(hostile), hostile)


def bodies() -> st.SearchStrategy[bytes]:
    """Return bodies, of which about half are entries."""
    right, hostile = objects(), objects(hostile=True)
    deep = st.builds(nested, st.sampled_from(DEPTHS), _values(False))
    texts = [right, right, hostile, hostile, deep.map(lambda value: f'{{"a":{value}}}')]
    mutated = st.builds(_mutated, hostile.map(str.encode), st.lists(_mutations(), min_size=1))
    odd = [_pick(NO_OBJECTS), st.binary(), _values(False).map(str.encode)]
    rare = st.one_of(*odd, _pick(LARGE))
    return _one_of([*(text.map(str.encode) for text in texts), mutated, rare])


def patched() -> st.SearchStrategy[tuple[str, bytes]]:
    """Return entries, each with a merge patch."""
    values, null = _values(hostile=True), st.just("null")
    inner = _objects(_one_of([values, null]), hostile=True)
    hostile = _objects(_one_of([values, null, inner]), hostile=True).map(str.encode)
    similar = st.tuples(_similar(), _similar().map(str.encode))
    others = st.tuples(objects(), _one_of([hostile, hostile, bodies()]))
    return _one_of([similar, others])


def _similar() -> st.SearchStrategy[str]:
    """Return objects that have much in common with one another."""
    names = st.sampled_from("abc")
    leaves: st.SearchStrategy[Any] = st.sampled_from([None, None, 1, 1.0, [None], "", {}])
    inner = leaves | st.dictionaries(names, leaves, min_size=1)
    values = leaves | st.dictionaries(names, inner, min_size=1)
    return st.dictionaries(names, values, min_size=2).map(json.dumps)


def known_entries() -> st.SearchStrategy[tuple[dict[str, Any], bool]]:
    """Return entries with known fields, and whether these are right."""
    right = _right_known()
    wrong = st.builds(lambda entry, field: {**entry, **field}, right, _pick(WRONG_KNOWN))
    return st.tuples(right, st.just(True)) | st.tuples(wrong, st.just(False))


def emails() -> st.SearchStrategy[str]:
    """Return texts that could be taken for an email address."""
    part = st.text(max_size=20)
    return st.builds("{}@{}".format, part, part | st.builds("{}.{}".format, part, part))


NO_TEXTS: list[Any] = [None, True, 1, 1.0, [], {}, ["a"]]
NO_NUMBERS: list[Any] = [None, True, 1.0, [], {}]
NO_LISTS: list[Any] = [None, True, 1, "", {}, [None], ["a"], [[]], [{}, 1], [{}] * 101]
WRONG_KNOWN: list[dict[str, Any]] = [
    *({name: wrong} for name in KNOWN_FIELDS[:2] for wrong in NO_TEXTS),
    *({name: wrong} for name in KNOWN_FIELDS[2:] for wrong in NO_LISTS),
    *({"addresses": [{"kind": wrong}]} for wrong in [*NO_TEXTS, "", "Home", "office"]),
    *({"addresses": [{}, {"city": wrong}]} for wrong in NO_TEXTS),
    *({"addresses": [{"pincode": wrong}]} for wrong in NO_NUMBERS),
    *({"phone_numbers": [{"kind": wrong}]} for wrong in NO_TEXTS),
    *({"phone_numbers": [{"local_number": wrong}]} for wrong in NO_NUMBERS),
    *({"fax_numbers": [{}, {"country_code": wrong}]} for wrong in NO_NUMBERS),
    *({"emails": [{"email": wrong}]} for wrong in [*NO_TEXTS, "nobody", "a@b@c", "@", "a@"]),
    {"emails": [{"email": f"{'a' * 250}@example.com"}]},
]


def _one_of(strategies: list[st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    """Return `st.one_of`, in which a strategy that is listed twice is twice as likely."""
    return _pick(strategies).flatmap(lambda chosen: chosen)


def _pick(values: list[Any]) -> st.SearchStrategy[Any]:
    """Return `st.sampled_from` without a text of all values, which takes long to make."""
    return st.integers(0, len(values) - 1).map(lambda index: values[index])


def _mostly(
    right: st.SearchStrategy[str], wrong: list[str], hostile: bool
) -> st.SearchStrategy[str]:
    return _one_of([right] * 7 + [_pick(wrong)]) if hostile else right


def _spelled(texts: list[str]) -> list[str]:
    """Return each as JSON, and once more with all characters escaped."""
    return [*map(json.dumps, texts), *map(_escaped, texts)]


@functools.cache
def _escaped(text: str) -> str:
    units = text.encode("utf-16-be", "surrogatepass").hex(" ", 2).split()
    return '"' + "".join(f"\\u{unit}" for unit in units) + '"'


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _keys(hostile: bool) -> st.SearchStrategy[str]:
    few = st.sampled_from(['"a"', '"b"', '"c"'])
    named = st.text(st.characters(codec="utf-8", exclude_characters=".$\0"), min_size=1).map(_text)
    right = _one_of([few, few, _pick(_spelled(RIGHT_KEYS)), named])
    return _mostly(right, [*_spelled(WRONG_KEYS), *_spelled(KNOWN_FIELDS)], hostile)


def _values(hostile: bool) -> st.SearchStrategy[str]:
    strings = _one_of([_pick(_spelled(RIGHT_STRINGS)), st.text().map(_text)])
    floats = st.floats(allow_nan=False, allow_infinity=False).map(repr)
    integers = st.integers(-(2**63), 2**63 - 1).map(str)
    numbers = _one_of([_pick(RIGHT_NUMBERS), floats, integers])
    literals = st.sampled_from(["null", "true", "false", "[]", "{}"])
    wrong = [*_spelled(WRONG_STRINGS), *NO_STRINGS, *WRONG_NUMBERS, *WRONG_NUMBERS]
    scalars = _mostly(_one_of([strings, numbers, literals]), wrong, hostile)
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=4).map(_array) | _objects(inner, hostile),
        max_leaves=8,
    )


def _objects(values: st.SearchStrategy[str], hostile: bool) -> st.SearchStrategy[str]:
    members = st.tuples(_keys(hostile), values)
    unique = st.lists(members, max_size=4, unique_by=lambda member: member[0])
    several = _one_of([unique, unique, unique, st.lists(members, max_size=4)])
    return st.builds(_object, several, st.sampled_from([",", ",", " ,\t\r\n"]))


def _object(members: list[tuple[str, str]], separator: str = ",") -> str:
    return f"{{{separator.join(f'{key}:{value}' for key, value in members)}}}"


def _array(values: list[str]) -> str:
    return f"[{','.join(values)}]"


Mutation = tuple[int, int, bytes]


def _mutations() -> st.SearchStrategy[Mutation]:
    place = st.integers(0, 100)
    return st.tuples(place, st.sampled_from([0, 1, 1, 2, 5, 1000]), st.sampled_from([*BYTES, b""]))


def _mutated(body: bytes, mutations: list[Mutation]) -> bytes:
    """Replace some bytes of `body` by those of each mutation."""
    for place, count, put in mutations:
        start = place % (len(body) + 1)
        body = body[:start] + put + body[start + count :]
    return body


def _right_known() -> st.SearchStrategy[dict[str, Any]]:
    text = st.text(max_size=10)
    number = text | st.integers(-(2**63), 2**63 - 1)
    postal = {"kind": st.sampled_from(["home", "work"]), "city": text, "pincode": number}
    phone = {"kind": text, "country_code": number, "area_code": number, "local_number": number}
    address = st.sampled_from(["ada@example.com", "ADA+b@Example.com", "ädä@bücher.example"])
    email = {"kind": text, "email": address}
    fields: dict[str, st.SearchStrategy[Any]] = {
        "note": st.none() | st.floats(allow_nan=False, allow_infinity=False),
        "name": text,
        "full_name": st.just("x" * 300) | text,
        "addresses": _listed({**postal, "planet": st.none()}),
        "phone_numbers": _listed(phone),
        "fax_numbers": _listed(phone),
        "emails": _listed(email),
    }
    return st.fixed_dictionaries({}, optional=fields)


def _listed(fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    several = st.lists(st.fixed_dictionaries({}, optional=fields), max_size=2)
    hundred: list[dict[str, Any]] = [{}] * 100
    return _one_of([several, several, several, st.just(hundred)])
