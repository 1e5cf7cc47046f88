"""Bandwidth annotations on kind's nodes, whose network knows nothing of them.

The plugin is put beside the node's own and into its chain. The node's network writes its configuration
once, when it starts, so the chain is looked at on every `up`.
"""

import json
from pathlib import Path
from typing import Any

from cluster import binaries
from cluster.commands import run

CHAINS = "/etc/cni/net.d"
# Where our stand-in, which gives the plugin a sensible burst, expects the plugin itself.
_PLUGIN = "/usr/lib/cni/bandwidth"
_STAND_IN = "/opt/cni/bin/bandwidth"
_ENTRY = {"type": "bandwidth", "capabilities": {"bandwidth": True}}


def enable(node: str) -> None:
    """Put the plugin on `node` (a container of the Docker engine) and into its chains."""
    run(["docker", "exec", node, "mkdir", "-p", str(Path(_PLUGIN).parent)])
    run(["docker", "cp", binaries.ensure("cni-bandwidth"), f"{node}:{_PLUGIN}"])
    run(["docker", "cp", binaries.ensure("bandwidth"), f"{node}:{_STAND_IN}"])
    for name in run(["docker", "exec", node, "ls", CHAINS]).split():
        if name.endswith(".conflist"):
            _extend(node, f"{CHAINS}/{name}")


def _extend(node: str, file: str) -> None:
    chain = json.loads(run(["docker", "exec", node, "cat", file]))
    extended = build_chain(chain)
    if extended != chain:
        # In one step: the container runtime reads it whenever it changes.
        replace = f"cat > {file}.unfinished && mv {file}.unfinished {file}"
        run(
            ["docker", "exec", "--interactive", node, "sh", "-c", replace],
            stdin=json.dumps(extended, indent=1),
        )


def build_chain(chain: dict[str, Any]) -> dict[str, Any]:
    """The chain with the plugin at its end, unless it has it."""
    plugins = chain.get("plugins") or []
    if any(plugin["type"] == _ENTRY["type"] for plugin in plugins):
        return chain
    return {**chain, "plugins": [*plugins, _ENTRY]}
