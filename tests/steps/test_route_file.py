"""routes.toml: what it says, and every mistake in it told with its place."""

from pathlib import Path

import pytest

from callsheet.errors import RouteWrong, SettingsWrong
from callsheet.routing import Limits
from callsheet.steps import draw_up, settings

GOOD = """\
[evolink]
in_flight = 40
per_minute = 60

[mirror]
api = "https://api.example.com/"
key = "MIRROR_API_KEY"
idempotency = "none"
models = ["kling-o1-video-edit"]
price = 0.95
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("EVOLINK_BASE_URL", "EVOLINK_FILES_BASE_URL", "CALLSHEET_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("EVOLINK_API_KEY", "sk-evo-test")
    monkeypatch.setenv("MIRROR_API_KEY", "sk-MARKED")
    return tmp_path


def read(root: Path, text: str) -> settings.Settings:
    (root / "routes.toml").write_text(text, "utf-8")
    return settings.read(root)


def test_a_file_of_two_routes(root: Path) -> None:
    found = read(root, GOOD)
    pool = draw_up.pool_of(found, sandbox=False)
    assert (pool.name, pool.names) == ("evolink", ("evolink", "mirror"))
    assert pool.card("evolink").limits == Limits(in_flight=40, per_minute=60)
    mirror = found.routes[1]
    assert (mirror.api, mirror.files) == ("https://api.example.com", "https://api.example.com")
    assert (mirror.card.idempotency, str(mirror.card.factor)) == ("none", "19/20")
    assert mirror.card.serves("kling-o1-video-edit")
    assert not mirror.card.serves("kling-o3-video-edit")
    assert "MARKED" not in repr(found)


def test_a_route_that_does_not_say_that_it_heeds_request_keys_is_never_sent_one_again(root: Path) -> None:
    found = read(root, GOOD.replace('idempotency = "none"\n', ""))
    assert {entry.card.name: entry.card.idempotency for entry in found.routes} == {
        "evolink": "replay",
        "mirror": "none",
    }


def test_the_sandbox_is_alone(root: Path) -> None:
    assert draw_up.pool_of(read(root, GOOD), sandbox=True).names == ("sandbox",)


def test_a_route_without_its_key_is_not_used_and_the_name_of_the_pool_stays(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MIRROR_API_KEY")
    assert draw_up.pool_of(read(root, GOOD), sandbox=False).names == ("evolink",)
    monkeypatch.setenv("MIRROR_API_KEY", "k")
    monkeypatch.delenv("EVOLINK_API_KEY")
    pool = draw_up.pool_of(settings.read(root), sandbox=False)
    assert (pool.name, pool.names) == ("evolink", ("mirror",))


def test_a_key_may_stand_in_env(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MIRROR_API_KEY")
    (root / ".env").write_text("MIRROR_API_KEY=sk-MARKED\n")
    key = read(root, GOOD).routes[1].key
    assert key is not None
    assert key.get_secret_value() == "sk-MARKED"


WRONG = {
    "[mirror\n": "it is not TOML: ",
    "mirror = 3\n": "[mirror]: this is a value, and a route is a table. Nothing was spent.",
    "[Mirror]\n": "[Mirror]: this cannot be the name of a route.",
    "[sandbox]\n": "[sandbox]: this cannot be the name of a route.",
    '[mirror]\napi = "https://a.example"\nkey = "K_E_Y"\nprise = 1\n': "[mirror] prise: there is no such key; did you mean",
    '[evolink]\napi = "https://a.example"\n': "[evolink] api: there is no such key",
    '[mirror]\nkey = "MIRROR_API_KEY"\n': "[mirror] api: a route needs it, as text.",
    '[mirror]\napi = "https://a.example"\n': "[mirror] key: a route needs it, as text.",
    '[mirror]\napi = "http://a.example"\nkey = "K_E_Y"\n': "[mirror] api: it has to be an https:// address",
    '[mirror]\napi = "https://sk:MARKED@a.example"\nkey = "K_E_Y"\n': "[mirror] api: it has to be an https:// address",
    '[mirror]\napi = "https://a.example"\nkey = "sk-evo-MARKED"\n': "[mirror] key: it has to be the name of a variable",
    '[evolink]\nidempotency = "sure"\n': "[evolink] idempotency: it is replay, reject or none.",
    '[evolink]\nmodels = ["kling-o1-video-edi"]\n': "[evolink] models: there is no model kling-o1-video-edi; did you mean",
    "[evolink]\nmodels = []\n": "[evolink] models: it is a list of models.",
    '[evolink]\nprice = "cheap"\n': "[evolink] price: it is a multiple of the catalogue's price.",
    "[evolink]\nprice = 0\n": "[evolink] price: 0 times the catalogue's price is no price.",
    "[evolink]\nprice = nan\n": "[evolink] price: it is a multiple of the catalogue's price.",
    "[evolink]\nprice.kling-o9 = 1\n": "[evolink] price: there is no model kling-o9",
    "[evolink]\nin_flight = 0\n": "[evolink] in_flight: it is a whole number from 1 to 100000.",
    "[evolink]\nper_minute = true\n": "[evolink] per_minute: it is a whole number from 1 to 100000.",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_mistake_is_told_with_its_place_and_no_secret(root: Path, text: str) -> None:
    with pytest.raises(RouteWrong) as wrong:
        read(root, text)
    told = str(wrong.value)
    assert told.startswith(f"{root}/routes.toml: ")
    assert WRONG[text] in told
    assert "MARKED" not in told
    assert wrong.value.exit_code == 2


def test_a_route_of_this_machine_is_in_no_pool_with_one_of_another(root: Path) -> None:
    found = read(root, GOOD.replace("https://api.example.com/", "http://127.0.0.1:4100"))
    with pytest.raises(SettingsWrong, match="mirror is on this machine, and evolink is not"):
        draw_up.pool_of(found, sandbox=False)
