"""Text in a format that a browser or a typesetter renders: untrusted names stay text there, and
become no include, script, image or link.

tabulate itself escapes for html and latex. Tables that are made for eyes alone (plain, simple,
grid, ...) are not escaped; they are not to be rendered as anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable

# tabulate's formats that escape nothing, and those that print the same escaped
RAW = {"unsafehtml": "html", "latex_raw": "latex"}


def entity(found: re.Match[str]) -> str:
    return f"&#{ord(found[0])};"


# Markdown takes a backslash before some marks only, and a `|` ends a cell even behind one. A `.`
# before a letter and `:` before `//` make links of names, `{` makes templates of some sites.
MARKDOWN = re.compile(r"[&<>|\\{~$@]|:(?=//)|\.(?=[^\W\d_])")
MARKDOWN_MARKS = re.compile(r"[\[\]!`*_]")


def markdown(text: str) -> str:
    """With entities, and with backslashes where every Markdown takes them."""
    return MARKDOWN_MARKS.sub(r"\\\g<0>", MARKDOWN.sub(entity, text))


# All marks but those of numbers and paths, and single - and _ within a word
WIKI = re.compile(r"(?![.,/])[!-/:-@\[-`{-~](?<!(?<=[^\W_])[-_](?=[^\W_]))")


def wiki(text: str) -> str:
    """With entities, which all wikis, Textile and AsciiDoc take as the characters they name."""
    return WIKI.sub(entity, text)


# All marks but a `.`, `/` or `-` between letters or digits
RST = re.compile(r"[^\w\s./-]|_|(?<!\S)[./-]|[./-](?=[\s./-]|$)")


def rst(text: str) -> str:
    """With a backslash before every mark that reStructuredText knows."""
    return RST.sub(r"\\\g<0>", text)


# Org has no escape: names for these marks, and none for the others.
ORG = {
    **{"|": "vbar", "&": "amp", "<": "lt", ">": "gt", "~": "tilde", "+": "plus", "_": "under"},
    **{"=": "equal", "^": "asciicirc", "$": "dollar", "*": "ast", ":": "colon"},
}
ORG_MARKS = re.compile(r"[|&<>~+_=^$*:\\\[\]{}@#]")


def org(text: str) -> str:
    """With Org's names for marks; `\\`, `@`, `#` and brackets, which have none, become `?`."""
    return ORG_MARKS.sub(lambda found: f"\\{ORG[found[0]]}{{}}" if found[0] in ORG else "?", text)


ESCAPES: dict[str, Callable[[str], str]] = {
    **dict.fromkeys(("github", "pipe", "colon_grid"), markdown),
    **dict.fromkeys(("asciidoc", "jira", "mediawiki", "moinmoin", "textile", "youtrack"), wiki),
    "rst": rst,
    "orgtbl": org,
}
