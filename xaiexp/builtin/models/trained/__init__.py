"""Small networks that are trained on first use, within seconds, and cached in a file.

The components are in ``digits_and_shapes`` (networks for two built-in datasets) and ``tabular_and_series`` (networks
for the labelled dataset of the study). ``digits_and_shapes_recipes`` and ``dataset_recipes`` define their architectures
and training data; ``training`` trains a recipe, and reads and writes the cache; ``objectives`` defines losses and
held-out figures by task; ``recipe_names`` names the cached files.
"""
