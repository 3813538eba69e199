"""From the text of a routing file to what it means, with every problem found on the way."""

from __future__ import annotations

import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from router.config.build import build_routing
from router.config.compose import MAX_FILE_BYTES, START, Mark, compose
from router.config.flux_uses import find_templates, find_uses
from router.config.names import check_names
from router.config.notices import add_notices
from router.config.places import find_places
from router.config.receivers import check_receivers, receiver_uses
from router.config.report import Report
from router.config.resolve import SecretPolicy, Secrets, check_secrets
from router.config.rules import check_rules
from router.config.secret_files import SecretReader, read_limited
from router.config.structure import validate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.config.places import Places
    from router.config.tree import Node
    from router.core.flux_objects import LayerOnCluster
    from router.core.model import Problem
    from router.core.routing import Routing


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What came of checking a routing file.

    *routing* and *places* are None exactly when there are problems.
    """

    problems: tuple[Problem, ...]
    """Every error, in file order."""
    warnings: tuple[Problem, ...]
    routing: Routing | None
    places: Places | None = None
    uses: tuple[LayerOnCluster, ...] = ()
    """Every layer on each of its clusters; none when there are problems."""
    kustomizations: frozenset[str] = frozenset()
    """How its clusters call the Kustomizations of layers, with `{layer}` for the layer's name."""


def check_text(
    text: str,
    *,
    file_name: str,
    directory: Path,
    secrets: SecretPolicy = "required",
    environ: Mapping[str, str] | None = None,
) -> Checked:
    """Check *text* as a routing file in *directory*, and build its routing when it is sound.

    With optional secrets, one that is missing is a warning: the hook then verifies nothing, and
    the receiver has no token. Never raises.
    """
    reader = SecretReader(directory, os.environ if environ is None else environ)
    return check_with(text, file_name=file_name, reader=reader, secrets=secrets)


def check_file(
    path: Path, *, secrets: SecretPolicy = "required", environ: Mapping[str, str] | None = None
) -> Checked:
    """Like check_text, for a file; also one that cannot be read."""
    report = Report(str(path))
    text = read_text(path, report)
    if text is None:
        return Checked(problems=report.problems, warnings=(), routing=None)
    return check_text(
        text, file_name=str(path), directory=path.parent, secrets=secrets, environ=environ
    )


def check_with(
    text: str, *, file_name: str, reader: SecretReader, secrets: SecretPolicy
) -> Checked:
    """Like check_text, with a reader that remembers which files were asked for."""
    report = Report(file_name)
    root = compose(text, report)
    routing = None
    if root is not None:
        digest = sha256(text.encode()).hexdigest()
        routing = _check(root, report, Secrets(reader, report, policy=secrets), digest=digest)
    if root is None or report.problems:
        return Checked(problems=report.problems, warnings=report.warnings, routing=None)
    return Checked(
        problems=(),
        warnings=report.warnings,
        routing=routing,
        places=find_places(root),
        uses=find_uses(root),
        kustomizations=find_templates(root),
    )


def read_text(path: Path, report: Report) -> str | None:
    """The text of a routing file; None when it cannot be read, and *report* says why."""
    try:
        content = read_limited(path, MAX_FILE_BYTES)
    except OSError as error:
        report.error(START, f"the file cannot be read: {error.strerror}")
    except ValueError:
        report.error(START, "this cannot be the path of a file")
    else:
        return _decode(content, report)
    return None


def _decode(content: bytes, report: Report) -> str | None:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        report.error(Mark(line, 1), "the file is not UTF-8")
    return None


def _check(root: Node, report: Report, secrets: Secrets, *, digest: str) -> Routing | None:
    file = validate(root, report)
    check_names(root, report)
    check_rules(root, report)
    check_receivers(root, report)
    check_secrets(root, receiver_uses(root), secrets)
    add_notices(root, report)
    if file is None or report.problems:
        return None
    return build_routing(file, root, secrets, digest=digest)
