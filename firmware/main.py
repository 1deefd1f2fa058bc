"""Starts the application when power comes. It does nothing else, so that it never needs an update itself:
an update puts new modules beside the old ones, and safe mode is a decision of `app`."""

import app

app.main()
