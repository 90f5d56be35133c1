"""The model's passes: bound to batches, packed into full blocks of rows, counted, cached across targets."""
