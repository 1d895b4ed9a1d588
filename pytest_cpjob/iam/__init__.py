"""What a role's policies allow: documents read, calls named as IAM names them, one judgement."""
