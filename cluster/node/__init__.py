"""The real single-node cluster, inside Linux namespaces of its own.

`layout` names places, `configuration` builds what the components read, `namespace` prepares mounts and
the network inside, `supervisor` is process 1 inside, `lifecycle` starts and removes it from outside.

Everything runs in its own network, mount, process and host-name namespaces. So the cluster needs no
interface, route or rule on the host, and when process 1 dies the kernel removes all the rest.
"""
