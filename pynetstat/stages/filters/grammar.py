"""The grammar of filters: an expression becomes terms.

    { state S | exclude S }  [ EXPR ]
    EXPR  EXPR or EXPR | EXPR and EXPR | EXPR EXPR (and) | not EXPR | ( EXPR ) | TERM
    TERM  src HOST | dst HOST | sport [OP] PORT | dport [OP] PORT | autobound | dev [OP] IF
          | pid [OP] N | program [OP] NAME | user [OP] NAME | inode [OP] N | proto [OP] P
          | recvq [OP] N | sendq [OP] N | netns [OP] NAME | unit [OP] NAME | container [OP] NAME

`not` binds closer than `and`, and `and` closer than `or`. A term about something unknown, or
about something that a listing does not have, meets no row; `not` of it meets them all.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

from ...listing import MORE_DETAILS
from ...options import Misuse, nearest
from ...text import printable_text
from .hosts import autobound, host, match_port
from .terms import (
    ALL,
    GROUPS,
    STATES,
    Term,
    any_term,
    both,
    container,
    device,
    match_holder,
    match_number,
    match_state,
    match_text,
    negated,
    states_called,
    user,
)

TYPE_CHECKING = False  # typing is not needed to run
if TYPE_CHECKING:
    from typing import NamedTuple, NoReturn
else:
    from ...tuples import NamedTuple

OPERATORS = {
    **{"=": "eq", "==": "eq", "eq": "eq", "!=": "ne", "ne": "ne", "neq": "ne", "~": "match"},
    **{"<": "lt", "lt": "lt", ">": "gt", "gt": "gt"},
    **{"<=": "le", "le": "le", "leq": "le", ">=": "ge", "ge": "ge", "geq": "ge"},
}
AND, OR, NOT = ("and", "&", "&&"), ("or", "|", "||"), ("not", "!")
SIGNS = {"=": "eq", "!=": "ne", "<": "lt", ">": "gt", "<=": "le", ">=": "ge", "~": "match"}
SAME = ("eq", "ne")
LIKE = ("eq", "ne", "match")
ORDER = ("eq", "ne", "lt", "gt", "le", "ge")

# term -> what may stand before its operand, and what the operand is
TERMS: dict[str, tuple[tuple[str, ...], str]] = {
    "src": (SAME, "a host"),
    "dst": (SAME, "a host"),
    "sport": (ORDER, "a port"),
    "dport": (ORDER, "a port"),
    "dev": (SAME, "the name of an interface"),
    "autobound": ((), ""),
    "pid": (ORDER, "a number"),
    "program": (LIKE, "the name of a program"),
    "user": (SAME, "the name or number of a user"),
    "inode": (ORDER, "a number"),
    "proto": (SAME, "a protocol"),
    "recvq": (ORDER, "a number"),
    "sendq": (ORDER, "a number"),
    "netns": (LIKE, "the name of a network namespace"),
    "unit": (LIKE, "the name of a unit"),
    "container": (LIKE, "the id or the name of a container"),
    "pod": (LIKE, "the uid of a pod"),
    "host": (LIKE, "the name of a host, as --host has it"),
}
EXPECTED = f"expected a term ({', '.join(TERMS)}), not, or ("
# What is called otherwise in filters: the names of fields, and words of other tools
MEANT = {
    "port": "sport = N or dport = N (--port N is both)",
    "local_port": "sport", "remote_port": "dport", "local_address": "src",
    "remote_address": "dst", "recv_q": "recvq", "send_q": "sendq", "process": "program",
    "ip": "src or dst", "uid": "user", "ifname": "dev", "interface": "dev",
}  # fmt: skip
KEYWORDS = (*TERMS, "and", "or", "not", "state", "exclude")
# What another host looks up among its own names, where it is asked
LOOKED_UP = {
    "a host": frozenset({"local_address", "path"}),
    "a port": frozenset({"local_port"}),
    "the name or number of a user": frozenset({"uid"}),
}
NUMBERS = {"inode": "inode", "recvq": "recv_q", "sendq": "send_q"}
DEPTH = 60  # parentheses within parentheses


RATES = {"rate_in": "float", "rate_out": "float"}


def further_fields() -> dict[str, str]:
    """The fields of --details, --tcp-info, --memory and --rates that can be compared, with the
    kind of their values."""
    from ...kernel.internals import KINDS

    kinds = {**MORE_DETAILS, **KINDS, **RATES}
    return {name: kind for name, kind in kinds.items() if kind in ("int", "float", "str")}


class FilterError(Misuse):
    """A filter that makes no sense: what was expected, the filter, a caret under the word."""

    def __init__(self, expression: str, start: int, end: int, message: str) -> None:
        caret = " " * start + "^" * max(1, end - start)
        super().__init__(f"{printable_text(message)}\n  {printable_text(expression)}\n  {caret}")


def no_state(word: str) -> str:
    valid = (*STATES, *GROUPS)
    hint = nearest(word, valid) or f"; there are: {', '.join(valid)}"
    return f"no such state `{word}'{hint}"


WORD = re.compile(
    r"""(?P<quoted>"[^"]*"|'[^']*')|(?P<sign>[()]|[=!<>]=|&&|\|\||[=!<>~&|])"""
    r"""|(?P<word>[^\s()=!<>~&|"'][^\s()=!<>~&|]*)"""
)
# Of a regular expression: an escaped character, a set of characters, or any other.
PIECE = r"\\\S|\[\^?\]?(?:\\.|[^\]\\])*\]|\S"


class Token(NamedTuple):
    """A word of the expression; the empty one is its end."""

    text: str
    start: int
    end: int
    kind: str | None

    @property
    def name(self) -> str:
        """What a keyword or a sign says; a quoted word is neither."""
        return "" if self.kind == "quoted" else self.text.lower()


class Parser:
    """Recursive descent: a method for each level of the grammar."""

    def __init__(
        self, expression: str, root: str, untold: str = "", elsewhere: bool = False
    ) -> None:
        self.expression, self.root, self.untold, self.at = expression, root, untold, 0
        self.elsewhere = elsewhere

    def fail(self, token: Token, message: str) -> NoReturn:
        raise FilterError(self.expression, token.start, token.end, message)

    def peek(self) -> Token:
        start = self.blanks()
        if start == len(self.expression):
            return Token("", start, start, "end")
        match = WORD.match(self.expression, start)
        if match is None:
            self.fail(Token("", start, start + 1, None), "this quote is not closed")
        word = match[0][1:-1] if match.lastgroup == "quoted" else match[0]
        return Token(word, start, match.end(), match.lastgroup)

    def take(self) -> Token:
        token = self.peek()
        self.at = token.end
        return token

    def blanks(self) -> int:
        start = self.at
        while self.expression[start : start + 1].isspace():
            start += 1
        return start

    def filter(self) -> tuple[list[Term], bool]:
        """The parts of the filter, and whether a state was named."""
        states = self.states()
        parts = [] if states is None else [match_state(states)]
        token = self.peek()
        if states is not None and token.name in OR:
            self.fail(token, "a state holds for the whole filter; `or` cannot follow it")
        if states is not None and token.name in AND:
            self.take()
            token = self.peek()
        elif token.kind == "end":
            return parts, states is not None
        expression = self.any_of(0)
        parts += expression.parts or (expression,)
        token = self.peek()
        if token.kind != "end":  # all_of() ends at nothing else
            self.fail(token, "there is no parenthesis to be closed")
        return parts, states is not None

    def states(self) -> frozenset[str] | None:
        """The first `state` starts from nothing, the first `exclude` from everything."""
        found: frozenset[str] | None = None
        while (word := self.peek().name) in ("state", "exclude"):
            self.take()
            token = self.operand(f"a state after `{word}'")
            named = states_called(token.text)
            if named is None:
                self.fail(token, no_state(token.text))
            if word == "state":
                found = named | (found or frozenset())
            else:
                found = (ALL if found is None else found) - named
        return found

    def any_of(self, depth: int) -> Term:
        parts = [self.all_of(depth)]
        while self.peek().name in OR:
            self.take()
            parts.append(self.all_of(depth))
        return any_term(parts)

    def all_of(self, depth: int) -> Term:
        parts = [self.one(depth)]
        while (token := self.peek()).kind != "end" and token.name not in (*OR, ")"):
            if token.name in AND:
                self.take()
            parts.append(self.one(depth))
        return both(parts)

    def one(self, depth: int) -> Term:
        token = self.take()
        no = False
        while token.name in NOT:
            no = not no
            token = self.take()
        term = self.group(token, depth) if token.name == "(" else self.term(token)
        return negated(term) if no else term

    def group(self, opening: Token, depth: int) -> Term:
        if depth == DEPTH:
            self.fail(opening, f"more than {DEPTH} parentheses within one another")
        inner = self.any_of(depth + 1)
        if self.peek().kind == "end":
            self.fail(opening, "this parenthesis is not closed")
        self.take()
        return inner

    def term(self, token: Token) -> Term:
        if token.name not in TERMS:
            return self.field(token)
        allowed, kind = TERMS[token.name]
        if not kind:
            return self.made(token, partial(autobound, self.root))
        how = self.operator(token, allowed)
        take = self.pattern if how == "match" else self.operand
        wanted = take(f"{kind} after `{token.text}'")
        return self.made(wanted, partial(self.meaning, token, kind, how, wanted))

    def field(self, token: Token) -> Term:
        """A field of --details, --tcp-info, --memory or --rates by its own name."""
        kind = further_fields().get(token.name)
        if kind is None:
            self.fail(token, self.unexpected(token))
        if kind == "str":
            how = self.operator(token, LIKE)
            take = self.pattern if how == "match" else self.operand
            wanted = take(f"a word after `{token.text}'")
            return self.made(wanted, partial(match_text, token.name, how, wanted.text))
        how = self.operator(token, ORDER)
        wanted = self.operand(f"a number after `{token.text}'")
        if not re.fullmatch(r"-?\d{1,20}", wanted.text, re.ASCII):
            self.fail(wanted, f"expected a number after `{token.text}'")
        return match_number(token.name, how, int(wanted.text))

    def made(self, token: Token, make: Callable[[], Term]) -> Term:
        try:
            return make()
        except FilterError:
            raise
        except ValueError as error:
            self.fail(token, str(error))

    def meaning(self, token: Token, kind: str, how: str, wanted: Token) -> Term:
        """The term that these words make."""
        name, word = token.name, wanted.text
        if self.elsewhere and kind in LOOKED_UP:
            return Term(LOOKED_UP[kind], lambda table: [False] * len(table))
        if kind == "a number":
            return self.numeric(name, how, wanted)
        if kind == "a host":
            return host("local" if name == "src" else "remote", how, word)
        if kind == "a port":
            return match_port("local_port" if name == "sport" else "remote_port", how, word)
        if name == "program":
            return match_holder(name, how, lambda how: match_text(name, how, word))
        if name == "user":
            return user(how, word)
        if name == "dev":
            return device(how, word, self.refusal(token))
        if name == "container":
            return container(how, word)
        return match_text(name, how, word)

    def refusal(self, token: Token) -> FilterError | None:
        """Why a question about the device of a socket cannot be answered, if it cannot."""
        if not self.untold:
            return None
        message = f"to which device a socket is bound is not known here: {self.untold}"
        return FilterError(self.expression, token.start, token.end, message)

    def numeric(self, name: str, how: str, wanted: Token) -> Term:
        if not re.fullmatch(r"\d{1,20}", wanted.text, re.ASCII):
            self.fail(wanted, f"expected a number after `{name}'")
        if name == "pid":
            return match_holder(name, how, lambda how: match_number(name, how, int(wanted.text)))
        return match_number(NUMBERS[name], how, int(wanted.text))

    def operator(self, term: Token, allowed: tuple[str, ...]) -> str:
        """What stands between a term and its operand; nothing is `=`."""
        token = self.peek()
        how = OPERATORS.get(token.name)
        if how is None:
            return "eq"
        if how not in allowed:
            signs = ", ".join(sign for sign, name in SIGNS.items() if name in allowed)
            self.fail(token, f"`{term.text}' takes one of {signs}")
        self.take()
        return how

    def operand(self, what: str) -> Token:
        token = self.peek()
        if not token.text or token.kind == "sign" or token.name in ("and", "or", "not"):
            self.fail(token, f"expected {what}")
        return self.take()

    def pattern(self, what: str) -> Token:
        """A regular expression: to the next blank, or to a parenthesis that it has not opened."""
        start = self.blanks()
        if self.expression[start : start + 1] in ("", '"', "'"):
            return self.operand(what)
        end, depth = start, 0
        piece = re.compile(PIECE)
        while (match := piece.match(self.expression, end)) is not None:
            depth += {"(": 1, ")": -1}.get(match[0], 0)
            if depth < 0:
                break
            end = match.end()
        self.at = end
        if end == start:
            self.fail(self.peek(), f"expected {what}")
        return Token(self.expression[start:end], start, end, "word")

    def unexpected(self, token: Token) -> str:
        if token.name in ("state", "exclude"):
            return f"`{token.name}' comes before all terms, and outside of parentheses"
        if token.kind != "word" or token.name in ("and", "or", "not"):
            return EXPECTED
        if token.name in MEANT:
            return f"no term `{token.name}'; write {MEANT[token.name]}"
        near = nearest(token.text, KEYWORDS) or f"; the terms are: {', '.join(TERMS)}"
        return f"no term `{token.text}'{near}"
