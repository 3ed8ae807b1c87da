"""What strangers make of a file: its bytes cut, doubled and replaced, or its values, keys and shapes."""

import copy
import json

import yaml
from hypothesis import strategies as st

#: Pieces that have gone through somebody's reader before.
PIECES = [
    *(
        b"[" * 3000,
        b"{" * 3000,
        b'{"a":' * 500,
        b"- " * 500,
        b"? ",
        b"&a [*a, *a]",
        b"<<: ",
        b"*a",
        b"!!python/name:os ",
    ),
    *(b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\r", b"\n\n", b"\xed\xa0\x80", b"\\ud800", b"\x1b[31m", b"\xe2\x80\xae"),
    *(b"9" * 5000, b"-1", b"1e999", b"NaN", b"null", b"0x", b"1:60", b"2001-99-99", b"=", b"~", b"true"),
    *(b"../../../etc/passwd", b"/dev/zero", b"file:///etc/passwd", b"<img src=x>", b"](http://evil.example)", b"`"),
    *(b" " * 5000, b'"', b"'", b",", b"|", b"\t", b"#", b"%", b"---\n", b"...\n", b": "),
]
_TEXTS = ["", " ", "\0", "\ud800", "a\nb", "../../x", "/dev/zero", "x" * 3000, "ja", "²", "٣", "1" * 5000, "[" * 99]
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, -1, 1, 2**31, 2**63, 10**30, 10**399, 0.0, -0.5, 1e308, float("nan"), float("inf")]),
    st.sampled_from(_TEXTS),
    st.text(max_size=8),
    st.sampled_from([[], {}, [[]], [None], {"a": {}}, [1, "a"], {"": None}, [[1.0]] * 3]),
)


@st.composite
def torn(draw, content: bytes):
    """The bytes of a file after one to four cuts, doublings, insertions and flips."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        stop = min(len(content), start + draw(st.sampled_from([0, 1, 1, 8, 64, 1 << 20])))
        how = draw(st.sampled_from(["cut", "double", "insert", "replace", "flip"]))
        piece = draw(st.sampled_from(PIECES) | st.binary(max_size=6))
        if how == "cut":
            content = content[:start] + content[stop:]
        elif how == "double":
            content = content[:stop] + content[start:stop] * 3 + content[stop:]
        elif how == "flip" and start < len(content):
            content = content[:start] + bytes([content[start] ^ (1 << draw(st.integers(0, 7)))]) + content[start + 1 :]
        else:
            content = content[:start] + piece + content[stop if how == "replace" else start :]
    return content


@st.composite
def bent(draw, value):
    """A document after one to three of its values, keys or lists were changed for odd ones."""
    value = copy.deepcopy(value)
    for _ in range(draw(st.integers(1, 3))):
        around, here = None, value
        for _ in range(draw(st.integers(1, 6))):  # walk down to somewhere
            if isinstance(here, dict) and here:
                around, here = (here, draw(st.sampled_from(sorted(here, key=str)))), here
            elif isinstance(here, list) and here:
                around, here = (here, draw(st.integers(0, len(here) - 1))), here
            else:
                break
            here = here[around[1]]
        if around is None:
            return copy.deepcopy(draw(ODD))
        parent, key = around
        how = draw(st.sampled_from(["replace", "replace", "drop", "add", "double"]))
        if how == "drop":
            del parent[key]
        elif how == "add" and isinstance(parent, dict):
            parent[draw(st.text(max_size=5))] = copy.deepcopy(draw(ODD))
        elif how == "double" and isinstance(parent, list):
            parent.append(copy.deepcopy(parent[key]))
        else:
            parent[key] = copy.deepcopy(draw(ODD))
    return value


def as_json(value) -> bytes:
    return json.dumps(value).encode()


def as_yaml(value) -> bytes:
    return yaml.safe_dump(value, allow_unicode=True, sort_keys=False).encode("utf-8", "replace")


def json_files(value):
    """Files that hold about this document as JSON."""
    return torn(as_json(value)) | bent(value).map(as_json)


def yaml_files(value):
    """Files that hold about this document as YAML."""
    return torn(as_yaml(value)) | bent(value).map(as_yaml)
