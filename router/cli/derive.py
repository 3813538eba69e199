"""flux-router derive."""

from __future__ import annotations

import codecs
import shutil
import tempfile
from contextlib import suppress
from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING

import click

from router.cli.discovery import check_folder, discover_all, discover_below
from router.cli.entries import (
    REPOSITORY_OPTION,
    ours_of,
    own_urls,
    pick_entries,
)
from router.cli.tables import counted, printable
from router.config.edit import edit_layers, start_layers
from router.config.fields import is_label
from router.config.layer_text import block_layer
from router.config.load import check_file, check_text
from router.core.declared.derive import Derived, derive_layers
from router.core.declared.files import Note
from router.core.declared.ownership import Ours, own_kustomizations
from router.core.errors import ConfigInvalid, SettingsInvalid
from router.remote.git.checkout import resolve_commit
from router.remote.git.snapshots import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable

    from router.config.load import Checked

MISNAMED = "the Kustomization `{}` is not derived: no layer can have its name"


@click.command()
@click.option(
    "--config",
    "shown",
    metavar="FILE",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A routing file, to show what would change in it.",
)
@click.option(
    "--repo",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    required=True,
    help="A checkout, or a bare repository.",
)
@click.option(
    "--path",
    "folder",
    metavar="FOLDER",
    help="The folder that a cluster applies, such as clusters/prod.  [default: every file]",
)
@click.option("--rev", default="HEAD", show_default=True, help="The commit to read.")
@click.option(
    "--write",
    "target",
    metavar="FILE",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The routing file to bring in step with Flux's Kustomizations.",
)
@REPOSITORY_OPTION
def derive(
    shown: Path | None,
    repo: Path,
    folder: str | None,
    rev: str,
    target: Path | None,
    repository: str | None,
) -> None:
    """Derive layers from the Flux Kustomizations in a repository.

    Prints them as the layers of a routing file. With --write, they are put into that file, where
    only what differs is changed, and the difference is shown; with --config, it is only shown.
    What cannot be derived is told on standard error.
    """
    if shown is not None and target is not None:
        raise click.UsageError("--config and --write do not go together")
    file = target or shown
    if file is None and repository is not None:
        raise click.UsageError("--repository goes with --config or --write")
    ours = _find_ours(file, repository, repo) if file is not None else _unfiled(repo)
    derived = _derive(repo, rev, folder, ours)
    _tell(f"{note.file}: {note.message}" for note in derived.notes)
    if file is None or ours.entry is None:
        layers = [block_layer(each, "  ") for each in derived.layers]
        click.echo("".join(["layers:\n", *layers]) if layers else "layers: []\n", nl=False)
    else:
        _bring_in_step(file, ours.entry.name, derived, is_written=target is not None)


def _unfiled(repo: Path) -> Ours:
    urls = own_urls(repo)
    return Ours(urls=urls, is_named=len(urls) > 1)


def _find_ours(file: Path, name: str | None, repo: Path) -> Ours:
    """What *file* tells of the repository, with the one entry whose layers are meant. Refuses to
    guess."""
    checked = _load(file)
    assert checked.routing is not None
    entries = pick_entries(checked.routing, file=file, name=name, repo=repo)
    if len(entries) > 1:
        names = ", ".join(entry.name for entry in entries)
        raise click.UsageError(f"tell with --repository which one it is: {names}")
    (entry,) = entries
    if entry.git is None:
        raise SettingsInvalid(
            f"{file}: {entry.name} has no `git`, and only git mode knows `build`, which is derived"
        )
    return ours_of(repo, entry, checked)


def _load(file: Path) -> Checked:
    """The routing file, also one of which only layers are missing. Raises ConfigInvalid."""
    checked = check_file(file, secrets="optional")
    if checked.routing is None:
        with suppress(OSError, ValueError):
            started = _check_text(file, file.read_bytes().decode("utf-8-sig"))
            if started.routing is not None:
                return started
        raise ConfigInvalid(checked.problems)
    return checked


def _derive(repo: Path, rev: str, folder: str | None, ours: Ours) -> Derived:
    snapshot = Snapshot(repo, resolve_commit(repo, rev))
    notes: tuple[Note, ...] = ()
    if folder is None:
        found = discover_all(snapshot)
    else:
        check_folder(snapshot, repo, folder, rev)
        found, notes = discover_below(snapshot, [folder], ours)
    owned = own_kustomizations(found, snapshot.tree, ours)
    closures = snapshot.closures({each.build for each in owned.kustomizations})
    derived = derive_layers(owned, found, snapshot.tree, closures)
    misnamed = tuple(each for each in derived.layers if not is_label(each.name))
    unnamed = (Note(file=each.file, message=MISNAMED.format(each.name)) for each in misnamed)
    return Derived(
        layers=tuple(each for each in derived.layers if each not in misnamed),
        notes=(*notes, *derived.notes, *unnamed),
    )


def _bring_in_step(file: Path, entry: str, derived: Derived, *, is_written: bool) -> None:
    content = file.read_bytes()
    before = content.decode("utf-8-sig")
    edited = edit_layers(before, entry, derived.layers)
    _tell(f"{file}: {note}" for note in edited.notes)
    _check(file, edited.text)
    old, new = before.splitlines(), edited.text.splitlines()
    for line in unified_diff(old, new, fromfile=str(file), tofile=str(file), lineterm=""):
        click.echo(printable(line))
    if edited.text == before and edited.is_in_step:
        click.echo(f"{file}: in step with {counted(len(derived.layers), 'layer')}", err=True)
    elif is_written and edited.text != before:
        bom = codecs.BOM_UTF8 if content.startswith(codecs.BOM_UTF8) else b""
        _write(file.resolve(), bom + edited.text.encode())


def _check(file: Path, text: str) -> None:
    """Raises ConfigInvalid where the file would not load any more; its places are those to be."""
    checked = _check_text(file, text)
    if checked.problems:
        click.echo(f"{file}: left as it is; with what was derived, it would not load:", err=True)
        raise ConfigInvalid(checked.problems)


def _check_text(file: Path, text: str) -> Checked:
    """Check a routing file, leaving it open which layers there are where there are none so far."""
    return check_text(
        start_layers(text), file_name=str(file), directory=file.parent, secrets="optional"
    )


def _write(file: Path, content: bytes) -> None:
    """Put *content* into the file's place at once, so that a service that reads it sees one or the
    other. Raises SettingsInvalid."""
    try:
        with tempfile.NamedTemporaryFile(
            dir=file.parent, prefix=f".{file.name}.", delete=False
        ) as new:
            new.write(content)
        shutil.copymode(file, new.name)
        Path(new.name).replace(file)
    except OSError as error:
        raise SettingsInvalid(f"{file}: it cannot be written: {error.strerror}") from error


def _tell(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(printable(line), err=True)
