"""--watch: the live screen. textual draws it; what is shown comes from watch.py."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

from ..formats.colour import STATES, in_colour
from ..listing import Stop
from ..options import Misuse, Options
from ..outcome import ignore
from ..plan import Plan
from ..text import printable_text
from .watch import CHANGED, GONE, NEW, Model, Row, Source, details_of_row

MISSING = (
    "--watch needs textual, which is not installed: pip install 'pynetstat[watch]'"
    " (pipx inject pynetstat textual)"
)
KEYS = (
    ("q", "quit"),
    ("space, p", "pause, and go on"),
    ("/", "filter: --filter's grammar; an empty one shows all"),
    ("s", "sort by the next column"),
    ("r", "reverse the order"),
    ("g", "group by program, foreign address, container"),
    ("arrows, page up, end, ...", "choose a row"),
    ("enter", "everything that is known of the row"),
    ("?", "this help"),
    ("escape", "back"),
)
FOOTER = "q quit  space pause  / filter  s sort  r reverse  g group  enter details  ? help"
MARKS = {NEW: "green", CHANGED: "yellow", GONE: "red"}


def show_screen(
    options: Options,
    out: BinaryIO,
    warn: Callable[[str], None] = ignore,
    progress: Callable[[str], None] = ignore,
) -> int:
    """The screen until the user ends it; the exit status. Misuse where there is no terminal."""
    Plan(options)  # what makes no sense is said of the options as they were given
    source = Source(options)
    terminal = sys.stdin and sys.stdin.isatty() and sys.stdout and sys.stdout.isatty()
    if not terminal or os.environ.get("TERM", "") in ("", "dumb"):
        raise Misuse("--watch needs a terminal that can draw; -c prints again and again")
    try:
        app = screen(source)
    except ImportError:
        raise Misuse(MISSING) from None
    gc.enable()  # the entry point turned it off
    if not in_colour(options.color, True):
        os.environ["NO_COLOR"] = "1"  # which textual heeds
    app.run(mouse=False)
    if app.failure is not None:
        raise app.failure  # the terminal is restored by now
    return int(app.return_code or 0)


def screen(source: Source) -> Any:
    """The application. ImportError where textual is missing."""
    from rich.cells import cell_len, set_cell_size
    from rich.segment import Segment
    from rich.style import Style
    from textual.app import App, ComposeResult
    from textual.binding import Binding
    from textual.containers import Horizontal, VerticalScroll
    from textual.geometry import Size
    from textual.message import Message
    from textual.screen import ModalScreen
    from textual.scroll_view import ScrollView
    from textual.strip import Strip
    from textual.widgets import Input, Static

    plain = Style()  # None is no style to textual where colours are left out

    def cell(text: str, width: int, right: bool) -> str:
        """Text in so many columns, cut where it is longer."""
        if cell_len(text) > width:
            return set_cell_size(text, width)
        space = " " * (width - cell_len(text))
        return space + text if right else text + space

    class Resized(Message):
        """The rows have another width: the header has to follow."""

    class Rows(ScrollView, can_focus=True):
        """The rows: only the visible ones are drawn."""

        def __init__(self, model: Model) -> None:
            super().__init__()
            self.model = model
            self.chosen = 0

        def show(self) -> None:
            """Draw the model as it is now."""
            self.chosen = max(min(self.chosen, len(self.model.rows) - 1), 0)
            self.virtual_size = Size(self.size.width, len(self.model.rows))
            self.refresh()

        def on_resize(self) -> None:
            self.post_message(Resized())

        def render_line(self, y: int) -> Strip:
            number = self.scroll_offset.y + y
            if number >= len(self.model.rows):
                return Strip.blank(self.size.width, plain)
            row = self.model.rows[number]
            line = self.line(self.model.cells(row))
            strip = Strip([Segment(line, self.style_of(row, number))], cell_len(line))
            return strip.crop_extend(0, self.size.width, plain)

        def line(self, texts: Sequence[str]) -> str:
            """Texts in their columns, as many as fit."""
            widths = self.model.layout(self.size.width)
            return " ".join(
                cell(text, width, column.number)
                for text, width, column in zip(texts, widths, self.model.columns)
                if width
            )

        def style_of(self, row: Row, number: int) -> Style:
            colour = MARKS.get(row.mark) or STATES.get(str(row.values.get("state")))
            colour = {"grey": "bright_black"}.get(colour or "", colour)
            return Style(color=colour, reverse=number == self.chosen, strike=row.mark == GONE)

        def move(self, rows: int) -> None:
            self.chosen = max(min(self.chosen + rows, len(self.model.rows) - 1), 0)
            top, height = self.scroll_offset.y, self.size.height
            if not top <= self.chosen < top + height:
                to = self.chosen if self.chosen < top else self.chosen - height + 1
                self.scroll_to(y=to, animate=False)
            self.refresh()

        def header(self) -> str:
            return self.line([column.title for column in self.model.columns])

    class Page(ModalScreen[None]):
        """A text over the rows, until a key is pressed."""

        BINDINGS = [Binding("escape,q,enter,space", "dismiss", "back", show=False)]  # noqa: RUF012
        CSS = "Page { align: center middle; } VerticalScroll { width: 90%; height: 90%;"
        CSS += " border: round; background: $surface; padding: 0 1; }"
        CSS += " Page Static { height: auto; } Page Horizontal { height: auto; }"
        CSS += " Page .name { width: 26; text-style: bold; } Page .text { width: 1fr; }"

        def __init__(self, pairs: list[tuple[str, str]]) -> None:
            super().__init__()
            self.pairs = pairs

        def compose(self) -> ComposeResult:
            with VerticalScroll():
                for name, text in self.pairs:
                    yield Horizontal(
                        Static(name, classes="name", markup=False),
                        Static(text, classes="text", markup=False),
                    )

    class Watch(App[None]):
        """The screen: summary, header, rows, the filter line, the keys."""

        ENABLE_COMMAND_PALETTE = False
        CSS = "Static { height: 1; } #header { text-style: bold; } #filter { display: none; }"
        CSS += " #filter { height: 1; border: none; } Rows { height: 1fr; overflow-x: hidden;"
        CSS += " scrollbar-size: 1 1; }"
        BINDINGS = [  # noqa: RUF012
            Binding("q", "leave", "quit"),
            Binding("ctrl+c", "leave", "quit", priority=True),
            Binding("space,p", "pause", "pause"),
            Binding("s", "sort", "sort"),
            Binding("r", "reverse", "reverse"),
            Binding("g", "group", "group"),
            Binding("slash", "filter", "filter"),
            Binding("enter", "details", "details"),
            Binding("question_mark", "keys", "help"),
            Binding("escape", "to_rows", "back"),
            Binding("ctrl+z", "suspend_process", "suspend", priority=True),
            *[Binding(key, f"move({step})", key) for key, step in
              (("down,j", 1), ("up,k", -1), ("pagedown", 20), ("pageup", -20),
               ("home", -10**9), ("end", 10**9))],
        ]  # fmt: skip

        def __init__(self) -> None:
            super().__init__()
            key = source.given.sort[0] if source.given.sort else ""
            self.model = Model(
                source.view, key.lstrip("-"), key.startswith("-"), source.given.netns == "all"
            )
            self.rows = Rows(self.model)
            # kept, since a round may end when the screen is gone already, and finds no widget there
            self.summary = Static("", id="summary", markup=False)
            self.titles = Static("", id="header", markup=False)
            self.paused, self.reading = False, False
            self.problem = ""
            self.failure: Exception | None = None

        def compose(self) -> ComposeResult:
            yield self.summary
            yield self.titles
            yield self.rows
            yield Input(id="filter", placeholder="such as: dport = 443 and program = curl")
            yield Static(FOOTER, id="footer", markup=False)

        async def on_mount(self) -> None:
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
                if os.name != "nt":
                    loop.add_signal_handler(number, lambda: self.exit(return_code=1))
            self.rows.focus()
            self.begin_round()
            self.set_interval(max(source.given.interval, 0.05), self.begin_round)

        def begin_round(self) -> None:
            """A round in a task of its own: keys are answered while it is read."""
            self.reader = asyncio.create_task(self.round())

        async def round(self) -> None:
            """One further round; none while another is read, or while it is paused."""
            if self.reading or self.paused:
                return
            self.reading = True
            try:
                if source.given.netns:  # only the main thread can enter a namespace
                    found = source.read()
                else:
                    found = await asyncio.to_thread(source.read)
                self.problem = source.outcome.errors[-1] if source.outcome.errors else ""
                if found or not self.problem:  # else nothing was read, and nothing is gone
                    self.model.enter(found, time.monotonic())
                self.draw()
            except Exception as error:  # textual would print a traceback
                self.failure = error
                self.exit(return_code=1)
            finally:
                self.reading = False

        def draw(self) -> None:
            words = ["PAUSED"] * self.paused + [self.problem] * bool(self.problem)
            words += self.model.summary()
            words += [f"filter: {source.expression}"] * bool(source.expression)
            words += [f"by {self.model.group}"] * bool(self.model.group)
            words += [f"sorted by {self.model.order()}"] * bool(self.model.sort)
            self.summary.update("  ".join(words))
            self.titles.update(self.rows.header())
            self.rows.show()

        def on_resized(self) -> None:
            self.draw()

        def action_leave(self) -> None:
            self.exit()

        def action_pause(self) -> None:
            self.paused = not self.paused
            self.draw()

        def action_sort(self) -> None:
            self.model.next_sort()
            self.draw()

        def action_reverse(self) -> None:
            self.model.reverse = not self.model.reverse
            self.model.arrange()
            self.draw()

        def action_group(self) -> None:
            self.model.next_group()
            self.draw()

        def action_move(self, rows: int) -> None:
            self.rows.move(rows)

        def action_keys(self) -> None:
            self.push_screen(Page(list(KEYS)))

        def action_details(self) -> None:
            if self.model.rows and not self.model.group:
                row = self.model.rows[self.rows.chosen]
                try:
                    pairs = details_of_row(source, row)
                except (Misuse, Stop, OSError) as error:
                    pairs = [("not readable", printable_text(str(error)))]
                self.push_screen(Page(pairs))

        def action_filter(self) -> None:
            line = self.query_one("#filter", Input)
            line.value = source.expression
            line.styles.display = "block"
            line.focus()

        def foot(self, text: str) -> None:
            self.query_one("#footer", Static).update(text)

        def action_to_rows(self) -> None:
            self.foot(FOOTER)
            self.query_one("#filter", Input).styles.display = "none"
            self.rows.focus()

        async def on_input_submitted(self, event: Input.Submitted) -> None:
            try:
                source.choose(event.value)
            except Misuse as misuse:
                self.foot(str(misuse).partition("\n")[0])
                return
            self.model.forget()
            self.action_to_rows()
            self.begin_round()

    return Watch()
