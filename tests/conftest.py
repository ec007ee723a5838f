"""Its folder is on the path of every test, and with it what tests share."""
