"""The page without a mouse, and as a screen reader has it: everything named, the focus always to be seen."""

from __future__ import annotations

import re

import pytest

from tests.browser import PATIENCE_MS, button, make_long

expect = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright").expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(420)]

#: What has the focus: its name, and whether it, or what is drawn over it, has an outline.
FOCUSED = """() => {
  const here = document.activeElement;
  const outlined = [undefined, "::after"].some((part) => parseFloat(getComputedStyle(here, part).outlineWidth) >= 2
    && getComputedStyle(here, part).outlineStyle !== "none");
  return [here.innerText?.trim() || here.title || here.tagName, outlined];
}"""

#: Controls in sight that have no name.
NAMELESS = """() => [...document.querySelectorAll(".pn-root :is(input, select, textarea, button, [role=slider])")]
  .filter((one) => one.getBoundingClientRect().width)
  .filter((one) => !(one.labels?.[0]?.innerText || one.innerText || one.getAttribute("aria-label") || one.title
    || one.closest(".widget-slider")?.querySelector("label")?.innerText)?.trim())
  .map((one) => one.outerHTML.slice(0, 200))"""

#: What is wider than the page lets it be, other than by an ellipsis.
TOO_WIDE = """() => [document.scrollingElement, ...document.querySelectorAll(".pn-app, .pn-app > *")]
  .filter((one) => one.scrollWidth > one.clientWidth + 1).map((one) => one.className)"""


def tab_to(page, name: str) -> None:
    """Press Tab until the control called `name` has the focus, seen at every stop."""
    for _ in range(60):
        page.keyboard.press("Tab")
        found, outlined = page.evaluate(FOCUSED)
        assert outlined or found == "BODY", f"the focus on {found} cannot be seen"
        if found == name:
            return
    raise AssertionError(f"Tab never came to {name}")


def test_a_run_by_the_keyboard_alone(page):
    tab_to(page, "Open demonstration")
    page.keyboard.press("Enter")
    page.get_by_text("Demonstration: a simulated specimen.").wait_for(timeout=PATIENCE_MS)
    # it must last until it is paused
    make_long(page)
    page.keyboard.press("1")

    # a step by its number, though a button has the focus; a field by the search
    page.keyboard.press("5")
    page.locator(".pn-title", has_text="Optimise").wait_for(timeout=PATIENCE_MS)
    expect(page.locator(".pn-step [aria-current=step]")).to_have_text("5 Optimise", timeout=PATIENCE_MS)
    page.keyboard.press("/")
    expect(page.get_by_label("Find a parameter").last).to_be_focused(timeout=PATIENCE_MS)
    page.keyboard.type("epochs")
    expect(page.locator(".pn-count").last).to_have_text(re.compile("^[1-9] of"), timeout=PATIENCE_MS)
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")
    expect(page.locator(".pn-count").last).to_have_text(re.compile("^1[0-9] of"), timeout=PATIENCE_MS)

    tab_to(page, "Undo") if button(page, "Undo").is_enabled() else tab_to(page, "Reset all")
    page.keyboard.press("?")
    keys = page.locator(".pn-keys dl")
    expect(keys).to_be_visible()
    page.keyboard.press("Escape")
    expect(keys).to_be_hidden()

    # the slot button is before everything else
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Space")
    expect(button(page, "Pause")).to_be_enabled(timeout=2 * PATIENCE_MS)
    page.keyboard.press("Space")
    expect(button(page, "Resume")).to_be_enabled(timeout=2 * PATIENCE_MS)


def test_every_step_is_named_and_fits(page):
    """From the smallest to the largest window: no sideways scrolling, no control without a name."""
    for number in "1234567":
        page.keyboard.press(number)
        expect(page.locator(".pn-step [aria-current=step]")).to_have_text(re.compile(f"^{number} "), timeout=PATIENCE_MS)
        for width, height in (1366, 640), (1366, 768), (2560, 1440):
            page.set_viewport_size({"width": width, "height": height})
            assert page.evaluate(NAMELESS) == []
            assert page.evaluate(TOO_WIDE) == []
    roles = page.locator(".pn-app > [role]").evaluate_all("(parts) => parts.map((part) => part.getAttribute('role'))")
    assert sorted(roles) == ["banner", "contentinfo", "form", "main", "navigation"]
