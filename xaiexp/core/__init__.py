"""Data types shared by all components: samples, batches, feature maps, explanations, random draws, parameters, keys."""
