"""Pictures go to whom they belong, and to whoever has a good token."""

import io
from datetime import datetime
from pathlib import Path

import httpx
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request

from qwen_demo.images import Reference, verify
from qwen_demo.library import Entry, Library
from qwen_demo.recipe import Recipe
from qwen_demo.web import VISITOR, Addresses, pictures
from qwen_demo.web.cookie import VisitorCookie
from qwen_demo.web.files import Files
from tests.test_library import aside

RECIPE = Recipe(kind="text_to_image", prompt="a private wish", model="qwen-image-plus", seed=7)
DAY = 24 * 3600


class Clock:
    """Stands in for the module `time`."""

    now = 1_800_000_000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(pictures, "time", clock)
    return clock


def png(width: int = 700, height: int = 500) -> bytes:
    Image.radial_gradient("L").resize((width, height)).save(buffer := io.BytesIO(), "PNG")
    return buffer.getvalue()


class House:
    """An app with nothing but pictures, each visitor's for that one, and two of Ann's."""

    def __init__(self, root: Path) -> None:
        self.everything = Library(root)
        self.addresses = Addresses(self.everything, b"secret" * 6)
        self.first, self.second = (self._save(seconds) for seconds in (1, 2))
        route = self.addresses.route(lambda request: self.everything.of(_name(request)))
        doors = [Middleware(VisitorCookie, secret=bytes(32)), Middleware(Files)]
        self.app = Starlette(routes=[route], middleware=doors)
        self._cookies = VisitorCookie(self.app, bytes(32))

    @property
    def anns(self) -> Library:
        return self.everything.of("ann")

    def visitor(self, name: str) -> httpx.AsyncClient:
        cookies = {"qwen-image-demo": f"{name}.{self._cookies._sign(name)}"} if name else {}
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://app", cookies=cookies)

    async def status(self, address: str, name: str = "") -> int:
        async with self.visitor(name) as http:
            return (await http.get(address)).status_code

    def token(self, entry: Entry | None = None) -> str:
        return self.addresses.token(self.anns, (entry or self.first).id)

    def _save(self, seconds: int) -> Entry:
        path = self.anns.save(verify(png()), RECIPE, 1, datetime(2026, 11, 22, 15, 30, seconds))
        entry = self.anns.entry_of(path)
        assert entry
        return entry


def _name(request: Request) -> str:
    name: str = request.scope[VISITOR].name
    return name


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "outputs")


async def test_the_owner_gets_the_file_and_light_previews_which_never_change(house: House) -> None:
    async with house.visitor("ann") as http:
        answers = {query: await http.get(f"/picture/{house.first.id}{query}") for query in ("", "?w=512", "?w=3072")}
    assert {answer.status_code for answer in answers.values()} == {200}
    assert {answer.headers["cache-control"] for answer in answers.values()} == {"private, max-age=31536000, immutable"}
    assert [answer.headers["content-type"] for answer in answers.values()] == ["image/png", "image/webp", "image/webp"]
    assert [answer for answer in answers.values() if "content-disposition" in answer.headers] == []  # no words of it
    assert answers[""].content == house.first.path.read_bytes()
    sizes = [Image.open(io.BytesIO(answer.content)).size for answer in answers.values()]
    assert sizes == [(700, 500), (512, 366), (700, 500)]
    assert all(len(answers[query].content) < len(answers[""].content) for query in ("?w=512", "?w=3072"))


@pytest.mark.parametrize("name", ["", "bob", "ann2"])
async def test_nobody_else_gets_it(house: House, name: str) -> None:
    for query in ("", "?w=512", "?w=3072", "?t=", "?w=512&t="):
        assert await house.status(f"/picture/{house.first.id}{query}", name) == 404
    assert list((house.anns.root / ".previews").rglob("*")) == []  # nor is anything made for them


@pytest.mark.parametrize(
    "address",
    [
        "/picture/{id}?w=7",
        "/picture/{id}?w=",
        "/picture/{id}?w=0512",
        "/picture/{id}?w=512.0",
        "/picture/{id}?w=../512",
        "/picture/{id}?w=512%00",
        "/picture/{id}0",
        "/picture/{id}%0a",
        "/picture/{id}.png",
        "/picture/2026-11-22-0123456789abcdef01234567",
        "/picture/2026-11-22",
        "/picture/..",
        "/picture/%2e%2e",
        "/picture/..%2f..%2fetc%2fpasswd",
        "/picture/../{id}",
        "/picture/{part}/{id}",
        "/picture/..%2f{part}%2f{id}",
        "/picture/{name}",
        "/picture/reference-" + "f" * 64,
        "/picture/reference-..%2f..%2fx",
        "/picture/.secret",
        "/picture/",
    ],
)
async def test_what_is_no_picture_of_the_visitors_is_not_found(house: House, address: str) -> None:
    part, name = house.anns.root.name, house.first.path.name
    assert await house.status(address.format(id=house.first.id, part=part, name=name), "ann") == 404


async def test_a_picture_that_was_brought_is_the_visitors_too(house: House) -> None:
    data = png(300, 200)
    reference = Reference(data, "image/png", (300, 200), "PNG", (300, 200), False)
    house.anns.keep_reference(reference)
    address = f"/picture/reference-{reference.sha256}"
    async with house.visitor("ann") as http:
        assert (await http.get(address)).content == data
        assert (await http.get(f"{address}?w=512")).headers["content-type"] == "image/webp"
    assert await house.status(address, "bob") == 404


async def test_only_its_head_is_sent_to_who_asks_for_that(house: House) -> None:
    async with house.visitor("ann") as http:
        for query in ("", "?w=512"):
            address = f"/picture/{house.first.id}{query}"
            head, whole = await http.head(address), await http.get(address)
            assert (head.status_code, head.content) == (200, b"")
            assert head.headers["content-length"] == str(len(whole.content))
        assert (await http.post(f"/picture/{house.first.id}")).status_code == 405
    async with house.visitor("bob") as http:
        assert (await http.head(f"/picture/{house.first.id}")).status_code == 404


async def test_a_token_opens_one_picture_and_its_previews_without_a_cookie(house: House, clock: Clock) -> None:
    token = house.token()
    async with house.visitor("") as http:
        whole = await http.get(f"/picture/{house.first.id}", params={"t": token})
        assert (whole.status_code, whole.content) == (200, house.first.path.read_bytes())
        assert (await http.get(f"/picture/{house.first.id}", params={"t": token, "w": "512"})).status_code == 200
        assert (await http.get(f"/picture/{house.second.id}", params={"t": token})).status_code == 404
        assert (await http.get(f"/picture/{house.second.id}", params={"t": house.token(house.second)})).is_success
        assert (await http.get("/picture/2026-11-22-" + "f" * 24, params={"t": token})).status_code == 404
    assert await house.status(f"/picture/{house.first.id}?t={token}", "bob") == 200  # whoever was handed it
    assert "wish" not in token


@pytest.mark.parametrize("second", [0, DAY // 2, DAY - 1])
async def test_a_token_is_good_until_the_end_of_the_next_day(house: House, clock: Clock, second: int) -> None:
    today = Clock.now // DAY * DAY
    clock.now = today + second
    token = house.token()
    for later, status in ((second, 200), (2 * DAY - 1, 200), (2 * DAY + 1, 404), (400 * DAY, 404)):
        clock.now = today + later
        assert await house.status(f"/picture/{house.first.id}?t={token}") == status


async def test_a_token_is_the_same_all_day_so_that_nothing_is_told_or_loaded_anew(house: House, clock: Clock) -> None:
    today = Clock.now // DAY * DAY
    tokens = []
    for second in (0, 0.9, 1, 3600, DAY - 1, DAY):
        clock.now = today + second
        tokens.append(house.token())
    assert len(set(tokens[:-1])) == 1
    assert tokens[-1] != tokens[0]


async def test_no_part_of_a_token_can_be_changed(house: House, clock: Clock) -> None:
    until, part, signature = house.token().split(".")
    later = f"{int(until, 16) + DAY:x}"
    bobs = house.everything.of("bob").root.name
    forged = [
        f"{later}.{part}.{signature}",
        f"{until}..{signature}",
        f"{until}.{bobs}.{signature}",
        f"{until}.{part}.{'0' * 32}",
        f"{until}.{part}.{signature[:-1]}",
        f"{until}.{part}.{signature.upper()}x",
        f"{until}.{part}.",
        f"{until}.{part}",
        f"{until}.{part}/../{part}.{signature}",
        f"0{until}.{part}.{signature}",
        f"-{until}.{part}.{signature}",
        f"{'f' * 400}.{part}.{signature}",
        f"{house.token()}\n",
        f"{house.token()}.x",
        "..",
        "",
        "\u0660",
    ]
    async with house.visitor("ann") as http:  # not even for the owner: a token is asked, or the cookie
        for token in forged:
            assert (await http.get(f"/picture/{house.first.id}", params={"t": token})).status_code == 404, token


async def test_a_token_of_another_secret_or_library_opens_nothing(house: House, clock: Clock, tmp_path: Path) -> None:
    others = Addresses(house.everything, b"another" * 5).token(house.anns, house.first.id)
    everybodys = house.addresses.token(house.everything, house.first.id)  # in which it does not stand by that id
    bobs = house.addresses.token(house.everything.of("bob"), house.first.id)
    for token in (others, everybodys, bobs):
        assert await house.status(f"/picture/{house.first.id}?t={token}") == 404


async def test_where_all_see_all_a_token_has_no_part(house: House, clock: Clock) -> None:
    path = aside(house.everything.save, verify(png()), RECIPE, 1, datetime(2026, 11, 22, 15, 30, 3))
    entry = house.everything.entry_of(path)
    assert entry
    token = house.addresses.token(house.everything, entry.id)
    assert token.split(".")[1] == ""
    opened = house.addresses.opened(token, entry.id)
    assert opened
    assert opened.root == house.everything.root
    assert await house.status(f"/picture/{entry.id}?t={token}") == 200


async def test_what_is_deleted_is_not_served_by_any_address_until_it_is_restored(house: House) -> None:
    addresses = [f"/picture/{house.first.id}{query}" for query in ("", "?w=512", f"?t={house.token()}")]
    assert [await house.status(address, "ann") for address in addresses] == [200] * 3
    house.anns.delete(house.first)
    assert [await house.status(address, "ann") for address in addresses] == [404] * 3
    assert aside(house.anns.restore, house.first.id)
    assert [await house.status(address, "ann") for address in addresses] == [200] * 3


async def test_what_is_no_picture_after_all_has_no_preview(house: House) -> None:
    house.first.path.write_bytes(b"no picture")
    assert await house.status(f"/picture/{house.first.id}?w=512", "ann") == 404
