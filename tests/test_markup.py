"""What strangers wrote, in formats that somebody renders: real renderers give the text back, and
nothing in it becomes an include, a script, an image or a link."""

from __future__ import annotations

import html
import re
import string
from pathlib import Path
from typing import NamedTuple

import pytest
from runner import invoke
from tabulate import tabulate_formats

from pynetstat.cli import main
from pynetstat.formats.markup import ESCAPES, RAW, org, wiki
from pynetstat.formats.tabular import render
from pynetstat.listing import Listing
from pynetstat.options import Options
from pynetstat.table import Table

NAMES = r"""
.. include:: /etc/hostname
.. raw:: html
.. _target: http://evil.example
- item
1. item
a) item
(a) item
#. item
----
====
....
////
/V  option
-x  option
http://evil.example/x
ftp://evil.example
www.evil.example
evil.example/x
root@evil.example
mailto:root@evil.example
a\|b
a\\|b
a\
\
|
||
a|b|c
![x](http://evil.example/x.png)
[x](javascript:alert(1))
[x]: http://evil.example
<http://evil.example>
<script>alert(1)</script>
<img src=x onerror=alert(1)>
&lt;script&gt;
_a_ *b* **c** `d` ``e``
~~a~~
$a$
{{template}}
{% include x %}
[[Page]]
''a'' '''b'''
__TOC__
link:evil[x]
image::x[]
include::/etc/hostname[]
pass:[<script>]
+++<script>+++
{docname}
((index))
<<reference>>
"text":http://evil.example
!http://evil.example/x.png!
%{color:red}x%
@code@
name_
`name`_
|name|
:role:`text`
[1]_
__ anonymous
literal::
>>> doctest
| block
+ item
* item
::
a--b
""".strip().splitlines()
FORMATS = sorted(ESCAPES.keys() & set(tabulate_formats))


class Named(NamedTuple):
    number: int
    name: str | None = None


LISTING = Listing("named", Named, lambda *_: iter(()), lambda _: (), lambda _: "")


def printed(format: str, *columns: str) -> str:
    """A table of all names, each beside its number."""
    names = [name.encode().decode("latin-1") for name in NAMES]
    table = Table(Named, len(names), number=list(range(len(names))), name=names)
    pieces = render([(LISTING, [table])], Options(format=format, columns=columns))
    return b"".join(pieces).decode()


def shown(page: str) -> dict[int, str]:
    """The cells of a rendered table: port -> program. No tag stands in a cell."""
    found = {}
    for row in re.findall("<tr.*?</tr>", page, re.DOTALL):
        cells = re.findall("<td[^>]*>(.*?)</td>", row, re.DOTALL)
        texts = [html.unescape(re.sub("</?p[^>]*>", "", cell)).strip() for cell in cells]
        if texts:
            found[int(texts[0])] = texts[1]
    return found


def test_restructuredtext() -> None:
    docutils = pytest.importorskip("docutils")
    core = pytest.importorskip("docutils.core")
    writer = "writer" if docutils.__version_info__ >= (0, 22) else "writer_name"
    text = printed("rst")
    settings = {"halt_level": 2, "report_level": 2, "input_encoding": "utf-8"}
    page = core.publish_string(text, **{writer: "html"}, settings_overrides=settings).decode()
    body = page[page.index("<body") :]
    tags = set(re.findall(r"<(\w+)", body))
    assert tags <= {"body", "div", "p", "table", "colgroup", "col", "thead", "tbody", "tr", "th",
                    "td"}  # fmt: skip
    assert shown(body) == dict(enumerate(NAMES))


@pytest.mark.parametrize("format", [name for name in FORMATS if name in ("github", "pipe")])
@pytest.mark.parametrize("preset", ["commonmark", "gfm-like"])
def test_markdown(format: str, preset: str) -> None:
    markdown_it = pytest.importorskip("markdown_it")
    if preset == "gfm-like":
        pytest.importorskip("linkify_it")
    renderer = markdown_it.MarkdownIt(preset, {"html": True}).enable("table")
    page = renderer.render(printed(format))
    assert set(re.findall(r"<(\w+)", page)) == {"table", "thead", "tbody", "tr", "th", "td"}
    assert shown(page) == dict(enumerate(NAMES))


def test_textile() -> None:
    textile = pytest.importorskip("textile")
    page = textile.textile(printed("textile"))
    assert set(re.findall(r"<(\w+)", page)) <= {"table", "tr", "th", "td", "span"}  # of capitals


@pytest.mark.parametrize("format", FORMATS)
def test_a_row_keeps_its_cells(format: str) -> None:
    """No mark stands there that a cell, a link, an include or a macro is made of."""
    table = printed(format, "name")
    for name in NAMES:
        cell = ESCAPES[format](name)
        assert f"{cell} " in table or f"{cell}\n" in table
        if ESCAPES[format] is not wiki:
            continue  # real renderers say more
        bare = re.sub(r"&#\d+;", "", cell)
        assert not re.search(r"[<>\[\]{}*`|]|://|::|''|__|%%|^--", bare), cell


def test_the_right_characters() -> None:
    """Entities name what they stand for; letters, digits, numbers and paths stay readable."""
    marks = string.punctuation + " é日本 x-y_z 127.0.0.1 /run/a_b.sock"
    assert html.unescape(wiki(marks)) == marks
    assert wiki("x-y_z 127.0.0.1 /run/a_b.sock") == "x-y_z 127.0.0.1 /run/a_b.sock"
    assert org("a|b [[x]]") == r"a\vbar{}b ??x??"
    assert not set(org(string.punctuation)) & set("|<>~+_=^$*:[]@#&")
    for escape in ESCAPES.values():
        assert escape("python3.11 TIMEOUT") == "python3.11 TIMEOUT"


@pytest.mark.parametrize("format", RAW)
def test_formats_that_escape_nothing_are_refused(format: str, tmp_path: Path) -> None:
    result = invoke(main, ["-t", "--format", format, "--proc", str(tmp_path)])
    assert result.exit_code == 2 and result.stdout == ""
    assert f"use {RAW[format]}" in result.stderr
