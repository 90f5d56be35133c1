"""What a study leaves behind: record, tables, verdicts, gallery, the folder that holds them, and ``Result``."""
