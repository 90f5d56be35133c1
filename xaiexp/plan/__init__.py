"""What is asked and what would run: settings, study, cells and plan. Imports no torch and no Hydra."""
