"""`gewu hil`: benches, verdicts and reports of the hardware-in-the-loop suite.

`bench_file` says what a bench has, `bench` opens it, `plugin` judges the tests of `hil_tests/suite`, `session` runs
them in lanes, `report` hands over the paper. Nothing here knows an instrument's commands or a register's address.
"""
