"""What is checked of a model before anything is explained."""
