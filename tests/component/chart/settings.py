"""Every toggle of the chart, each as the values that switch it."""

from __future__ import annotations

from typing import Any

USER = {"name": "alice", "key": "k", "secret": "s", "balances": {"USDT": "10000"}}
SIMULATOR: dict[str, Any] = {"simulator.enabled": True, "simulator.users": [USER]}

TOGGLES: dict[str, dict[str, Any]] = {
    "defaults": {},
    "namespaced": {"watchNamespaces": ["alice", "bob"]},
    "namespaced, nothing cluster-wide": {
        "watchNamespaces": ["alice", "bob"],
        "rbac.releaseClusterWide": False,
    },
    "no aggregated roles": {"rbac.aggregateToDefaultRoles": False},
    "no definitions": {"crds.enabled": False},
    "definitions not kept": {"crds.keep": False},
    "three servers": {"nats.replicas": 3},
    "a storage class": {"nats.persistence.storageClass": "fast", "nats.persistence.size": "50Gi"},
    "no persistence": {"nats.persistence.enabled": False},
    "an existing volume": {"nats.persistence.existingVolume": {"hostPath": {"path": "/srv/nats"}}},
    "external servers": {
        "nats.enabled": False,
        "nats.url": "nats://a:4222,nats://b:4222",
        "nats.externalCidrs": ["192.0.2.0/24"],
        "keys.existingSecret": "our-keys",
    },
    "dedicated servers": {
        "nats.dedicated": [
            {"name": "own", "namespaces": ["alice"], "replicas": 3, "persistence": {"size": "2Gi"}},
            {"name": "small", "namespaces": ["bob", "carol"], "resources": {"limits": {"memory": "256Mi"}}},
        ],
    },
    "kept for longer": {"retention.days": 400, "retention.maxMebibytes": 8192},
    "own keys": {"keys.existingSecret": "our-keys"},
    "no TLS": {"nats.tls.enabled": False},
    "an own certificate": {"nats.tls.existingSecret": "our-certificate"},
    "cert-manager": {"nats.tls.issuedBy": "certManager", "nats.replicas": 3},
    "an issuer of cert-manager": {
        "nats.tls.issuedBy": "certManager",
        "nats.tls.issuer": {"name": "company", "kind": "ClusterIssuer"},
    },
    "external servers with TLS": {
        "nats.enabled": False,
        "nats.url": "tls://a:4222",
        "nats.externalCidrs": ["192.0.2.0/24"],
        "nats.tls.existingSecret": "their-authority",
        "keys.existingSecret": "our-keys",
    },
    "simulator": SIMULATOR,
    "simulator with data": SIMULATOR
    | {
        "simulator.dataVolume": {"hostPath": {"path": "/srv/data"}},
        "simulator.dataFile": "btc.csv",
        "simulator.volume": "quote",
        "simulator.stateVolume": {"emptyDir": {}},
        "simulator.compress": 60,
        "simulator.seed": 7,
        "simulator.symbols": ["BTC/USDT", "ETH/USDT"],
        "simulator.adminToken": "secret",
        "simulator.image": {"repository": "simulator", "tag": "1", "pullPolicy": "Never"},
    },
    "simulator with an Ed25519 user": {
        "simulator.enabled": True,
        "simulator.users": [
            {"name": "b", "key": "k", "publicKey": "-----BEGIN-----\nx\n", "makerFee": "0", "feeAsset": "BNB"}
        ],
    },
    "no gateway": {"egressGateway.enabled": False},
    "one gateway": {"egressGateway.replicas": 1, "egressGateway.privateCidrs": ["10.9.0.0/16"]},
    "no policies": {"network.policies": False},
    "scraped": {
        "metrics.podMonitor.enabled": True,
        "metrics.rules.enabled": True,
        "metrics.rules.labels": {"team": "a"},
        "network.metricsNamespaceLabels": {"kubernetes.io/metadata.name": "monitoring"},
    },
    "scraped, namespaced": {"metrics.podMonitor.enabled": True, "watchNamespaces": ["alice"]},
    "one operator": {"operator.replicas": 1, "operator.logLevel": "debug"},
    "placement": {
        "operator.nodeSelector": {"a": "b"},
        "operator.tolerations": [{"operator": "Exists"}],
        "operator.priorityClassName": "system-cluster-critical",
        "nats.priorityClassName": "system-cluster-critical",
        "platform.createPriorityClass": False,
        "imagePullSecrets": ["registry"],
        "commonLabels": {"owner": "us"},
        "operator.podAnnotations": {"a": "b"},
    },
    "an own exchange": {
        "exchanges.binanceus.Production": {"rest": "https://api.example.com", "cidrs": ["203.0.113.0/24"]}
    },
    "cluster ranges": {"network.clusterCidrs": ["203.0.113.0/24", "2001:db8::/32"]},
}

NONSENSE: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown value": ({"operator.replicaz": 2}, "replicaz"),
    "an unknown section": ({"operators.replicas": 2}, "operators"),
    "two servers": ({"nats.replicas": 2}, "nats/replicas"),
    "no operator": ({"operator.replicas": 0}, "operator/replicas"),
    "a text for a number": ({"operator.concurrency": "many"}, "operator/concurrency"),
    "a tag where images are allowed": (
        {"runtime.strategyImages": ["registry.example/x:latest"]},
        "strategyImages",
    ),
    "a wrong pull policy": ({"runtime.image.pullPolicy": "Sometimes"}, "pullPolicy"),
    "an image without a name": ({"operator.image.repository": ""}, "repository"),
    "a wrong log level": ({"operator.logLevel": "loud"}, "logLevel"),
    "a URL of another protocol": (
        {"nats.enabled": False, "nats.url": "http://nats"},
        "nats/url",
    ),
    "no servers at all": ({"nats.enabled": False}, "set nats.url"),
    "external servers that nobody may reach": (
        {"nats.enabled": False, "nats.url": "nats://a", "keys.existingSecret": "our-keys"},
        "set nats.externalCidrs",
    ),
    "own servers and external ones": ({"nats.url": "nats://a"}, "set nats.enabled to false"),
    "an issuer for nobody": (
        {"nats.tls.issuer.name": "company", "nats.tls.issuedBy": "operator"},
        "cert-manager is not used",
    ),
    "an issuer that is none": ({"nats.tls.issuedBy": "me"}, "issuedBy"),
    "one volume for three servers": (
        {"nats.replicas": 3, "nats.persistence.existingVolume": {"hostPath": {"path": "/x"}}},
        "would be shared by several servers",
    ),
    "dedicated servers that are called shared": (
        {"nats.dedicated": [{"name": "shared", "namespaces": ["alice"]}]},
        "nats/dedicated/0/name",
    ),
    "dedicated servers for nobody": (
        {"nats.dedicated": [{"name": "own", "namespaces": []}]},
        "nats/dedicated/0/namespaces",
    ),
    "dedicated servers of one name": (
        {"nats.dedicated": [{"name": "own", "namespaces": [each]} for each in ("alice", "bob")]},
        "two entries called own",
    ),
    "dedicated servers where nobody looks": (
        {"watchNamespaces": ["bob"], "nats.dedicated": [{"name": "own", "namespaces": ["alice"]}]},
        "namespace alice, which is not in watchNamespaces",
    ),
    "dedicated servers beside external ones": (
        {
            "nats.enabled": False,
            "nats.url": "nats://a",
            "nats.externalCidrs": ["192.0.2.0/24"],
            "nats.dedicated": [{"name": "own", "namespaces": ["alice"]}],
        },
        "nats.dedicated runs beside the servers of this release",
    ),
    "a size without a unit": ({"nats.persistence.size": "10"}, "size"),
    "a namespace that cannot be": ({"watchNamespaces": ["Alice"]}, "watchNamespaces"),
    "a namespace twice": ({"watchNamespaces": ["a", "a"]}, "watchNamespaces"),
    "a network that is none": ({"network.clusterCidrs": ["everything"]}, "clusterCidrs"),
    "an exchange in capitals": ({"exchanges.Binance.Production": {}}, "Binance"),
    "an endpoint with a typo": ({"exchanges.binance.Production.url": "x"}, "url"),
    "an exchange that is not encrypted": ({"exchanges.binance.Plain.rest": "http://x"}, "is none"),
    "a websocket over http": ({"exchanges.binance.Production.websocket": "http://x"}, "websocket"),
    "a file without a volume": ({"simulator.dataFile": "x.csv"}, "without simulator.dataVolume"),
    "no symbols": ({"simulator.symbols": []}, "symbols"),
    "a symbol without a slash": ({"simulator.symbols": ["BTCUSDT"]}, "symbols"),
    "volume in another asset": ({"simulator.volume": "both"}, "volume"),
    "time that stands still": ({"simulator.compress": 0}, "compress"),
    "a balance that is a number": (
        {"simulator.users": [{**USER, "balances": {"USDT": 10000}}]},
        "balances",
    ),
    "a user without a secret": ({"simulator.users": [{"name": "a", "key": "k"}]}, "simulator/users"),
}
