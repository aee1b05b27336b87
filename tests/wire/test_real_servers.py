"""nginx and Apache as origins: keep-alive, chunked, large files, uploads that they say 100 to."""

import gzip
import hashlib
import json
import pathlib
import tempfile

import pytest

from programs import Apache, Nginx, Sink, curl, curl_facts, make_file

BIG = 100 << 20
TEXT = b"".join(b"line %d of a text that compresses well\n" % n for n in range(100000))


class Site:
    def __init__(self, server, sha256, upload):
        self.server = server
        self.sha256 = sha256  # of /big.bin
        self.upload = upload  # a file and its SHA-256


@pytest.fixture(scope="module", params=[Nginx, Apache], ids=["nginx", "apache"])
def site(request, tmp_path_factory):
    sink = Sink()
    with tempfile.TemporaryDirectory(prefix="interim-") as name:
        directory = pathlib.Path(name)
        directory.chmod(0o755)  # the server's workers run as another user when started as root
        files = directory / "files"
        files.mkdir()
        sha256 = make_file(files / "big.bin", BIG)
        (files / "hello.html").write_text("hello\n")
        (files / "text.txt").write_bytes(TEXT)
        upload = directory / "upload.bin"
        server = request.param(directory, sink)
        try:
            yield Site(server, sha256, (upload, make_file(upload, 50 << 20)))
        finally:
            server.stop()
            sink.stop()


@pytest.fixture
def through(start, site):
    return start("", upstream=site.server.text, lasting=True)


def test_keep_alive(through):
    assert curl(*[f"{through.url}/hello.html?{n}" for n in range(100)]) == b"hello\n" * 100
    through.counts("accepted", 1)
    through.counts("upstream_connects", 1)
    through.counts("upstream_reused", 99)


def test_a_large_file_is_whole(through, site):
    body, _ = curl_facts(f"{through.url}/big.bin")
    assert hashlib.sha256(body).hexdigest() == site.sha256


def test_a_part_of_a_file(through, site):
    text = curl("-i", "-r", "1000-1999", f"{through.url}/big.bin")
    head, _, body = text.partition(b"\r\n\r\n")
    assert b" 206 " in head.split(b"\r\n")[0] and len(body) == 1000


def test_chunked(through):
    text = curl("-i", "--raw", "-H", "Accept-Encoding: gzip", f"{through.url}/text.txt")
    assert b"transfer-encoding: chunked" in text.partition(b"\r\n\r\n")[0].lower()
    body, _ = curl_facts("-H", "Accept-Encoding: gzip", f"{through.url}/text.txt")
    assert gzip.decompress(body) == TEXT


def test_chunked_towards_http_1_0(through):
    body, _ = curl_facts("--http1.0", "-H", "Accept-Encoding: gzip", f"{through.url}/text.txt")
    assert gzip.decompress(body) == TEXT


def test_head_and_not_modified(through):
    text = curl("-I", f"{through.url}/hello.html").decode()
    etag = next(line for line in text.splitlines() if line.lower().startswith("etag:"))
    assert "content-length: 6" in text.lower()
    text = curl("-i", "-H", "If-None-Match:" + etag.partition(":")[2], f"{through.url}/hello.html")
    assert text.startswith(b"HTTP/1.1 304")
    text = curl("-I", f"{through.url}/hello.html", "--next", "-sS", f"{through.url}/hello.html")
    assert text.endswith(b"hello\n")


def test_the_servers_own_100(through, site):
    body, facts = curl_facts("-H", "Expect: 100-continue", "--expect100-timeout", "60",
                             "-T", site.upload[0], f"{through.url}/upload")
    assert json.loads(body) == {"size": 50 << 20, "sha256": site.upload[1]}
    line = through.exchange()
    assert (line["status"], line["interims"]) == (200, [100])


def test_the_servers_own_refusal(through, site):
    _, facts = curl_facts("-H", "Expect: 100-continue", "--expect100-timeout", "60",
                          "-T", site.upload[0], f"{through.url}/small")
    assert (facts["http_code"], facts["size_upload"]) == (site.server.refusal, 0)


def test_an_upload_in_chunks(through, site):
    body, _ = curl_facts("-H", "Expect: 100-continue", "-H", "Transfer-Encoding: chunked",
                         "-T", site.upload[0], f"{through.url}/upload")
    assert json.loads(body)["sha256"] == site.upload[1]


def test_a_file_that_is_not_there(through):
    _, facts = curl_facts(f"{through.url}/none")
    assert facts["http_code"] == 404
