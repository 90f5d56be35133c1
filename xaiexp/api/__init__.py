"""What people call from Python: ``run`` (a study), ``attribute``, ``score``, ``agree``, ``components``.

``execute.py`` carries out one planned study, from plan to files, tracking and report, for ``run`` and for the program.
"""
