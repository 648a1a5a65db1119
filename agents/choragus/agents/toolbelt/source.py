"""The identity of a function: a hash of its source, whatever comments and layout that has."""

from __future__ import annotations

import hashlib
import inspect
import io
import tokenize
import types
from collections.abc import Callable, Iterator, Sequence

_NESTED = "if 1:\n"
"""What is put above the source of a function that does not begin at the margin."""

_LAYOUT = {tokenize.COMMENT, tokenize.NL, tokenize.ENCODING, tokenize.ENDMARKER}
_MARKS = {tokenize.NEWLINE: "\n", tokenize.INDENT: ">", tokenize.DEDENT: "<"}
_FSTRING_START = getattr(tokenize, "FSTRING_START", -1)
_FSTRING_END = getattr(tokenize, "FSTRING_END", -1)


def source_hash(function: Callable[..., object]) -> str:
    """SHA-256 of the function's source as it is now, with its decorators; of its bytecode where there is none.

    Comments, blank lines, indentation and line breaks do not count. What the function calls, and what a closure has
    caught, stands elsewhere and is no part of it.
    """
    plain = inspect.unwrap(function)
    try:
        if plain.__code__.co_filename == "<string>":  # Python 3.13 would give the text of `python -c`, whatever was run
            raise OSError
        text = normalised(inspect.getsource(plain)).encode("utf-8", "surrogatepass")
    except (OSError, TypeError):
        text = _bytecode(plain.__code__)
    return hashlib.sha256(text).hexdigest()


def normalised(source: str) -> str:
    """The source as its tokens, the same for each layout and each version of Python; as it is when it has none."""
    nested = source[:1].isspace()
    text = _NESTED + source if nested else source
    try:
        tokens = list(_tokens(text))
    except (tokenize.TokenError, SyntaxError):
        return source
    if nested:
        tokens = tokens[5:]  # if, 1, :, a new line, and what is indented
        while tokens and tokens[-1] == "<":
            tokens.pop()
    while tokens and tokens[-1] in ("<", "\n"):
        tokens.pop()
    return "\0".join(tokens)


def _tokens(text: str) -> Iterator[str]:
    """What counts. An f-string is one token, as it was before Python 3.12."""
    lines, depth, begin = text.splitlines(keepends=True), 0, (0, 0)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == _FSTRING_START:
            begin, depth = (begin if depth else token.start), depth + 1
        elif token.type == _FSTRING_END:
            depth -= 1
            if not depth:
                yield _between(lines, begin, token.end)
        elif not depth and token.type not in _LAYOUT:
            yield _MARKS.get(token.type, token.string)


def _between(lines: Sequence[str], begin: tuple[int, int], end: tuple[int, int]) -> str:
    (first, left), (last, right) = begin, end
    if first == last:
        return lines[first - 1][left:right]
    return "".join([lines[first - 1][left:], *lines[first : last - 1], lines[last - 1][:right]])


def _bytecode(code: types.CodeType) -> bytes:
    names = repr((code.co_names, code.co_varnames)).encode()
    return b"\0".join([code.co_code, names, *(_constant(each) for each in code.co_consts)])


def _constant(value: object) -> bytes:
    if isinstance(value, types.CodeType):
        return _bytecode(value)
    # A frozenset of text has another order in each process.
    return repr(sorted(map(repr, value)) if isinstance(value, frozenset) else value).encode()
