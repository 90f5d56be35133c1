"""From a command line and YAML to a study: Hydra composes, errors are translated, what a file may not do is refused."""
