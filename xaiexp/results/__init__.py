"""What a study leaves behind: its record, tables, verdicts and gallery, the folder they are written to, and ``Result``."""
