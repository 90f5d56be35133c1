"""A page of a report that is open in a browser."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

CHROMIUM = "/usr/bin/chromium"

OPTIONS = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-gpu"]

AXE = Path(__file__).parents[2] / "viewer" / "node_modules" / "axe-core" / "axe.min.js"

_OWN = ("file:", "data:", "blob:")


class OpenedPage:
    """The page, with what it complained of and what it asked of the network.

    Args:
        browser: of Playwright.
        file: of the page.
        view: its fragment, without ``#``.
        options: of the browser's context, such as ``color_scheme`` and ``viewport``.
    """

    def __init__(self, browser: Any, file: Path, view: str = "", options: Mapping[str, Any] | None = None) -> None:
        self.file = file
        self.folder = file.with_suffix("")
        self.complaints: list[str] = []
        settings = {"viewport": {"width": 1280, "height": 900}, "accept_downloads": True} | dict(options or {})
        self._context = browser.new_context(**settings)
        self._context.grant_permissions(["clipboard-read", "clipboard-write"])
        self._context.set_default_timeout(20_000)
        self.page = self._context.new_page()
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("request", self._asked)
        self.page.on("dialog", lambda dialog: (self.complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        self.page.goto(file.as_uri() + (f"#{view}" if view else ""))
        self.page.locator("xai-page main").wait_for()

    def _heard(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")

    def _asked(self, request: Any) -> None:
        if not request.url.startswith(_OWN):
            self.complaints.append(f"request: {request.url}")

    def close(self) -> list[str]:
        """What the page complained of."""
        self._context.close()
        return self.complaints

    def see(self, view: str) -> None:
        """Go to another view of the page, as a link of it would."""
        self.page.evaluate("view => { location.hash = view }", view)

    @property
    def view(self) -> str:
        """The fragment of the address."""
        return str(self.page.evaluate("decodeURIComponent(location.hash.slice(1))"))

    def text(self, selector: str) -> str:
        """What is read at the first element."""
        return str(self.page.locator(selector).first.inner_text())

    def texts(self, selector: str) -> list[str]:
        """What is read at all elements."""
        return [text.strip() for text in self.page.locator(selector).all_inner_texts()]

    def table(self, selector: str) -> list[list[str]]:
        """The rows of a table, the head first."""
        script = "table => [...table.rows].map(row => [...row.cells].map(cell => cell.innerText.trim()))"
        return list(self.page.locator(selector).first.evaluate(script))

    def charts(self) -> dict[str, str]:
        """The charts of the view, scrolled to and drawn: name to the text of its picture."""
        found: dict[str, str] = {}
        for figure in self.page.locator("figure.chart").all():
            figure.scroll_into_view_if_needed()
            figure.locator(".chart-stage svg").wait_for()
            name = str(figure.get_attribute("class")).split("chart-")[1].split()[0]
            found[name] = str(figure.locator(".chart-stage svg").evaluate("svg => svg.textContent"))
        return found

    def clipboard(self) -> str:
        """What was copied last."""
        return str(self.page.evaluate("navigator.clipboard.readText()"))

    def saved(self, button: Any) -> tuple[str, bytes]:
        """Name and content of the file that a button saves."""
        with self.page.expect_download() as waiting:
            button.click()
        download = waiting.value
        return download.suggested_filename, Path(download.path()).read_bytes()

    def accessible(self) -> list[str]:
        """The violations that axe-core finds: rule, what it asks for, and where."""
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found = self.page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
        return [
            f"{each['id']}: {each['help']} at {node['target']}: {node['html'][:200]}"
            for each in found["violations"]
            for node in each["nodes"][:3]
        ]
