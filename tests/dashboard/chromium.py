"""A real browser: the machine's own Chromium, or else the one that Playwright brings."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NAMES = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def chromium() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    where = next((found for name in NAMES if (found := shutil.which(name))), None)
    with sync_playwright() as play:
        opened = play.chromium.launch(executable_path=where, args=["--no-sandbox"])
        yield opened
        opened.close()


def looked_at(page: Page) -> list[str]:
    """Collect what a page complains of: broken scripts, refused assets, addresses outside."""
    troubles: list[str] = []
    page.on("console", lambda m: troubles.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda r: _outside(r.url, troubles))
    return troubles


def _outside(url: str, troubles: list[str]) -> None:
    if not url.startswith(("http://127.0.0.1:", "data:")):
        troubles.append(f"asked {url}")
