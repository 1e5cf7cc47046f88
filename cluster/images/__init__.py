"""The images of the platform and of the cluster itself, all made on this machine."""
