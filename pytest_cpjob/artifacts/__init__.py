"""The artifact store: contents as zips, objects in moto's S3, and who may access which."""
