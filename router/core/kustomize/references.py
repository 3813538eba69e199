"""Which files and folders a kustomization file names, field by field.

The fields are those of kustomize 5.8, and the deprecated ones it still reads:
https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/
https://github.com/kubernetes-sigs/kustomize/blob/master/api/types/kustomization.go
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from router.core.kustomize.documents import Unreadable, read_documents

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from router.core.kustomize.documents import Value

ReferenceKind: TypeAlias = Literal[
    "resource",  # a file of objects, or a folder with a kustomization, or either elsewhere
    "component",  # a folder with a kustomization
    "file",  # a file
    "patch",  # a file, if there is one of that name; else the text itself
    "plugin",  # as a resource; its objects configure what is built into kustomize, and name files
    "chart",  # a folder of which everything counts, if there is one; else Helm has it elsewhere
]

MAX_REFERENCES = 100_000
"""Files and folders that one kustomization file may name, with all its aliases."""

# What names no file. Anything that is in neither list is not known, and might.
_PLAIN_FIELDS = frozenset(
    {
        *("apiVersion", "kind", "metadata", "namespace", "namePrefix", "nameSuffix"),
        *("commonLabels", "labels", "commonAnnotations", "images", "imageTags", "replicas"),
        *("vars", "sortOptions", "generatorOptions", "buildMetadata", "inventory"),
        *("helmGlobals",),  # read together with helmCharts
    }
)
_LISTS: Mapping[str, ReferenceKind] = {
    "resources": "resource",
    "bases": "resource",
    "components": "component",
    "crds": "file",
    "configurations": "file",
    "patchesStrategicMerge": "patch",
    "generators": "plugin",
    "transformers": "plugin",
    "validators": "plugin",
}
_PATCHES = frozenset({"patches", "patchesJson6902", "replacements"})
_GENERATORS = frozenset({"configMapGenerator", "secretGenerator"})
_CHARTS = frozenset({"helmCharts", "helmChartInflationGenerator"})
_NAMING_KEYS = {
    key.casefold(): key
    for key in (
        *("path", "files", "envs", "env", "targetFilePath", "paths", "replacements"),
        *("name", "version", "chartName", "chartVersion", "chartHome"),
        *("values", "valuesFile", "additionalValuesFiles"),
    )
}
"""Kustomize also takes them in other cases: https://pkg.go.dev/encoding/json#Unmarshal"""

_FUNCTION = "config.kubernetes.io/function"
_BUILTIN = "builtin"


@dataclass(frozen=True, slots=True)
class Reference:
    """Something that a file names, relative to the folder that the file is in."""

    field: str
    kind: ReferenceKind
    path: str


def read_kustomization(content: bytes) -> tuple[Reference, ...]:
    """What a kustomization file names, each thing once. Raises Unreadable."""
    documents = read_documents(content, is_strict=True)
    if not documents or not isinstance(documents[0], dict):
        raise Unreadable("it is no mapping")
    return read_fields(documents[0])  # kustomize reads no other


def read_fields(document: Mapping[str, Value]) -> tuple[Reference, ...]:
    """What a kustomization, or some fields of one, names. Raises Unreadable."""
    return _gather(_fields(document))


def read_plugins(content: bytes) -> tuple[Reference, ...]:
    """What the objects of a generator's, transformer's or validator's file name.

    Raises Unreadable, also for a plugin that is not built into kustomize: nobody can tell what
    that one reads.
    """
    return _gather(_plugin_fields(read_documents(content, is_strict=True)))


def is_inline(text: str) -> bool:
    """Whether an entry of `transformers` and the like is the configuration itself."""
    return "\n" in text or ": " in text or text.lstrip().startswith("{")


def _gather(found: Iterator[Reference]) -> tuple[Reference, ...]:
    kept: dict[Reference, None] = {}
    for number, reference in enumerate(found):
        if number >= MAX_REFERENCES:
            raise Unreadable(f"it names more than {MAX_REFERENCES} files")
        kept[reference] = None
    return tuple(kept)


def _fields(document: Mapping[str, Value]) -> Iterator[Reference]:
    for name, value in document.items():
        if name in _LISTS:
            yield from _listed(name, value)
        elif name in _PATCHES:
            yield from _paths(name, value)
        elif name in _GENERATORS:
            for entry in _mappings(name, value):
                yield from _generated(name, entry)
        elif name in _CHARTS:
            helm = _spelled("helmGlobals", _mapping("helmGlobals", document.get("helmGlobals")))
            home = _text("helmGlobals", helm, "chartHome")
            for entry in _mappings(name, value):
                yield from _chart(name, entry, home)
        elif name == "openapi":
            yield from _one(name, _spelled(name, _mapping(name, value)), "path")
        elif name not in _PLAIN_FIELDS:
            raise Unreadable(f"kustomize's field `{name[:60]}` is not known here")


def _listed(name: str, value: Value) -> Iterator[Reference]:
    for text in dict.fromkeys(_texts(name, value)):  # aliases repeat a long text in a few bytes
        if _LISTS[name] == "plugin" and is_inline(text):
            content = text.encode("utf-8", "surrogatepass")
            yield from _plugin_fields(read_documents(content, is_strict=True))
        else:
            yield Reference(name, _LISTS[name], text)


def _paths(name: str, value: Value) -> Iterator[Reference]:
    for entry in _mappings(name, value):
        yield from _one(name, entry, "path")


def _generated(name: str, entry: Mapping[str, Value]) -> Iterator[Reference]:
    """`files` are `path` or `key=path`."""
    for text in _texts(name, entry.get("files")):
        yield Reference(name, "file", text.partition("=")[2] if "=" in text else text)
    for text in _texts(name, entry.get("envs")):
        yield Reference(name, "file", text)
    yield from _one(name, entry, "env")


def _chart(name: str, entry: Mapping[str, Value], home: str) -> Iterator[Reference]:
    """A chart that is in the repository lies in `chartHome`, by its name or name and version."""
    home = _text(name, entry, "chartHome") or home or "charts"
    chart = _text(name, entry, "name") or _text(name, entry, "chartName")
    version = _text(name, entry, "version") or _text(name, entry, "chartVersion")
    if chart:
        yield Reference(name, "chart", f"{home}/{chart}")
        if version:
            yield Reference(name, "chart", f"{home}/{chart}-{version}")
    yield from _one(name, entry, "valuesFile")
    if name == "helmChartInflationGenerator":
        yield from _one(name, entry, "values")
    for text in _texts(name, entry.get("additionalValuesFiles")):
        yield Reference(name, "file", text)


def _plugin_fields(documents: list[Value]) -> Iterator[Reference]:
    for plugin in _entries("plugin", [each for each in documents if each is not None]):
        kind = _text("plugin", plugin, "kind")
        if kind.endswith("List") and "items" in plugin:
            raise Unreadable(f"a list of plugins, {kind[:60]!r}, is not followed")
        metadata = _mapping("metadata", plugin.get("metadata"))
        annotations = _mapping("annotations", metadata.get("annotations"))
        if _FUNCTION in annotations or plugin.get("apiVersion") != _BUILTIN:
            raise Unreadable(f"nobody can tell what the plugin {kind[:60]!r} reads")
        yield from _builtin(kind, plugin)


def _builtin(kind: str, plugin: Mapping[str, Value]) -> Iterator[Reference]:
    """https://kubectl.docs.kubernetes.io/references/kustomize/builtins/"""
    if kind == "HelmChartInflationGenerator":
        yield from _chart("helmCharts", plugin, _text(kind, plugin, "chartHome"))
        return
    yield from _one(kind, plugin, "path")
    yield from _one(kind, plugin, "targetFilePath")
    if "replacements" in plugin:
        yield from _paths("replacements", plugin["replacements"])
    for text in _texts(kind, plugin.get("paths")):
        yield Reference(kind, "patch", text)
    yield from _generated(kind, plugin)


def _one(name: str, entry: Mapping[str, Value], key: str) -> Iterator[Reference]:
    path = _text(name, entry, key)
    if path:
        yield Reference(name, "file", path)


def _text(name: str, entry: Mapping[str, Value], key: str) -> str:
    value = entry.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Unreadable(f"`{key}` of `{name}` is no text")
    return value


def _texts(name: str, value: Value) -> Iterator[str]:
    if value is None:
        return
    if not isinstance(value, list):
        raise Unreadable(f"`{name}` is no list")
    for item in value:
        if not isinstance(item, str):
            raise Unreadable(f"`{name}` holds something that is no text")
        yield item


def _mappings(name: str, value: Value) -> Iterator[Mapping[str, Value]]:
    if value is None:
        return
    if not isinstance(value, list):
        raise Unreadable(f"`{name}` is no list")
    yield from _entries(name, value)


def _entries(name: str, items: list[Value]) -> Iterator[Mapping[str, Value]]:
    """Mappings, each checked once: a few bytes of aliases can name a large one again and again."""
    spelled: set[int] = set()
    for item in items:
        entry = _mapping(name, item)
        if id(entry) not in spelled:
            spelled.add(id(_spelled(name, entry)))
        yield entry


def _spelled(name: str, entry: Mapping[str, Value]) -> Mapping[str, Value]:
    """*entry*, if none of its keys is another spelling of one that names files."""
    for key in entry:
        if _NAMING_KEYS.get(key.casefold(), key) != key:
            raise Unreadable(f"`{key[:60]}` of `{name}` is written in another case")
    return entry


def _mapping(name: str, value: Value) -> Mapping[str, Value]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Unreadable(f"`{name}` is no mapping")
    return value
