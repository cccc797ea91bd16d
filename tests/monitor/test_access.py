"""Who may see the page and change something: this machine, or who has the token; no other page."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from asked_from import AWAY, HERE, asked_from
from event_brokers import ConfigurationError
from event_brokers_monitor import Access, application
from event_brokers_monitor.access import COOKIE

TOKEN = "a token with more than ASCII: ä"
JSON = {"content-type": "application/json"}
READ = "/api/dead-letters?destination=none"
CHANGE = "/api/dead-letters/drop"


def client(token: str | None = None, place: tuple[str, str] = HERE, **options: Any) -> TestClient:
    """Return a client of a page over nothing."""
    return asked_from(application(access=Access(token)), place, **options)


def bearer(token: str) -> dict[bytes, bytes]:
    """Return the header that gives a token, in UTF-8 as curl sends it."""
    return {b"authorization": f"Bearer {token}".encode()}


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8090", "localhost", "localhost:1", "[::1]:8090", "127.9.9.9"]
)
def test_this_machine_is_let_in_by_its_own_names(host: str) -> None:
    """Without a token, whichever port."""
    assert client().get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8090", "", "[::1", "0"],
)
@pytest.mark.parametrize("path", ["/", "/page.js", "/api/stream", READ])
def test_a_name_that_was_made_to_stand_for_this_machine_is_refused(host: str, path: str) -> None:
    """DNS rebinding: the browser is here, and the page that asks is not."""
    answered = client().get(path, headers={"host": host})
    assert answered.status_code == 403
    assert "--auth-token" in answered.json()["error"]


@pytest.mark.parametrize("address", ["192.0.2.7", "::ffff:192.0.2.7", "2001:db8::1", "nonsense"])
def test_another_machine_is_refused_without_a_token(address: str) -> None:
    """Also where it says that it is this one."""
    assert client(place=(address, HERE[1])).get("/").status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "http://127.0.0.1:8091"},
        {"origin": "http://localhost:8090"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://[::1"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"sec-fetch-site": "cross-site", "origin": "http://127.0.0.1:8090"},
    ],
)
@pytest.mark.parametrize("path", [CHANGE, "/api/dead-letters/retry", "/api/publish", "/login"])
def test_another_page_changes_nothing(headers: dict[str, str], path: str) -> None:
    """Neither one elsewhere, nor one of another port of this machine."""
    answered = client().post(path, json={}, headers=headers)
    assert answered.status_code == 403
    assert answered.json() == {"error": "another page may not change anything here"}


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "http://127.0.0.1:8091"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site", "origin": "http://127.0.0.1:8090"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("path", ["/api/stream", "/api/passing?destination=none", READ])
def test_another_page_reads_nothing(headers: dict[str, str], method: str, path: str) -> None:
    """Also where what it is mounted in lets every page read the answers."""
    answered = client().request(method, path, headers=headers)
    assert answered.status_code == 403
    assert method == "HEAD" or "another page may not" in answered.json()["error"]


def test_who_follows_a_link_or_types_an_address_is_shown_the_page() -> None:
    """A link elsewhere may lead to it, and what it would tell can be looked at by hand."""
    assert client().get("/", headers={"sec-fetch-site": "cross-site"}).status_code == 200
    assert client().get(READ, headers={"sec-fetch-site": "none"}).status_code == 404


def test_the_page_itself_and_a_program_may_change_something() -> None:
    """They come as far as the destination, which is not there."""
    wanted = {"destination": "none", "all": True}
    own = {"origin": "http://127.0.0.1:8090", "sec-fetch-site": "same-origin"}
    for headers in (own, {}):
        assert client().post(CHANGE, json=wanted, headers=headers).status_code == 404
        assert client().get(READ, headers=headers).status_code == 404


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_form_of_another_page_is_no_json(kind: str) -> None:
    """A browser sends such a form without asking, and an old one says nothing of its origin."""
    answered = client().post(CHANGE, content=b"{}", headers={"content-type": kind})
    assert answered.status_code == 415


@pytest.mark.parametrize("place", [HERE, AWAY])
def test_with_a_token_everything_but_the_question_for_it_is_shut(place: tuple[str, str]) -> None:
    """Also on this machine; the page asks for it, and shows nothing else."""
    asked = client(TOKEN, place)
    for path in ("/page.js", "/api/stream", "/api/passing?destination=a", READ, "/nowhere"):
        assert asked.get(path).status_code == 401, path
    assert asked.post(CHANGE, json={}).status_code == 401
    page = asked.get("/")
    assert page.status_code == 401
    assert 'name="token"' in page.text
    assert asked.get("/page.css").status_code == 200


@pytest.mark.parametrize("token", [TOKEN, "à", "Å", "日本"])
def test_a_token_beyond_ascii_opens_as_a_header(token: str) -> None:
    """Whichever bytes it has: some of them look like spaces to who takes them for Latin-1."""
    asked = client(token, AWAY)
    assert asked.get(READ, headers=bearer(token)).status_code == 404
    assert asked.get(READ, headers=bearer(f" {token} ")).status_code == 404
    assert asked.get(READ, headers=bearer(token[:-1])).status_code == 401
    assert asked.get(READ, headers={b"authorization": b"Bearer \xff"}).status_code == 401


@pytest.mark.parametrize("token", ["", "  ", "\n"])
def test_an_empty_token_is_refused(token: str) -> None:
    """It would let everybody in, from everywhere; nobody is asked for it."""
    with pytest.raises(ConfigurationError, match=r"^Access\.token: is empty; "):
        Access(token)


def test_the_token_opens_as_a_header() -> None:
    """The right one alone, from anywhere."""
    asked = client("right", AWAY)
    assert asked.get(READ, headers=bearer("right")).status_code == 404
    assert asked.get(READ, headers={"authorization": "bearer right"}).status_code == 404
    for wrong in ("wrong", "righ", "rightt", "", "Right"):
        assert asked.get(READ, headers=bearer(wrong)).status_code == 401
    assert asked.get(READ, headers={"authorization": "Basic right"}).status_code == 401
    assert asked.get(READ + "&token=right").status_code == 401


def test_the_token_opens_as_a_cookie_that_does_not_hold_it() -> None:
    """No script can read it, no other page sends it, and it opens nothing but this page."""
    asked = client(TOKEN, AWAY)
    given = asked.post("/login", data={"token": TOKEN}, follow_redirects=False)
    assert given.status_code == 303
    cookie = given.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    for attribute in ("HttpOnly", "SameSite=Strict", "Path=/", "Max-Age="):
        assert attribute in cookie
    assert "token" not in cookie
    assert asked.get("/").status_code == 200
    assert asked.get(READ).status_code == 404
    asked.cookies.set(COOKIE, "0" * 64, domain="page.example")
    assert client(TOKEN, cookies={COOKIE: "0" * 64}).get(READ).status_code == 401


@pytest.mark.parametrize("given", ["", "wrong", TOKEN + " ", TOKEN[:-1]])
def test_a_wrong_token_gets_no_cookie(given: str) -> None:
    """Whatever is missing of it."""
    answered = client(TOKEN).post("/login", data={"token": given}, follow_redirects=False)
    assert answered.status_code == 401
    assert "set-cookie" not in answered.headers


def test_a_cookie_over_tls_is_for_tls_alone() -> None:
    """A browser does not send it in the clear then."""
    asked = client(TOKEN, (AWAY[0], "https://page.example"))
    given = asked.post("/login", data={"token": TOKEN}, follow_redirects=False)
    assert "Secure" in given.headers["set-cookie"]


@pytest.mark.parametrize("path", ["/", "/page.js", "/api/stream", READ, "/nowhere", CHANGE])
@pytest.mark.parametrize("host", ["127.0.0.1", "evil.example"])
def test_every_answer_says_that_it_runs_no_foreign_script(path: str, host: str) -> None:
    """No inline script or style either, no frame around it, and nothing kept in a cache."""
    headers = client().get(path, headers={"host": host}).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"


def test_a_mounted_page_is_as_shut() -> None:
    """Below another path; the cookie is for that path."""
    app = Starlette(routes=[Mount("/deep/page", app=application(access=Access(TOKEN)))])
    asked = asked_from(app, AWAY)
    assert asked.get("/deep/page/page.js").status_code == 401
    assert asked.get("/deep/page/").status_code == 401
    assert 'name="token"' in asked.get("/deep/page/").text
    given = asked.post("/deep/page/login", data={"token": TOKEN})
    assert given.status_code == 200
    assert 'src="page.js"' in given.text
    assert "Path=/deep/page" in given.history[0].headers["set-cookie"]


def test_the_token_is_in_no_repr() -> None:
    """Of what holds it."""
    assert "secret" not in repr(Access("secret"))
