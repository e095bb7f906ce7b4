"""Every page of the built documentation, opened in Chromium: run it by ``make test-docs``.

Chromium is the one on the path, or else that of ``playwright install chromium``.
"""

import functools
import http.server
import re
import shutil
import threading
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlparse

import pytest
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parent / "_build" / "html"
PAGES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.html"))
READ = [page for page in PAGES if not page.startswith(("_", "genindex", "search"))]
SIZES = {"desktop": (1400, 900), "phone": (390, 844)}
# Lowest contrast of normal text according to WCAG 2.1, level AA.
LEAST_CONTRAST = 4.5

CONTRASTS = """
() => {
  const parse = text => (text.match(/[\\d.]+/g) || [0, 0, 0]).map(Number);
  const luminance = ([r, g, b]) => {
    const part = v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const background = element => {
    for (; element; element = element.parentElement) {
      const color = parse(getComputedStyle(element).backgroundColor);
      if (color.length < 4 || color[3] > 0.99) return color;
    }
    return [255, 255, 255];
  };
  const found = [];
  const names = "article p, article li, article pre, article a, article code, h1, h2";
  for (const element of document.querySelectorAll(names)) {
    if (!element.innerText.trim() || element.offsetParent === null) continue;
    const two = [parse(getComputedStyle(element).color), background(element)].map(luminance);
    const contrast = (Math.max(...two) + 0.05) / (Math.min(...two) + 0.05);
    found.push([contrast, element.tagName + ": " + element.innerText.slice(0, 40)]);
  }
  return found;
}
"""


@pytest.fixture(scope="module")
def address():
    """Address of a server for the pages on this machine."""
    assert PAGES, "run `make docs` first"

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    handler = functools.partial(Handler, directory=ROOT)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def browser():
    """Headless Chromium."""
    with sync_playwright() as playwright:
        path = shutil.which("chromium") or shutil.which("chromium-browser")
        options = {} if path is None else {"executable_path": path}
        chromium = playwright.chromium.launch(args=["--no-sandbox"], **options)
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser, address):
    """Function that opens a page; requests to other hosts are refused."""
    contexts = []

    def open_page(name, size="desktop", **options):
        width, height = SIZES[size]
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.problems = []
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        page.on("console", lambda line: line.type == "error" and page.problems.append(line.text))
        page.on("response", lambda one: one.status >= 400 and page.problems.append(one.url))
        page.route(lambda url: not url.startswith(address), lambda route: route.abort())
        page.goto(address + name, wait_until="load")
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", READ)
def test_page_opens_without_problems(name, size, open_page):
    page = open_page(name, size)
    assert [one for one in page.problems if "ERR_FAILED" not in one] == []
    broken = "() => [...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src)"
    assert page.evaluate(broken) == []
    missing = "() => [...document.querySelectorAll('article img:not([alt])')].map(i => i.src)"
    assert page.evaluate(missing) == []
    overflow = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(overflow) <= 1


@pytest.mark.parametrize("name", [page for page in READ if page.startswith(("guide", "index"))])
def test_code_is_not_cut_off(name, open_page):
    page = open_page(name)
    cut = """() => [...document.querySelectorAll('article pre')]
        .filter(e => e.offsetParent && e.scrollWidth > e.clientWidth + 1).map(e => e.innerText)"""
    assert page.evaluate(cut) == []


@pytest.mark.parametrize("name", READ)
def test_links_within_the_site_lead_somewhere(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    broken = []
    for link in set(re.findall(r'href="([^"]+)"', text)):
        target, anchor = urldefrag(urljoin(f"http://site/{name}", link.replace("&amp;", "&")))
        if urlparse(target).netloc != "site":
            continue
        path = ROOT / unquote(urlparse(target).path).lstrip("/")
        path = path / "index.html" if path.is_dir() else path
        if not path.exists():
            broken.append(link)
        elif anchor and path.suffix == ".html":
            found = re.search(
                rf'(id|name)="{re.escape(unquote(anchor))}"', path.read_text(encoding="utf-8")
            )
            if found is None:
                broken.append(link)
    assert broken == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["index.html", "guide/clustering.html", "guide/choosing.html"])
def test_text_can_be_read(name, scheme, open_page):
    page = open_page(name, color_scheme=scheme)
    assert page.evaluate("() => document.documentElement.dataset.theme") == scheme
    weak = [what for contrast, what in page.evaluate(CONTRASTS) if contrast < LEAST_CONTRAST]
    assert weak == []


def test_search_finds_the_autoencoder(open_page):
    page = open_page("search.html?q=autoencoder")
    page.wait_for_selector("#search-results li")
    assert "Autoencoder" in page.inner_text("#search-results")


def test_copy_button_copies_the_code(open_page):
    page = open_page("index.html", permissions=["clipboard-read", "clipboard-write"])
    block = page.locator("div.highlight-python").first
    block.hover()
    block.locator("button.copybtn").click()
    page.wait_for_function("() => navigator.clipboard.readText().then(t => t.length > 0)")
    copied = page.evaluate("() => navigator.clipboard.readText()")
    assert copied.strip() == block.locator("pre").inner_text().strip()
