"""Starts the application when power comes. It does nothing else, so that it never needs an update itself:
an update puts new modules beside the old ones, and which of them run is a decision of `start`."""

import start

start.run()
