"""Random kustomize trees that build, and changes to them that may not."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from router.core.kustomize.closure import Build

KUSTOMIZATION = "kustomization.yaml"
NAMES = (KUSTOMIZATION, "kustomization.yml", "Kustomization")


@dataclass
class Made:
    """A repository, and one build in it."""

    build: Build
    files: dict[str, str] = field(default_factory=dict)
    change: dict[str, str | None] = field(default_factory=dict)
    """Path → its content after the push, None for one that goes."""

    @property
    def after(self) -> dict[str, str]:
        merged = {**self.files, **self.change}
        return {path: text for path, text in merged.items() if text is not None}


def _object(name: str, value: str, **more: Any) -> str:
    metadata = {"name": name}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata,
            "data": {"v": value},
            **more,
        }
    )


def _plugin(kind: str, name: str, **more: Any) -> str:
    return json.dumps({"apiVersion": "builtin", "kind": kind, "metadata": {"name": name}, **more})


@dataclass
class _Folder:
    """One kustomization as it is made; its files go into the tree."""

    path: str
    files: dict[str, str]
    fields: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.path.replace("/", "-")

    def add(self, key: str, *items: Any) -> None:
        self.fields.setdefault(key, []).extend(items)

    def put(self, name: str, text: str) -> str:
        self.files[f"{self.path}/{name}"] = text
        return name

    def resources(self) -> None:
        self.add("resources", self.put("r.yaml", _object(f"r-{self.name}", "VALUE")))

    def shared(self) -> None:
        self.files[f"shared/{self.name}.yaml"] = _object(f"s-{self.name}", "VALUE")
        self.add("resources", f"{self.up()}shared/./{self.name}.yaml")

    def patches(self) -> None:
        target = {"kind": "ConfigMap"}
        patch = _object("any", "VALUE", data={f"patched-{self.name}": "VALUE"})
        self.add("patches", {"path": self.put("patch.yaml", patch), "target": target})
        self.add("patches", {"patch": patch.replace("patched", "inline"), "target": target})

    def old_patches(self) -> None:
        self.add("resources", self.put("old.yaml", _object(f"old-{self.name}", "VALUE")))
        merge = _object(f"old-{self.name}", "VALUE", data={"merged": "VALUE"})
        self.add("patchesStrategicMerge", self.put("merge.yaml", merge), merge + "\n")
        steps = [{"op": "add", "path": "/data/json", "value": "VALUE"}]
        target = {"version": "v1", "kind": "ConfigMap", "name": f"old-{self.name}"}
        self.add(
            "patchesJson6902", {"path": self.put("json.yaml", json.dumps(steps)), "target": target}
        )

    def generators(self) -> None:
        files = [f"key={self.put('data/a.txt', 'VALUE')}", self.put("b", "VALUE")]
        envs, env = [self.put("c.env", "KEY=VALUE")], self.put("d.env", "KEY=VALUE")
        self.add("configMapGenerator", {"name": f"g-{self.name}", "files": files, "envs": envs})
        self.add("secretGenerator", {"name": f"g-{self.name}", "env": env, "files": files[:1]})
        kind = "ConfigMapGenerator"
        plugin = _plugin(kind, f"p-{self.name}", files=[self.put("plugged.txt", "VALUE")])
        self.add("generators", self.put("generator.yaml", plugin))

    def transformers(self) -> None:
        patch = self.put("plugged.yaml", _object("any", "VALUE", data={f"t-{self.name}": "VALUE"}))
        plugin = _plugin("PatchTransformer", "t", path=patch, target={"kind": "ConfigMap"})
        inline = _plugin(
            "AnnotationsTransformer",
            "i",
            annotations={f"i-{self.name}": "VALUE"},
            fieldSpecs=[{"path": "metadata/annotations", "create": True}],
        )
        self.add("transformers", self.put("transformer.yaml", plugin), inline)

    def replacements(self) -> None:
        self.add("resources", self.put("source.yaml", _object(f"source-{self.name}", "VALUE")))
        source = {"kind": "ConfigMap", "name": f"source-{self.name}", "fieldPath": "data.v"}
        target = {
            "select": {"kind": "ConfigMap"},
            "fieldPaths": [f"data.copied-{self.name}"],
            "options": {"create": True},
        }
        replacement = json.dumps({"source": source, "targets": [target]})
        self.add("replacements", {"path": self.put("replacement.yaml", replacement)})

    def settings(self) -> None:
        spec = [{"path": f"metadata/annotations/VALUE-{self.name}", "create": True}]
        self.add("configurations", self.put("config.yaml", json.dumps({"namePrefix": spec})))
        self.add("crds", self.put("crd.json", "{}"))
        self.fields["openapi"] = {"path": self.put("schema.json", "{}")}

    def up(self) -> str:
        return "../" * (self.path.count("/") + 1)


FIELDS = (
    _Folder.resources, _Folder.shared, _Folder.patches, _Folder.old_patches, _Folder.generators,
    _Folder.transformers, _Folder.replacements, _Folder.settings,
)  # fmt: skip
FIELDS_OF_PARTS = tuple(
    fill for fill in FIELDS if fill not in (_Folder.old_patches, _Folder.replacements)
)
"""A component may be added at several places, and then one name stands for several objects; so a
tree with generators in components may, rarely, not build."""


@st.composite
def made_trees(draw: st.DrawFn) -> Made:
    """Bases, components and overlays that share them, or a folder without a kustomization file."""
    files: dict[str, str] = {"README.md": "VALUE", "shared/unread.yaml": _object("unread", "VALUE")}
    bases: list[str] = []
    parts: list[str] = []
    used: tuple[str, ...] = ()
    for number in range(draw(st.integers(2, 5))):
        is_part = number > 0 and draw(st.integers(0, 3)) == 0
        path = f"parts/p{number}" if is_part else f"apps/a{number}{'/deep' * (number % 2)}"
        folder = _Folder(path, files)
        fields = FIELDS_OF_PARTS if is_part else FIELDS
        for fill in draw(st.lists(st.sampled_from(fields), unique=True, min_size=1, max_size=4)):
            fill(folder)
        if not is_part:
            used = _refer(draw, folder, bases, parts)
        _write(draw, folder, is_part=is_part)
        (parts if is_part else bases).append(folder.path)
    up = "../" * (bases[-1].count("/") + 1)
    components = tuple(f"{up}{part}" for part in parts if part not in used and draw(st.booleans()))
    made = Made(Build(folders=(f"./{bases[-1]}",), components=components), files)
    if draw(st.integers(0, 4)) == 0:
        made = _plain(draw, files, bases)
    made.change = _change(draw, made)
    return made


def _refer(draw: st.DrawFn, folder: _Folder, bases: list[str], parts: list[str]) -> tuple[str, ...]:
    """Name some folders that were made before; the components among them."""
    for base in draw(st.lists(st.sampled_from(bases), unique=True, max_size=3)) if bases else ():
        folder.add(draw(st.sampled_from(["resources", "bases"])), f"{folder.up()}{base}/")
    used = draw(st.lists(st.sampled_from(parts), unique=True, max_size=2)) if parts else []
    folder.add("components", *(f"{folder.up()}{part}" for part in used))
    return tuple(used)


def _write(draw: st.DrawFn, folder: _Folder, *, is_part: bool) -> None:
    version = "v1alpha1" if is_part else "v1beta1"
    head = {
        "apiVersion": f"kustomize.config.k8s.io/{version}",
        "kind": "Component" if is_part else "Kustomization",
        **({} if is_part else {"namePrefix": f"{folder.name}-"}),
    }
    folder.put(draw(st.sampled_from(NAMES)), json.dumps(head | folder.fields))
    folder.put("README.md", "VALUE")
    folder.put("unread.yaml", _object("unread", "VALUE"))


def _plain(draw: st.DrawFn, files: dict[str, str], bases: list[str]) -> Made:
    """A folder that kustomize-controller writes a kustomization file for."""
    files |= {
        "plain/x.yaml": _object("x", "VALUE"),
        "plain/deep/y.yml": _object("y", "VALUE"),
        "plain/deep/README.md": "VALUE",
        "plain/built/kustomization.yaml": json.dumps({"resources": [f"../../{bases[0]}"]}),
        "plain/built/unread.yaml": _object("unread", "VALUE"),
    }
    return Made(Build(folders=("plain",)), files)


def _change(draw: st.DrawFn, made: Made) -> dict[str, str | None]:
    """A push of one to three files; often one of the build's own."""
    change: dict[str, str | None] = {}
    for path in draw(st.lists(st.sampled_from(sorted(made.files)), min_size=1, max_size=3)):
        folder, _, name = path.rpartition("/")
        text = made.files[path]
        edits: list[dict[str, str | None]] = [{path: text.replace("VALUE", "CHANGED")}] * 3
        edits += [{path: None}, {f"{folder}/new.yaml".lstrip("/"): _object("new", "VALUE")}]
        if name in NAMES:
            document = json.loads(text)
            fields = [key for key in document if isinstance(document[key], list)] or ["resources"]
            fewer = {key: document[key] for key in document if key != fields[-1]}
            more = document | {"resources": [*document.get("resources", []), "new.yaml"]}
            edits += [{path: json.dumps(fewer)}] * 2
            edits += [
                {path: json.dumps(more), f"{folder}/new.yaml": _object("new", "VALUE")},
                {f"{folder}/{draw(st.sampled_from(NAMES))}": json.dumps(fewer)},
            ]
        change |= draw(st.sampled_from(edits))
    return change
