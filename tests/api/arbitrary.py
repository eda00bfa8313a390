"""Requests made from the API's own description: sound ones, nearly sound ones, and nonsense."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from hypothesis import strategies as st

Document = Mapping[str, Any]
Values = st.SearchStrategy[Any]

TEXTS = (
    *(
        "",
        " ",
        "\0",
        "ä",
        "🌙",
        "\ud800",
        "../..",
        "a" * 300,
        "x" * 70_000,
        "%00",
        "'; DROP TABLE x; --",
    ),
    *(
        "PT1H",
        "P1D",
        "PT0S",
        "-PT1S",
        "P9999999999D",
        "PT1E9S",
        "P1M",
        "* * * * * ?",
        "0 0 0 30 2 ?",
    ),
    *(
        "2026-01-01T00:00:00Z",
        "2026-02-30T00:00:00",
        "9999-12-31T23:59:59Z",
        "0001-01-01T00:00:00+14:00",
    ),
    *(
        "Europe/Berlin",
        "../etc/passwd",
        "${nominal_time}",
        "${",
        "${parameters.x}",
        "s3://a/b",
        "file:///",
    ),
    *(
        "http://127.0.0.1/",
        "https://[::1",
        "http://a:99999/",
        "tier=gold",
        "=",
        '"1"',
        "null",
        "true",
    ),
)
NUMBERS = (
    -1,
    0,
    1,
    2,
    10**3,
    10**6,
    2**31,
    2**53,
    2**63 - 1,
    2**63,
    10**30,
    -(2**63) - 1,
    0.5,
    1e308,
)
nonsense: Values = st.one_of(
    st.sampled_from(TEXTS),
    st.sampled_from(NUMBERS),
    st.none(),
    st.booleans(),
    st.just([]),
    st.just({}),
    st.just([[[[{}]]]]),
    st.just({"": {"\0": [None]}}),
    st.text(max_size=8),
)
# A value of the described kind is what gets past the first gate; one in a few is none.
ODDS = 6


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    route: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: Any
    responses: frozenset[int]


class Arbitrary:
    """``known``: ids and names that are there, by what they may stand for in a path or a field."""

    def __init__(self, description: Document, known: Mapping[str, Sequence[str]]) -> None:
        self._schemas: Document = description["components"]["schemas"]
        self._known = known
        self._operations = [
            (method.upper(), route, operation)
            for route, methods in sorted(description["paths"].items())
            for method, operation in sorted(methods.items())
        ]

    @property
    def operations(self) -> int:
        return len(self._operations)

    def requests(self, place: int) -> st.SearchStrategy[Request]:
        method, route, operation = self._operations[place]

        @st.composite
        def one(draw: st.DrawFn) -> Request:
            path, query, headers = route, [], []
            for parameter in operation.get("parameters", ()):
                name, where = parameter["name"], parameter["in"]
                if where == "path":
                    given = draw(st.sampled_from([*self._known.get(name, ()), "nobody", "f" * 32]))
                    value = draw(_seldom(st.sampled_from(TEXTS[1:12]), st.just(given)))
                    path = path.replace(
                        f"{{{name}}}", quote(value.encode("utf-8", "replace"), safe="")
                    )
                elif draw(st.integers(0, 3)) == 0:
                    value = draw(self._values(parameter.get("schema", {}), name))
                    values = value if isinstance(value, list) else [value]
                    if where == "query":
                        query += [(name, _written(each)) for each in values]
                    else:
                        headers.append((name.lower(), _in_a_header(_written(value))))
            if draw(st.integers(0, 20)) == 0:
                query.append((draw(st.sampled_from(TEXTS[:6])).encode("utf-8", "replace"), "1"))
            body = None
            if "requestBody" in operation:
                content = operation["requestBody"]["content"]
                [schema] = [each["schema"] for each in content.values()][:1]
                body = draw(self._values(schema, "body"))
            target = f"{path}?{urlencode(query)}" if query else path
            responses = frozenset(map(int, operation["responses"]))
            return Request(method, route, target, tuple(headers), body, responses)

        return one()

    def _values(self, schema: Document, name: str, depth: int = 0) -> Values:
        if depth > 7:
            return nonsense
        return _seldom(nonsense, self._sound(schema, name, depth))

    def _sound(self, schema: Document, name: str, depth: int) -> Values:
        if "$ref" in schema:
            return self._values(self._schemas[schema["$ref"].rpartition("/")[2]], name, depth + 1)
        if "const" in schema:
            return st.just(schema["const"])
        if "enum" in schema:
            return st.sampled_from(schema["enum"])
        for some in ("anyOf", "oneOf", "allOf"):
            if some in schema:
                return st.one_of([self._values(each, name, depth + 1) for each in schema[some]])
        return self._of_type(schema, name, depth)

    def _of_type(self, schema: Document, name: str, depth: int) -> Values:
        match schema.get("type"):
            case "object":
                return self._objects(schema, depth)
            case "array":
                items = self._values(schema.get("items", {}), name, depth + 1)
                return st.lists(items, max_size=3)
            case "integer" | "number":
                return st.integers(0, 20) | st.sampled_from(NUMBERS)
            case "boolean":
                return st.booleans()
            case "null":
                return st.none()
            case "string":
                examples = [*schema.get("examples", ()), *self._known.get(name, ())]
                return st.sampled_from([*map(str, examples), *TEXTS])
            case _:
                return nonsense

    def _objects(self, schema: Document, depth: int) -> Values:
        fields = {
            name: self._values(each, name, depth + 1)
            for name, each in schema.get("properties", {}).items()
        }
        wanted = set(schema.get("required", ()))
        always = {name: values for name, values in fields.items() if name in wanted}
        perhaps = {name: values for name, values in fields.items() if name not in wanted}
        known = st.fixed_dictionaries(always, optional=perhaps)
        if schema.get("additionalProperties", not fields) is False:
            return known
        more = st.dictionaries(st.sampled_from(["kind", "x", "", "a" * 200]), nonsense, max_size=2)
        return st.builds(lambda one, other: {**other, **one}, known, more)


def _seldom(odd: Values, usual: Values) -> Values:
    return st.integers(0, ODDS).flatmap(lambda dice: odd if dice == 0 else usual)


def _written(value: Any) -> str:
    text = value if isinstance(value, str) else str(value)
    return text.encode("utf-8", "replace").decode()


def _in_a_header(text: str) -> str:
    return "".join(each for each in text if " " <= each < "\x7f")[:4000]
