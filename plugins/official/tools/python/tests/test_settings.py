"""Settings are refused by their path, and no secret is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from snooze_monitor import Settings, SettingsError, read_secret


@pytest.mark.parametrize("value", [0, -1, 2.5, "3", True, None, [3], float("nan"), float("inf"), 10**9])
def test_what_is_no_whole_number_is_refused_by_its_path(value: object) -> None:
    with pytest.raises(SettingsError, match=r"^servers\[0\]\.count is a whole number"):
        Settings({"count": value}, "servers[0].").whole_number("count", 3, least=1)


def test_a_whole_number_may_be_written_as_a_fraction() -> None:
    assert Settings({"count": 5.0}).whole_number("count", 3, least=1) == 5


@pytest.mark.parametrize("value", [-1, "3", True, None, float("nan"), float("inf")])
def test_what_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(SettingsError, match=r"^minutes is a number"):
        Settings({"minutes": value}).number("minutes", 3, least=0)


@pytest.mark.parametrize("value", [1, "true", None])
def test_what_is_no_switch_is_refused(value: object) -> None:
    with pytest.raises(SettingsError, match=r"^ssh is true or false"):
        Settings({"ssh": value}).switch("ssh", default=True)


def test_a_key_that_nobody_takes_is_refused_with_the_one_that_is_meant() -> None:
    settings = Settings({"treshold": 3})
    settings.whole_number("threshold", 3, least=1)
    with pytest.raises(SettingsError, match=r"^treshold is not known; threshold is meant"):
        settings.finish()


def test_a_value_that_may_be_a_secret_is_not_shown() -> None:
    with pytest.raises(SettingsError) as refusal:
        Settings({"token": ["hunter2"]}).text("token", "")
    assert "hunter2" not in str(refusal.value)


def test_the_items_of_lists_are_named() -> None:
    with pytest.raises(SettingsError, match=r"^names\[1\] is a text, not a number"):
        Settings({"names": ["a", 1]}).texts("names")
    with pytest.raises(SettingsError, match=r"^servers\[0\] is an object, not null"):
        Settings({"servers": [None]}).objects("servers")
    with pytest.raises(SettingsError, match=r"^names is a list, not a text"):
        Settings({"names": "a"}).texts("names")
    with pytest.raises(SettingsError, match=r"^file is an absolute path"):
        Settings({"file": "here"}).file("file")


def test_a_secret_is_the_first_line_of_its_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("hunter2 \nmore\n")
    assert read_secret("password_file", file) == "hunter2"


@pytest.mark.parametrize("content", [b"", b"\nhunter2", b"\xff\xfe hunter2", b"hunter2" * 10_000])
def test_a_file_that_holds_no_secret_is_named_and_not_shown(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match=r"^password_file: .*secret") as failure:
        read_secret("password_file", file)
    assert "hunter2" not in str(failure.value)
    with pytest.raises(SettingsError, match=r"^password_file: .*gone cannot be read: No such file"):
        read_secret("password_file", tmp_path / "gone")
