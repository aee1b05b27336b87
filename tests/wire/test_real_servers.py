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
    def __init__(self, server, files, sha256, upload, small):
        self.server = server
        self.files = files    # what it serves
        self.sha256 = sha256  # of /big.bin
        self.upload = upload  # a file and its SHA-256
        self.small = small    # the same


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
        small = directory / "small.bin"
        server = request.param(directory, sink)
        try:
            yield Site(server, files, sha256, (upload, make_file(upload, 50 << 20)),
                       (small, make_file(small, 1_100_000)))
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


@pytest.mark.parametrize("span, first, last", [
    ("0-0", 0, 0), ("-500", BIG - 500, BIG - 1), (f"{BIG - 700}-", BIG - 700, BIG - 1),
    (f"5-{BIG * 2}", 5, BIG - 1),
], ids=["one byte", "the last ones", "to the end", "longer than the file"])
def test_a_range(through, site, span, first, last):
    text = curl("-i", "-r", span, f"{through.url}/big.bin")
    head, _, body = text.partition(b"\r\n\r\n")
    assert f"\r\ncontent-range: bytes {first}-{last}/{BIG}".encode() in head.lower()
    with open(site.files / "big.bin", "rb") as file:
        file.seek(first)
        assert body == file.read(last - first + 1)


def test_several_ranges_in_one_answer(through, site):
    text = curl("-i", "-r", "0-9,1000-1009", f"{through.url}/big.bin")
    assert b" 206 " in text.split(b"\r\n")[0] and b"multipart/byteranges" in text
    with open(site.files / "big.bin", "rb") as file:
        start = file.read(1010)
    assert start[:10] in text and start[1000:] in text


def test_a_range_beyond_the_end(through):
    text, facts = curl_facts("-r", f"{BIG}-", f"{through.url}/big.bin")
    assert facts["http_code"] == 416 and b"Range" in text


def test_a_range_of_a_file_that_has_changed_is_the_whole(through):
    text = curl("-i", "-r", "0-1", "-H", 'If-Range: "another"', f"{through.url}/hello.html")
    assert b" 200 " in text.split(b"\r\n")[0] and text.endswith(b"\r\n\r\nhello\n")


def test_a_download_that_broke_off_is_taken_up_again(through, site, tmp_path):
    half = tmp_path / "half.bin"
    with open(site.files / "big.bin", "rb") as file:
        half.write_bytes(file.read(BIG // 2 + 1))
    curl("-C", "-", "-o", half, f"{through.url}/big.bin")
    assert hashlib.sha256(half.read_bytes()).hexdigest() == site.sha256


def test_large_files_at_once(through, site):
    args = [word for n in range(4) for word in ("-o", "/dev/null", f"{through.url}/big.bin?{n}")]
    sizes = curl("--parallel", "--parallel-immediate", "-w", "%{size_download}\n", *args)
    assert sizes.split() == [str(BIG).encode()] * 4


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


def test_a_100_for_each_upload_on_one_connection(through, site):
    args = [word for n in range(5) for word in ("-T", site.small[0], f"{through.url}/upload?{n}")]
    text = curl("-H", "Expect: 100-continue", "--expect100-timeout", "60", *args)
    assert text.count(site.small[1].encode()) == 5
    assert [line["interims"] for line in through.exchanges(5)] == [[100]] * 5
    through.counts("accepted", 1)


def test_an_upload_that_does_not_ask(through, site):
    text = curl("-H", "Expect:", "-T", site.small[0], f"{through.url}/upload")
    assert json.loads(text)["sha256"] == site.small[1]
    assert through.exchange()["interims"] == []


def test_an_upload_in_http_1_0(through, site):
    text = curl("-i", "--http1.0", "-H", "Expect: 100-continue", "-T", site.small[0],
                f"{through.url}/upload")
    assert text.count(b"HTTP/1.") == 1 and site.small[1].encode() in text


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
