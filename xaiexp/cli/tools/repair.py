"""``xaiexp repair``: ends tracking runs whose process on this machine has ended before them."""

from __future__ import annotations

from collections.abc import Sequence

from xaiexp.cli.arguments import ToolParser
from xaiexp.cli.exit_codes import DONE

__all__ = ["run"]


def run(words: Sequence[str]) -> int:
    """End the runs and print their names."""
    parser = ToolParser(
        prog="xaiexp repair", description="End tracking runs that a dead process of this machine left running."
    )
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="tracking.uri=URI, as for the study itself")
    arguments = parser.parse_args(list(words))
    from xaiexp.config.build import to_study
    from xaiexp.config.compose import composed
    from xaiexp.contract.registry import installed
    from xaiexp.errors import ResourceError
    from xaiexp.tracking.addresses import address_of, one_line

    study = to_study(composed(arguments.overrides), installed())
    address = address_of(study.settings.tracking)
    ended: list[str] = []
    for label, tracker in study.trackers.items() if address is not None else ():
        try:
            ended += tracker.repair(address or "")
        except Exception as error:  # a tracker may raise anything
            raise ResourceError(f"tracker.{label}", f"cannot be reached ({one_line(error)})") from None
    for name in ended:
        print(name)  # noqa: T201
    print(f"{len(ended)} {'run' if len(ended) == 1 else 'runs'} ended")  # noqa: T201
    return DONE
