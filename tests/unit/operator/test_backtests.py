"""What a Backtest's children are, and what its status says of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml

from smarttrade.api import TradingAccountSpec
from smarttrade.api.backtest import BacktestSpec, BacktestStatus
from smarttrade.api.load import load_account
from smarttrade_operator.backtests.build import (
    Outline,
    build_children,
    build_collect_job,
    build_config_map,
    build_network_policy,
    build_quota,
    build_shard_job,
    image_of,
    source_of,
)
from smarttrade_operator.backtests.progress import (
    LOST,
    build_pending,
    build_status,
    ends_at,
    is_over,
    round_of,
    seconds_left,
)
from smarttrade_operator.backtests.watching import key_of
from smarttrade_operator.diagnose import Problem
from smarttrade_operator.kinds import BACKTEST, JOB
from smarttrade_operator.names import Key
from smarttrade_operator.settings import Backtests
from tests.unit.operator.accounts import RUNTIME, build_manifest

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SPEC: dict[str, Any] = {
    "account": "alice",
    "data": {"volume": {"claimName": "candles", "path": "store"}},
    "results": {"claimName": "results", "path": "sweeps"},
    "parameters": ["fast=5:50:5"],
    "shards": 8,
    "parallelism": 3,
}


def outline(account: dict[str, Any] | None = None, **spec: Any) -> Outline:
    tested = TradingAccountSpec.model_validate(build_manifest(**(account or {}))["spec"])
    return Outline(
        name="sweep",
        namespace="alice",
        uid="0123456789abcdef",
        spec=BacktestSpec.model_validate({**SPEC, **spec}),
        account=tested,
        source=tested.strategy.source.origin
        if tested.strategy.source and not tested.strategy.image
        else None,
        image=tested.strategy.image,
        runtime=RUNTIME,
        settings=Backtests(priority_class="low", quota_pods=5, quota_cpu="2", quota_memory="4Gi"),
        ends=NOW,
    )


def pod_of(job: dict[str, Any]) -> dict[str, Any]:
    pod: dict[str, Any] = job["spec"]["template"]["spec"]
    return pod


def test_the_account_is_frozen_with_the_question() -> None:
    made = build_config_map(outline())
    assert made is not None
    data = made["data"]
    account = load_account(yaml.safe_dump(yaml.safe_load(data["account.yaml"])))
    assert account.spec == outline().account
    assert BacktestSpec.model_validate_json(data["backtest.json"]) == outline().spec


def test_a_strategy_s_own_image_is_what_its_backtest_runs_and_brings_the_modules() -> None:
    image = f"registry.example/mine@sha256:{'0' * 64}"
    for build in (build_shard_job, build_collect_job):
        job = build(outline({"strategy": {"source": {"image": image, "class": "mine.Mine"}}}))
        [container] = pod_of(job)["containers"]
        assert container["image"] == image == image_of(job)
        assert "strategy" not in {mount["name"] for mount in container["volumeMounts"]}
        assert image_of(build(outline())) == ""


def test_the_pods_reach_nothing_and_nothing_reaches_them() -> None:
    policy = build_network_policy(outline())["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert policy["ingress"] == policy["egress"] == []
    labels = build_shard_job(outline())["spec"]["template"]["metadata"]["labels"]
    assert policy["podSelector"]["matchLabels"].items() <= labels.items()


@pytest.mark.parametrize("build", [build_shard_job, build_collect_job])
def test_the_pods_hold_no_credentials_and_no_rights(build: Any) -> None:
    pod = pod_of(build(outline()))
    assert pod["automountServiceAccountToken"] is False
    assert not any("secret" in volume for volume in pod["volumes"])
    (container,) = pod["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
    assert mounts["data"]["readOnly"]
    assert mounts["results"]["subPath"] == "sweeps"
    assert "readOnly" not in mounts["results"]


def test_the_shards_are_an_indexed_job_with_its_bounds() -> None:
    spec = build_shard_job(outline())["spec"]
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 8, 3)
    assert build_shard_job(outline(shards=2))["spec"]["parallelism"] == 2
    assert spec["activeDeadlineSeconds"] == 3600
    assert pod_of(build_shard_job(outline()))["containers"][0]["resources"]["limits"] == {"memory": "1Gi"}


def test_the_quota_is_bound_to_the_priority_of_the_pods() -> None:
    quota = build_quota(outline())
    assert quota is not None
    (scope,) = quota["spec"]["scopeSelector"]["matchExpressions"]
    assert scope["values"] == [pod_of(build_shard_job(outline()))["priorityClassName"]] == ["low"]
    assert quota["spec"]["hard"] == {"pods": "5", "requests.cpu": "2", "limits.memory": "4Gi"}


def test_a_users_own_strategy_and_a_config_map_of_candles_are_mounted() -> None:
    source = {"configMapRef": {"name": "mine"}, "class": "mine.Mine"}
    made = outline({"strategy": {"source": source}}, data={"configMap": "few"})
    volumes = {volume["name"]: volume for volume in pod_of(build_shard_job(made))["volumes"]}
    assert volumes["strategy"]["configMap"]["name"] == "mine"
    assert volumes["data"]["configMap"]["name"] == "few"


def test_every_child_goes_with_its_object() -> None:
    made = outline()
    for child in [*build_children(made), build_shard_job(made), build_collect_job(made)]:
        (owner,) = child["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["uid"], owner["blockOwnerDeletion"]) == ("Backtest", made.uid, False)
        assert child["metadata"]["name"].startswith("sweep-01234567")
        assert len(child["metadata"]["name"]) <= 63


# --- status ---


def backtest(**status: Any) -> dict[str, Any]:
    metadata = {"name": "sweep", "namespace": "alice", "uid": "u", "generation": 1}
    return {"metadata": metadata, "spec": SPEC, "status": status}


def status_of(
    shards: dict[str, Any] | None,
    collector: dict[str, Any] | None = None,
    pods: Sequence[dict[str, Any]] = (),
    *,
    of: dict[str, Any] | None = None,
    number: int = 0,
    problem: Problem | None = None,
) -> dict[str, Any]:
    return build_status(of or backtest(), number, shards, collector, pods, problem, NOW)


def job(name: str, condition: str = "", succeeded: int = 0, message: str = "") -> dict[str, Any]:
    conditions = [{"type": condition, "status": "True", "reason": "BackoffLimitExceeded", "message": message}]
    status: dict[str, Any] = {"succeeded": succeeded, "startTime": "2026-01-02T03:00:00Z"}
    return {"metadata": {"name": name}, "status": status | ({"conditions": conditions} if condition else {})}


def pod(job_name: str, message: str | None, phase: str = "Succeeded") -> dict[str, Any]:
    state = {"terminated": {"message": message} if message is not None else {}}
    labels = {"batch.kubernetes.io/job-name": job_name}
    status = {"phase": phase, "containerStatuses": [{"state": state}]}
    return {"metadata": {"name": "p", "labels": labels}, "status": status}


VERDICT = {
    "candidates": 9,
    "best": {"parameters": "fast=5 slow=20", "inSample": "1.90", "outOfSample": "0.70"},
    "kept": "37%",
    "warnings": ["in-sample and out-of-sample results part"],
    "results": "sweep.parquet",
}


def test_progress_counts_shards() -> None:
    status = status_of(job("s", succeeded=3))
    assert (status["phase"], status["progress"]) == ("Running", "3/8")
    assert status["startTime"] == "2026-01-02T03:00:00Z"
    assert "completionTime" not in status


def test_all_shards_done_is_collecting_and_the_verdict_is_success() -> None:
    shards = job("s", "Complete", 8)
    assert status_of(shards)["phase"] == "Collecting"
    done = status_of(shards, job("c", "Complete"), [pod("c", json.dumps(VERDICT))])
    assert VERDICT.items() <= done.items()
    assert (done["phase"], done["completionTime"]) == ("Succeeded", "2026-01-02T03:04:05Z")
    assert done["conditions"][0]["status"] == "True"
    assert is_over({"status": done})
    BacktestStatus.model_validate(done, extra="forbid", by_alias=True)


@pytest.mark.parametrize(
    "message",
    [
        "not json",
        "[]",
        "[" * 4096,
        '{"candidates": 1' + "0" * 400 + "}",
        '{"candidates": -1}',
        json.dumps({"best": {"parameters": "x" * 2000}}),
        json.dumps({"candidates": "many"}),
    ],
)
def test_a_verdict_that_is_none_fails(message: str) -> None:
    status = status_of(job("s", "Complete", 8), job("c", "Complete"), [pod("c", message)])
    assert (status["phase"], "malformed" in status["message"]) == ("Failed", True)


def test_a_pod_cannot_say_anything_else_of_the_object() -> None:
    told = {**VERDICT, "phase": "Failed", "observedGeneration": 99, "conditions": []}
    pods = [pod("c", json.dumps(told))]
    status = status_of(job("s", "Complete", 8), job("c", "Complete"), pods)
    assert (status["phase"], status["observedGeneration"]) == ("Succeeded", 1)
    assert len(status["conditions"]) == 1


def test_a_verdict_that_went_with_its_pod_is_said_to_be_lost() -> None:
    status = status_of(job("s", "Complete", 8), job("c", "Complete"))
    assert (status["phase"], status["message"]) == ("Succeeded", LOST)


def test_a_failure_is_told_in_the_pods_own_words() -> None:
    pods = [pod("s", "the strategy has no parameter 'fats'", phase="Failed"), pod("other", "no", "Failed")]
    status = status_of(job("s", "Failed", message="x"), None, pods)
    assert (status["phase"], status["message"]) == ("Failed", "the strategy has no parameter 'fats'")
    assert status["conditions"][0]["reason"] == "Failed"
    silent = status_of(job("s", "Failed", message="too late"))
    assert silent["message"] == "BackoffLimitExceeded: too late"


def test_a_pod_that_cannot_begin_says_why() -> None:
    problem = Problem("ImagePullBackOff", "pod p, container backtest: there is no such image")
    status = status_of(job("s"), problem=problem)
    assert status["message"] == problem.message
    assert (
        status["conditions"][0] | {"status": "Unknown", "reason": "ImagePullBackOff"}
        == status["conditions"][0]
    )


def test_a_condition_keeps_its_time_while_it_stays() -> None:
    before = build_pending(backtest(), "waits", datetime(2026, 1, 1, tzinfo=UTC))
    after = status_of(job("s"), of=backtest(**before))
    assert after["conditions"][0]["lastTransitionTime"] == "2026-01-01T00:00:00Z"


def test_a_search_is_a_job_a_round_whose_pods_go_once_another_has_followed() -> None:
    made = outline(trials=20)
    jobs = [build_shard_job(made, number) for number in range(3)]
    assert [each["metadata"]["name"] for each in jobs] == [
        "sweep-01234567",
        "sweep-01234567-r1",
        "sweep-01234567-r2",
    ]
    assert [pod_of(each)["containers"][0]["command"][-1] for each in jobs] == ["0", "1", "2"]
    assert ["ttlSecondsAfterFinished" in each["spec"] for each in jobs] == [True, True, False]


def test_progress_is_over_all_rounds_and_the_last_one_is_followed_by_collecting() -> None:
    of = {**backtest(round=2), "spec": {**SPEC, "trials": 20}}
    assert round_of(of) == 1
    status = status_of(job("s", succeeded=3), of=of, number=1)
    assert (status["progress"], status["round"], status["phase"]) == ("11/24", 2, "Running")
    assert status_of(job("s", "Complete", 8), of=of, number=1)["phase"] == "Running"
    assert status_of(job("s", "Complete", 8), of=of, number=2)["phase"] == "Collecting"
    assert round_of({**of, "status": {"round": 99}}) == 2
    assert round_of(backtest()) == 0


def test_all_jobs_share_the_time_that_the_object_has() -> None:
    assert seconds_left(backtest(), NOW) is None
    left = seconds_left(backtest(startTime="2026-01-02T03:00:00Z"), NOW)
    assert left == 3600 - 245
    assert ends_at(backtest(), NOW) - NOW == timedelta(hours=1)
    assert ends_at(backtest(startTime="2026-01-02T03:00:00Z"), NOW) - NOW == timedelta(seconds=left)
    variables = pod_of(build_shard_job(outline()))["containers"][0]["env"]
    assert {"name": "SMARTTRADE_BACKTEST_ENDS", "value": str(int(NOW.timestamp()))} in variables
    assert build_shard_job(outline(), 0, left)["spec"]["activeDeadlineSeconds"] == left
    assert build_collect_job(outline(), -5)["spec"]["activeDeadlineSeconds"] == 1


def test_what_began_goes_on_without_its_account() -> None:
    source = {"configMapRef": {"name": "mine"}, "class": "mine.Mine"}
    begun = build_shard_job(outline({"strategy": {"source": source}}))
    assert (source_of(begun), source_of(build_shard_job(outline()))) == ("mine", None)
    orphan = replace(outline(), account=None, source=source_of(begun))
    assert [child["kind"] for child in build_children(orphan)] == ["NetworkPolicy", "ResourceQuota"]
    assert pod_of(build_collect_job(orphan))["volumes"] == pod_of(begun)["volumes"]


def test_events_lead_to_the_object() -> None:
    assert key_of(BACKTEST, {"metadata": {"name": "a", "namespace": "n"}}) == Key("n", "a")
    labels = {"smarttrade.io/backtest": "a"}
    assert key_of(JOB, {"metadata": {"name": "a-1", "namespace": "n", "labels": labels}}) == Key("n", "a")
    assert key_of(JOB, {"metadata": {"name": "a-1", "namespace": "n"}}) is None
