"""The examples of a study: which can be read, what their labels are, and how well the model does on them."""
