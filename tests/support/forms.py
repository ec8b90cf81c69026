"""Every field of every request in every form, with the other fields valid, and the expected answer. The
helper checks the form before the order and the descriptors, so the answer shows which of these it refused."""
import re

from .protocol import INPUT, REFUSED, REQUESTS, encode_field, request, varint

NAME, WORD, ACCOUNT = rb"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,63}", rb"[a-z0-9][a-z0-9.+-]{0,47}", \
    rb"(?![0-9]+$)[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}"
PLACE = rb"/(?!.*\.\.)[A-Za-z0-9/_.+-]{0,254}"
PATTERN = b"/usr/share/" + b"p" * 116
# Valid text of the maximum length, and what counts as valid: {request: {field: (value, pattern)}}.
TEXTS = {
    "Hello": {"purpose": (b"p" * 48, WORD)},
    "Begin": {"name": (b"n" * 64, NAME), "suite": (b"s" * 48, WORD), "arch": (b"a" * 48, WORD),
              "engine": (b"debootstrap", rb"native|debootstrap")},
    "Release": {"pocket": (b"security", rb"|updates|security"),
                "mirror": (b"http://" + b"m" * 293, rb"|(?=[!-~]{0,300}$)(https?://|file:///).*")},
    "CheckRelease": {"suite": (b"s" * 48, WORD), "pocket": (b"security", rb"|updates|security"),
                     "mirror": (b"http://" + b"m" * 293, rb"|(?=[!-~]{0,300}$)(https?://|file:///).*")},
    "Index": {"pocket": (b"repository-10", rb"|updates|security|repository-([1-9]|10)"),
              "component": (b"c" * 48, WORD)},
    "Repository": {"name": (b"repository-10", rb"repository-([1-9]|10)"), "suite": (b"s" * 48, WORD),
                   "mirror": (b"http://" + b"m" * 293, rb"|(?=[!-~]{0,300}$)(https?://|file:///).*")},
    "LocalPackage": {"name": (b"p" * 100, rb"[a-z0-9][a-z0-9+.-]{1,99}")},
    "Package": {"name": (b"p" * 100, rb"[a-z0-9][a-z0-9+.-]{1,99}")},
    "AddGroup": {"name": (b"g" * 32, ACCOUNT)},
    "AddUser": {"name": (b"u" * 32, ACCOUNT), "home": (b"/" + b"h" * 254, PLACE),
                "shell": (b"/" + b"s" * 254, PLACE)},
    "Remove": {"name": (b"n" * 64, NAME)},
    "Execute": {"user": (b"u" * 32, ACCOUNT)},
    "Change": {"name": (b"n" * 64, NAME), "suite": (b"s" * 48, WORD), "arch": (b"a" * 48, WORD)},
    "Clone": {"name": (b"n" * 64, NAME), "base_name": (b"b" * 64, NAME)},
    "Extend": {"name": (b"n" * 64, NAME), "base_name": (b"b" * 64, NAME), "suite": (b"s" * 48, WORD),
               "arch": (b"a" * 48, WORD)},
    "Keep": {"name": (b"n" * 64, NAME)},
    "BuildImage": {"format": (b"squashfs", rb"erofs|ext4|tar|squashfs")},
    "Read": {"file": (b"f" * 48, WORD)},
}
# The other fields: (valid values, invalid values). For repeated text, one invalid value makes the field
# invalid.
ANY_NUMBER = ([2, 0, (1 << 32) - 1], [])
OTHERS = {
    "Hello": {"version": ANY_NUMBER},
    "Begin": {"filters": ([b"-" + PATTERN, [b"+" + PATTERN] * 32],
                          [b"", b"-", PATTERN, b"-usr", b"-" + PATTERN + b"p", b"!/usr",
                           b"-/a\nforce-all", b"-/a b", [b"-" + PATTERN] * 33]),
              "epoch": ANY_NUMBER},
    "Clone": {"epoch": ANY_NUMBER},
    "BuildImage": {"epoch": ANY_NUMBER},
    "LocalPackage": {"sha256": ([b"h" * 32], [b"", b"h" * 31, b"h" * 33, b"h" * 60000])},
    "Package": {"sha256": ([b"h" * 32], [b"", b"h" * 31, b"h" * 33, b"h" * 60000])},
    "AddGroup": {"gid": ([1, 65533], [0, 65534, 65535, 70000, (1 << 32) - 1, 1 << 32])},
    "AddUser": {"uid": ([1, 65533], [0, 65534, 65535, 70000, (1 << 32) - 1, 1 << 32]),
                "gid": ([1, 65533], [0, 65534, 65535, 70000, (1 << 32) - 1, 1 << 32]),
                "groups": ([["g" * 32] * 16, "g"], [["g"] * 17, "", "g" * 33, "g:x", "a,b", ["g", "-g"]])},
    "Release": {"older": ([0, 1], []), "dated": ANY_NUMBER},
    "CheckRelease": {"older": ([0, 1], []), "dated": ANY_NUMBER, "repository": ([0, 1], [])},
    "Repository": {"older": ([0, 1], [])},
    "Change": {"removed": ([[b"p" * 30] * 500, []], [b"p", b"P1", b"p/x", b"--all", [b"pp"] * 501])},
    "Publish": {"replace": ([0, 1], []), "keep_old": ([0, 1], []), "mode": ([0o700, 0o755],
                                               [0, 0o500, 0o744, 0o777, 0o4700, 0o4755, 1 << 32])},
    "Find": {"paths": ([["/" + "p" * 254] * 32, "/"],
                       [["/usr"] * 33, [], "", "usr", "/usr/../..", "/a:b", "/a\nb", "/" + "p" * 255,
                        ["/usr", "x"]])},
    "Inspect": {"deep": ([0, 1], []), "digest": ([0, 1], [])},
    "Remove": {"stale": ([0, 1], [])},
    "Execute": {"argv": ([["a" * 63] * 256, "a" * 16383, ["a", ""]],
                         [["a"] * 257, "a" * 16384, [], "", ["", "a"]]),
                "terminal": ([0, 1], [])},
}
NUMBERS = {"Hello": ["version"], "Begin": ["epoch"], "Clone": ["epoch"], "BuildImage": ["epoch"],
           "AddGroup": ["gid"], "AddUser": ["uid", "gid"], "Release": ["older", "dated"],
           "CheckRelease": ["older", "dated", "repository"], "Repository": ["older"],
           "Publish": ["replace", "keep_old", "mode"], "Inspect": ["deep", "digest"], "Remove": ["stale"],
           "Execute": ["terminal"]}
# The library accepts any wire type as true, so none is invalid.
YES_OR_NO = ("older", "repository", "replace", "keep_old", "deep", "digest", "stale", "terminal")
STRANGE = {
    "nothing": b"", "a long one": b"x" * 60000, "one longer than any field": b"x" * 300,
    "invalid UTF-8": b"\xff\xfe\xfd", "NUL bytes": b"a\0b", "an option": b"--help", "a newline": b"a\nb",
    "a format": b"%n%n%s", "an escape sequence": b"\033[2J", "a blank": b"a b", "capitals": b"JAMMY",
    "digits": b"1000", "a slash": b"a/b", "..": b"..", ".": b".", "a hidden name": b".x",
    "staging": b".rootlet-staging.x", "a glob": b"*", "a command": b"$(id)", "another word": b"proposed",
    "a line of passwd": b"a\nroot::0:0::/:/bin/sh", "a colon": b"a:b", "a path": b"../../etc",
    "an absolute path": b"/etc/passwd", "a path with ..": b"/home/../../etc", "a path with a colon": b"/a:b",
    "a path with a newline": b"/a\nb", "another scheme": b"ftp://a", "a URL with a blank": b"http://a b",
    "a URL with a newline": b"http://a\nb", "a URL that is not ASCII": "http://\u00e4".encode(),
}
HUGE = {"the longest varint": b"\xff" * 9 + b"\x01", "-1": varint(-1), "2^32": varint(1 << 32),
        "2^63": varint(1 << 63)}


def right(kind):
    """Returns {field: value} of a valid request."""
    return {**{name: value for name, (value, _) in TEXTS.get(kind, {}).items()},
            **{name: values[0][0] for name, values in OTHERS.get(kind, {}).items()}}


def _with(kind, name, data):
    """Returns the request with field NAME replaced by the encoded DATA."""
    outer, names = REQUESTS[kind]
    rest = b"".join(encode_field(names[one], value) for one, value in right(kind).items() if one != name)
    return encode_field(outer, rest + data)


def _malformed(number, numeric):
    yield "a wrong wire type", varint(number << 3 | 5) + b"\0\0\0\0"
    yield "a group", varint(number << 3 | 3) + varint(number << 3 | 4)
    yield "a length beyond the packet", varint(number << 3 | 2) + varint(1 << 31)
    if numeric:
        yield "text for a number", encode_field(number, b"1")
        yield "5000 times text", encode_field(number, b"a") * 5000
    else:
        yield "a number for text", encode_field(number, 1)


def _texts(kind, name, number):
    value, fits = TEXTS[kind][name]

    def good(data):
        # The library truncates text at a NUL, so nothing later sees the rest.
        return bool(re.fullmatch(fits, data.split(b"\0")[0], re.S))
    yield "the longest valid text", encode_field(number, value), True
    yield "a byte longer", encode_field(number, value + b"x"), good(value + b"x")
    for what, data in STRANGE.items():
        yield what, encode_field(number, data), good(data)
    yield "not there", b"", good(b"")
    yield "5000 of it", encode_field(number, b"ab") * 5000, good(b"ab")
    yield ("a valid text, then an invalid one", encode_field(number, value) + encode_field(number, b"../x"),
                   good(b"../x"))
    yield ("an invalid text, then a valid one", encode_field(number, b"../x") + encode_field(number, value),
                   True)


def _others(kind, name, number):
    good, bad = OTHERS[kind][name]
    for place, value in enumerate(good):
        yield f"valid value {place + 1}", encode_field(number, value), True
    for place, value in enumerate(bad):
        yield f"invalid value {place + 1}", encode_field(number, value), False
    if bad:
        yield ("a valid value, then an invalid one",
                       encode_field(number, good[0]) + encode_field(number, bad[-1]), False)
    if name in NUMBERS.get(kind, ()):
        for what, data in HUGE.items():
            yield what, varint(number << 3) + data, not bad


def forms(kind):
    """Yields (field, form, packet, whether it is well-formed) for every field of the request."""
    for name, number in REQUESTS[kind][1].items():
        rows = _texts(kind, name, number) if name in TEXTS.get(kind, {}) else _others(kind, name, number)
        for what, data, good in rows:
            yield name, what, _with(kind, name, data), good
        for what, data in _malformed(number, name in NUMBERS.get(kind, ())):
            yield name, what, _with(kind, name, data), name in YES_OR_NO and what not in (
                "a group", "a length beyond the packet")
        yield name, "an extra unknown field", _with(kind, name, encode_field(number, right(kind)[name]) +
                                                              encode_field(number + 100, b"a")), True
    yield "all", "right", request(kind, **right(kind)), True


def complaint(kind, good, answer):
    """Returns a complaint about the ANSWER to a request without descriptors after Hello, or ""."""
    if re.search(r"[\x00-\x08\x0b-\x1f\x7f]", answer.message):
        return f"{answer}: control characters in the message"
    if good:
        if kind == "OpenNamespace":
            return "" if answer.code in (0, 2) else str(answer)
        return "" if answer.code in (INPUT, REFUSED) and answer.message.startswith(f"{kind} refused: ") else \
            f"{answer}: refused for its form"
    shaped = answer.code == INPUT and answer.message.startswith("request refused: ")
    return "" if shaped else f"{answer}: not refused for its form"
