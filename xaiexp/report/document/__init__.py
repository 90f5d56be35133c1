"""The document of a page: everything that the viewer shows of one or several studies, as bytes.

A JSON part, whose fields are those of ``parts.py`` here and of ``viewer/src/document/types.ts`` there, and a binary
part with the numbers that are many: scores, maps, pictures.
"""
