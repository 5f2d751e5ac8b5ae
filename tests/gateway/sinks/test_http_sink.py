"""NDJSON by POST, at an upstream that misbehaves in every way that has a name."""

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import trustme
from derb_gateway.errors import SinkPartly, SinkRefused, SinkRetry
from derb_gateway.sink_settings import HttpSinkSettings
from derb_gateway.sinks.base import Batch
from derb_gateway.sinks.http_sink import HttpSink, idempotency_key
from derb_gateway.sinks.http_upstream import ANSWER_KEPT_BYTES, retry_after_s
from gateway.fake_upstream import FakeUpstream, fake_upstream, http, http_json
from gateway.kit import free_port

BATCH = Batch(5, 7, [{"key": f"a:1:{i}", "word": "été"} for i in range(3)])


def sink(port: int, scheme: str = "http", **more: object) -> HttpSink:
    values = {
        "type": "http",
        "name": "city",
        "url": f"{scheme}://127.0.0.1:{port}/in",
        "timeout_s": 2.0,
        **more,
    }
    return HttpSink(HttpSinkSettings.model_validate(values), "casa")


@pytest_asyncio.fixture
async def upstream() -> AsyncIterator[FakeUpstream]:
    async with fake_upstream() as running:
        yield running


async def deliver(upstream: FakeUpstream, batch: Batch = BATCH, **more: object) -> None:
    way = sink(upstream.port, **more)
    try:
        assert await way.deliver(batch, "kept") == "kept"
    finally:
        await way.close()


async def retried(upstream: FakeUpstream, **more: object) -> SinkRetry:
    with pytest.raises(SinkRetry) as caught:
        await deliver(upstream, **more)
    return caught.value


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
async def test_one_reading_a_line(upstream: FakeUpstream, compression: str) -> None:
    await deliver(upstream, compression=compression)
    (asked,) = upstream.asked
    assert asked.readings() == BATCH.readings
    assert asked.unpacked().endswith(b"\n")
    assert (asked.method, asked.path) == ("POST", "/in")
    assert asked.headers.get("content-encoding", "none") == compression
    assert (asked.headers["content-type"], asked.headers["derb-lane"]) == ("application/x-ndjson", "live")


async def test_a_repeat_has_the_same_key_and_the_same_bytes(upstream: FakeUpstream) -> None:
    await deliver(upstream)
    await deliver(upstream)
    first, second = upstream.asked
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert first.body == second.body


def test_other_readings_have_another_key() -> None:
    half = Batch(5, 6, BATCH.readings[:2])
    keys = {idempotency_key("city", BATCH), idempotency_key("city", half), idempotency_key("other", BATCH)}
    assert len(keys) == 3


async def test_a_token_is_read_anew_each_time(upstream: FakeUpstream, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("one\n")
    way = sink(upstream.port, token_file=token)
    await way.deliver(BATCH, None)
    token.write_text("two\n")
    await way.deliver(BATCH, None)
    await way.close()
    assert [asked.headers["authorization"] for asked in upstream.asked] == ["Bearer one", "Bearer two"]


async def test_a_name_and_a_password(upstream: FakeUpstream, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("secret\n")
    await deliver(upstream, username="casa", password_file=tmp_path / "password")
    assert upstream.asked[0].headers["authorization"] == "Basic Y2FzYTpzZWNyZXQ="


async def test_a_token_that_is_not_there_is_a_failure_that_says_so(
    upstream: FakeUpstream, tmp_path: Path
) -> None:
    assert "none" in str(await retried(upstream, token_file=tmp_path / "none"))


@pytest.mark.parametrize("status", [400, 413, 415, 422])
async def test_a_batch_that_is_wrong_is_refused(upstream: FakeUpstream, status: int) -> None:
    upstream.script = [http(status, b"line 2:\nno such bay\x00\x1b[31m")]
    with pytest.raises(SinkRefused) as caught:
        await deliver(upstream)
    assert str(caught.value).isprintable()
    assert "no such bay" in str(caught.value)


@pytest.mark.parametrize("status", [301, 302, 401, 403, 404, 405, 408, 409, 425, 500, 502, 504, 507, 999])
async def test_what_is_not_the_batchs_fault_is_tried_again(upstream: FakeUpstream, status: int) -> None:
    upstream.script = [http(status, b"", "Location: http://127.0.0.1:1/elsewhere")]
    error = await retried(upstream)
    assert str(status) in str(error)
    assert not error.overloaded
    assert error.suspect == (status == 500), "only then may the batch be what breaks it"
    assert len(upstream.asked) == 1, "no redirect is followed"


@pytest.mark.parametrize("status", [429, 503])
async def test_an_overloaded_upstream_says_so(upstream: FakeUpstream, status: int) -> None:
    upstream.script = [http(status, b"", "Retry-After: 17")]
    error = await retried(upstream)
    assert (error.overloaded, error.after_s) == (True, 17.0)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("120", 120.0),
        ("-5", 0.0),
        ("1e400", None),
        ("nan", None),
        ("soon", None),
        ("", None),
        ("Sat, 01 Jan 2000 00:00:00 GMT", 0.0),
        ("Sat, 99 Foo 2000 00:00:00 GMT", None),
        ("Sat, 01 Jan 2000 00:00:00", None),
    ],
)
def test_retry_after_is_read_with_care(value: str | None, seconds: float | None) -> None:
    assert retry_after_s(value) == seconds


def test_retry_after_as_a_date_to_come() -> None:
    found = retry_after_s("Fri, 01 Jan 2100 00:00:00 GMT")
    assert found is not None
    assert found > 1e9


async def test_a_slow_upstream(upstream: FakeUpstream) -> None:
    upstream.script = [None]
    error = await retried(upstream, timeout_s=0.2)
    assert error.overloaded
    assert "in time (0.2 s)" in str(error)


async def test_an_answer_that_drips_for_ever(upstream: FakeUpstream) -> None:
    upstream.drip_s = 0.05
    await retried(upstream, timeout_s=0.3)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf of it",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"\x00\xff" * 1000,
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 200_000 + b"\r\n\r\n",
    ],
    ids=[
        "nothing",
        "half a line",
        "half a body",
        "half a chunk",
        "ssh",
        "no status",
        "noise",
        "endless header",
    ],
)
async def test_an_answer_that_is_cut_off_or_none_is_no_answer(upstream: FakeUpstream, answer: bytes) -> None:
    upstream.script = [answer]
    await retried(upstream)


async def test_an_endless_answer_is_not_read(upstream: FakeUpstream) -> None:
    upstream.script = [http(200, b"x" * (ANSWER_KEPT_BYTES + 1))]
    assert "an answer of more than" in str(await retried(upstream))


async def test_nobody_listens() -> None:
    way = sink(free_port())
    with pytest.raises(SinkRetry, match="ConnectError"):
        await way.deliver(BATCH, None)
    await way.close()


async def test_the_next_batch_goes_over_a_new_connection_after_a_failure(upstream: FakeUpstream) -> None:
    way = sink(upstream.port)
    upstream.script = [b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf"]
    with pytest.raises(SinkRetry):
        await way.deliver(BATCH, None)
    assert await way.deliver(BATCH, "s") == "s"
    await way.close()


# An upstream that takes a part


async def test_readings_are_refused_one_by_one(upstream: FakeUpstream) -> None:
    rejected = [
        {"key": "a:1:0", "why": "no such bay"},
        {"key": "a:1:2", "why": "busy", "retry": True},
        {"key": "b:9:9", "why": "not ours"},
        {"no": "key"},
        7,
    ]
    upstream.script = [http_json(207, {"rejected": rejected})]
    with pytest.raises(SinkPartly) as caught:
        await deliver(upstream)
    assert (caught.value.refused, caught.value.again) == ({0: "no such bay"}, {2: "busy"})


async def test_a_200_may_name_refused_readings_too(upstream: FakeUpstream) -> None:
    upstream.script = [http_json(200, {"rejected": [{"key": "a:1:1"}]})]
    with pytest.raises(SinkPartly) as caught:
        await deliver(upstream)
    assert caught.value.refused == {1: "rejected"}


@pytest.mark.parametrize(
    "body", [b"", b"ok", b"[]", b"7", b"null", b'{"rejected": 7}', b"{", b"[" * 100_000, b"\xff"]
)
async def test_a_207_that_does_not_name_them_is_no_acceptance(upstream: FakeUpstream, body: bytes) -> None:
    upstream.script = [http(207, body)]
    assert "207" in str(await retried(upstream))


@pytest.mark.parametrize("body", [b"", b"ok", b"[]", b"7", b'{"rejected": 7}', b"{", b"[" * 100_000, b"\xff"])
async def test_a_200_with_any_words_is_an_acceptance(upstream: FakeUpstream, body: bytes) -> None:
    upstream.script = [http(200, body)]
    await deliver(upstream)


# TLS


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_tls(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


async def test_an_authority_that_is_given(authority: trustme.CA, tmp_path: Path) -> None:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    async with fake_upstream(tls=server_tls(authority)) as upstream:
        await deliver(upstream, scheme="https", tls={"ca_file": tmp_path / "ca.pem"})


async def test_a_stranger_with_a_certificate_of_his_own_gets_nothing(authority: trustme.CA) -> None:
    async with fake_upstream(tls=server_tls(authority)) as upstream:
        assert "certificate" in str(await retried(upstream, scheme="https")).lower()
        assert upstream.asked == []


async def test_a_certificate_for_another_name_is_no_certificate(
    authority: trustme.CA, tmp_path: Path
) -> None:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    async with fake_upstream(tls=server_tls(authority, "city.example")) as upstream:
        await retried(upstream, scheme="https", tls={"ca_file": tmp_path / "ca.pem"})
        assert upstream.asked == []


async def test_tls_to_a_port_that_speaks_none(upstream: FakeUpstream) -> None:
    await retried(upstream, scheme="https", timeout_s=0.5)
    assert upstream.asked == []


async def test_an_authority_file_that_holds_none(upstream: FakeUpstream, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    await retried(upstream, scheme="https", tls={"ca_file": tmp_path / "ca.pem"})
