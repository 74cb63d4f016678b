"""From a folder of rendered scores to shipped weights; runs/ holds the commands that made what is shipped."""
