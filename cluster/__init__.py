"""A throw-away local cluster, and the choice of the cluster that everything else works on.

`cluster.target.target()` gives the kubeconfig file and context for tests, the demo and the Makefile;
`python -m cluster kubeconfig` prints the file. `cluster.binaries.ensure(name)` gives a program's path.
"""
