"""What a study keeps of single examples: their facts, their curves, and the maps of some of them."""
