"""The streams of records and their numbers in the database. It holds nothing else."""

READINGS, EVENTS, CASES, GAPS, CORRECTIONS = 1, 2, 3, 4, 5
NAMES = {READINGS: "readings", EVENTS: "events", CASES: "cases", GAPS: "gaps", CORRECTIONS: "corrections"}
NUMBERED = (READINGS, EVENTS, CASES)  # those whose records are counted; the others speak about them
