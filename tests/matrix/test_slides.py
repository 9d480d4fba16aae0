"""The slides that nbconvert makes of the lesson, with reveal.js in a browser."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.lab import SECONDS

pytestmark = pytest.mark.nightly
ENVIRONMENT = "slides"
NOW = "section.present:not(.stack)"
SIZES = """([slide, chosen]) => [...document.querySelectorAll(`${slide} ${chosen}`)].map(
    part => parseFloat(getComputedStyle(part).fontSize)
)"""
FOOTERS = ".jp-OutputArea-output p[style*=font-size]"
TALLEST = 700
"""The height of a slide of reveal.js, in its own pixels."""


@pytest.fixture
def slides(browser, ran, lesson, python):
    modules = Path(python).parents[1] / "node_modules"
    copies = {
        "reveal_url_prefix": modules / "reveal.js",
        "require_js_url": modules / "requirejs" / "require.js",
        "jquery_url": modules / "jquery" / "dist" / "jquery.min.js",
    }
    options = [f"--SlidesExporter.{name}={path.as_uri()}" for name, path in copies.items()]
    ran("jupyter", "nbconvert", "--execute", "--to", "slides", *options, lesson)
    page = browser.new_page()
    page.goto(lesson.with_suffix(".slides.html").as_uri())
    expect(page.locator(".reveal.ready")).to_be_visible(timeout=SECONDS)
    yield page
    page.close()


def each(slides):
    """Turn to each slide in its turn."""
    before = None
    while before != slides.url:
        before = slides.url
        yield slides.locator(NOW)
        slides.keyboard.press("Space")


def test_slides_of_the_lesson_are_legible_and_only_the_comparison_is_longer_than_its_slide(slides):
    footers, code, too_long = [], [], []
    for slide in each(slides):
        footers += slides.evaluate(SIZES, [NOW, FOOTERS])
        code += slides.evaluate(SIZES, [NOW, ".jp-OutputArea-output pre[style]"])
        if slide.evaluate("slide => slide.scrollHeight") > TALLEST:
            too_long.append(slide.inner_text())
    assert len(footers) >= 7
    assert min(footers) >= 16
    assert code
    assert min(code) >= 18
    [comparison] = too_long
    assert "thorough-script" in comparison
