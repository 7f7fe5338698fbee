"""Mutation tests: small faults put into the engine and the definitions, and whether the tests find them.

    python -m tests.mutation --help

A driver of our own, after a trial of mutmut 3.8: it starts a pytest session per mutant and chooses tests by function,
which came to two mutants a second, forty minutes for `rules/engine` alone; it leaves out what is decorated or stands
outside functions, and knows nothing of definitions. cosmic-ray starts a whole process per mutant and chooses no tests.
Here the tests are collected once; a mutant is a forked child in which one function's code was exchanged, and runs only
the tests that touch its line. What is done at import is imported anew; a definition is read anew beside the others.
"""
