"""Mutation testing of core/metrics and core/audit: would the tests notice if a formula were wrong?

    python -m tests.mutation --sample 350 --seed 2711 --journal FILE

changes one thing in one function (a comparison, a sign, a constant, an argument), runs the tests that cover that function, and
says whether one of them fails. See `__main__` for the rule by which changes are drawn.
"""
