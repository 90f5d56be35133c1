"""The page as a whole: links that restore a view, several studies, how it was made, print, and what never runs."""

from __future__ import annotations

import re

import pytest
from viewed_studies import HOSTILE

SECTIONS = ["answer", "metrics", "agreement", "examples", "made"]

STRANGE = [
    "section=nothing",
    "study=99",
    "study=-1",
    "section=metrics&metric=none",
    "cells=%25E0%25A4%25A",
    "section=agreement&measure=x&agreement_pair=a~b",
    "section=examples&ex.zoom=x~y~z&ex.block=-3&ex.percentile=nan",
]

MOVING = """() => [...document.querySelector('xai-page').shadowRoot.querySelectorAll('*')].filter(element => {
    const { transitionDuration, animationDuration } = getComputedStyle(element);
    return `${transitionDuration},${animationDuration}`.split(',').some(time => parseFloat(time) > 0.01);
}).map(element => element.className)"""


def test_a_link_restores_the_view(visit):
    opened = visit("image_study", "section=examples&cells=saliency~random&ex.overlay=1&ex.sort=confidence&ex.block=2")
    opened.page.locator(".examples-list button").nth(2).click()
    again = visit("image_study", opened.page.evaluate("location.hash.slice(1)"))
    for selector in (".examples-heading h2", ".examples-list", ".examples-panel figcaption"):
        assert again.texts(selector) == opened.texts(selector)
    assert again.page.get_by_label("Over the input").is_checked()
    assert again.page.get_by_label("Mean over blocks").input_value() == "2"


@pytest.mark.parametrize("view", STRANGE)
def test_a_link_that_fits_no_study_still_opens(visit, view):
    opened = visit("image_study", view)
    assert opened.page.locator("xai-page main").inner_text().strip()


def test_sections_are_links_with_the_current_one_marked(visit):
    opened = visit("image_study")
    for title in ("Metrics", "Agreement", "Examples", "How it was made", "Answer"):
        opened.page.get_by_role("navigation").get_by_role("link", name=title).click()
        assert opened.texts("nav [aria-current=page]") == [title]


def test_several_studies_are_compared_first_and_open_one_by_one(visit):
    opened = visit("sweep")
    assert opened.texts("nav [aria-current=page]") == ["Across studies"]
    assert len(opened.table("xai-across table")) == 5
    opened.page.locator("xai-across select").first.select_option("insertion")
    assert "metric=insertion" in opened.view
    assert "Over seeds" in opened.text("xai-across")
    assert "Where differences come from" in opened.text("xai-across")
    opened.page.locator("xai-across tbody a").nth(2).click()
    assert "digits_mlp" in opened.text("xai-answer .lead")
    opened.page.get_by_label("study").select_option("1")
    assert "digits_cnn" in opened.text("xai-answer .lead")
    assert "study=1" in opened.view


def test_how_it_was_made(visit):
    opened = visit("image_study", "section=made")
    text = opened.text("xai-made")
    assert "weights" in text
    assert "torch" in text
    assert "Cost of each cell" in text
    opened.page.get_by_text("Configuration").first.click()
    assert "method" in opened.text("xai-made pre:visible")


def test_light_and_dark_are_switched_and_kept(visit):
    opened = visit("image_study", color_scheme="light")
    paper = "getComputedStyle(document.querySelector('xai-page')).backgroundColor"
    light = opened.page.evaluate(paper)
    opened.page.get_by_label("switch between light and dark").click()
    assert opened.page.evaluate(paper) != light
    assert "theme=dark" in opened.view


def test_nothing_moves_for_those_who_want_no_motion(visit):
    opened = visit("image_study", reduced_motion="reduce")
    for section in SECTIONS:
        opened.see(f"section={section}")
        assert opened.page.evaluate(MOVING) == []


def test_the_print_has_the_table_on_its_pages(visit):
    opened = visit("image_study")
    pdf = opened.page.pdf(format="A4")
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) >= 1
    opened.page.emulate_media(media="print")
    assert opened.page.locator("table.heat").is_visible()
    assert not opened.page.locator("nav").is_visible()
    width = opened.page.evaluate("document.documentElement.scrollWidth")
    assert width <= opened.page.viewport_size["width"]


def test_a_script_that_is_put_into_the_page_does_not_run(visit):
    opened = visit("image_study")
    opened.page.evaluate(
        """() => {
            const script = document.createElement('script');
            script.textContent = 'window.hurt = 1';
            document.body.append(script);
            const add = markup => document.body.insertAdjacentHTML('beforeend', markup);
            add('<img src=x onerror="window.hurt = 1">');
            add('<a id=bad href="javascript:window.hurt=1">x</a>');
        }"""
    )
    opened.page.evaluate("document.getElementById('bad').click()")
    assert opened.page.evaluate("window.hurt") is None
    refused = [text for text in opened.complaints if "Content Security Policy" in text]
    assert len(refused) >= 2
    opened.complaints[:] = [
        text for text in opened.complaints if text not in refused and "ERR_FILE_NOT_FOUND" not in text
    ]


def test_the_policy_forbids_the_network_and_evaluation(visit):
    opened = visit("image_study")
    assert opened.page.evaluate("fetch('https://example.org/').then(() => 'sent', () => 'refused')") == "refused"
    clicked = "document.body.setAttribute('onclick', 'window.hurt = 1'); document.body.click(); window.hurt ?? null"
    assert opened.page.evaluate(clicked) is None
    assert all("Content Security Policy" in text for text in opened.complaints)
    opened.complaints.clear()


def test_hostile_names_are_texts_everywhere(visit):
    opened = visit("hostile_study")
    for section in SECTIONS:
        opened.see(f"section={section}")
        if section in ("metrics", "agreement"):
            opened.charts()
        root = "document.querySelector('xai-page').shadowRoot"
        assert (
            opened.page.evaluate(f"{root}.querySelectorAll('script, u, img[src=x], [onerror], [onmouseover]').length")
            == 0
        )
        assert opened.page.evaluate("window.hurt") is None
    opened.see("section=examples")
    assert HOSTILE in opened.text(".examples-list")
    for link in opened.page.locator("xai-page a").all():
        assert str(link.get_attribute("href")).startswith("#")


def test_without_scripts_the_answer_is_read(browser, pages):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(pages("image_study").as_uri())
    assert "deletion" in page.inner_text("main")
    assert "Scripts are off" in page.inner_text("main")
    context.close()


def test_a_damaged_document_is_told_and_the_summary_stays(browser, pages, tmp_path):
    text = pages("image_study").read_text(encoding="utf-8")
    damaged = tmp_path / "damaged.html"
    start = text.index('id="xaiexp-document">') + 200
    damaged.write_text(text[:start] + "AAAA" + text[start + 4 :], encoding="utf-8")
    page = browser.new_page()
    page.goto(damaged.as_uri())
    page.get_by_role("alert").wait_for()
    assert "could not be opened" in page.inner_text("[role=alert]")
    assert "deletion" in page.inner_text("main")
    page.close()
