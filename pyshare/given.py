"""Flags and environment variables of a user, as settings or as one error in the user's words.

Nothing is read from the process here.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from pyshare.core.errors import ConfigurationError
from pyshare.fields import VARIABLE_PREFIX, Setting
from pyshare.settings import CONTRADICTION, LONELY, SETTINGS, Settings

#: Variables of the tests, which the server leaves alone.
TEST_VARIABLE_PREFIX: Final = "PYSHARE_TEST_"
#: A password in a URL.
_PASSWORD: Final = re.compile(r"(?<=:)[^:/@]*(?=@)")

_BY_NAME: Final = {setting.name: setting for setting in SETTINGS}


class SettingsError(ConfigurationError):
    """Settings that cannot be used; the message names each by the flag or variable that the user wrote."""


@dataclass(frozen=True, slots=True)
class _Given:
    """A value that the user gave, and in which words."""

    value: str
    words: str


def _find_given(flags: Mapping[str, str], environment: Mapping[str, str]) -> Iterator[tuple[str, _Given]]:
    for setting in SETTINGS:
        if setting.name in flags:
            value = flags[setting.name]
            yield setting.name, _Given(value, f"{setting.flag} {_shown_value(setting, value)}")
            continue
        for variable in setting.variables:
            # A variable that is empty counts as not set: that is how compose files pass on what is not there.
            if value := environment.get(variable, ""):
                yield setting.name, _Given(value, f"{variable}={_shown_value(setting, value)}")
                break


def _shown_value(setting: Setting, value: str) -> str:
    if not setting.shown.secret:
        return value or repr(value)
    # Of an address, only the password is secret.
    return _PASSWORD.sub("***", value) if setting.shown.unit == "URL" else "***"


def settings_from(flags: Mapping[str, str], environment: Mapping[str, str]) -> Settings:
    """Return the settings that the user asked for: a flag counts before a variable, that before the default.

    Of the variables ours, `PYSHARE_*`, counts before the stock server's. An empty variable counts as not set.

    Args:
        flags: What was given on the command line, by the name of the setting.
        environment: The environment variables; others than those of settings are left alone.

    Raises:
        SettingsError: A value is not allowed, or two contradict each other; its message is one line.
    """
    given = dict(_find_given(flags, environment))
    try:
        return Settings.model_validate_strings({name: found.value for name, found in given.items()}, strict=True)
    except ValidationError as error:
        sentences = [_sentence(details, given) for details in error.errors(include_url=False)]
    raise SettingsError("; ".join(sentences))


def _sentence(details: ErrorDetails, given: Mapping[str, _Given]) -> str:
    if details["type"] == CONTRADICTION:
        context = details["ctx"]
        first, second = _words(context["name"], given), _words(context["other"], given)
        return f"{first}: must be {context['relation']} {second}: {context['reason']}"
    if details["type"] == LONELY:
        return f"{given[details['ctx']['name']].words}: of which Redis? give --redis-host or --redis-url too"
    name = str(details["loc"][0])
    return f"{given[name].words}: must be {_BY_NAME[name].allowed}"


def _words(name: str, given: Mapping[str, _Given]) -> str:
    if name in given:
        return given[name].words
    setting = _BY_NAME[name]
    return f"{setting.flag} {setting.default} (its default)"


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Return a sentence for each `PYSHARE_*` variable that is no setting, with the nearest that is one."""
    known = {variable for setting in SETTINGS for variable in setting.variables}
    names = [setting.name.upper() for setting in SETTINGS]
    sentences = []
    for variable in sorted(environment):
        if variable in known or not variable.startswith(VARIABLE_PREFIX):
            continue
        if variable.startswith(TEST_VARIABLE_PREFIX):
            continue
        # Compared without the prefix, which would make any two of them alike.
        near = difflib.get_close_matches(variable.removeprefix(VARIABLE_PREFIX), names, n=1)
        hint = f"did you mean {VARIABLE_PREFIX}{near[0]}?" if near else "pyshare serve --help lists them all"
        sentences.append(f"{variable} is not a setting and is ignored; {hint}")
    return sentences
