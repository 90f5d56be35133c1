"""What a paper needs of a study or a sweep: the table of scores as LaTeX, Markdown and CSV, and its references."""
