"""Results in a notebook: as a few lines of text, as HTML, and as a figure."""
