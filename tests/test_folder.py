"""The secret in the data folder: made once, for its owner alone."""

import stat
from pathlib import Path
from threading import Barrier, Thread

import pytest

from pyshare.core.errors import ConfigurationError
from pyshare.folder import data_folder, keep_secret, read_secret, secret_of
from pyshare.settings import Settings


def test_a_secret_is_made_once_and_can_be_read_by_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "pyshare"
    secret = keep_secret(folder)
    assert len(secret) >= 43
    assert keep_secret(folder) == secret
    assert stat.S_IMODE((folder / "secret").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [each.name for each in folder.iterdir()] == ["secret"]


def test_of_many_that_make_it_at_once_all_get_one(tmp_path: Path) -> None:
    together = Barrier(8)
    found = []

    def find() -> None:
        together.wait()
        found.append(keep_secret(tmp_path))

    threads = [Thread(target=find) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_a_secret_that_others_may_read_is_refused(tmp_path: Path) -> None:
    keep_secret(tmp_path)
    (tmp_path / "secret").chmod(0o640)
    with pytest.raises(ConfigurationError, match="can be read by others: chmod 600 it; or remove it"):
        keep_secret(tmp_path)


@pytest.mark.parametrize("content", ["", "short", "ü" * 40])
def test_what_is_no_secret_is_refused(tmp_path: Path, content: str) -> None:
    keep_secret(tmp_path)
    (tmp_path / "secret").write_text(content, encoding="utf-8")
    with pytest.raises(ConfigurationError, match="holds no secret: restore it"):
        keep_secret(tmp_path)


def test_reading_makes_no_secret_and_no_folder(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "data"):
        with pytest.raises(ConfigurationError, match=f"no secret in {folder}, .*--data-folder of your server"):
            read_secret(folder)
    assert list(tmp_path.iterdir()) == []
    secret = keep_secret(tmp_path)
    assert read_secret(tmp_path) == secret


def test_a_secret_of_another_user_is_told_with_the_ways_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep_secret(tmp_path)

    def denied(path: Path, *, encoding: str) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    # Root may read everything, and tests may run as root.
    monkeypatch.setattr(Path, "read_text", denied)
    with pytest.raises(ConfigurationError, match=r"is not for this user: use sudo, .*PYSHARE_SECRET"):
        read_secret(tmp_path)


def test_a_folder_that_cannot_be_names_the_settings(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="give --secret or another --data-folder"):
        keep_secret(tmp_path / "file")


def test_without_a_home_the_folder_has_to_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError

    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    with pytest.raises(ConfigurationError, match="--data-folder must be given"):
        data_folder(Settings())
    assert data_folder(Settings(data_folder="/somewhere")) == Path("/somewhere")


def test_where_the_secret_comes_from(tmp_path: Path) -> None:
    folder = str(tmp_path)
    given = Settings(secret="s" * 32, data_folder=folder)
    assert secret_of(given) == "s" * 32
    assert list(tmp_path.iterdir()) == []
    with_api = Settings(api_base_url="http://api.test/", data_folder=folder)
    assert secret_of(with_api) is None
    assert list(tmp_path.iterdir()) == []
    in_memory = Settings(store="memory", data_folder=folder)
    assert secret_of(in_memory) != secret_of(in_memory)
    assert list(tmp_path.iterdir()) == []
    assert secret_of(Settings(data_folder=folder)) == keep_secret(tmp_path)
    assert secret_of(Settings(data_folder=folder, page="off")) == keep_secret(tmp_path)
    assert secret_of(Settings(data_folder=folder, page="off", store="memory")) == keep_secret(tmp_path)
