"""The directives that the pages of the reference use, and links from annotations to what is public."""

from __future__ import annotations

from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import make_refnode

import sessionmagic
from documented import names
from documented.options import cell_options, subcommands
from documented.settings import settings

if TYPE_CHECKING:
    from docutils.nodes import Element, Node
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment


def register(app: Sphinx) -> None:
    """Register the directives and the links."""
    app.add_directive("cell-options", CellOptions)
    app.add_directive("subcommands", Subcommands)
    app.add_directive("settings", Settings)
    app.add_directive("exceptions", Exceptions)
    app.add_directive("public", Public)
    app.connect("missing-reference", link)
    app.connect("autodoc-process-signature", readable)
    app.connect("autodoc-process-docstring", keep_colon, priority=400)  # before Napoleon


class CellOptions(SphinxDirective):
    """The options of a ``%%agent`` cell."""

    def run(self) -> list[Node]:
        """Return an entry for each option."""
        return self.parse_text_to_nodes(cell_options())


class Subcommands(SphinxDirective):
    """The subcommands of ``%agent``, each in a section of its own, so that the page's contents list them."""

    def run(self) -> list[Node]:
        """Return the sections."""
        return [self._section(name, text) for name, text in subcommands().items()]

    def _section(self, name: str, text: str) -> Node:
        title = nodes.title("", "", nodes.literal("", name))
        section = nodes.section("", title, ids=[f"agent-{nodes.make_id(name)}"], names=[name])
        section += self.parse_text_to_nodes(text)
        return section


class Settings(SphinxDirective):
    """The traits of ``AgentMagics``."""

    def run(self) -> list[Node]:
        """Return an entry for each trait."""
        return self.parse_text_to_nodes(settings())


class Exceptions(SphinxDirective):
    """The tree of the exceptions, and each of them."""

    def run(self) -> list[Node]:
        """Return the tree and an entry for each exception."""
        tree = names.exception_tree()
        entries = [name for each in names.exceptions() for name in _parsed(self, names.described(each))]
        return [nodes.literal_block(tree, tree, language="text"), *entries]


class Public(SphinxDirective):
    """Public names, one a line, with their docstrings."""

    has_content = True

    def run(self) -> list[Node]:
        """Return an entry for each name."""
        return [node for name in self.content for node in _parsed(self, names.described(name))]


def _parsed(directive: SphinxDirective, text: str) -> list[Node]:
    """Return reStructuredText, which is what autodoc writes, as nodes, although the page is Markdown."""
    fence = f"``````{{eval-rst}}\n{text}\n``````"
    return directive.parse_text_to_nodes(fence)


def readable(
    _app: Sphinx, _what: str, _name: str, value: object, _options: object, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """Return a signature that Sphinx can parse, with ``...`` for a default that is made anew; none for a protocol."""
    if getattr(value, "_is_protocol", False):
        return "", None
    return signature and signature.replace("<factory>", "..."), returns


def keep_colon(_app: Sphinx, what: str, _name: str, _value: object, _options: object, lines: list[str]) -> None:
    """Keep Napoleon from reading the text of an attribute up to its first colon as the attribute's type."""
    if what == "attribute":
        lines.insert(0, "\\ ")


def link(_app: Sphinx, env: BuildEnvironment, node: pending_xref, text: Element) -> Element | None:
    """Link a name of a docstring or an annotation to the public object that it names; leave all others as they are.

    Roles in pages are not touched, so that Sphinx warns of those that lead nowhere.
    """
    in_docstring = node.get("reftype") == "obj" or "refwarn" not in node
    if node.get("refdomain") != "py" or not in_docstring:
        return None
    name = node["reftarget"].rpartition(".")[2]
    objects = env.domains.python_domain.objects
    if name in sessionmagic.__all__ and (found := objects.get(f"sessionmagic.{name}")):
        return make_refnode(env.app.builder, node["refdoc"], found.docname, found.node_id, text)
    return text
