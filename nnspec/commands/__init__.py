"""The commands, one file each. A module here imports only typer; the work is imported when it runs."""
