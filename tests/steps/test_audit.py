"""An audit of a studio: its ledger, and the account at the provider that it spends from."""

from pathlib import Path

import pytest

from callsheet.credits import Credits
from callsheet.errors import Unauthorized
from callsheet.steps.audit import Audit, audit

from .local_provider import LocalProvider
from .shoot import run


async def looked(spec: Path) -> Audit:
    found = await audit(spec.parent, online=True)
    assert found is not None
    return found


async def test_what_the_account_fell_by_is_what_the_ledger_was_charged(spec: Path, provider: LocalProvider) -> None:
    provider.purse = 1000
    await run(spec, only=["*good*"])
    first = await looked(spec)
    await run(spec)
    second = await looked(spec)
    assert [one.findings for one in (first, second)] == [[], []]
    assert [one.statement and one.statement.balance for one in (first, second)] == [Credits.of(964), Credits.of(928)]
    (account,) = second.accounts
    assert (account.route, account.charged, account.reported) == ("loopback", Credits.of(72), Credits.of(72))


async def test_credits_that_went_elsewhere_are_found(spec: Path, provider: LocalProvider) -> None:
    provider.purse = 1000
    await run(spec, only=["*good*"])
    await looked(spec)
    provider.purse -= 36
    found = await looked(spec)
    assert not found.is_sound
    assert "the account of loopback fell by 36 credits" in found.findings[0].what


async def test_a_provider_that_does_not_tell_what_is_left_is_noted(spec: Path, provider: LocalProvider) -> None:
    await run(spec, only=["*good*"])
    found = await looked(spec)
    assert found.is_sound
    assert [one.what for one in found.findings] == ["the provider of route loopback does not tell what is left"]
    assert found.statement is None


async def test_the_provider_is_not_asked_unless_that_is_wanted(spec: Path, provider: LocalProvider) -> None:
    provider.purse = 1000
    await run(spec, only=["*good*"])
    found = await audit(spec.parent, online=False)
    assert found is not None
    assert found.statement is None


async def test_a_studio_without_a_ledger_has_nothing_to_audit(cold: Path) -> None:
    assert await audit(cold.parent, online=False) is None
    assert not (cold.parent.parent / ".callsheet").exists()


async def test_asking_needs_a_key(spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EVOLINK_API_KEY")
    with pytest.raises(Unauthorized) as refused:
        await audit(spec.parent, online=True)
    assert refused.value.hint.endswith("or leave --online out.")


async def test_the_one_route_with_a_key_is_asked(
    spec: Path, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    await run(spec, only=["*good*"])
    monkeypatch.delenv("EVOLINK_API_KEY")
    monkeypatch.setenv("MIRROR_API_KEY", "sk-mirror")
    (spec.parent.parent / "routes.toml").write_text(f'[mirror]\napi = "{provider.url}"\nkey = "MIRROR_API_KEY"\n')
    provider.purse = 1000
    found = await looked(spec)
    assert (found.route, found.statement and found.statement.balance) == ("mirror", Credits.of(964))
