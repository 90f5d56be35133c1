"""``xaiexp verify``: repeats a finished study, and says what changed since and what moved."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from xaiexp.cli.arguments import ToolParser
from xaiexp.cli.exit_codes import DONE, FAILED
from xaiexp.errors import UserError, printable

if TYPE_CHECKING:
    from xaiexp.trust.finished import Finished

__all__ = ["run"]


def run(words: Sequence[str]) -> int:
    """Print what changed, then what moved; 1 where a number moved or a certificate does not hold."""
    parser = ToolParser(
        prog="xaiexp verify",
        description="Repeat a finished study, or those of a sweep, without its store. What changed since is named "
        "first, then each number that moved. It exits with 1 where one moved.",
    )
    parser.add_argument("folder", metavar="DIR", type=Path, help="of a study, or of a sweep")
    parser.add_argument("--certify", metavar="FILE", type=Path, help="write a certificate of the study: hashes (JSON)")
    parser.add_argument("--certificate", metavar="FILE", type=Path, help="check the study against a certificate first")
    parser.add_argument(
        "--tolerance",
        metavar="NUMBER",
        type=float,
        help="relative; by default 0 on a machine and with libraries as recorded, otherwise that of the precision",
    )
    parser.add_argument("--record-only", action="store_true", help="do not run the study: what is known without it")
    parser.add_argument("--trust", action="append", default=[], metavar="PREFIX", help="as trust=[PREFIX] of a study")
    arguments = parser.parse_args(list(words))
    if arguments.tolerance is not None and not 0 <= arguments.tolerance < math.inf:
        raise UserError("verify --tolerance", "must be at least 0", got=arguments.tolerance)
    from xaiexp.trust.finished import studies_in

    studies = studies_in("verify", arguments.folder, arguments.trust)
    if len(studies) > 1 and (arguments.certify or arguments.certificate):
        raise UserError("verify", "a certificate is of one study, not of a sweep", got=str(arguments.folder))
    if arguments.certify is not None:
        return _certify(studies[0], arguments.certify)
    code = DONE
    if arguments.certificate is not None and not _holds(studies[0], arguments.certificate):
        code = FAILED
    for study in studies:
        code = max(code, _verify(study, arguments.tolerance, arguments.record_only))
    return code


def _say(text: str) -> None:
    print(printable(text), flush=True)  # noqa: T201


def _certify(study: Finished, file: Path) -> int:
    from xaiexp.store.files import ensure_writable, write_atomically
    from xaiexp.trust.verify.certificate import certificate

    ensure_writable(file.absolute().parent, "verify --certify")
    write_atomically(file, json.dumps(certificate(study), indent=1).encode() + b"\n")
    _say(str(file))
    return DONE


def _holds(study: Finished, file: Path) -> bool:
    from xaiexp.trust.verify.certificate import compared, read_certificate

    changes = compared(read_certificate(file), study)
    for change in changes:
        _say(f"not as certified: {change}")
    if not changes:
        _say(f"{file}: results, code, weights and data are as certified")
    return not changes


def _verify(study: Finished, tolerance: float | None, record_only: bool) -> int:
    from xaiexp.contract.registry import installed
    from xaiexp.trust.verify import changes
    from xaiexp.trust.verify.differences import TOLERANCE, moved
    from xaiexp.trust.verify.repetition import repeated

    _say(f"{study.folder}: {study.record.study.model} on {study.record.study.dataset}, {study.record.started}")
    found = changes.before_the_run(study.record, study.folder, installed())
    for change in found:
        _say(f"changed since: {change}")
    if record_only:
        if not found:
            _say("nothing changed that is known without running the study")
        return DONE
    same = changes.same_machine(study.record)
    if tolerance is None:
        tolerance = 0.0 if same else TOLERANCE[study.record.study.precision or "fp32"]
    with repeated(study) as again:
        since = changes.loaded_since(study.record, again.record)
        for change in since:
            _say(f"changed since: {change}")
        numbers, within = moved(study, again, tolerance)
    if not found and not since:
        _say("nothing changed since: commit, configuration, versions, code, machine, weights and data")
    for each in numbers:
        _say(f"moved: {each}")
    asked = "equality to the bit" if tolerance == 0 else f"a relative tolerance of {tolerance:g}"
    if numbers:
        _say(f"{len(numbers)} groups of numbers moved beyond {asked}")
        return FAILED
    largest = "equal to the bit" if within == 0 else f"within {within:.2g}"
    _say(f"verified: maps, scores, agreement and statistics are {largest} ({asked} was asked for)")
    return DONE
