"""The Debian package: `gewu provision deb` makes it from a checkout, without debhelper."""
