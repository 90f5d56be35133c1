"""Tab completion in bash, zsh and fish.

A shell asks the program for the words that may stand at the cursor (``answer.py``). What can be completed lies in an
index (``index.py``), which is kept in the cache folder of the user, since importing all plugins takes longer than a
prompt should wait. These modules import the standard library alone, but for the making of the index.
"""
