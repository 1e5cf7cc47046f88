"""Kubeconfig files, written as JSON (which is YAML) so that nothing but the standard library is needed."""

import json
from pathlib import Path

from cluster.pki import Pair


def build_kubeconfig(
    server: str, authority: Path, client: Pair, context: str, user: str
) -> dict[str, object]:
    """A kubeconfig with one context; the certificates are referred to by path."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": context,
        "clusters": [
            {"name": context, "cluster": {"server": server, "certificate-authority": str(authority)}}
        ],
        "users": [
            {
                "name": user,
                "user": {"client-certificate": str(client.certificate), "client-key": str(client.key)},
            }
        ],
        "contexts": [{"name": context, "context": {"cluster": context, "user": user}}],
    }


def write_kubeconfig(path: Path, content: dict[str, object]) -> Path:
    """Write readable by the owner alone, in one step for concurrent readers."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.touch(mode=0o600)
    unfinished.write_text(json.dumps(content, indent=1))
    unfinished.rename(path)
    return path
