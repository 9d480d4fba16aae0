"""The tool `fetch` asks servers: what it reads of their answers, and where it does not go."""

import asyncio
import gzip
import shutil
import ssl
import subprocess
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sessionmagic.exceptions import ToolError
from sessionmagic.tools.toolsets import pages
from sessionmagic.tools.toolsets.fetch import Fetch
from tests.turns import on_a_loop, until

PAGE = "<html><head><title>Rain</title></head><body><h1>May</h1><p>It rained.</p></body></html>"
SITE = "site.example"


class Site:
    """A server on loopback that answers by path."""

    def __init__(self, context=None):
        self.answers = {}
        self.asked = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self.close_connection = True
                site.asked.append((self.path, self.headers["host"], dict(self.headers)))
                with suppress(OSError):
                    site.answers[self.path.partition("?")[0]](self)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_port
        self.url = f"http://127.0.0.1:{self.port}"

    def page(self, path, body=PAGE, kind="text/html; charset=utf-8", status=200, **headers):
        content = body if isinstance(body, bytes) else body.encode()

        def answer(handler):
            handler.send_response(status)
            if kind:
                handler.send_header("content-type", kind)
            for name, value in headers.items():
                handler.send_header(name.replace("_", "-"), value)
            handler.send_header("content-length", str(len(content)))
            handler.end_headers()
            handler.wfile.write(content)

        self.answers[path] = answer


@contextmanager
def running(site):
    thread = threading.Thread(target=site.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield site
    finally:
        site.server.shutdown()
        site.server.server_close()
        thread.join()


@pytest.fixture
def site():
    with running(Site()) as found:
        yield found


@pytest.fixture
def fetch():
    return Fetch(10, local=True).fetch


@on_a_loop
async def test_page_is_read_as_text_markdown_or_html(site, fetch):
    site.page("/")
    assert await fetch([site.url]) == f"{site.url} (status 200)\n\nRain\n\nMay\n\nIt rained."
    assert await fetch([site.url], "markdown") == f"{site.url} (status 200)\n\nRain\n\n# May\n\nIt rained."
    assert await fetch([site.url], "html") == f"{site.url} (status 200)\n\n{PAGE}"


@on_a_loop
async def test_request_says_who_asks_and_brings_no_cookies_or_keys(site, fetch):
    site.page("/", set_cookie="id=1")
    await fetch([f"{site.url}/", f"{site.url}/?again"])
    for _, host, headers in site.asked:
        assert host == f"127.0.0.1:{site.port}"
        assert headers["User-Agent"].startswith("sessionmagic/")
        assert not {"Cookie", "Authorization"} & headers.keys()


@pytest.mark.parametrize("kind", ["text/plain", "application/json", "application/ld+json", "image/svg+xml", ""])
@on_a_loop
async def test_other_texts_are_read_as_they_are(site, fetch, kind):
    site.page("/a", '{"x": "<b>"}', kind)
    assert await fetch([f"{site.url}/a"]) == f'{site.url}/a (status 200)\n\n{{"x": "<b>"}}'


@pytest.mark.parametrize(("kind", "words"), [("image/png", "is image/png, and only texts"), ("", "is no text")])
@on_a_loop
async def test_what_is_no_text_is_refused(site, fetch, kind, words):
    site.page("/a", b"\x89PNG\0\0", kind)
    with pytest.raises(ToolError, match=words):
        await fetch([f"{site.url}/a"])


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("größer".encode("latin-1"), "text/plain; charset=ISO-8859-1"),
        ("größer".encode("cp1252"), "text/plain; charset=windows-1252"),
        (b"<meta charset='iso-8859-15'>" + "größer".encode("iso-8859-15"), "text/html"),
        ("größer".encode(), "text/plain"),
        ("größer".encode(), "text/plain; charset=punycode"),
        ("größer".encode(), "text/plain; charset=nonsense"),
    ],
)
@on_a_loop
async def test_text_is_read_in_its_encoding(site, fetch, body, kind):
    site.page("/a", body, kind)
    assert (await fetch([f"{site.url}/a"])).endswith("\n\ngrößer")


@on_a_loop
async def test_error_page_is_read_with_its_status(site, fetch):
    site.page("/a", "no such page", "text/plain", status=404)
    assert await fetch([f"{site.url}/a"]) == f"{site.url}/a (status 404)\n\nno such page"


@on_a_loop
async def test_long_page_is_cut_also_if_it_was_packed_small(site, fetch, monkeypatch):
    monkeypatch.setattr(pages, "LIMIT", 1_000)
    site.page("/a", "x" * 5_000, "text/plain")
    site.page("/b", gzip.compress(b"x" * 5_000_000), "text/plain", content_encoding="gzip")
    for path in ("/a", "/b"):
        text = await fetch([f"{site.url}{path}"])
        assert text == f"{site.url}{path} (status 200)\n\n{'x' * 1_000}\n[the page is longer]"


@on_a_loop
async def test_stream_without_end_is_read_to_the_limit_only(site, fetch, monkeypatch):
    monkeypatch.setattr(pages, "LIMIT", 1_000)

    def endless(handler):
        handler.send_response(200)
        handler.send_header("content-type", "text/plain")
        handler.end_headers()
        while True:
            handler.wfile.write(b"x" * 1_000)

    site.answers["/a"] = endless
    assert (await fetch([f"{site.url}/a"])).endswith("\n[the page is longer]")


@on_a_loop
async def test_server_that_does_not_answer_ends_the_call_in_time(site, fetch):
    ends = threading.Event()
    site.answers["/a"] = lambda _: ends.wait(60)
    with pytest.raises(ToolError, match=r"/a did not answer within 1 s"):
        await fetch([f"{site.url}/a"], timeout=1)
    ends.set()


@on_a_loop
async def test_redirect_on_the_same_host_is_followed(site, fetch):
    site.page("/a", status=302, location="/b?x=1")
    site.page("/b", "there", "text/plain")
    assert await fetch([f"{site.url}/a"]) == f"{site.url}/b?x=1 (status 200)\n\nthere"


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("http://other.example/x", "redirects to http://other.example/x; fetch that if it is wanted"),
        ("http://127.0.0.1:1/x", "redirects to http://127.0.0.1:1/x; fetch that"),
        ("https://127.0.0.1/x", "redirects to https://127.0.0.1/x; fetch that"),
        ("file:///etc/passwd", "is not an http or https address"),
        ("http://ada:secret@127.0.0.1/x", "a name or a password"),
        ("http://a\x01b/", "redirects to something that is not an address"),
        ("/a", "redirects more than 5 times"),
    ],
)
@on_a_loop
async def test_other_redirect_is_not_followed(site, fetch, location, words):
    site.page("/a", status=302, location=location)
    with pytest.raises(ToolError, match=words):
        await fetch([f"{site.url}/a"])
    assert {path for path, *_ in site.asked} == {"/a"}


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("file:///etc/passwd", "is not an http or https address"),
        ("ftp://a.example", "is not an http or https address"),
        ("http:///x", "is not an http or https address"),
        ("a.example", "is not an http or https address"),
        ("http://a.example/\n", "is not an address"),
        ("http://a b", "no address was found for a%20b"),
        ("http://ada:secret@a.example", "a name or a password before @ is not fetched"),
        ("http://a.example:99999", "is not an http or https address"),
        ("http://a.example:0", "is not an http or https address"),
        ("", "is not an http or https address"),
        ("http://\ud800", "is not an address"),
    ],
)
@on_a_loop
async def test_what_is_no_address_is_refused_in_one_line(fetch, url, words):
    with pytest.raises(ToolError, match=words) as refused:
        await fetch([url])
    assert "\n" not in str(refused.value)


@on_a_loop
async def test_several_addresses_are_read_and_those_that_cannot_be_say_why(site, fetch):
    site.page("/a", "one", "text/plain")
    said = await fetch([f"{site.url}/a", "file:///x"])
    assert said == f"{site.url}/a (status 200)\n\none\n\n['file:///x' is not an http or https address]"
    for wrong in ([], [site.url] * 11):
        with pytest.raises(ToolError, match="addresses were given; give one to 10"):
            await fetch(wrong)
    with pytest.raises(ToolError, match="the timeout must be more than 0"):
        await fetch([site.url], timeout=301)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:{port}/", "http://localhost:{port}/", "http://[::ffff:127.0.0.1]:{port}/"]
)
@on_a_loop
async def test_this_machine_is_not_asked_unless_the_user_allows_it(site, url):
    with pytest.raises(ToolError, match=r"not fetched unless the user allows it|no address was found"):
        await Fetch().fetch([url.format(port=site.port)])
    assert site.asked == []


@pytest.fixture
def named(monkeypatch):
    """Let the name of the site stand for loopback when it is looked up first, and for nothing later."""
    looked_up = []
    real = asyncio.BaseEventLoop.getaddrinfo

    async def getaddrinfo(loop, host, port, **options):
        looked_up.append(host)
        if host == SITE and looked_up.count(SITE) > 1:
            raise OSError("it now stands for something else")
        return await real(loop, "127.0.0.1" if host == SITE else host, port, **options)

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)
    return looked_up


@on_a_loop
async def test_connection_goes_to_the_address_that_was_checked(site, fetch, named):
    site.page("/a", "there", "text/plain")
    assert (await fetch([f"http://{SITE}:{site.port}/a"])).startswith(f"http://{SITE}:{site.port}/a (status 200)")
    assert named.count(SITE) == 1
    assert [host for _, host, _ in site.asked] == [f"{SITE}:{site.port}"]


@on_a_loop
async def test_next_address_of_a_host_is_asked_if_the_first_does_not_answer(site, fetch, monkeypatch):
    async def addresses_of(*_, **__):
        return ["127.0.0.2", "127.0.0.1"]

    monkeypatch.setattr(pages, "addresses_of", addresses_of)
    site.page("/a", "there", "text/plain")
    assert (await fetch([f"http://{SITE}:{site.port}/a"])).endswith("there")
    site.server.socket.close()
    with pytest.raises(ToolError, match="/a cannot be read: "):
        await fetch([f"http://{SITE}:{site.port}/a"])


@contextmanager
def certified(directory, name):
    """Run a site with a certificate for a name, and yield it with a context that trusts the certificate."""
    key, certificate = directory / "key.pem", directory / "certificate.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", f"/CN={name}"]
    names = ["-addext", f"subjectAltName=DNS:{name}", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*made, *names], check=True, capture_output=True)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.load_verify_locations(certificate)
    with running(Site(server)) as site:
        yield site, trusting


@pytest.mark.skipif(shutil.which("openssl") is None, reason="it makes certificates")
@pytest.mark.parametrize("name", [SITE, "other.example"])
@on_a_loop
async def test_certificate_has_to_be_that_of_the_name(fetch, named, monkeypatch, tmp_path, name):
    with certified(tmp_path, name) as (site, trusting):
        monkeypatch.setattr(pages, "tls", lambda: trusting)
        site.page("/a", "there", "text/plain")
        call = fetch([f"https://{SITE}:{site.port}/a"])
        if name == SITE:
            assert (await call).endswith("there")
        else:
            with pytest.raises(ToolError, match=r"certificate is not valid for 'site\.example'"):
                await call
            assert site.asked == []
    assert named.count(SITE) == 1


@on_a_loop
async def test_users_proxy_is_used_and_names_of_this_machine_are_refused_all_the_same(site, monkeypatch):
    monkeypatch.setenv("http_proxy", site.url)
    site.page("http://site.example/a", "through the proxy", "text/plain")
    assert (await Fetch().fetch(["http://site.example/a"])).endswith("through the proxy")
    for host in ("localhost", "127.0.0.1", "10.0.0.1", "[::1]", "db.internal"):
        with pytest.raises(ToolError, match="not fetched unless the user allows it"):
            await Fetch().fetch([f"http://{host}/a"])
    assert [path for path, *_ in site.asked] == ["http://site.example/a"]


@on_a_loop
async def test_cancelled_call_ends_at_once(site, fetch):
    ends = threading.Event()
    site.answers["/a"] = lambda _: ends.wait(60)
    call = asyncio.ensure_future(fetch([f"{site.url}/a"]))
    await until(lambda: site.asked)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(call, 20)
    ends.set()
