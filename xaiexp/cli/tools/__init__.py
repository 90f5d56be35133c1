"""The tools of the program: each first word of a command line names a module, whose ``run(words)`` is called."""
