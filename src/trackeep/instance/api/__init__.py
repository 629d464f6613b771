"""The JSON API: what scripts may ask, in answers with a described shape."""
