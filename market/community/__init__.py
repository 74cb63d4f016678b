"""What people say of loops: favourites, collections, ratings, counts, charts."""
