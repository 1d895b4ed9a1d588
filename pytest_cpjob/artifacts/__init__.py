"""The artifact store: contents as zips, objects on moto's S3, and who may open which."""
