"""How every test of the project runs: the same examples each time, so that a red run can be seen again.

`GEWU_EXPLORE=1 ./gewu test` lets hypothesis look for new examples instead.
"""

import os

from hypothesis import settings

settings.register_profile("steady", derandomize=True, deadline=None, max_examples=50)
settings.register_profile("explore", deadline=None, max_examples=1000, print_blob=True)
settings.load_profile("explore" if os.environ.get("GEWU_EXPLORE") else "steady")
