"""Who is let in: names in Host, tokens, sessions, and where a form comes from."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="the extra is missing: pip install 'choragus[web]'")
pytest.importorskip("httpx2", reason="the client of these tests")

from choragus.agents.web import runs_app
from choragus.agents.web.gate import LOOPBACK

from .asking import HERE, TOKEN, asking, by_header

FORM = "/waiting/cce71c0a"


async def test_every_answer_forbids_what_is_no_file_of_the_page(done: Path) -> None:
    async with asking(runs_app(done, token=TOKEN)) as page:
        answers = [await page.get(path) for path in ("/", "/nothing", "/static/page.js", "/run/nobody")]

    for one in answers:
        policy = one.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert (one.headers["x-frame-options"], one.headers["x-content-type-options"]) == ("DENY", "nosniff")


async def test_no_page_has_a_script_a_style_or_a_handler_of_its_own(done: Path) -> None:
    async with asking(runs_app(done, token=TOKEN)) as page:
        pages = [(await page.get(path)).text for path in ("/", "/run/e0f00c5f0276?all=1", "/waiting", "/supervision")]

    for one in pages:
        assert one.count("<script") == one.count('<script src="/static/page.js" defer></script>') == 1
        assert "<style" not in one
        assert " style=" not in one
        assert " onclick=" not in one
        assert "http:" not in one
        assert "https:" not in one


@pytest.mark.parametrize("path", ["/", "/run/e0f00c5f0276", "/waiting", "/events", "/?token=another", "/?token="])
async def test_nothing_is_shown_without_the_token(done: Path, path: str) -> None:
    async with asking(runs_app(done, token=TOKEN), token="") as page:
        answer = await page.get(path)

    assert answer.status_code == 403
    assert "clerk" not in answer.text
    assert "set-cookie" not in answer.headers


async def test_the_token_opens_a_session_and_does_not_stay_in_the_address(done: Path) -> None:
    async with asking(runs_app(done, token=TOKEN), token="") as page:
        page.client.follow_redirects = False

        opened = await page.client.get("/", params={"token": TOKEN, "status": "failed"})

        assert (opened.status_code, opened.headers["location"]) == (303, "/?status=failed")
        assert {"HttpOnly", "SameSite=Lax"} <= {one.strip() for one in opened.headers["set-cookie"].split(";")}
        assert TOKEN not in opened.headers["set-cookie"]
        assert (await page.get("/")).status_code == 200


async def test_the_way_back_leads_to_no_other_host(done: Path) -> None:
    async with asking(runs_app(done, token=TOKEN), token="") as page:
        page.client.follow_redirects = False

        opened = await page.client.get(f"{HERE}//elsewhere.example/", params={"token": TOKEN})

    assert opened.headers["location"] == "/elsewhere.example/"


@pytest.mark.parametrize("cookie", ["", "x", "abc.def", "abc." + "0" * 64])
async def test_a_cookie_that_is_not_signed_opens_nothing(done: Path, cookie: str) -> None:
    async with asking(runs_app(done, token=TOKEN)) as page:
        ((name, _),) = page.client.cookies.items()
        page.client.cookies.clear()

        answer = await page.get("/", cookie=f"{name}={cookie}")

    assert answer.status_code == 403


async def test_a_program_may_bring_the_token_in_a_header(done: Path) -> None:
    async with asking(runs_app(done, token=TOKEN), token="") as page:
        right = await page.get("/", authorization=f"Bearer {TOKEN}")
        wrong = await page.get("/", authorization="Bearer another token")

    assert (right.status_code, wrong.status_code) == (200, 403)


async def test_a_session_of_the_same_token_outlives_the_process(done: Path) -> None:
    async with asking(runs_app(done, token=TOKEN)) as before:
        ((name, value),) = before.client.cookies.items()

    async with (
        asking(runs_app(done, token=TOKEN), token="") as again,
        asking(runs_app(done, token="another token of it"), token="") as other,
    ):
        assert (await again.get("/", cookie=f"{name}={value}")).status_code == 200
        assert (await other.get("/", cookie=f"{name}={value}")).status_code == 403


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8765", "localhost.evil.example", "127.0.0.1.evil.example", ""]
)
async def test_a_name_that_was_pointed_at_loopback_is_refused(done: Path, host: str) -> None:
    """A page of another site, whose name its owner lets lead here, would else read everything."""
    async with asking(runs_app(done, token=TOKEN, hosts=LOOPBACK)) as page:
        answer = await page.get("/", host=host)

    assert answer.status_code == 403
    assert "clerk" not in answer.text


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost:8765", "LOCALHOST", "[::1]:8765"])
async def test_the_names_of_loopback_are_taken(done: Path, host: str) -> None:
    async with asking(runs_app(done, token=TOKEN, hosts=LOOPBACK)) as page:
        assert (await page.get("/", host=host)).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://127.0.0.1:3000"},
        {"origin": "http://127.0.0.1:8765.evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
    ids=lambda one: " ".join(one.values()) or "no origin",
)
async def test_s37_a_form_from_another_page_decides_nothing(waiting: Path, headers: dict[str, str]) -> None:
    async with asking(runs_app(waiting, token=TOKEN)) as page:
        fields = await page.form("/waiting", "form-cce71c0a")

        answer = await page.post(FORM, {**fields, "decision": "approve", "by": "mia"}, **headers)

        assert (answer.status_code, answer.headers.get("location")) == (403, None)
        assert "another page" in answer.text


@pytest.mark.parametrize("csrf", [None, "", "0" * 64])
async def test_s37_a_form_without_the_pages_own_token_decides_nothing(waiting: Path, csrf: str | None) -> None:
    async with asking(runs_app(waiting, token=TOKEN)) as page:
        fields = {**await page.form("/waiting", "form-cce71c0a"), "decision": "approve", "by": "mia"}
        fields = {name: value for name, value in fields.items() if name != "csrf"} | (
            {} if csrf is None else {"csrf": csrf}
        )

        answer = await page.post(FORM, fields)

    assert (answer.status_code, "not one that this page gave you" in answer.text) == (403, True)


async def test_s37_another_sessions_form_decides_nothing(waiting: Path) -> None:
    app = runs_app(waiting, token=TOKEN)
    async with asking(app) as eve, asking(app) as mia:
        fields = await eve.form("/waiting", "form-cce71c0a")

        answer = await mia.post(FORM, {**fields, "decision": "approve", "by": "mia"})

    assert answer.status_code == 403


async def test_s37_a_form_that_the_host_knows_as_anothers_decides_nothing(waiting: Path) -> None:
    async with asking(runs_app(waiting, identify=by_header), token="") as page:
        page.client.headers["x-user"] = "eve"
        fields = await page.form("/waiting", "form-cce71c0a")

        answer = await page.post(FORM, {**fields, "decision": "approve"}, **{"x-user": "mia"})

    assert answer.status_code == 403


async def test_nobody_is_let_in_whom_the_host_does_not_know(done: Path) -> None:
    async with asking(runs_app(done, identify=by_header), token="") as page:
        nobody, mia = await page.get("/"), await page.get("/", **{"x-user": "mia"})

    assert (nobody.status_code, mia.status_code) == (401, 200)
    assert "clerk" not in nobody.text
    assert "as mia" in mia.text


async def test_a_page_that_only_shows_takes_nothing_from_anybody(waiting: Path) -> None:
    async with asking(runs_app(waiting, read_only=True), token="") as page:
        shown = await page.get("/waiting")
        answer = await page.post(FORM, {"decision": "approve", "by": "mia", "csrf": ""})

    assert "pay: May it run?" in shown.text
    assert 'value="approve"' not in shown.text
    assert (answer.status_code, "only shows" in answer.text) == (403, True)


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{}", "application/json", 415),
        (b"x", "multipart/form-data; boundary=x", 415),
        (b"csrf=a&csrf=b", "application/x-www-form-urlencoded", 400),
        (b"a=\xff", "application/x-www-form-urlencoded", 400),
        (b"a=%FF", "application/x-www-form-urlencoded", 400),
        (b"&".join(b"a%d=1" % n for n in range(400)), "application/x-www-form-urlencoded", 400),
        (b"a=" + b"x" * 70_000, "application/x-www-form-urlencoded", 413),
    ],
    ids=["json", "multipart", "twice", "no utf-8", "no utf-8 either", "many", "large"],
)
async def test_what_is_no_form_is_refused(waiting: Path, body: bytes, kind: str, status: int) -> None:
    async with asking(runs_app(waiting, token=TOKEN)) as page:
        headers = {"origin": HERE, "content-type": kind}
        answer = await page.client.post(FORM, content=body, headers=headers)

    assert answer.status_code == status


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "^nothing says who may decide here: give identify=, token= or read_only=True$"),
        ({"token": "short"}, "^the token has 5 characters and needs 16: give a longer one$"),
    ],
)
def test_a_page_that_anybody_could_decide_on_is_not_made(options: dict[str, str], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        runs_app("runs.db", **options)  # type: ignore[arg-type]  # a token


async def test_a_token_does_not_stay_in_the_address_of_an_open_session_either(done: Path) -> None:
    async with asking(runs_app(done, token=TOKEN)) as page:
        page.client.follow_redirects = False

        again = await page.client.get("/waiting", params={"token": TOKEN})

    assert (again.status_code, again.headers["location"]) == (303, "/waiting")
