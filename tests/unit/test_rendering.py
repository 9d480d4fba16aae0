"""What a hostile answer may put on the page: only what is asserted here."""

import html
import re
import sys
import time
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sessionmagic.notebook.page.growing import cut_block, settled_length
from sessionmagic.notebook.page.rendering import _cleaner, clean_html, render_code, render_markdown
from sessionmagic.notebook.visible import escape, visible
from tests.examples import examples

TAGS = {
    "a",
    "blockquote",
    "br",
    "code",
    "div",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "li",
    "ol",
    "p",
    "pre",
}
TAGS |= {"s", "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul"}
ATTRIBUTES = {
    "a": {"href", "title", "rel", "target"},
    "ol": {"start"},
    "code": {"style"},
    "div": {"style"},
    "pre": {"style"},
    "p": {"style"},
    "span": {"style"},
    "table": {"style"},
    "td": {"style"},
    "th": {"style"},
}
STYLE = re.compile(
    r"text-align:(left|center|right)|color:(#[0-9a-f]{3})|white-space:pre"
    r"|(white-space:pre;)?overflow-x:auto;overflow-wrap:normal(;font-size:inherit;width:auto;box-shadow:none)?"
    r"(;margin:(0 0 1em|[0-9.]+em 0))?|margin:0"
    r"|display:inline-block;max-width:100%;overflow-x:auto;overflow-y:hidden;vertical-align:middle"
)
HIDDEN = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
# What MathJax takes for a formula in the text of one element.
TYPESET = re.compile(r"\$.*\$|\\\(.*\\\)|\\\[.*\\\]|\\begin\{.*\\end\{|\\(?:eq)?ref\s*\{", re.DOTALL)
COMMANDS = [
    "href",
    "url",
    "style",
    "class",
    "cssId",
    "require",
    "unicode",
    "includegraphics",
    "htmlData",
    "data",
]
DANGEROUS = re.compile(rf"\\(?:{'|'.join(COMMANDS)})(?![a-zA-Z])")

HOSTILE = [
    "<script>alert(1)</script>",
    "<scr<script>ipt>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "a <b onmouseover='alert(1)'>b</b>",
    "<iframe src='https://evil.example'></iframe>",
    "<svg><script>alert(1)</script></svg>",
    "<svg/onload=alert(1)>",
    "<math><mtext><style><img src=x onerror=alert(1)></style></mtext></math>",
    "<style>@import 'https://evil.example/x.css';</style>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<form action=https://evil.example><input name=body><button>ok</button></form>",
    "<object data=x></object><embed src=x><base href=//evil.example><link rel=stylesheet href=x>",
    "<!-- --><![CDATA[ <script>alert(1)</script> ]]><?php ?>",
    "</pre></code></div><script>alert(1)</script>",
    "[a](javascript:alert(1))",
    "[a](JaVaScRiPt:alert(1))",
    "[a](java&#115;cript:alert(1))",
    "[a](&#x6A;avascript:alert(1))",
    "[a](javascript&colon;alert(1))",
    "[a](java\tscript:alert(1))",
    "[a](<java\tscript:alert(1)>)",
    "[a](<\x01javascript:alert(1)>)",
    "[a](java&Tab;script&NewLine;:alert(1))",
    "[a]( javascript:alert(1) 'title')",
    "[a](vbscript:msgbox(1))",
    "[a](data:text/html;base64,PHNjcmlwdD4=)",
    "[a](file:///etc/passwd)",
    "[a](//evil.example/x)",
    "[a](/hub/logout)",
    "[a](#anchor)",
    "[a](\\\\evil.example)",
    "[a](https:javascript:alert(1))",
    '[a](https://ok.example"onmouseover="alert(1))',
    "[a](https://ok.example '\" onmouseover=\"alert(1)')",
    "<javascript:alert(1)>",
    "<data:text/html,x>",
    "<https://ok.example/\"onmouseover='x'>",
    "[a][r]\n\n[r]: javascript:alert(1)",
    "![a][r]\n\n[r]: https://evil.example/leak.png",
    "![a](https://evil.example/leak.png)",
    "![a](data:image/png;base64,AAAA)",
    "![a](data:image/svg+xml,<svg/onload=alert(1)>)",
    "[![a](https://evil.example/leak.png)](https://ok.example)",
    "![a [b](https://x.example) ![c](https://y.example)](https://z.example 'id=\"x\"')",
    "```html\n<script>alert(1)</script>\n```",
    "````md\n```html\n<img src=x onerror=alert(1)>\n```\n````",
    '```"><script>alert(1)</script>\nx\n```',
    '``` python" onclick="alert(1)\nx\n```',
    "~~~\n<script>alert(1)</script>",
    "`<script>alert(1)</script>",
    "[a](https://ok.example",
    "**a _b `c [d ![e",
    "| a |\n|:-:|\n| <script>alert(1)</script> |",
    "$a < b <script>alert(1)</script>$",
    "$$\n</p><script>alert(1)</script>\n$$",
    r"$\href{javascript:alert(1)}{x}$",
    r"\(\href{javascript:alert(1)}{x}\)",
    r"\\(\href{javascript:alert(1)}{x}\\)",
    "\\begin{align}\n\\href{javascript:alert(1)}{x}\n\\end{align}",
    "a \\begin{align} \\href{javascript:alert(1)}{x} \\end{align}",
    "\\$\\\\href{javascript:alert(1)}{x}\\$",
    "&dollar;\\\\href{javascript:alert(1)}{x}&#36;",
    "*$*\\\\href{javascript:alert(1)}{x}*$*",
    "$ \\\\href{javascript:alert(1)}{x} $",
    "$  \n\\\\href{javascript:alert(1)}{x}  \n$",
    r"$\hr\label{x}ef{javascript:alert(1)}{x}$",
    "![$\\\\href{javascript:alert(1)}{x}$](https://ok.example)",
    "\x1b[31mred\x1b[0m \x1b]8;;https://evil.example\x07link\x1b]8;;\x07 \x9b31m",
    "abc\u202egnp.exe \u2066x\u2069 &#x202e; &#x2066;",
    "<https://ok.example/%E2%80%AE>",
    "\ud83d \udc00 lone",
    "a\0b\x7fc\rd",
]
PIECES = [
    *"<>[]()!`*_~$\\#|-:&;\"'=/ \n\t",
    *["\n\n", "\r\n", "    ", "```", "~~~", "```python\n", "$$", "$$\n", "\\(", "\\)", "\\[", "\\]", "\\\\"],
    *[
        "\\begin{align}",
        "\\end{align}",
        "\\href{javascript:x}{y}",
        "\\data",
        "\\ref{a}",
        "\\label{a}",
        "&#36;",
    ],
    *[
        "javascript:",
        "data:",
        "https://a.example",
        "&#x202e;",
        "&colon;",
        "\u202e",
        "\x1b",
        "\ud800",
        "\0",
        "\r",
    ],
    *[
        "<script>",
        "</p>",
        "<!--",
        "onerror=",
        "> ",
        "- ",
        "1. ",
        "# ",
        "![",
        "](",
        "| a | b |\n|---|---|\n",
        "a",
        "7",
    ],
]
nasty = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


class Page(HTMLParser):
    """A fragment as a browser takes it: its elements, its visible text, and the strings MathJax looks at."""

    def __init__(self, fragment: str) -> None:
        super().__init__(convert_charrefs=True)
        self.opened: list[tuple[str, dict[str, str]]] = []
        self.odd: list[str] = []
        self.text = ""
        self.strings = [""]
        self._code = 0
        self.feed(fragment)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.opened.append((tag, {name: value or "" for name, value in attrs}))
        self._code += tag in {"pre", "code"}
        self._between(tag)

    def handle_endtag(self, tag: str) -> None:
        self._code -= tag in {"pre", "code"}
        self._between(tag)

    def _between(self, tag: str) -> None:
        if tag == "br":
            self.strings[-1] += "\n"
        else:
            self.strings.append("")

    def handle_data(self, data: str) -> None:
        self.text += data
        if not self._code:
            self.strings[-1] += data

    def handle_comment(self, data: str) -> None:
        self.odd.append(data)

    def handle_decl(self, decl: str) -> None:
        self.odd.append(decl)

    def handle_pi(self, data: str) -> None:
        self.odd.append(data)

    def unknown_decl(self, data: str) -> None:
        self.odd.append(data)

    @property
    def typeset(self) -> list[str]:
        return [string for string in self.strings if TYPESET.search(string)]


def page_of(text: str) -> Page:
    return Page(render_markdown(text))


def assert_safe(fragment: str) -> None:
    page = Page(fragment)
    assert not page.odd
    for tag, attributes in page.opened:
        assert tag in TAGS
        assert set(attributes) <= ATTRIBUTES.get(tag, set())
        if tag == "a":
            assert attributes["target"] == "_blank"
            assert attributes["rel"] == "noopener noreferrer nofollow"
            assert re.match(r"(https?://|mailto:)", attributes.get("href", "https://"), re.IGNORECASE)
            assert attributes["title"]
        if "style" in attributes:
            assert STYLE.fullmatch(attributes["style"])
    assert not HIDDEN.search(fragment)
    assert not [formula for formula in page.typeset if DANGEROUS.search(formula)]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_answer_leaves_only_allowed_html(text: str) -> None:
    assert_safe(render_markdown(text))
    assert_safe(render_markdown(f"> - {text}"))
    assert_safe(render_markdown(f"*a* [b]({text}) $c$"))


@given(nasty)
def test_any_mixture_of_nasty_pieces_leaves_only_allowed_html(text: str) -> None:
    assert_safe(render_markdown(text))


@given(st.text(st.characters(), max_size=200))
def test_any_text_leaves_only_allowed_html(text: str) -> None:
    assert_safe(render_markdown(text))


def test_raw_html_is_shown_as_text() -> None:
    assert page_of("a <b onclick=x>b</b>").text == "a <b onclick=x>b</b>\n"


def test_link_with_another_scheme_is_shown_as_written() -> None:
    assert page_of("[a](javascript:x)").text == "[a](javascript:x)\n"


def test_link_says_where_it_goes_whatever_title_it_asks_for() -> None:
    ((_, attributes),) = [tag for tag in page_of("[bank](https://evil.example 'bank')").opened if tag[0] == "a"]
    assert attributes["href"] == attributes["title"] == "https://evil.example"


@pytest.mark.parametrize(
    "text", ["![a *cat*](https://x.example/c.png)", "![a *cat*][r]\n\n[r]: https://x.example/c.png"]
)
def test_image_becomes_a_link_that_loads_nothing(text: str) -> None:
    page = page_of(text)
    assert page.text == "image: a cat\n"
    assert page.opened[1][1]["href"] == "https://x.example/c.png"


def test_image_in_a_link_becomes_text_of_that_link() -> None:
    page = page_of("[![cat](https://x.example/c.png)](https://y.example)")
    assert [attributes["href"] for tag, attributes in page.opened if tag == "a"] == ["https://y.example"]
    assert page.text == "image: cat\n"


@pytest.mark.parametrize(
    "formula",
    [
        "$a_1*b*c_2$",
        "$x$",
        r"$a < b \$ & c$",
        "$$a_1 _b_ *c*$$",
        r"\(a_1 < *b*\)",
        r"\[a_1 < *b*\]",
        "$$\na_1\n= b\n- c\n# d\n$$",
        "\\[\na\n\\\\[2pt]\n= b\n\\]",
        "\\begin{align*}\na &< b_1 \\\\\n- c &= *d*\n\\end{align*}",
        "\\begin{bmatrix} 1 & 2 \\end{bmatrix}",
    ],
)
def test_math_reaches_the_page_as_it_was_written(formula: str) -> None:
    assert page_of(formula).typeset == [formula]


@pytest.mark.parametrize("start", ["Hence:\n", "- a\n\n  ", "> "])
def test_display_math_is_found_in_and_after_other_blocks(start: str) -> None:
    indent = {"- a\n\n  ": "  ", "> ": "> "}.get(start, "")
    assert page_of(f"{start}$$\n{indent}- a_1\n{indent}$$\n").typeset == ["$$\n- a_1\n$$"]


def test_inline_math_keeps_to_its_own_text() -> None:
    page = page_of("so $a$, $b$ and **\\(c\\)**; $n$th, (\\[d\\])")
    assert page.typeset == ["$a$", "$b$", r"\(c\)", "$n$", r"\[d\]"]
    assert page.text == "so $a$, $b$ and \\(c\\); $n$th, (\\[d\\])\n"


@pytest.mark.parametrize(
    "text",
    [
        "costs $5 and $6",
        "costs $5 and $6, `$x$`",
        "US$5-$10, then $7",
        "from $HOME and $PATH",
        "`$x$`",
        "```\n$x$ \\(y\\)\n```",
        "    $x$",
        r"\$x\$",
        "$ x $",
        "&#36;x&#36;",
        r"\\(x\\)",
        "a \\begin{align}x\\end{align}",
        "see \\ref{x}",
        "$$ is the shell's id\n```bash\necho $$\n```",
    ],
)
def test_what_is_no_math_is_not_typeset(text: str) -> None:
    assert page_of(text).typeset == []


@pytest.mark.parametrize("command", [*COMMANDS, "newcommand", "def", "let", "mmlToken", "ref"])
@pytest.mark.parametrize("math", ["${}$", "$${}$$", r"\({}\)", "\\[\n{}\n\\]", "\\begin{{align}}\n{}\n\\end{{align}}"])
def test_math_that_links_loads_or_redefines_is_shown_as_code(command: str, math: str) -> None:
    text = math.format(rf"\{command}{{x}}{{y}}")
    page = page_of(text)
    assert page.typeset == []
    assert "code" in [tag for tag, _ in page.opened]
    assert page.text.strip() == text


@pytest.mark.parametrize("formula", [r"$\left( \delta \right)$", r"$\displaystyle \hbar$", r"$\degree$"])
def test_commands_that_only_look_alike_are_typeset(formula: str) -> None:
    assert page_of(formula).typeset == [formula]


def test_label_is_left_out_because_the_next_frame_would_repeat_it() -> None:
    formula = "\\begin{align}\nx \\label{eq:1}\n\\end{align}"
    assert page_of(formula).typeset == ["\\begin{align}\nx \n\\end{align}"]


def test_known_language_is_coloured_and_unknown_is_not() -> None:
    coloured, plain = page_of("```python\ndef f(): pass\n```"), page_of("```nonsense\ndef f(): pass\n```")
    assert coloured.text == plain.text == "def f(): pass\n\n"
    assert [tag for tag, _ in coloured.opened] == ["pre", "code", "span", "span", "span"]
    assert [tag for tag, _ in plain.opened] == ["pre", "code"]


def test_very_long_code_is_not_coloured() -> None:
    assert "<span" not in render_markdown("```python\n" + "x = 1\n" * 9_000 + "```")


def test_code_is_shown_to_the_character() -> None:
    code = "\n\n  x\t= '<&>'\n\n\n"
    assert page_of(f"```python\n{code}```").text == f"{code}\n"


def test_colours_read_on_white_and_on_black() -> None:
    code = "```python\n@d\ndef f(x): return len('a') # c\n1\n```\n```diff\n+a\n-b\n```\n```html\n<a b='c'>\n```"
    styles = {attributes["style"] for tag, attributes in page_of(code).opened if tag == "span"}
    assert len(styles) >= 7
    for style in styles:
        match = STYLE.fullmatch(style)
        assert match is not None
        assert min(contrast(match[2], "#ffffff"), contrast(match[2], "#111111")) > 4


def contrast(one: str, other: str) -> float:
    low, high = sorted(luminance(colour) for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_table_and_strikethrough() -> None:
    page = page_of("| a | b |\n|---|--:|\n| 1 | ~~2~~ |")
    assert [tag for tag, _ in page.opened if tag in {"table", "th", "td", "s"}] == [
        "table",
        "th",
        "th",
        "td",
        "td",
        "s",
    ]
    assert ("td", {"style": "text-align:right"}) in page.opened


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31m", "\u241b[31m"),
        ("a\tb\nc", "a\tb\nc"),
        ("a\r\nb\rc", "a\nb\u240dc"),
        ("\0\x7f\x9b", "\u2400\u2421\u27e8U+009B\u27e9"),
        ("a\u202eb\u2069", "a\u27e8U+202E\u27e9b\u27e8U+2069\u27e9"),
        ("\ud800", "\ufffd"),
        ("naïve 🦉 שלום", "naïve 🦉 שלום"),
    ],
)
def test_control_characters_become_visible(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text() | nasty)
def test_visible_text_hides_nothing_and_loses_no_line(text: str) -> None:
    shown = visible(text)
    assert not HIDDEN.search(shown)
    assert visible(shown) == shown
    assert shown.count("\n") == text.count("\n")
    shown.encode()


@given(st.text() | nasty)
def test_escaped_text_has_no_markup_and_reads_the_same(text: str) -> None:
    assert not re.search("[<>\"']", escape(text))
    assert html.unescape(escape(text)) == visible(text)


@pytest.mark.parametrize(
    ("text", "settled"),
    [
        ("", ""),
        ("one paragraph\nof two lines\n", ""),
        ("a\n\nb", ""),
        ("a\n\nb\n", "a\n\n"),
        ("a\r\n\r\nb\r\n", "a\r\n\r\n"),
        ("a\n#", ""),
        ("a\n# b\n", "a\n"),
        ("a\n\n```\nb\n\nc\n\n", "a\n\n"),
        ("a\n\n- b\n\n- c\n\n  d\n", "a\n\n"),
        ("a\n\n| b | c |\n|---|---|\n| 1 | 2 |\n", "a\n\n"),
        ("a\n$$\n# b\nc\n", "a\n"),
        ("a\n\\begin{align}\n- b\n", "a\n"),
        ("a\n$$\nb\n$$\nc\n", "a\n$$\nb\n$$\n"),
        ("\u202ea\x1b\n\nb\n", "\u202ea\x1b\n\n"),
    ],
)
def test_all_blocks_but_the_last_are_settled(text: str, settled: str) -> None:
    assert text[: settled_length(text)] == settled


# No references: a definition may stand in one half and its use in the other.
streamed = st.lists(
    st.sampled_from(
        [
            *[
                "a",
                "b c",
                "\n",
                "\n\n",
                "\r\n",
                "    ",
                "  ",
                "- ",
                "* ",
                "1. ",
                "2) ",
                "> ",
                "# ",
                "===\n",
                "---\n",
            ],
            *[
                "```\n",
                "```py\n",
                "~~~\n",
                "$$\n",
                "$$",
                "$",
                "\\[",
                "\\]\n",
                "\\begin{align}\n",
                "\\end{align}\n",
            ],
            *["| a | b |\n", "|---|---|\n", "|", "**", "`", "\x1b", "\u202e", "\t", "<div>\n", "&amp;", "\r"],
        ]
    ),
    max_size=30,
)


@given(streamed)
@example(["a", "\n", "#", "x"])
@example(["$$\n", "- ", "a", "\n", "b c", "\n", "$$"])
def test_settled_text_grows_with_the_answer_and_never_changes(chunks: list[str]) -> None:
    whole, settled = "".join(chunks), 0
    for count in range(len(chunks) + 1):
        text = "".join(chunks[:count])
        assert settled <= settled_length(text) <= len(text)
        settled = settled_length(text)
        assert_same_look(whole, settled)


def assert_same_look(whole: str, cut: int) -> None:
    halves = render_markdown(whole[:cut]) + render_markdown(whole[cut:])
    assert Page(halves).opened == page_of(whole).opened
    assert Page(halves).text == page_of(whole).text


@pytest.mark.parametrize(
    "text",
    [
        *[
            piece * examples(10_000)
            for piece in ["(", "[", "![", ">", "*", "- ", "`", "$", "\\(", "[a](", "<", "&", "\ud800", "$a "]
        ],
        "".join("`" * length + " " for length in range(400)),
        "".join("  " * depth + "- a\n" for depth in range(400)),
        "".join(f"```language{number}\n```\n" for number in range(examples(5_000))),
    ],
    ids=lambda text: text[:12],
)
def test_pathological_answer_is_rendered_in_bounded_time(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sessionmagic.notebook.page.rendering._SECONDS", 0.1)
    started = time.process_time()
    assert_safe(render_markdown(text))
    settled_length(text)
    assert time.process_time() - started < 15


@pytest.mark.parametrize("text", ["> " * 100 + "deep", "- " * 100 + "deep", "<b>deep" + "." * 1_000_000])
def test_what_cannot_be_rendered_is_shown_as_it_is(text: str) -> None:
    assert render_markdown(text) == f"<pre>{html.escape(text)}</pre>\n"


def test_an_answer_the_parser_fails_on_is_shown_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sessionmagic.notebook.page.rendering._SECONDS", -1.0)
    assert render_markdown("<b>*a*</b>\x1b") == "<pre>&lt;b&gt;*a*&lt;/b&gt;\u241b</pre>\n"
    assert settled_length("a\n\nb\n") == 0


@pytest.mark.parametrize("opening", ["```python", "~~~~", "  ```js x"])
def test_open_fence_is_cut_behind_its_last_whole_line_and_opened_again(opening: str) -> None:
    text = f"{opening}\na = 1\nb = 2\nc ="
    length, reopening = cut_block(text, 1_000)
    assert (text[length:], reopening) == ("c =", f"{opening}\n")
    halves = page_of(text[:length]).text + page_of(reopening + text[length:]).text
    assert halves.split() == page_of(text).text.split()


@pytest.mark.parametrize("text", ["", "plain\n", "```\nx\n```\n", "a\n\n```\nx\n", "- ```\n  x\n", "    x\n", "```"])
def test_what_is_not_one_open_fence_is_not_cut(text: str) -> None:
    assert cut_block(text, 1_000) == (0, "")


@pytest.mark.parametrize(
    ("text", "rest", "reopening"),
    [
        ("- a\n- b\n  - c\n  d", "- b\n  - c\n  d", ""),
        ("7. a\n8. b\n\n   c\n", "8. b\n\n   c\n", ""),
        ("- a\n  - b\n  - c", "  - c", ""),
        ("| a | b |\n|---|---|\n| 1 | 2 |\n| 3", "| 3", "| a | b |\n|---|---|\n"),
        ("> a\n> b\n> c", "> c", ""),
        ("a\nb\nc", "c", ""),
        ("\n\n```\na\nb", "b", "```\n"),
        ("> " * 100 + "deep\nb", "b", ""),
        ("a single line", "a single line", ""),
    ],
)
def test_block_that_is_too_long_is_cut_where_its_rest_looks_the_same(text: str, rest: str, reopening: str) -> None:
    length, repeated = cut_block(text, 4)
    assert (text[length:], repeated) == (rest, reopening)


@pytest.mark.parametrize("target", ["/x", "x", "//evil.example", "#x", "?x", "https:x", "https:/x"])
def test_link_of_foreign_html_that_stays_within_the_server_is_dropped(target: str) -> None:
    assert "href" not in clean_html(f'<a href="{target}">x</a>')


@pytest.mark.parametrize(
    ("text", "boxes"),
    [
        ("| a |\n|---|\n| b |", ["div"]),
        ("$$\nx\n$$", ["p"]),
        (f"$x{'+x' * 30}$", ["span"]),
        ("- a\n\n      code", ["pre"]),
        ("```\ncode\n```", ["pre"]),
        ("$x$ and `code`", []),
    ],
)
def test_what_may_be_wider_than_the_page_scrolls_in_a_box_of_its_own(text: str, boxes: list[str]) -> None:
    opened = page_of(text).opened
    assert [tag for tag, attributes in opened if "overflow-x:auto" in attributes.get("style", "")] == boxes
    if "pre" in boxes:
        assert dict(opened)["code"] == {"style": "white-space:pre"}


@pytest.fixture
def without_nh3(monkeypatch):
    monkeypatch.setitem(sys.modules, "nh3", None)
    _cleaner.cache_clear()
    yield
    _cleaner.cache_clear()


@pytest.mark.usefixtures("without_nh3")
def test_without_nh3_everything_is_escaped_text():
    hostile = "**a** <script>alert(1)</script> [b](javascript:alert)"
    assert render_markdown(hostile) == clean_html(hostile) == f"<pre>{escape(hostile)}</pre>\n"
    assert render_code(hostile, "html") == escape(hostile)
    assert "<script" not in escape(hostile)
