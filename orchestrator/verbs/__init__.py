"""What each verb of the command line does: files and processes at the one end, pure values at the other."""
