"""How good results are: result documents beside the truth become one report.

Reads documents and truth files, never the database. numpy is imported where arrays are, so by whoever evaluates only.
"""
