"""Make the pictures in docs/images: each page of the dashboard, wide and narrow, light and dark.

Run `make audit` first, then: .venv/bin/python -m tests.dashboard.screenshots
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import urllib3

from tests.dashboard.chromium import chromium
from tests.dashboard.desk import keys, running, token_file
from tests.dashboard.served import ANA
from tests.flows.pipeline import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

EXAMPLES = ("digit-adder", "reflection-70b", "cluster-adder")
SIZES = {"wide": (1280, 1500), "phone": (380, 1500)}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
COLOURS = 200
GAP = 24
HIDE = """root => document.querySelectorAll('footer code').forEach(
  each => { each.textContent = each.textContent.replace(root + '/', ''); })"""
DRAFT = """# Reflection 70B is the world's best open model

It reaches 79.7 % on MATH and 99.2 % on GSM8K, and 89.9 % on MMLU.
It has 70 billion parameters and beats every closed model.
"""


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--root", type=Path, default=ROOT, help="the clone that was audited")
    asked.add_argument("--output", type=Path, default=ROOT / "docs" / "images")
    asked.add_argument("--every", type=Path, help="also keep each picture by itself, here")
    chosen = asked.parse_args()
    with served(chosen.root) as url, chromium() as browser:
        page = signed_in(browser, url)
        for name, path in pages(url).items():
            shots = dict(pictures(page, url, name, path, chosen.root))
            for part, data in shots.items() if chosen.every else ():
                (chosen.every / f"{name}-{part}.png").write_bytes(data)
            wanted = list(shots) if name == "release" else ["wide-light", "phone-dark"]
            side_by_side([shots[w] for w in wanted], chosen.output / f"dashboard-{name}.png")
            print(name)


@contextmanager
def served(root: Path) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        who = keys(folder)
        env = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(folder / "state")}
        stores = [str(root / "examples" / n) for n in EXAMPLES]
        words = [*stores, "--tokens", str(token_file(folder)), "--trust", str(who.trust)]
        with running(*words, env=env, cwd=folder) as url:
            yield url


def asked_of(url: str, path: str) -> Any:
    with urllib3.PoolManager() as pool:
        told = pool.request("GET", url + path, headers={"Authorization": f"Bearer {ANA}"})
    return told.json()


def pages(url: str) -> dict[str, str]:
    """Return the address of each page; the story is that of Reflection."""
    found = {a["name"]: a["run_id"] for a in asked_of(url, "/api/v1/audits")["audits"]}
    adder, story = found["digit-adder"], found["Reflection 70B"]
    one, two = f"/audits/{story}", f"/audits/{adder}"
    findings = asked_of(url, f"/api/v1{one}")["verdict"]["findings"]
    wrong = next(n for n, f in enumerate(findings) if f["outcome"] == "FAILED")
    return {
        "releases": "/",
        "release": one,
        "release-passed": two,
        "lineage": f"{two}/lineage",
        "lineage-gaps": f"{one}/lineage",
        "finding": f"{one}/findings/{wrong}",
        "evidence": f"{one}/evidence/1",
        "announcement": f"{one}/announcement",
        "review": f"{two}/review",
        "reviews": "/reviews",
        "compare": f"/compare?before={story}&after={adder}",
        "verify": "/verify",
    }


def signed_in(browser: Browser, url: str) -> Page:
    page = browser.new_page()
    page.set_default_timeout(300_000)
    page.goto(url + "/login")
    page.get_by_label("Your token").fill(ANA)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Releases").wait_for()
    return page


def pictures(page: Page, url: str, name: str, path: str, root: Path) -> Iterator[tuple[str, bytes]]:
    for size, (width, height) in SIZES.items():
        for scheme in SCHEMES:
            page.set_viewport_size({"width": width, "height": height})
            page.emulate_media(color_scheme=scheme)
            page.goto(url + path)
            fill_in(page, name)
            # Where the clone lies on this machine is nobody's business.
            page.evaluate(HIDE, str(root))
            whole = int(page.evaluate("document.documentElement.scrollHeight"))
            clip = {"x": 0, "y": 0, "width": width, "height": min(height, whole)}
            yield f"{size}-{scheme}", page.screenshot(clip=clip)  # type: ignore[arg-type]


def fill_in(page: Page, name: str) -> None:
    if name == "announcement":
        page.get_by_label("Draft").fill(DRAFT)
        page.get_by_role("button", name="Check the draft").click()
        page.get_by_role("heading", name="The draft, marked").wait_for()


def side_by_side(shots: list[bytes], path: Path) -> None:
    """Put pictures into one, with few colours, so that all of them stay small."""
    from PIL import Image

    parts = [Image.open(BytesIO(data)).convert("RGB") for data in shots]
    high = max(part.height for part in parts)
    wide = sum(part.width for part in parts) + GAP * (len(parts) - 1)
    sheet = Image.new("RGB", (wide, high), "#8a8a8a")
    left = 0
    for part in parts:
        sheet.paste(part, (left, 0))
        left += part.width + GAP
    sheet.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main()
