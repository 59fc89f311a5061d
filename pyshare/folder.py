"""The data folder: where it is, and the secret in it with which links are signed."""

import os
import secrets
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pyshare.core.errors import ConfigurationError
from pyshare.net.tokens import SECRET_LENGTH
from pyshare.settings import Settings

_SECRET = "secret"
#: Random bytes of a secret that is made.
_SECRET_BYTES = 32


def data_folder(settings: Settings) -> Path:
    """Return where files are kept that outlive the server.

    Raises:
        ConfigurationError: if there is no default for it.
    """
    try:
        if settings.data_folder is not None:
            return Path(settings.data_folder).expanduser()
        return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "pyshare"
    except RuntimeError:
        raise ConfigurationError("--data-folder must be given: there is no home folder for its default") from None


def keep_secret(folder: Path) -> str:
    """Return the secret that is kept in a folder; one is made if there is none. Of several that do so, all get one.

    Raises:
        ConfigurationError: if there can be none, or others may read it.
    """
    path = folder / _SECRET
    with _kept(path):
        if not path.exists():
            _make_secret(path)
    return read_secret(folder)


def read_secret(folder: Path) -> str:
    """Return the secret that is kept in a folder.

    Raises:
        ConfigurationError: if there is none, or others may read it.
    """
    path = folder / _SECRET
    try:
        with _kept(path):
            mode, secret = _mode_and_text(path)
    except UnicodeDecodeError:
        secret, mode = "", 0
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigurationError(
            f"{path} can be read by others: chmod 600 it; or remove it, and a new one is made that ends all links"
        )
    if len(secret) < SECRET_LENGTH:
        raise ConfigurationError(f"{path} holds no secret: restore it from a backup; or remove it to have one made")
    return secret


def _mode_and_text(path: Path) -> tuple[int, str]:
    try:
        return stat.S_IMODE(path.stat().st_mode), path.read_text(encoding="ascii").strip()
    except PermissionError:
        raise ConfigurationError(
            f"the secret in {path.parent} is not for this user: use sudo, give the --data-folder of a server of yours,"
            " or give the server's secret as PYSHARE_SECRET"
        ) from None


@contextmanager
def _kept(path: Path) -> Iterator[None]:
    """Tell what a user can do where the file of a secret is of no use."""
    try:
        yield
    except FileNotFoundError:
        raise ConfigurationError(
            f"there is no secret in {path.parent}, so no server has used that folder: give the --data-folder of your"
            " server, or its secret as PYSHARE_SECRET"
        ) from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigurationError(
            f"the secret for links cannot be kept in {path} ({reason}): give --secret or another --data-folder"
        ) from None


def _make_secret(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # For the owner alone from the first moment on, and there with all that is in it or not at all.
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{_SECRET}-", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(_SECRET_BYTES) + "\n")
        file.flush()
        os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(file.name, path)


def secret_of(settings: Settings) -> str | None:
    """Return what links are signed with; None if there are none.

    Raises:
        ConfigurationError: if one is to be kept and cannot be.
    """
    if settings.secret is not None:
        return settings.secret
    if settings.has_page and settings.store == "memory":
        # Its codespaces end with the server, and so may the links to them.
        return secrets.token_urlsafe(_SECRET_BYTES)
    if settings.api_base_url is not None and not settings.has_page:
        # The API says who may join.
        return None
    # Without page and API, the links of `pyshare token` are the only way in.
    return keep_secret(data_folder(settings))
