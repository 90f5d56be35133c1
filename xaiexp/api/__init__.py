"""What people call from Python: ``run`` (a study), ``attribute``, ``score``, ``agree``, ``components``.

``axes``, ``inputs``, ``examples`` and ``references`` turn the user's own tensors into what components read.
``execute.py`` carries out one planned study, from plan to files, tracking and report, for ``run`` and for the program.
"""
