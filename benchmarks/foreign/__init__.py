"""The scripts of the counterparts; they run in the counterparts' venv, or as C."""
