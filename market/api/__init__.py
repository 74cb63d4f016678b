"""The REST door: puts the nouns' endpoints together and says errors in one voice."""
