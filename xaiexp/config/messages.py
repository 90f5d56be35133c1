"""Errors of Hydra and OmegaConf in the form of :class:`xaiexp.errors.UserError`."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from pathlib import Path

import hydra
import omegaconf
from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException

from xaiexp.config.schema import LISTS, SINGLES
from xaiexp.config.search_path import conf_folders
from xaiexp.contract.registry import Registry
from xaiexp.core.parameters import hints
from xaiexp.errors import ParameterError, UnknownName, UserError, nearest
from xaiexp.plan.settings import Settings, nested_settings

__all__ = ["as_request", "root_keys", "translated"]

_HYDRA = tuple(str(Path(str(package.__file__)).parent) for package in (hydra, omegaconf))
_NO_OPTION = re.compile(r"Could not (?:find|load) '([^']+)'")
_NO_KEY = re.compile(r"[Cc]ould not override '([^']+)'")
_NO_CONVERSION = re.compile(r"Value '(.*)' of type '\w+' could not be converted to (\w+)")
_IN_FILE = re.compile(r"In '([^']+)': \w+ raised while composing config:\s*(.*)")
_NO_KEY_IN = re.compile(r"Key '([^']+)' not in '\w+'")
_AMBIGUOUS = re.compile(r"Ambiguous value for argument '([^']+)'")
_TYPES = {"Integer": "a whole number", "Float": "a number", "Boolean": "true or false"}


def root_keys() -> list[str]:
    """The keys at the root of a configuration."""
    return [*hints(Settings), *SINGLES, *LISTS]


@contextmanager
def translated(registry: Registry) -> Iterator[None]:
    """Turn what Hydra and OmegaConf raise into a :class:`xaiexp.errors.UserError`."""
    try:
        yield
    except (HydraException, OmegaConfBaseException) as error:
        raise _translation(error, registry) from error
    except RecursionError:
        hint = "a defaults list leads back to its own file, or a value is nested too deeply"
        raise UserError("config", "has no end", hint=hint) from None
    except (OSError, ValueError) as error:  # raised inside Hydra for a file or a value that it did not expect
        line = str(error).strip().partition("\n")[0]
        raise UserError("config", line[:1].lower() + line[1:] or type(error).__name__) from error


def as_request(error: Exception, registry: Registry) -> Exception:
    """An error as a wrong request, where Hydra or OmegaConf stumbled over a value and no one of us asked them to.

    Such a value is one of Hydra's own node, mostly, whose types Hydra does not check.
    """
    if isinstance(error, HydraException | OmegaConfBaseException):
        return _translation(error, registry)
    places = traceback.extract_tb(error.__traceback__)
    if places and places[-1].filename.startswith(_HYDRA):
        line = str(error).strip().partition("\n")[0]
        return UserError("config", f"Hydra cannot use one of the values ({type(error).__name__}: {line})")
    return error


def _translation(error: Exception, registry: Registry) -> UserError:
    text = str(error)
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error
    if isinstance(error, OverrideParseException):
        return UserError(error.override, "cannot be read", hint="write KEY=VALUE, with quotes around [ ] and spaces")
    if isinstance(error, MissingConfigException) and (match := _NO_OPTION.search(text)):
        return _missing_option(match.group(1), registry)
    if isinstance(cause, OmegaConfBaseException) and getattr(cause, "full_key", None) is not None:
        key = str(cause.full_key)
        message = str(cause.msg or cause).splitlines()[0].strip()
        if "struct" in text or "not in" in message or "No such key" in message or "Key" in message.split(" ")[:1]:
            return _missing_key(key, registry, cause.object_type)
        if match := _NO_CONVERSION.search(message):
            value, wanted = match.groups()
            return ParameterError(key, f"must be {_TYPES.get(wanted, wanted.lower())}", got=value)
        return ParameterError(key or "config", message[:1].lower() + message[1:])
    if match := _AMBIGUOUS.search(text):
        key, _, value = match.group(1).partition("=")
        return UserError(
            match.group(1),
            "several values for one study",
            hint=f"a sweep: -m {key}={value}   a list: '{key}=[{value}]'",
        )
    if isinstance(error, ConfigCompositionException) and (match := _NO_KEY.search(text)):
        return _missing_key(match.group(1), registry, getattr(cause, "object_type", None))
    if match := _IN_FILE.search(text):
        file, message = match.groups()
        if unknown := _NO_KEY_IN.match(message):
            key = unknown.group(1)
            here = key == file.partition("/")[0]  # Hydra places a file without a header into the node of its folder
            name, known = _component_of(getattr(cause, "object_type", None))
            hint = "its first line must be: # @package _global_" if here else ""
            if name:
                hint = f"parameters of {name}: {', '.join(known) or 'none'}"
            close = nearest(key, known if name else root_keys())
            return UnknownName(f"conf/{file}.yaml", "sets an unknown key", got=key, nearest=close, hint=hint)
        return UserError(f"conf/{file}.yaml", message[:1].lower() + message[1:])
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return UserError("config", lines[0] if lines else type(error).__name__, notes=lines[1:2])


def _missing_option(path: str, registry: Registry) -> UserError:
    group, _, name = path.rpartition("/")
    if group in SINGLES + LISTS:
        try:
            registry.get(group, name)
        except UnknownName as unknown:
            return unknown
    options = sorted({file.stem for folder in conf_folders(registry) for file in (folder / group).glob("*.yaml")})
    return UnknownName(
        f"{group}={name}" if group else name,
        "no such preset" if group == "experiment" else "no such file in conf/",
        nearest=nearest(name, options),
        hint=f"all: {', '.join(options)}" if options else "",
    )


def _missing_key(key: str, registry: Registry, schema: object) -> UserError:
    """The error for a key that does not exist; ``schema`` is the class of the node in which it was looked for."""
    head, _, rest = key.partition(".")
    roots = root_keys()
    if not rest or head not in roots:
        return UnknownName(key, "no such key", nearest=nearest(head, roots), hint=f"keys: {', '.join(roots)}")
    if head in LISTS:
        label, _, parameter = rest.partition(".")
        if label in registry.names(head):
            known = [*hints(registry.get(head, label))]
            if not parameter or parameter in known:
                return UnknownName(
                    f"{head}.{label}", "is not in the list of this study", hint=f"add it: '{head}=[...,{label}]'"
                )
            return ParameterError(
                key,
                "no such parameter",
                nearest=nearest(parameter, known),
                hint=f"parameters: {', '.join(known) or 'none'}",
            )
        return UnknownName(
            f"{head}.{label}",
            f"no {head} of this study has this label",
            nearest=nearest(label, registry.names(head)),
            hint=f"label one: +{head}@{head}.{label}=NAME",
        )
    nested = nested_settings(head)
    if head == "margin":
        return ParameterError(key, "must be given in braces", hint="as 'margin={METRIC: NUMBER}'")
    if nested is not None:
        known = [*hints(nested)]
        hint = f"parameters: {', '.join(known)}"
        return ParameterError(key, "no such parameter", nearest=nearest(rest, known), hint=hint)
    name, known = _component_of(schema)
    if head in SINGLES and name:
        hint = f"parameters of {name}: {', '.join(known) or 'none'}"
        return ParameterError(key, "no such parameter", nearest=nearest(rest, known), hint=hint)
    return ParameterError(key, "no such parameter", hint=f"the parameters: xaiexp {head}=NAME --cfg job")


def _component_of(schema: object) -> tuple[str, list[str]]:
    """The name and the parameters of the component that a schema belongs to; empty for another class."""
    if not isinstance(schema, type) or not is_dataclass(schema):
        return "", []
    defaults = {field.name: field.default for field in fields(schema)}
    return str(defaults.pop("name", "")), list(defaults)
