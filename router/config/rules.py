"""Rules that look at several keys of one entry, on a tree that may have other errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.config.fields import full_ref
from router.config.file import (
    AuthForm,
    HookForm,
    LayerForm,
    OidcAuthForm,
    RepositoryForm,
    RoutingFile,
)
from router.config.form import SecretRef, TokenRef
from router.config.git_rules import check_git
from router.config.outline import keys_of, walk
from router.config.tree import MappingNode, Node, ScalarNode, items, key_node, shown, text
from router.core.naming import normalize_url
from router.core.patterns import pattern_problems
from router.core.providers.table import PROVIDERS, SERVED

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.config.form import Form
    from router.config.report import Report


SHARED_ISSUERS = frozenset({"accounts.google.com", "gitlab.com"})
"""Issuers of which everybody can have a token with any audience."""

NAMELESS_ISSUERS = frozenset({"token.actions.githubusercontent.com"})
"""Those whose tokens besides have no email.

https://docs.github.com/en/actions/reference/security/oidc
"""


def check_rules(root: Node, report: Report) -> None:
    """Report every entry whose keys do not go together."""
    for node, form in walk(root):
        _check_values(node, form, report)
        rule = _RULES.get(form)
        if rule is not None:
            rule(node, report)


def _check_values(node: MappingNode, form: type[Form], report: Report) -> None:
    """A key without a value is a mistake: nobody can tell whether it means nothing or a default."""
    for key in node.entries.keys() & keys_of(form).keys():
        value = node.entries[key].value
        if isinstance(value, ScalarNode) and value.kind == "null":
            report.error(node.entries[key].key, f"`{key}` has no value")


def _check_root(node: MappingNode, report: Report) -> None:
    if not {"repositories", "artifacts"} & node.entries.keys():
        report.error(node, "the file has neither `repositories` nor `artifacts`")
        return
    providers = {text(hook, "name"): text(hook, "provider") for hook in items(node, "hooks")}
    first: dict[tuple[str, str, str], Node] = {}
    for entry in items(node, "repositories"):
        provider = PROVIDERS.get(providers.get(text(entry, "hook")) or "")
        spelled = str.lower if provider is not None and provider.ignores_case else str
        _check_entry(entry, first, spelled, report)


def _check_entry(
    entry: Node,
    first: dict[tuple[str, str, str], Node],
    spelled: Callable[[str], str],
    report: Report,
) -> None:
    hook, url, ref = text(entry, "hook"), text(entry, "url"), text(entry, "ref")
    if hook is None or url is None or ref is None:
        return
    earlier = first.setdefault((hook, spelled(normalize_url(url)), full_ref(ref)), entry)
    if earlier is not entry:
        report.error(
            entry,
            f"this entry has the hook, url and ref of the one at line {earlier.line}; "
            "put the layers of both into one",
        )


def _check_hook(node: MappingNode, report: Report) -> None:
    given = {"secrets", "auth"} & node.entries.keys()
    if not given:
        report.error(node, "the hook has neither `secrets` nor `auth`: anybody could call it")
    elif len(given) > 1:
        report.error(
            key_node(node, "auth"), "`auth` replaces `secrets`; the hook must have only one of them"
        )
    provider = SERVED.get(text(node, "provider") or "")
    if given == {"secrets"} and provider is not None and not provider.can_sign:
        report.error(
            key_node(node, "secrets"),
            f"{provider.name} signs nothing, so that `secrets` proves nothing: use `auth`",
        )


def _check_auth(node: MappingNode, report: Report) -> None:
    kinds = keys_of(AuthForm)
    known = [kind for kind in node.entries if kind in kinds]
    if not node.entries or len(known) > 1:
        report.error(node, f"`auth` must have exactly one of {', '.join(kinds)}")


def _check_oidc(node: MappingNode, report: Report) -> None:
    issuer = text(node, "issuer") or ""
    if issuer.startswith("http://"):
        report.error(node.entries["issuer"].value, "keys of an issuer are read over https alone")
    host = issuer.removeprefix("https://").rstrip("/").lower()
    if host in NAMELESS_ISSUERS:
        report.error(
            key_node(node, "issuer"),
            "this issuer gives tokens to anybody, for any audience, and without an email: nothing"
            " tells whose count",
        )
    elif host in SHARED_ISSUERS and "email" not in node.entries:
        report.error(
            key_node(node, "issuer"),
            "this issuer gives tokens to anybody, for any audience: `email` has to say whose count",
        )


def _check_reference(node: MappingNode, report: Report) -> None:
    known = {"file", "env"} & node.entries.keys()
    if not node.entries or len(known) > 1:
        report.error(node, "a secret must have exactly one of file and env")


def _check_repository(node: MappingNode, report: Report) -> None:
    check_git(node, report)
    if "git" in node.entries:
        return
    for layer in items(node, "layers"):
        if isinstance(layer, MappingNode) and "build" in layer.entries:
            report.error(
                key_node(layer, "build"),
                "`build` reads the repository: add `git:` to the entry, or use `paths` alone",
            )


def _check_layer(node: MappingNode, report: Report) -> None:
    if not {"paths", "build"} & node.entries.keys():
        report.error(node, "the layer has neither `paths` nor `build`: no file is its own")
    if "components" in node.entries and "build" not in node.entries:
        report.error(
            key_node(node, "components"), "`components` go with `build`, to which they are added"
        )
    paths = items(node, "paths")
    # What is no text is reported elsewhere; "." keeps its position and says nothing.
    patterns = ["." if (pattern := text(item)) is None else pattern for item in paths]
    for position, message in pattern_problems(patterns):
        report.error(paths[position], f"{shown(patterns[position])}: {message}")


_RULES: dict[type[Form], Callable[[MappingNode, Report], None]] = {
    RoutingFile: _check_root,
    HookForm: _check_hook,
    AuthForm: _check_auth,
    OidcAuthForm: _check_oidc,
    SecretRef: _check_reference,
    TokenRef: _check_reference,
    RepositoryForm: _check_repository,
    LayerForm: _check_layer,
}
