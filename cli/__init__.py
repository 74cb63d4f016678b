"""The `riff` command line: the roof, a door to all three floors."""
