"""The words that Hydra gets: it writes them to files, and must read no folder unchecked."""

from __future__ import annotations

from collections.abc import Sequence

from xaiexp.errors import UserError, without_passwords

__all__ = ["hydra_words", "quoted"]


def quoted(text: str) -> str:
    """A text as a value of an override."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def hydra_words(words: Sequence[str], overrides: Sequence[str], uris: Sequence[str]) -> list[str]:
    """The words of a command line with the passwords in ``tracking.uri`` masked and with checked folders.

    Args:
        words: of the command line.
        overrides: those of the words that are ``KEY=VALUE``.
        uris: the addresses of all jobs, from the command line or from a file.

    Raises:
        UserError: a password in a file that only some of the jobs read.
    """
    from xaiexp.config.checked_files import with_checked_folders

    secret = [uri for uri in uris if without_passwords(uri) != uri]
    masked: dict[str, str] = {}
    if secret:
        from xaiexp.tracking.secret_uris import mask

        masked = {uri: mask(uri) for uri in secret}
    out = []
    for word in words:
        new = with_checked_folders([word])[0] if word in overrides else word
        for uri, text in masked.items():
            new = new.replace(uri, text)
        out.append(without_passwords(new) if new == word and "tracking" in word else new)
    if secret and not any(override.lstrip("+").startswith("tracking") for override in overrides):
        if len(set(uris)) > 1:
            raise UserError(
                "tracking.uri", "has a password in some jobs only", hint="on the command line: tracking.uri="
            )
        quoted = masked[secret[0]].replace("'", "\\'")
        out.append(f"tracking.uri='{quoted}'")
    return out
