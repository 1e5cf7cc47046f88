"""What every container does alike: settings from the environment, JSON logs, probes and metrics, signals."""
