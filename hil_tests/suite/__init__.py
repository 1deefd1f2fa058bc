"""The checks of `gewu hil`, the same for a virtual bench, a desk and a site; `hil_tests.hil.session` runs them."""
