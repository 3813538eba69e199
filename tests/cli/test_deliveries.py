"""deliveries, layers, replay, notify and explain --delivery, at a service that runs."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from click.testing import Result

from router.cli.cells import SHORTEST_ID, id_length, instant, shorten_commit, shorten_ref
from router.remote.admin import PAGE, AdminRefused
from tests.builders import ZERO, commit, make_repository, make_routing
from tests.cli.live import Live


def as_json(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def lines(result: Result) -> list[list[str]]:
    """The words of each printed line; cells are at least two spaces apart."""
    assert result.exit_code == 0, (result.output, result.exception)
    return [re.split(r"\s{2,}", line.strip()) for line in result.stdout.splitlines()]


def refusal(result: Result) -> str:
    assert isinstance(result.exception, AdminRefused), result.output
    assert result.stdout == ""
    return str(result.exception)


def test_deliveries_are_listed_newest_first(live: Live) -> None:
    live.push(1)
    live.push(2, paths=["apps/app1/x"])
    live.push(3, paths=["docs/x"])
    live.push(4, ref="refs/heads/none")
    live.run("notify", "app2")
    rows = lines(live.run("deliveries"))[2:]
    assert [row[1:] for row in rows] == [
        ["id-000005", "notify", "-", "-", "requested", "app2", "routed"],
        ["id-000004", "github", "none", commit(5)[:12], "-", "-", "ignored"],
        ["id-000003", "github", "main", commit(4)[:12], "payload", "-", "routed"],
        ["id-000002", "github", "main", commit(3)[:12], "payload", "app1", "routed"],
        [
            "id-000001", "github", "main", commit(2)[:12], "unknown",
            "bootstrap, controllers, databases +4", "routed",
        ],
    ]  # fmt: skip
    assert rows[0][0] == "01-01 00:00:00"


def test_more_deliveries_than_a_page_has_are_fetched(live: Live) -> None:
    ids = [live.push(number, ref="refs/heads/none") for number in range(1, PAGE + 3)]
    found = as_json(live.run("deliveries", "--limit", str(PAGE + 1), "-o", "json"))
    assert [each["id"] for each in found] == ids[:0:-1]
    found = as_json(live.run("deliveries", "--limit", "1000", "-o", "json"))
    assert len(found) == PAGE + 2
    assert len(as_json(live.run("deliveries", "--limit", "3", "-o", "json"))) == 3


def test_a_delivery_is_told_with_everything_that_led_to_it_and_followed(live: Live) -> None:
    live.push(1)
    live.call_due()
    delivery = live.push(2, paths=["apps/app1/a.yaml", "controllers/x.md", "docs/x"])
    for _ in range(2):
        live.call_due("rejected", 500, "Flux answered 500")
        live.parts.clock.advance(60)  # type: ignore[attr-defined]
    live.call_due()
    printed = live.run("deliveries", delivery)
    rows = lines(printed)
    for row in (
        ["delivery", delivery],
        ["from", "hook github"],
        ["signature", "ok (or its token or login): the hook keeps only what it verified"],
        ["provider's id", "guid-2"],
        ["plan", "fleet refs/heads/main"],
        ["sequence", "2"],
        ["commit", commit(3)],
        ["cursor then", commit(2)],
        ["unmapped", "1 path of no layer"],
        ["app1", "yes", "a changed path matches", "apps/app1/a.yaml", "apps/app1/"],
        ["app2", "no", "it owns none of the 3 changed paths"],
        ["prod/flux-system/app1", "2", "2026-01-01 00:00:00", "2026-01-01 00:01:00",
         "rejected 500, 12 ms"],
        ["prod/flux-system/app1", "1", "2026-01-01 00:02:00", "notified 200, 12 ms"],
        ["rejected 500", "Flux answered 500"],
        ["prod/flux-system/app1", "idle", "2/2", "01-01 00:02:00", "notified 200"],
    ):  # fmt: skip
        assert row in rows
    assert any(
        row[:2] == ["refs/heads/main", f"{commit(2)[:12]} → {commit(3)[:12]}"] for row in rows
    )
    assert any(row[:2] == ["controllers", "no"] and "!controllers/**/*.md" in row for row in rows)
    assert as_json(live.run("deliveries", delivery, "-o", "json"))["id"] == delivery


@pytest.mark.parametrize(
    ("request_words", "origin"),
    [
        (("notify", "app1"), "an operator's request"),
        (("replay", "id-000001"), "an operator's replay"),
    ],
)
def test_what_no_hook_told_has_no_signature(
    live: Live, request_words: tuple[str, ...], origin: str
) -> None:
    live.push(1)
    live.run(*request_words)
    rows = lines(live.run("deliveries", "id-000002"))
    assert ["from", origin] in rows
    assert not any(row[0] == "signature" for row in rows)


def test_a_layer_that_was_not_asked_for_is_told_so(live: Live) -> None:
    live.run("notify", "app1")
    assert ["app2", "no", "it was not asked for"] in lines(live.run("deliveries", "id-000001"))


def test_a_layer_that_is_newer_than_the_plan_is_told_so(live: Live) -> None:
    live.push(1)
    live.use(make_routing(make_repository({"new": ["new/"]}), generation=1))
    rows = lines(live.run("deliveries", "id-000001"))
    assert ["new", "no", "it was not in the routing file then"] in rows


def test_zeros_stand_for_no_commit() -> None:
    assert shorten_commit(ZERO) == shorten_commit(None) == "-"


def test_an_id_may_be_the_beginning_of_one(live: Live) -> None:
    for number in range(1, 12):
        live.push(number)
    assert ["delivery", "id-000011"] in lines(live.run("deliveries", "id-000011"))
    assert ["delivery", "id-000010"] in lines(live.run("deliveries", "id-000010"))
    assert "2 deliveries begin with id-00001, such as id-000011 and id-000010" in refusal(
        live.run("deliveries", "id-00001")
    )
    assert "no delivery nope among the newest" in refusal(live.run("deliveries", "nope"))
    whole = "01a205b4-ad36-7d22-b784-d534270f0be4"
    assert refusal(live.run("replay", whole)) == f"no delivery {whole} among the newest 1000"


def test_an_id_may_be_that_of_the_provider(live: Live) -> None:
    ids = {number: live.push(number) for number in (1, 2)}
    assert ["delivery", ids[2]] in lines(live.run("deliveries", "guid-2"))
    guid = "72d3162e-cc78-11e3-81ab-4c9367dc0958"
    delivery = live.push(3, guid=guid)
    assert ["delivery", delivery] in lines(live.run("deliveries", guid))


def test_layers_are_listed_with_their_receivers(live: Live) -> None:
    live.push(1)
    live.call_due("rejected", 503)
    rows = lines(live.run("layers"))[2:]
    assert len(rows) == 7
    assert rows[0] == [
        "bootstrap", "fleet", "prod/flux-system/bootstrap", "retrying", "0/1",
        "01-01 00:00:00", "rejected 503",
    ]  # fmt: skip
    assert len(as_json(live.run("layers", "-o", "json"))) == 7


def test_a_suspended_layer_is_told_so(live: Live) -> None:
    live.use(make_routing(suspended_clusters=["prod"], generation=1))
    assert lines(live.run("layers"))[2][3] == "idle (suspended)"


def test_a_layer_is_told_with_its_patterns_and_deliveries(live: Live) -> None:
    live.push(1)
    live.push(2, paths=["apps/app2/x"])
    newest = live.push(3, paths=["controllers/x"])
    live.call_due("rejected", 404, "no such receiver")
    rows = lines(live.run("layers", "controllers"))
    assert ["paths", "controllers/, !controllers/**/*.md"] in rows
    assert [row[1] for row in rows if row[-1] == "routed"] == [newest, "id-000001"]
    (receiver,) = [row for row in rows if row[0] == "prod/flux-system/controllers"]
    assert receiver[1:5] == ["retrying", "0/2", "1", "01-01 00:01:00"]
    assert ["rejected 404", "no such receiver"] in rows
    assert as_json(live.run("layers", "controllers", "-o", "json"))["name"] == "controllers"


def test_a_replay_tells_what_is_called_and_what_is_gone(live: Live) -> None:
    delivery = live.push(1)
    live.use(make_routing(make_repository({"app1": ["apps/app1/"]}), generation=1))
    done = live.run("replay", delivery)
    assert (done.exit_code, done.stdout) == (0, "delivery id-000002: app1 once more\n")
    assert "bootstrap, controllers, databases, post-config, app2, app3" in done.stderr
    assert as_json(live.run("replay", delivery, "-o", "json"))["layers"] == ["app1"]


@pytest.mark.parametrize("output", ["table", "json"])
def test_a_replay_of_what_affected_nothing_exits_1(live: Live, output: str) -> None:
    delivery = live.push(1, ref="refs/heads/none")
    done = live.run("replay", delivery, "-o", output)
    assert done.exit_code == 1
    assert "nothing to call" in done.stderr


def test_notify_tells_the_receivers(live: Live) -> None:
    done = live.run("notify", "app1")
    assert (done.exit_code, done.stdout) == (
        0, "delivery id-000001: prod/flux-system/app1 once more\n",
    )  # fmt: skip
    assert as_json(live.run("notify", "app1", "-o", "json"))["delivery"] == "id-000002"


@pytest.mark.parametrize("words", [("layers", "nope"), ("notify", "nope")])
def test_a_layer_that_is_not_there_is_refused(live: Live, words: tuple[str, ...]) -> None:
    assert "in the routing file" in refusal(live.run(*words))


@pytest.mark.parametrize("name", ["", "..", "a/b", "../deliveries"])
def test_a_name_that_would_lead_elsewhere_is_not_asked_for(live: Live, name: str) -> None:
    assert refusal(live.run("notify", name)) == f"nothing there is named {name!r}"


def test_explain_tells_where_the_file_of_now_differs(live: Live) -> None:
    live.push(1)
    delivery = live.push(2, paths=["apps/app1/x", "docs/x"])
    printed = live.run("explain", "--delivery", delivery)
    assert "the same as was decided then" in printed.stdout
    assert ["app1", "yes", "yes", "a changed path matches", "apps/app1/x", "apps/app1/"] in lines(
        printed
    )
    live.use(
        make_routing(
            make_repository({"docs": ["docs/"], "app1": ["elsewhere/"], "app2": ["a/"]}),
            generation=2,
        )
    )
    told = live.run("explain", "--delivery", delivery).stdout
    assert "under generation 2 of the routing file" in told
    assert "differs: docs would be called now, and was not: it had no match" in told
    assert "differs: app1 was called, and would not be now: it owns none of the 2" in told
    assert "the same" not in told
    live.use(make_routing(make_repository({"app2": ["a/"]}), generation=2))
    told = live.run("explain", "--delivery", delivery).stdout
    assert "differs: called then, and gone: app1" in told
    answer = as_json(live.run("explain", "--delivery", delivery, "-o", "json"))
    assert answer["explanations"][0]["differs"] is True


def test_explain_of_what_concerned_nothing_says_why(live: Live) -> None:
    ignored = live.push(1, ref="refs/heads/none")
    assert "no entry tracks this ref" in live.run("explain", "--delivery", ignored).stdout


@pytest.mark.parametrize(
    "words",
    [
        ("deliveries", "id", "--watch"),
        ("layers", "app1", "--watch"),
        ("deliveries", "--limit", "0"),
        ("explain", "--delivery", "id", "--path", "x"),
        ("explain", "--delivery", "id", "--config", "router.yaml"),
        ("explain", "--delivery", "id", "--repository", "fleet"),
        ("explain", "--delivery", "id", "HEAD~1", "HEAD"),
        ("replay",),
        ("notify",),
    ],
)
def test_wrong_usage_exits_2(live: Live, words: tuple[str, ...]) -> None:
    assert live.run(*words).exit_code == 2


def test_ids_are_as_short_as_tells_them_apart() -> None:
    first = "01a205b4-ad36-7d22-b784-d534270f0be4"
    assert id_length([]) == id_length([first, first]) == SHORTEST_ID
    assert id_length([first, first.replace("7d22", "7d23")]) == 18


def test_times_are_shown_in_utc() -> None:
    assert instant("2026-01-01T02:00:00.5+02:00") == "2026-01-01 00:00:00"
    assert instant(None) == "-"


@pytest.mark.parametrize(
    ("ref", "shown"),
    [("refs/heads/a/b", "a/b"), ("refs/tags/v1", "tags/v1"), (None, "-"), ("x", "x")],
)
def test_a_branch_is_shown_by_its_name(ref: str | None, shown: str) -> None:
    assert shorten_ref(ref) == shown


def test_control_characters_of_a_push_are_escaped(live: Live) -> None:
    live.push(1)
    delivery = live.push(2, paths=["apps/app1/\x1b[31mred\r\n"])
    for words in (("deliveries", delivery), ("explain", "--delivery", delivery)):
        printed = live.run(*words).stdout
        assert r"apps/app1/\x1b[31mred\r\n" in printed
        assert "\x1b" not in printed


def test_what_a_suspension_holds_is_told(live: Live) -> None:
    first = live.push(1)
    live.use(make_routing(suspended_clusters=["prod"], generation=1))
    for done in (live.run("notify", "app1"), live.run("replay", first)):
        assert done.exit_code == 0
        assert "held until the suspension of layer or cluster ends: prod/" in done.stderr


def test_a_service_that_was_told_of_nothing_says_where_to_look(live: Live) -> None:
    assert "no delivery yet" in live.run("deliveries").stderr
    assert as_json(live.run("deliveries", "-o", "json")) == []


def test_a_reason_that_all_layers_share_is_told_once(live: Live) -> None:
    delivery = live.push(1)
    explained = lines(live.run("explain", "--delivery", delivery))
    assert ["app1", "yes", "yes", "not known what changed, see below"] in explained
    printed = live.run("deliveries", delivery)
    assert ["app1", "yes", "not known what changed, see above"] in lines(printed)
    (known,) = [row[1] for row in lines(printed) if row[0] == "known"]
    assert known.startswith("unknown: ")
    assert printed.stdout.count(known.removeprefix("unknown: ")) == 1


def test_the_only_path_of_a_push_is_not_counted(live: Live) -> None:
    live.push(1)
    rows = lines(live.run("deliveries", live.push(2, paths=["apps/app1/x"])))
    assert ["app2", "no", "it does not own the changed path"] in rows
