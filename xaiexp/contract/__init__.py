"""What a plugin may add: the kinds of components, the hooks, and the registry that finds and builds components.

Plugin authors import from :mod:`xaiexp.plugin`.
"""
