"""A local folder bound to a store and a namespace."""
