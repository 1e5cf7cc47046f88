"""Command lines that run where this machine's tests cannot."""

from pathlib import Path

import pytest

from cluster import binaries, kind, kind_bandwidth, toolchain
from cluster.errors import ClusterError
from cluster.images import buildah, docker
from cluster.node import cgroups, running
from cluster.node.layout import Instance


def test_kind_gets_our_configuration_and_a_kubeconfig_of_its_own() -> None:
    words = kind.create_words(Path("/bin/kind"), "demo", {})
    assert words[:3] == ["/bin/kind", "create", "cluster"]
    assert f"--kubeconfig={kind.kubeconfig('demo')}" in words
    assert f"--config={kind.CONFIGURATION}" in words
    assert kind.CONFIGURATION.exists()
    assert not any(word.startswith("--image") for word in words)


def test_kind_takes_the_node_image_that_the_user_names() -> None:
    assert "--image=mine/node:1" in kind.create_words(
        Path("kind"), "demo", {"KIND_NODE_IMAGE": "mine/node:1"}
    )


def test_kind_deletes_the_named_cluster_only() -> None:
    assert "--name=demo" in kind.delete_words(Path("kind"), "demo")


def test_kind_is_sent_only_what_one_of_its_nodes_lacks() -> None:
    both, first = "docker.io/library/nats:1", "docker.io/library/runtime:1"
    listed = [[both, first, "docker.io/library/operator:0"], [both]]
    assert kind.absent(["nats:1", "runtime:1", "operator:1"], listed) == ["runtime:1", "operator:1"]
    assert kind.absent(["nats:1", "runtime:1"], listed[:1]) == []


def test_bandwidth_is_added_to_a_chain_once() -> None:
    chain = {"name": "kindnet", "plugins": [{"type": "ptp"}, {"type": "portmap"}]}
    extended = kind_bandwidth.build_chain(chain)
    assert [plugin["type"] for plugin in extended["plugins"]] == ["ptp", "portmap", "bandwidth"]
    assert kind_bandwidth.build_chain(extended) == extended


def test_docker_builds_one_target_with_the_arguments() -> None:
    words = docker.build_words(
        Path("/context"), "name:tag", "runtime", {"BASE_IMAGE": "base:1", "RUNTIME_BASE": "runtime:1"}
    )
    assert words == [
        "docker",
        "build",
        "--network=host",
        "--target=runtime",
        "--build-arg=BASE_IMAGE=base:1",
        "--build-arg=RUNTIME_BASE=runtime:1",
        "--tag=name:tag",
        "/context",
    ]


def test_buildah_builds_the_same_target_from_the_same_context() -> None:
    words = buildah.build_words(Path("/context"), "name:tag", "runtime", {"BASE_IMAGE": "base:1"})
    assert {"--target=runtime", "--build-arg=BASE_IMAGE=base:1", "--tag=name:tag"} < set(words)
    assert words[-1] == Path("/context")


def test_kubernetes_programs_say_their_version() -> None:
    words = binaries.build_command(binaries.PROGRAMS["kubelet"], Path("/bin/go"), Path("/out"))
    assert f"gitVersion=v{binaries.KUBERNETES}" in words[words.index("-ldflags") + 1]
    assert words[-3:] == ["-o", "/out/kubelet", "k8s.io/kubernetes/cmd/kubelet"]


def test_every_program_has_a_locked_module() -> None:
    for program in [*binaries.PROGRAMS.values(), *binaries.KIND_PROGRAMS.values()]:
        module = binaries.MODULES / program.module
        assert (module / "go.mod").exists()
        assert (module / "go.sum").exists() or program.module == "node", "only our own has no dependencies"


def test_unknown_program_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ClusterError, match=r"'k3s'.*etcd"):
        binaries.ensure("k3s")


@pytest.mark.parametrize(
    ("text", "version"),
    [("go1.26.8\n", (1, 26)), ("go1.27rc1", (1, 27)), ("devel", (0, 0)), ("", (0, 0))],
)
def test_go_version(text: str, version: tuple[int, int]) -> None:
    assert toolchain.parse_version(text) == version


def test_users_own_go_flags_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOFLAGS", "-modcacherw")
    assert toolchain.build_environment()["GOFLAGS"].startswith("-modcacherw ")


def test_cgroups_of_version_two_are_one_folder(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").touch()
    assert cgroups.folders("name", tmp_path) == [tmp_path / "name"]


def test_cgroups_of_version_one_are_a_folder_a_controller(tmp_path: Path) -> None:
    for controller in ("cpu", "memory"):
        (tmp_path / controller).mkdir()
        (tmp_path / controller / "cgroup.procs").touch()
    (tmp_path / "unrelated").mkdir()
    assert cgroups.folders("name", tmp_path) == [tmp_path / "cpu" / "name", tmp_path / "memory" / "name"]


def test_supervisor_is_recognised_by_its_exact_command_line(tmp_path: Path) -> None:
    instance = Instance("one")
    command = [running.SUPERVISOR, "one", str(instance.folder), "7"]
    for pid, words in {
        "10": ["unshare", "--net", "python", "-m", *command],
        "11": ["python", "-m", *command],
        "12": ["python", "-m", running.SUPERVISOR, "one-more", str(instance.folder), "7"],
        "13": ["grep", " ".join(command)],
    }.items():
        (tmp_path / pid).mkdir()
        (tmp_path / pid / "cmdline").write_bytes("\0".join(words).encode() + b"\0")
    (tmp_path / "self").mkdir()
    assert sorted(running.supervisors(instance, tmp_path)) == [10, 11]
